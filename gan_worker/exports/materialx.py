"""A MaterialX document of a standard surface, with its textures beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan_worker.exports.textures import Texture
from gan_worker.files import replace_file, storage_errors
from gan_worker.materials.maps import MAPS, Kind

# Types of values.
_TYPES = {Kind.color: "color3", Kind.direction: "vector3", Kind.value: "float"}
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
    fed = {target: texture for texture in files for target in texture.inputs}
    if "specular_roughness" not in fed:
        surface.setInputValue("specular_roughness", MAPS["roughness"].neutral[0])
    material = document.addNode("surfacematerial", name, "material")
    for target, texture in fed.items():
        output = _output(graph, target, texture, files[texture])
        if target == "displacement":
            displaced = _displacement(document, f"{name}_displacement", output)
            material.addInput("displacementshader", "displacementshader").setConnectedNode(
                displaced
            )
        else:
            surface.addInput(target, output.getType()).setConnectedOutput(output)
    material.addInput("surfaceshader", "surfaceshader").setConnectedNode(surface)
    with storage_errors(file):
        replace_file(file, mx.writeToXmlString(document).encode())


def _output(graph: Any, target: str, texture: Texture, file: Path) -> Any:
    """The graph's output that brings a texture, which shows one map, to an input."""
    described = MAPS[texture.channels[0]]
    kind = _TYPES[described.kind]
    image = graph.addNode("image", f"{texture.word}_image", kind)
    named = image.addInput("file", "filename")
    named.setValueString(file.name)
    if described.kind is Kind.color:
        named.setColorSpace("srgb_texture")
    if described.kind is Kind.direction:
        # The map is a picture of tangent space, turned to world space by this node.
        turned = graph.addNode("normalmap", f"{target}_turned", kind)
        turned.addInput("in", kind).setConnectedNode(image)
        image = turned
    output = graph.addOutput(f"{target}_output", kind)
    output.setConnectedNode(image)
    return output


def _displacement(document: Any, name: str, height: Any) -> Any:
    displaced = document.addNode("displacement", name, "displacementshader")
    displaced.addInput("displacement", "float").setConnectedOutput(height)
    displaced.setInputValue("scale", _DISPLACEMENT)
    return displaced
