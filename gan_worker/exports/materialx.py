"""MaterialX export: a document of a standard surface, with its textures beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_worker.files import replace_file, storage_errors
from gan_worker.materials.maps import MAPS, Kind

if TYPE_CHECKING:
    from gan_worker.exports.textures import Texture

# Types of values.
_TYPES = {Kind.color: "color3", Kind.direction: "vector3", Kind.value: "float"}
# Length of the full height in the scene's units; heights have none of their own.
_DISPLACEMENT = 0.02


def write_materialx(
    file: Path, name: str, files: dict[Texture, Path], aspect: float, copyright_line: str
) -> None:
    """Write the document; arguments and errors as of `gltf.write_gltf`."""
    import MaterialX as mx

    document = mx.createDocument()
    if copyright_line:
        document.setDocString(copyright_line)
    name = mx.createValidName(name)
    graph = document.addNodeGraph(f"{name}_maps")
    surface = document.addNode("standard_surface", f"{name}_surface", "surfaceshader")
    surface.setInputValue("base", 1.0)
    if not any("specular_roughness" in texture.inputs for texture in files):
        surface.setInputValue("specular_roughness", MAPS["roughness"].neutral[0])
    material = document.addNode("surfacematerial", name, "material")
    for texture, picture in files.items():
        for other, value in texture.beside:
            surface.setInputValue(other, value)
        for target in texture.inputs:
            output = _output(graph, target, texture, picture)
            if target == "displacement":
                displaced = _displacement(document, f"{name}_displacement", output)
                material.addInput(target + "shader", target + "shader").setConnectedNode(displaced)
            else:
                place = surface.addInput(target.partition(".")[0], output.getType())
                place.setConnectedOutput(output)
    material.addInput("surfaceshader", "surfaceshader").setConnectedNode(surface)
    with storage_errors(file):
        replace_file(file, mx.writeToXmlString(document).encode())


def _output(graph: Any, target: str, texture: Texture, file: Path) -> Any:
    """The graph's output that brings a texture, which shows one map, to an input; `.rrr` spreads it to a color."""
    target, _, channels = target.partition(".")
    described = MAPS[texture.channels[0]]
    kind = _TYPES[described.kind]
    image = graph.addNode("image", f"{texture.word}_image", kind)
    named = image.addInput("file", "filename")
    named.setValueString(file.name)
    if described.kind is Kind.color:
        named.setColorSpace("srgb_texture")
    if described.kind is Kind.direction:
        # The map is a picture of tangent space, turned to world space by this node.
        image = _after(graph, "normalmap", f"{target}_turned", image, kind)
    if target == "displacement":
        # Heights lie around their middle, from which the surface goes out and in.
        image = _after(graph, "subtract", f"{target}_centered", image, kind, "in1")
        image.setInputValue("in2", described.neutral[0])
    if channels == "rrr":
        kind = "color3"
        image = _after(graph, "convert", f"{target}_spread", image, kind)
    output = graph.addOutput(f"{target}_output", kind)
    output.setConnectedNode(image)
    return output


def _after(graph: Any, what: str, name: str, source: Any, kind: str, into: str = "in") -> Any:
    """A node of values of a kind that takes what another gives into an input."""
    node = graph.addNode(what, name, kind)
    node.addInput(into, source.getType()).setConnectedNode(source)
    return node


def _displacement(document: Any, name: str, height: Any) -> Any:
    displaced = document.addNode("displacement", name, "displacementshader")
    displaced.addInput("displacement", "float").setConnectedOutput(height)
    displaced.setInputValue("scale", _DISPLACEMENT)
    return displaced
