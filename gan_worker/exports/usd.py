"""USD export: a file of a square that shows a material by UsdPreviewSurface, with its textures beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_worker.files import replace_file, storage_errors
from gan_worker.materials.maps import MAPS, Kind

if TYPE_CHECKING:
    from gan_worker.exports.textures import Texture


def write_usd(
    file: Path, name: str, files: dict[Texture, Path], aspect: float, copyright_line: str
) -> None:
    """Write the file as text; arguments and errors as of `gltf.write_gltf`."""
    from pxr import Sdf, Tf, Usd, UsdGeom, UsdShade

    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    name = Tf.MakeValidIdentifier(name)
    root = UsdGeom.Xform.Define(stage, f"/{name}")
    stage.SetDefaultPrim(root.GetPrim())
    if copyright_line:
        stage.GetRootLayer().comment = copyright_line
    path = root.GetPath()
    material = UsdShade.Material.Define(stage, path.AppendChild(name))
    surface = _shader(stage, material.GetPath().AppendChild("Surface"), "UsdPreviewSurface")
    _connect(stage, material, surface, files)
    shown = surface.CreateOutput("surface", Sdf.ValueTypeNames.Token)
    material.CreateSurfaceOutput().ConnectToSource(shown)
    square = _square(stage, path.AppendChild("Square"), aspect)
    UsdShade.MaterialBindingAPI.Apply(square.GetPrim()).Bind(material)
    with storage_errors(file):
        replace_file(file, stage.GetRootLayer().ExportToString().encode())


def _shader(stage: Any, path: Any, kind: str) -> Any:
    from pxr import UsdShade

    shader = UsdShade.Shader.Define(stage, path)
    shader.CreateIdAttr(kind)
    return shader


def _connect(stage: Any, material: Any, surface: Any, files: dict[Texture, Path]) -> None:
    """Textures to the inputs of the surface."""
    from pxr import Sdf

    path, types = material.GetPath(), Sdf.ValueTypeNames
    reader = _shader(stage, path.AppendChild("Places"), "UsdPrimvarReader_float2")
    reader.CreateInput("varname", types.String).Set("st")
    places = reader.CreateOutput("result", types.Float2)
    kinds = {Kind.color: types.Color3f, Kind.direction: types.Normal3f, Kind.value: types.Float}
    for texture, file in ((t, f) for t, f in files.items() if t.inputs):
        kind = MAPS[texture.channels[0]].kind
        sampled = _sample(stage, path, texture, file, places)
        for target in texture.inputs:
            name, _, channel = target.partition(".")
            output = sampled.CreateOutput(
                channel, types.Float if len(channel) == 1 else types.Float3
            )
            surface.CreateInput(name, kinds[kind]).ConnectToSource(output)
        for name, value in texture.beside:
            surface.CreateInput(name, types.Float).Set(value)
    if not any("roughness.g" in texture.inputs for texture in files):
        surface.CreateInput("roughness", types.Float).Set(MAPS["roughness"].neutral[0])


def _sample(stage: Any, path: Any, texture: Texture, file: Path, places: Any) -> Any:
    """The shader that reads a texture."""
    from pxr import Sdf

    types, kind = Sdf.ValueTypeNames, MAPS[texture.channels[0]].kind
    shader = _shader(stage, path.AppendChild(texture.word.title()), "UsdUVTexture")
    shader.CreateInput("file", types.Asset).Set(Sdf.AssetPath(f"./{file.name}"))
    shader.CreateInput("sourceColorSpace", types.Token).Set("sRGB" if kind is Kind.color else "raw")
    shader.CreateInput("st", types.Float2).ConnectToSource(places)
    for direction in ("wrapS", "wrapT"):
        shader.CreateInput(direction, types.Token).Set("repeat")
    if kind is Kind.direction:
        # 0..1 to -1..1, as the specification of UsdPreviewSurface asks for.
        shader.CreateInput("scale", types.Float4).Set((2, 2, 2, 1))
        shader.CreateInput("bias", types.Float4).Set((-1, -1, -1, 0))
    return shader


def _square(stage: Any, path: Any, aspect: float) -> Any:
    """One metre high, upright, facing +Z."""
    from pxr import Sdf, UsdGeom

    x, y = aspect / 2, 0.5
    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr([(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0)])
    mesh.CreateExtentAttr([(-x, -y, 0), (x, y, 0)])
    mesh.CreateFaceVertexCountsAttr([4])
    mesh.CreateFaceVertexIndicesAttr([0, 1, 2, 3])
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateNormalsAttr([(0, 0, 1)] * 4)
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    places = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar(
        "st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex
    )
    places.Set([(0, 0), (1, 0), (1, 1), (0, 1)])
    return mesh
