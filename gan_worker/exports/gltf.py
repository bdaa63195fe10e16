"""glTF 2.0 export: a file of a square that shows a material, with its textures beside it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from gan_worker import __version__
from gan_worker.files import write_json
from gan_worker.materials.maps import MAPS

if TYPE_CHECKING:
    from gan_worker.exports.textures import Texture

# Numbers of the glTF 2.0 specification: component types, buffer targets, filters, wrapping.
_FLOAT, _USHORT, _ARRAY, _INDICES = 5126, 5123, 34962, 34963
_LINEAR, _MIPMAPS, _REPEAT = 9729, 9987, 10497


def write_gltf(
    file: Path, name: str, files: dict[Texture, Path], aspect: float, copyright_line: str
) -> None:
    """Write the document.

    Args:
        file: to write, in the folder of the textures.
        name: of the material.
        files: the textures that were written.
        aspect: width over height.
        copyright_line: of its pictures, and which of them were estimated.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    used = [texture for texture in files if texture.inputs]
    material = _material(name, files)
    asset = {"version": "2.0", "generator": f"Tilewright {__version__}"}
    document: dict[str, Any] = {
        "asset": {**asset, "copyright": copyright_line} if copyright_line else asset,
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "materials": [material],
        **_square(aspect, textured=bool(used), bumped="normalTexture" in material),
    }
    if used:
        document["textures"] = [{"sampler": 0, "source": i} for i in range(len(used))]
        document["images"] = [{"uri": quote(files[texture].name)} for texture in used]
        document["samplers"] = [
            {"magFilter": _LINEAR, "minFilter": _MIPMAPS, "wrapS": _REPEAT, "wrapT": _REPEAT}
        ]
    write_json(file, document)


def _material(name: str, files: dict[Texture, Path]) -> dict[str, Any]:
    shading: dict[str, Any] = {}
    material: dict[str, Any] = {"name": name, "pbrMetallicRoughness": shading}
    number = 0
    for texture, file in files.items():
        for path in texture.inputs:
            group, _, slot = path.rpartition("/")
            (material[group] if group else material)[slot] = {"index": number}
        material |= texture.beside
        if texture.inputs:
            number += 1
        else:
            # glTF has no place for it; whoever knows the name finds it.
            material.setdefault("extras", {})[texture.word] = quote(file.name)
    if "metallicRoughnessTexture" not in shading:
        # Without a texture the specification's own values are a rough metal.
        shading["metallicFactor"] = MAPS["metallic"].neutral[0]
        shading["roughnessFactor"] = MAPS["roughness"].neutral[0]
    return material


def _square(aspect: float, textured: bool, bumped: bool) -> dict[str, Any]:
    """One metre high, upright, facing +Z.

    Args:
        aspect: width over height.
        textured: whether there is anything to place on it.
        bumped: whether normals need tangents, which run along u.
    """
    x, y = aspect / 2, 0.5
    corners = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]], "<f4")
    # The first row of a picture lies at v = 0.
    places = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], "<f4")
    normals = np.tile(np.array([0, 0, 1], "<f4"), (4, 1))
    tangents = np.tile(np.array([1, 0, 0, 1], "<f4"), (4, 1))
    triangles = np.array([0, 1, 2, 0, 2, 3], "<u2")
    vertices = {"POSITION": corners, "NORMAL": normals}
    vertices |= {"TANGENT": tangents} if bumped else {}
    vertices |= {"TEXCOORD_0": places} if textured else {}
    arrays = (*vertices.values(), triangles)
    accessors: list[dict[str, Any]] = []
    views, start = [], 0
    for array in arrays:
        size, indexed = array.nbytes, array is triangles
        target = _INDICES if indexed else _ARRAY
        views.append({"buffer": 0, "byteOffset": start, "byteLength": size, "target": target})
        kind = "SCALAR" if indexed else f"VEC{array.shape[1]}"
        accessor = {"bufferView": len(accessors), "count": len(array), "type": kind}
        accessors.append({**accessor, "componentType": _USHORT if indexed else _FLOAT})
        start += size
    accessors[0] |= {"min": corners.min(axis=0).tolist(), "max": corners.max(axis=0).tolist()}
    data = base64.b64encode(b"".join(a.tobytes() for a in arrays)).decode()
    attributes = {name: number for number, name in enumerate(vertices)}
    primitive = {"attributes": attributes, "indices": len(vertices), "material": 0}
    return {
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": start, "uri": f"data:application/octet-stream;base64,{data}"}],
    }
