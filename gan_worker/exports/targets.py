"""Table of export targets: the textures that each tool takes, and which inputs of its material they feed.

Unreal Engine: normals as DirectX has them; occlusion, roughness and metallic in one texture, which is the habit of its
own content. Unity: the mask map of HDRP's Lit shader, whose R and A also are the metallic map of URP's Lit and of
Standard, and whose G is their occlusion map. Godot: `ORMMaterial3D`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from gan_worker.exports.textures import BLACK, SMOOTHNESS, Texture

BASE_COLOR = Texture("basecolor", ("base_color",), "Base color; sRGB")
NORMAL = Texture("normal", ("normal",), "Normals, OpenGL (+Y); linear")
HEIGHT = Texture("height", ("height",), "Height; linear")
ORM = Texture(
    "orm",
    ("ambient_occlusion", "roughness", "metallic"),
    "R ambient occlusion, G roughness, B metallic; linear",
)
OPACITY = Texture("opacity", ("opacity",), "Opacity, white where the material is; linear")
EMISSION = Texture("emission", ("emission",), "Color of the emission; sRGB")


def _cut_out(color: Texture, use: str) -> Texture:
    """The color with opacity as its alpha, for a material that has one."""
    return replace(
        color,
        channels=("base_color", "opacity"),
        only_with="opacity",
        use=f"{color.use}; A opacity{use}",
    )


# Cut out, because whatever blends must be sorted: leaves and grates would show what lies behind in front.
_GLTF = (
    _cut_out(BASE_COLOR, "").into("pbrMetallicRoughness/baseColorTexture", alphaMode="MASK"),
    BASE_COLOR.into("pbrMetallicRoughness/baseColorTexture"),
    NORMAL.into("normalTexture"),
    ORM.into("pbrMetallicRoughness/metallicRoughnessTexture", "occlusionTexture"),
    EMISSION.into("emissiveTexture", emissiveFactor=(1.0, 1.0, 1.0)),
    HEIGHT,
)
_MATERIALX = (
    BASE_COLOR.into("base_color"),
    Texture("roughness", ("roughness",), "Specular roughness; linear").into("specular_roughness"),
    Texture("metallic", ("metallic",), "Metalness; linear").into("metalness"),
    NORMAL.into("normal"),
    HEIGHT.into("displacement"),
    OPACITY.into("opacity.rrr"),
    EMISSION.into("emission_color", emission=1.0),
    Texture(
        "ao",
        ("ambient_occlusion",),
        "Ambient occlusion; linear. A standard surface has no place for it",
    ),
)
_USD = (
    BASE_COLOR.into("diffuseColor.rgb"),
    NORMAL.into("normal.rgb"),
    ORM.into("occlusion.r", "roughness.g", "metallic.b"),
    OPACITY.into("opacity.r", opacityThreshold=0.5),
    EMISSION.into("emissiveColor.rgb"),
    HEIGHT,
)
_UNREAL = (
    Texture("BaseColor", ("base_color",), "Base Color; sRGB on"),
    Texture("Normal", ("normal",), "Normal, DirectX (-Y); compression Normalmap", directx=True),
    replace(ORM, word="ORM", use=f"{ORM.use.partition(';')[0]}; sRGB off, compression Masks"),
    replace(
        HEIGHT, word="Height", use="Height; sRGB off, compression Displacementmap or Grayscale"
    ),
    replace(
        OPACITY, word="Opacity", use="Opacity Mask, Blend Mode Masked; sRGB off, compression Masks"
    ),
    replace(EMISSION, word="Emissive", use="Emissive Color; sRGB on"),
)
_UNITY_COLOR = Texture("BaseMap", ("base_color",), "Base Map; sRGB on")
_UNITY = (
    _cut_out(_UNITY_COLOR, ", Alpha Clipping on"),
    _UNITY_COLOR,
    Texture("NormalMap", ("normal",), "Normal Map, OpenGL (+Y); Texture Type Normal map"),
    Texture(
        "MaskMap",
        ("metallic", "ambient_occlusion", BLACK, SMOOTHNESS),
        "R metallic, G ambient occlusion, A smoothness: Mask Map (HDRP), or Metallic Map and Occlusion Map "
        "(URP, Standard); sRGB off",
    ),
    replace(HEIGHT, word="HeightMap", use="Height Map; sRGB off"),
    replace(EMISSION, word="EmissionMap", use="Emission Map; sRGB on"),
)
_GODOT_COLOR = Texture("albedo", ("base_color",), "Albedo > Texture")
_GODOT = (
    _cut_out(_GODOT_COLOR, ", Transparency > Alpha Scissor"),
    _GODOT_COLOR,
    Texture("normal", ("normal",), "Normal Map > Texture, OpenGL (+Y)"),
    replace(ORM, use=f"ORM > Texture of an ORMMaterial3D: {ORM.use.partition(';')[0]}"),
    replace(HEIGHT, use="Height > Texture"),
    replace(EMISSION, use="Emission > Texture"),
)


class ExportTarget(StrEnum):
    """Kinds of tools and files."""

    gltf = "gltf"
    materialx = "materialx"
    usd = "usd"
    unreal = "unreal"
    unity = "unity"
    godot = "godot"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What a target takes.

    Attributes:
        number: stands for it in .blend files: no other has or had it, for life.
        label: what people call it.
        about: what they get, for a tooltip.
        textures: in the order in which they are written.
        prefix: begins the names of files.
        suffix: of the document that uses the textures; empty where there is none.
        use: of the document, for a person.
        package: what writing the document needs; empty for nothing beside this program.
    """

    number: int
    label: str
    about: str
    textures: tuple[Texture, ...]
    prefix: str = ""
    suffix: str = ""
    use: str = "Open this one: a square that shows the material"
    package: str = ""


TOOLS: dict[ExportTarget, Tool] = {
    ExportTarget.gltf: Tool(
        number=0,
        label="glTF",
        about="A square that shows the material, for engines and the web",
        textures=_GLTF,
        suffix=".gltf",
    ),
    ExportTarget.materialx: Tool(
        number=1,
        label="MaterialX",
        about="A standard surface",
        textures=_MATERIALX,
        suffix=".mtlx",
        use="Open this one: a standard surface",
        package="MaterialX",
    ),
    ExportTarget.usd: Tool(
        number=2,
        label="USD",
        about="A square with a UsdPreviewSurface",
        textures=_USD,
        suffix=".usda",
        package="pxr",
    ),
    ExportTarget.unreal: Tool(
        number=3,
        label="Unreal Engine",
        about="Textures with normals of DirectX",
        textures=_UNREAL,
        prefix="T_",  # is how Unreal's own content begins the names of textures
    ),
    ExportTarget.unity: Tool(
        number=4, label="Unity", about="Textures with a mask map", textures=_UNITY
    ),
    ExportTarget.godot: Tool(
        number=5, label="Godot", about="Textures for an ORMMaterial3D", textures=_GODOT
    ),
}
