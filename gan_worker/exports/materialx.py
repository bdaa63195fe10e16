"""A MaterialX document of a standard surface, with its textures beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan_worker.exports.textures import BASE_COLOR, HEIGHT, NEUTRAL, NORMAL, Texture
from gan_worker.files import replace_file, storage_errors

ROUGHNESS = Texture("roughness", ("roughness",), "Specular roughness; linear")
METALLIC = Texture("metallic", ("metallic",), "Metalness; linear")
OCCLUSION = Texture(
    "ao",
    ("ambient_occlusion",),
    "Ambient occlusion; linear. A standard surface has no place for it",
)
TEXTURES = (BASE_COLOR, ROUGHNESS, METALLIC, NORMAL, HEIGHT, OCCLUSION)

# Texture → input of the surface, and the type of its values.
_INPUTS = {
    BASE_COLOR: ("base_color", "color3"),
    ROUGHNESS: ("specular_roughness", "float"),
    METALLIC: ("metalness", "float"),
    NORMAL: ("normal", "vector3"),
}
# Length of the full height in the scene's units; heights have none of their own.
_DISPLACEMENT = 0.02


def write_materialx(
    file: Path, name: str, files: dict[Texture, Path], aspect: float, rights: str
) -> None:
    """Write the document; arguments and errors as of `gltf.write_gltf`."""
    import MaterialX as mx

    document = mx.createDocument()
    if rights:
        document.setDocString(rights)
    name = mx.createValidName(name)
    graph = document.addNodeGraph(f"{name}_maps")
    surface = document.addNode("standard_surface", f"{name}_surface", "surfaceshader")
    surface.setInputValue("base", 1.0)
    if ROUGHNESS not in files:
        surface.setInputValue("specular_roughness", NEUTRAL["roughness"])
    for texture, (target, kind) in _INPUTS.items():
        if texture in files:
            image = _image(graph, texture, files[texture], kind)
            if texture is NORMAL:
                # The normal map is a picture of tangent space, turned to world space by this node.
                turned = graph.addNode("normalmap", "normal_turned", kind)
                turned.addInput("in", kind).setConnectedNode(image)
                image = turned
            output = graph.addOutput(f"{target}_output", kind)
            output.setConnectedNode(image)
            surface.addInput(target, kind).setConnectedOutput(output)
    material = document.addNode("surfacematerial", name, "material")
    material.addInput("surfaceshader", "surfaceshader").setConnectedNode(surface)
    if HEIGHT in files:
        displaced = _displacement(document, graph, name, files[HEIGHT])
        material.addInput("displacementshader", "displacementshader").setConnectedNode(displaced)
    with storage_errors(file):
        replace_file(file, mx.writeToXmlString(document).encode())


def _image(graph: Any, texture: Texture, file: Path, kind: str) -> Any:
    image = graph.addNode("image", f"{texture.word}_image", kind)
    named = image.addInput("file", "filename")
    named.setValueString(file.name)
    if texture is BASE_COLOR:
        named.setColorSpace("srgb_texture")
    return image


def _displacement(document: Any, graph: Any, name: str, file: Path) -> Any:
    output = graph.addOutput("height_output", "float")
    output.setConnectedNode(_image(graph, HEIGHT, file, "float"))
    displaced = document.addNode("displacement", f"{name}_displacement", "displacementshader")
    displaced.addInput("displacement", "float").setConnectedOutput(output)
    displaced.setInputValue("scale", _DISPLACEMENT)
    return displaced
