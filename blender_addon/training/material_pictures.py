"""The images of a material as pictures to learn from: which map each one feeds, and as files."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from gan_worker.errors import PictureError, StorageError
from gan_worker.materials.maps import MAPS, Connection, MaterialMap, split_file_stem

from ..shader import images

# How the names of files end, so that the worker knows which map is in them.
_WORDS = {name: kind.file_word for name, kind in MAPS.items()}
_WORDS["normal_directx"] = "normal_directx"
# Inputs that steer a node and bring no picture.
_STEERING = ("Fac", "Factor", "Strength", "Scale", "Midlevel", "Distance", "Vector", "Normal")
_CHANNELS = {"Red": 0, "R": 0, "Green": 1, "G": 1, "Blue": 2, "B": 2}
# First bytes of the formats that Blender packs and the worker reads.
_SIGNATURES = (
    (b"\x89PNG", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"v/1\x01", ".exr"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"RIFF", ".webp"),
    (b"#?", ".hdr"),
    (b"BM", ".bmp"),
)


@dataclass(frozen=True)
class Feed:
    """An image on its way to an input.

    Attributes:
        image: what feeds it.
        channel: the only one that is used, 0 red to 2 blue, 3 alpha; None for the three colors.
        inverted: whether it is turned around on its way, as a glossiness is.
        factor: whether it only darkens another one, as ambient occlusion does.
    """

    image: bpy.types.Image
    channel: int | None = None
    inverted: bool = False
    factor: bool = False

    @property
    def plain(self) -> bool:
        """Whether the image's own file would do."""
        return self.channel is None and not self.inverted


def has_images(material: bpy.types.Material | None) -> bool:
    """Whether a material has image nodes with images in them."""
    tree = material.node_tree if material else None
    return bool(tree) and any(n.type == "TEX_IMAGE" and n.image for n in tree.nodes)


def find_images(material: bpy.types.Material) -> dict[str, Feed]:
    """The images of a material by what they feed.

    Returns:
        Map name or `normal_directx` → what feeds it; what feeds two of them counts for the first.
    """
    found: dict[str, Feed] = {}
    for kind, feed in (*_feeds_by_kind(material.node_tree), *_unconnected(material.node_tree)):
        used = {(f.image, f.channel) for f in found.values()}
        if kind not in found and (feed.image, feed.channel) not in used:
            found[kind] = feed
    return found


def _shader_and_output(
    tree: bpy.types.NodeTree,
) -> tuple[bpy.types.Node | None, bpy.types.Node | None]:
    output = tree.get_output_node("ALL")
    waiting, seen = [output] if output else [], set()
    while waiting:
        node = waiting.pop(0)
        if node.type == "BSDF_PRINCIPLED":
            return node, output
        for link in (link for socket in node.inputs for link in socket.links):
            if link.from_node.name not in seen:
                seen.add(link.from_node.name)
                waiting.append(link.from_node)
    return None, output


def _feeds_by_kind(tree: bpy.types.NodeTree) -> Iterator[tuple[str, Feed]]:
    shader, output = _shader_and_output(tree)
    for kind in MAPS.values():
        owner = output if kind.connection is Connection.displacement else shader
        if owner:
            yield from _feeds_of(kind, owner.inputs[kind.socket])


def _feeds_of(kind: MaterialMap, socket: bpy.types.NodeSocket) -> Iterator[tuple[str, Feed]]:
    """What feeds a map's input, and which map that is."""
    if kind.connection is Connection.normal_map:
        yield from _relief(socket)
        return
    # Where two maps share an input, the one that is multiplied in only darkens the other.
    shared = sum(other.socket == kind.socket for other in MAPS.values()) > 1
    multiplied = kind.connection is Connection.multiplied
    for feed in _feeds(socket):
        if not shared or feed.factor == multiplied:
            yield kind.name, feed


def _unconnected(tree: bpy.types.NodeTree) -> Iterator[tuple[str, Feed]]:
    """Ambient occlusion is often there and feeds nothing; its name tells."""
    for node in tree.nodes:
        if node.type == "TEX_IMAGE" and node.image and not any(s.is_linked for s in node.outputs):
            kind = split_file_stem(Path(node.image.filepath or node.image.name).stem)[1]
            if kind in MAPS:
                yield kind, Feed(node.image)


def _relief(socket: bpy.types.NodeSocket) -> Iterator[tuple[str, Feed]]:
    """What feeds the input for normals: a normal map, a bump, or one upon the other."""
    for node in _nodes_before(socket):
        if node.type == "BUMP":
            yield from (("height", f) for f in _feeds(node.inputs["Height"]))
            yield from _relief(node.inputs["Normal"])
        else:
            through = list(_feeds(socket))  # DirectX's green is turned around on its way
            kind = "normal_directx" if any(f.inverted for f in through) else "normal"
            yield from ((kind, Feed(f.image)) for f in through)


def _nodes_before(socket: bpy.types.NodeSocket) -> Iterator[bpy.types.Node]:
    for link in socket.links:
        node = link.from_node
        if node.type == "REROUTE":
            yield from _nodes_before(node.inputs[0])
        else:
            yield node


def _feeds(socket: bpy.types.NodeSocket, depth: int = 0) -> Iterator[Feed]:
    """The images that a socket takes its values from, whatever lies between."""
    for link in socket.links if depth < 32 else ():
        node = link.from_node
        if node.type == "TEX_IMAGE":
            if node.image:
                yield Feed(node.image, 3 if link.from_socket.name == "Alpha" else None)
            continue
        for source in node.inputs:
            if source.name in _STEERING or not source.is_linked:
                continue
            for feed in _feeds(source, depth + 1):
                yield _after(node, link.from_socket, source, feed)


def _after(
    node: bpy.types.Node, leaves: bpy.types.NodeSocket, enters: bpy.types.NodeSocket, feed: Feed
) -> Feed:
    """What a node makes of what comes in."""
    if node.type in ("SEPARATE_COLOR", "SEPRGB"):
        return replace(feed, channel=_CHANNELS.get(leaves.name))
    if node.type in ("COMBINE_COLOR", "COMBRGB"):
        return replace(feed, channel=None)
    if node.type == "INVERT" or (
        node.type == "MATH" and node.operation == "SUBTRACT" and enters == node.inputs[1]
    ):
        return replace(feed, inverted=not feed.inverted)
    if node.type in ("MIX", "MIX_RGB") and node.blend_type == "MULTIPLY":
        second = enters.name in ("B", "Color2")
        return replace(feed, factor=feed.factor or second)
    return feed


# ---- as files


def as_places(material: bpy.types.Material, folder: Path) -> list[Path]:
    """The pictures of a material as places that training reads.

    Files that lie together and are named as what they are stay where they are. Others, and what is packed, painted
    or generated in Blender, are written without loss into a folder below `folder`, whose name tells the content: the
    same pictures are written once.

    Raises:
        PictureError: `dataset_empty` where no image feeds anything that is learned; `picture_missing` where the
            file of one is gone; `picture_unreadable` for a movie, a sequence or tiles.
        StorageError: `file_unwritable`.
    """
    found = find_images(material)
    if not found:
        raise PictureError(
            "dataset_empty",
            f"An image must feed the color or another input of the shader; in {material.name} none does.",
            "Connect the image nodes to a Principled BSDF, or add the pictures as files.",
        )
    for feed in found.values():
        _check(feed.image)
    files = {
        kind: file
        for kind, feed in found.items()
        if feed.plain and (file := _own_file(feed.image)) is not None
    }
    if len(files) == len(found) and _is_a_set(files):
        return list(files.values())
    return [_write(bpy.path.clean_name(material.name), found, folder)]


def _check(image: bpy.types.Image) -> None:
    if image.source not in ("FILE", "GENERATED"):
        raise PictureError(
            "picture_unreadable",
            f"An image must be a single picture; {image.name} is of the kind {image.source.lower()}.",
            "Save one picture of it as a file, and use that.",
        )
    if image.source == "FILE" and not image.has_data and min(image.size) == 0:
        raise PictureError(
            "picture_missing",
            f"The file of an image must be there; that of {image.name} is not: {image.filepath or 'it has none'}.",
            "Find it with File > External Data > Find Missing Files.",
        )


def _own_file(image: bpy.types.Image) -> Path | None:
    """The file with just these pixels, if there is one."""
    if image.source != "FILE" or image.packed_file or image.is_dirty:
        return None
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    return path if path.is_file() else None


def _is_a_set(files: dict[str, Path]) -> bool:
    """Whether the worker will take each file for the map that it feeds."""
    told = {kind: split_file_stem(path.stem) for kind, path in files.items()}
    if list(files) == ["base_color"]:
        return told["base_color"][1] in (None, "base_color")
    one_place = len({(path.parent, told[kind][0]) for kind, path in files.items()}) == 1
    # A file that says itself to be DirectX's is one, however it is connected.
    return one_place and all(
        says == kind or (kind, says) == ("normal", "normal_directx")
        for kind, (_, says) in told.items()
    )


def _write(name: str, found: dict[str, Feed], folder: Path) -> Path:
    manager = bpy.context.window_manager
    manager.progress_begin(0, len(found))
    try:
        contents = {}
        for done, (kind, feed) in enumerate(found.items()):
            suffix, data = _content(feed)
            contents[f"{name}_{_WORDS[kind]}{suffix}"] = data
            manager.progress_update(done + 1)
        digest = hashlib.sha256()
        for file, data in contents.items():
            digest.update(f"{file} {len(data)} ".encode() + data)
        target = folder / f"{name} {digest.hexdigest()[:8]}"
        if not target.is_dir():
            _write_all(target, contents)
    except OSError as error:
        raise StorageError(
            "file_unwritable",
            f"The pictures of the material must be written to {folder}; {error.strerror or error}.",
            "Check the folder and its permissions, or free some space.",
        ) from error
    finally:
        manager.progress_end()
    return target


def _write_all(target: Path, contents: dict[str, bytes]) -> None:
    """All files or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".part-") as part:
        whole = Path(part) / "pictures"
        whole.mkdir()
        for file, data in contents.items():
            (whole / file).write_bytes(data)
        whole.rename(target)


def _content(feed: Feed) -> tuple[str, bytes]:
    """The bytes of a picture file with just these pixels, and its extension."""
    image, path = feed.image, _own_file(feed.image)
    if path and feed.plain:
        return path.suffix.lower(), path.read_bytes()
    if image.packed_file and not image.is_dirty and feed.plain:
        data = bytes(image.packed_file.data)
        known = next((suffix for start, suffix in _SIGNATURES if data.startswith(start)), None)
        if known:
            return known, data
    wanted = slice(3) if feed.channel is None else [feed.channel]
    pixels = images.read_pixels(image)[..., wanted]
    if feed.inverted:
        pixels = 1 - pixels
    if image.is_float:
        return ".exr", _as_exr(pixels)
    return ".png", images.encode_png(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def _as_exr(pixels: np.ndarray) -> bytes:
    """Blender writes the file; no value is rounded."""
    height, width = pixels.shape[:2]
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels[::-1]
    made = bpy.data.images.new("tilewright", width, height, float_buffer=True, is_data=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "picture.exr"
            images.set_pixels(made, rgba)
            made.filepath_raw, made.file_format = str(file), "OPEN_EXR"
            made.save()
            return file.read_bytes()
    finally:
        bpy.data.images.remove(made)
