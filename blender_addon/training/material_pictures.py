"""The images of a material as pictures to learn from: as files."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from gan_worker.errors import PictureError, StorageError
from gan_worker.files import patiently
from gan_worker.materials.file_names import split_file_stem
from gan_worker.materials.maps import MAPS, Kind

from ..shader import baking, images
from ..shader.inputs import Feed
from ..shader.inputs import find_images as find_images
from ..shader.inputs import survey as survey
from ..shader.node_links import has_images as has_images

# How the names of files end, so that the worker knows which map is in them.
_WORDS = {name: kind.file_word for name, kind in MAPS.items()}
# A name may begin as in Unreal, whose normals are DirectX's where no name says otherwise.
_WORDS |= {"normal": "normal_opengl", "normal_directx": "normal_directx"}
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
    surveyed = survey(material)
    found = surveyed.found
    if not found:
        why = f" ({'; '.join(surveyed.left_out)})" if surveyed.left_out else ""
        raise PictureError(
            "dataset_empty",
            f"An image must feed the color or another input of the shader; in {material.name} none does{why}.",
            "Connect the image nodes to a Principled BSDF, or add the pictures as files.",
        )
    for feed in found.values():
        for image in feed.images or (feed.image,):
            _check(image)
    files = {
        kind: file
        for kind, feed in found.items()
        if feed.plain and (file := _own_file(feed.image)) is not None
    }
    if len(files) == len(found) and _is_a_set(files):
        return list(files.values())
    place, (first, *others) = _write(material, found, folder), found.values()
    if not others and first.image.is_editable:
        first.image.tilewright.written_to = str(place)  # by which its preparation is found
    return [place]


def as_place(image: bpy.types.Image, folder: Path) -> Path:
    """One image as a file: its own, or one that is written as `as_places` does, with its errors."""
    _check(image)
    own = _own_file(image)
    if own is not None:
        return own
    name = bpy.path.clean_name(image.name)
    with _writing(folder):
        suffix, data = _as_it_is(Feed(image))
        file = f"{name}_{_WORDS['base_color']}{suffix}"
        return _kept(name, {file: data}, folder) / file


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


def _write(material: bpy.types.Material, found: dict[str, Feed], folder: Path) -> Path:
    name, manager = bpy.path.clean_name(material.name), bpy.context.window_manager
    manager.progress_begin(0, len(found))
    try:
        with _writing(folder):
            contents = {}
            for done, (kind, feed) in enumerate(found.items()):
                suffix, data = _content(material, kind, feed)
                contents[f"{name}_{_WORDS[kind]}{suffix}"] = data
                manager.progress_update(done + 1)
            return _kept(name, contents, folder)
    finally:
        manager.progress_end()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            "file_unwritable",
            f"The pictures of the material must be written to {folder}; {error.strerror or error}.",
            "Check the folder and its permissions, or free some space.",
        ) from error


def _kept(name: str, contents: dict[str, bytes], folder: Path) -> Path:
    """The folder with these files, whose name tells their content: it is written once."""
    digest = hashlib.sha256()
    for file, data in contents.items():
        digest.update(f"{file} {len(data)} ".encode() + data)
    target = folder / f"{name} {digest.hexdigest()[:8]}"
    if not target.is_dir():
        _write_all(target, contents)
    return target


def _write_all(target: Path, contents: dict[str, bytes]) -> None:
    """All files or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".part-") as part:
        whole = Path(part) / "pictures"
        whole.mkdir()
        for file, data in contents.items():
            (whole / file).write_bytes(data)
        patiently(whole.rename, target)


def _content(material: bpy.types.Material, kind: str, feed: Feed) -> tuple[str, bytes]:
    """The bytes of a picture file with just the pixels of a map, and its extension."""
    if feed.baked is None:
        return _as_it_is(feed)
    meaning = Kind.direction if kind == "normal_directx" else MAPS[kind].kind
    size = feed.image.size[0], feed.image.size[1]
    pixels = baking.bake(material, feed.baked, size, meaning, feed.is_normal)
    if feed.inverted:
        pixels = 1 - pixels
    if meaning is Kind.color:
        return ".png", images.encode_png(_as_bytes(pixels))
    return ".exr", _as_exr(pixels)


def _as_it_is(feed: Feed) -> tuple[str, bytes]:
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
    return ".png", images.encode_png(_as_bytes(pixels))


def _as_bytes(pixels: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


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
