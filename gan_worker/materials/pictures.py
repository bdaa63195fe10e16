"""Picture files: read with every oddity named, written in one step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from gan_worker.confinement import LED_OUT, leads_out
from gan_worker.errors import PictureError, StorageError
from gan_worker.files import PICTURE_EXTENSIONS as PICTURE_EXTENSIONS
from gan_worker.files import patiently, shown_name
from gan_worker.limits import MOST_PIXELS
from gan_worker.materials import heif
from gan_worker.materials.pixels import Bits as Bits
from gan_worker.materials.pixels import Picture as Picture
from gan_worker.materials.pixels import as_floats, to_srgb
from gan_worker.materials.pixels import changed as changed
from gan_worker.materials.pixels import quantise as quantise
from gan_worker.materials.pixels import to_light as to_light
from gan_worker.materials.pixels import to_screen as to_screen
from gan_worker.materials.png import text_chunks, write_png

# Pixels. Larger ones are refused by their header alone, before any memory is asked for: where all of it is read at
# once, which the largest that we make can be, and where it is read in bands.
LARGEST_WHOLE = MOST_PIXELS
LARGEST = 16384 * 16384

# These hold light, not what a screen shows: their color is linear, and may go beyond 1.
LINEAR_EXTENSIONS = frozenset((".exr", ".hdr"))

# Names of two channels that are colors, or a direction without its third part, and not a value and its alpha.
_TWO_COLORS = (("R", "G"), ("X", "Y"), ("U", "V"))
# Formats whose second channel is always alpha, though OpenImageIO calls the two red and green.
_GRAY_AND_ALPHA = ("targa", "sgi")

# Where this stands near its end, a file is whole, and its pixels need not be decoded to know.
_END_MARKS = {"jpeg": b"\xff\xd9", "png": b"IEND\xaeB`\x82"}
_TAIL = 64
# Rows that are made ready for a file at a time, so that no second copy of a large picture is made, and rows that are
# read at a time of one that is not kept whole.
_BAND = 256
_BAND_READ = 128
_HEAD = 4096


def read_picture(file: Path, alpha: bool = False, srgb: bool = False) -> Picture:
    """Read a picture as it is stored.

    Rotation by EXIF is applied, palettes are looked up, CMYK becomes RGB.

    Args:
        file: the picture.
        alpha: whether alpha is read too, where there is one; or else it is dropped.
        srgb: whether its colors are made sRGB where it brings a profile that says they are others.

    Returns:
        float32, shape (height, width, 1 to 3, and one more with alpha), top row first; 0..1, except for EXR and
        HDR, which may go beyond. There are two without alpha where a file has no more, as of a direction.

    Raises:
        PictureError: `picture_missing` or `picture_unreadable`, with the reason.
    """
    with _opened(file, LARGEST_WHOLE) as opened:
        pixels = _chosen(_decode(file, opened), opened, alpha, srgb)
        return turned(pixels, _orientation(opened))


def read_bands(file: Path, alpha: bool = False, srgb: bool = False) -> Iterator[Picture]:
    """Read a picture in bands of rows, so that one of any size takes little memory.

    As `read_picture`, but for its rotation, which is left to `turned`.

    Yields:
        float32, shape (some rows, width, 1 to 3, and one more with alpha), from the top down.

    Raises:
        PictureError: as `read_picture`.
    """
    with _opened(file, LARGEST) as opened:
        for band in _decode_bands(file, opened):
            yield _chosen(band, opened, alpha, srgb)


def read_stored(file: Path, srgb: bool = False) -> NDArray[Any]:
    """Read the whole numbers of a picture, with its alpha.

    Args:
        file: the picture.
        srgb: as for `read_picture`.

    Returns:
        uint8 or uint16, shape (height, width, 1 to 4), top row first; rotation by EXIF is applied.

    Raises:
        PictureError: `picture_missing` or `picture_unreadable`, also for a picture of floating-point numbers.
    """
    return read_with_stored(file, srgb=srgb)[1]


def read_with_stored(
    file: Path, alpha: bool = False, srgb: bool = False
) -> tuple[Picture, NDArray[Any]]:
    """What `read_picture` and `read_stored` give, of a file that is decoded once."""
    with _opened(file, LARGEST_WHOLE) as opened:
        spec = opened.spec()
        kinds = {oiio.UINT8: 8, oiio.UINT16: 16}
        bits = kinds.get(spec.format.basetype)
        if bits is None:
            raise _unreadable(file, "it must hold whole numbers of 8 or 16 bits")
        pixels, orientation = _decode(file, opened), _orientation(opened)
        stored = quantise(turned(_chosen(pixels, opened, True, srgb), orientation), bits)
        return turned(_chosen(pixels, opened, alpha, srgb), orientation), stored


def check_picture(file: Path) -> tuple[int, int]:
    """Look whether a picture is one and whole, by header and end where these tell enough.

    Returns:
        Width and height in pixels, as they are after rotation by EXIF.

    Raises:
        PictureError: `picture_missing` or `picture_unreadable`, with the reason.
    """
    with _opened(file, LARGEST) as opened:
        if not _ends_well(file, opened.format_name()):
            for _ in _decode_bands(file, opened):
                pass
        return _layout(opened).size


def read_header(file: Path) -> tuple[int, int, dict[str, str]]:
    """Read what a picture says of itself, without its pixels.

    Returns:
        Width and height in pixels as they are stored, and its texts by OpenImageIO's names: from EXIF, IPTC, XMP
        and text chunks.

    Raises:
        PictureError: `picture_missing` or `picture_unreadable`, with the reason.
    """
    with _opened(file, LARGEST) as opened:
        spec = opened.spec()
        names = [a.name for a in spec.extra_attribs if str(a.type) == "string"]
        texts = {name: _read_text(spec, name) for name in names}
        return spec.width, spec.height, texts


@dataclass(frozen=True)
class Layout:
    """How the pixels of a picture are stored.

    Attributes:
        width: of a row as it is stored, pixels.
        height: rows as they are stored.
        orientation: the camera's rotation as EXIF has it, 1..8.
        floating: whether they are floating-point numbers, which may have any range.
    """

    width: int
    height: int
    orientation: int
    floating: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height after rotation."""
        sideways = self.orientation in (5, 6, 7, 8)
        return (self.height, self.width) if sideways else (self.width, self.height)


def read_layout(file: Path) -> Layout:
    """Read how a picture is stored from its header.

    Raises:
        PictureError: `picture_missing` or `picture_unreadable`, with the reason.
    """
    with _opened(file, LARGEST) as opened:
        return _layout(opened)


def _read_text(spec: oiio.ImageSpec, name: str) -> str:
    # Not by its `value`: that of a text which is missing, as color profiles have some, ends the process.
    try:
        return str(spec.get_string_attribute(name))
    except UnicodeDecodeError as error:  # as older cameras and programs write names
        return error.object.decode("cp1252", "replace")


def _layout(opened: oiio.ImageInput) -> Layout:
    spec = opened.spec()
    floating = spec.format.basetype in (oiio.HALF, oiio.FLOAT, oiio.DOUBLE)
    return Layout(spec.width, spec.height, _orientation(opened), floating)


@contextmanager
def _opened(file: Path, most: int) -> Iterator[oiio.ImageInput]:
    opened = None
    try:
        opened = _open(file, most)
        yield opened
    except UnicodeDecodeError as error:
        raise _unreadable(file, "its header holds what is no text") from error
    finally:
        if opened is not None:
            opened.close()


def _open(file: Path, most: int) -> oiio.ImageInput:
    head = _read_head(file)
    _check_canvas(file, head)
    if heif.is_heif(head):
        opened, most = _open_heif(file), LARGEST_WHOLE
    else:
        opened = _open_by_content(file)
    try:
        _check_size(file, opened.spec().width, opened.spec().height, most)
        _check_header(file, opened, opened.spec(), head)
    except PictureError:
        opened.close()
        raise
    return opened


def _open_heif(file: Path) -> oiio.ImageInput:
    try:
        return cast("oiio.ImageInput", heif.HeifInput(file))  # it has what is used of one
    except ValueError as error:
        raise _unreadable(file, str(error), heif.CURE) from error


def _open_by_content(file: Path) -> oiio.ImageInput:
    options = oiio.ImageSpec()
    # Colors below a transparent area are kept: alpha is dropped, not multiplied in.
    options.attribute("oiio:UnassociatedAlpha", 1)
    opened: oiio.ImageInput | None = oiio.ImageInput.open(str(file), options)
    if opened is None:
        reason = oiio.geterror()
        if not reason or "could not find" in reason:
            reason = "it is no known picture format"
        raise _unreadable(file, reason)
    return opened


def _read_head(file: Path) -> bytes:
    try:
        str(file).encode()
        if leads_out(file):
            raise _unreadable(file, f"it is {LED_OUT}")
        if not file.is_file():
            raise PictureError(
                "picture_missing",
                f"The picture must be a file; {file} is not there.",
                "Check the name and where it lies.",
            )
        with file.open("rb") as raw:
            head = raw.read(_HEAD)
    except UnicodeEncodeError as error:
        raise _unreadable(file, "its name is no valid Unicode") from error
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error)) from error
    if not head:
        raise _unreadable(file, "it is empty")
    return head


def _check_canvas(file: Path, head: bytes) -> None:
    """Refuse a WebP by its own header: the decoder asks for the memory of all of it as soon as it opens one."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < 30:
        return
    if head[12:16] == b"VP8X":
        width, height = (int.from_bytes(head[i : i + 3], "little") + 1 for i in (24, 27))
    elif head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(head[i : i + 2], "little") & 0x3FFF for i in (26, 28))
    _check_size(file, width, height, LARGEST_WHOLE)


def _check_size(file: Path, width: int, height: int, most: int) -> None:
    if width * height > most:
        reason = f"it has {width}×{height} pixels, and {most // 10**6} million is the most"
        raise _unreadable(file, reason, "Scale it down, or leave it out.")


def _check_header(file: Path, opened: oiio.ImageInput, spec: oiio.ImageSpec, head: bytes) -> None:
    if spec.depth > 1 or spec.deep or spec.nchannels < 1:
        raise _unreadable(file, "it is no flat picture")
    if spec.nchannels > 4 and tuple(spec.channelnames[:3]) != ("R", "G", "B"):
        raise _unreadable(file, f"it has {spec.nchannels} channels and none of them is red")
    if "LAB" in spec.get_string_attribute("tiff:ColorSpace").upper():
        raise _unreadable(file, "its colors are stored as Lab")
    if _is_animated(opened, spec, head):
        raise _unreadable(file, "it is animated")


def _is_animated(opened: oiio.ImageInput, spec: oiio.ImageSpec, head: bytes) -> bool:
    if opened.format_name() == "png":
        # Readers show an animated PNG's first frame; the chunk that tells stands before the pixels.
        return b"acTL" in head.partition(b"IDAT")[0]
    if not spec.get_int_attribute("oiio:Movie", 0):
        return False
    several = bool(opened.seek_subimage(1, 0))
    opened.seek_subimage(0, 0)
    return several


def _ends_well(file: Path, format_name: str) -> bool:
    mark = _END_MARKS.get(format_name)
    if mark is None:
        return False
    with file.open("rb") as raw:
        raw.seek(max(0, file.stat().st_size - _TAIL))
        return mark in raw.read()


def _decode(file: Path, opened: oiio.ImageInput) -> Picture:
    channels = min(opened.spec().nchannels, 4)
    return _decoded(file, opened, opened.read_image(0, 0, 0, channels, oiio.FLOAT))


def _decode_bands(file: Path, opened: oiio.ImageInput) -> Iterator[Picture]:
    spec = opened.spec()
    channels, width, height = min(spec.nchannels, 4), spec.width, spec.height
    for top in range(spec.y, spec.y + height, rows := spec.tile_height or _BAND_READ):
        bottom = min(top + rows, spec.y + height)
        if spec.tile_height:
            left, right = spec.x, spec.x + width
            band = opened.read_tiles(left, right, top, bottom, 0, 1, 0, channels, oiio.FLOAT)
        else:
            band = opened.read_scanlines(top, bottom, 0, 0, channels, oiio.FLOAT)
        yield _decoded(file, opened, band)


def _decoded(file: Path, opened: oiio.ImageInput, pixels: NDArray[Any] | None) -> Picture:
    problem = opened.geterror()
    # JPEG decoders fill what is missing with grey and only mention it; other remarks are harmless.
    if pixels is None or "premature end" in problem.lower():
        raise _unreadable(file, problem or "the file ends too early")
    return np.asarray(pixels, np.float32)


def _orientation(opened: oiio.ImageInput) -> int:
    return int(opened.spec().get_int_attribute("Orientation", 1))


def _unreadable(
    file: Path,
    reason: str,
    cure: str = "Open it in a picture editor and save it as PNG, or leave it out.",
) -> PictureError:
    return PictureError(
        "picture_unreadable",
        f"{shown_name(file.name)} cannot be used: {' '.join(reason.split()).rstrip('.')}.",
        cure,
    )


def _chosen(pixels: Picture, opened: oiio.ImageInput, alpha: bool, srgb: bool) -> Picture:
    """The channels that were asked for, in the colors that were asked for."""
    spec = opened.spec()
    two = tuple(spec.channelnames) in _TWO_COLORS and opened.format_name() not in _GRAY_AND_ALPHA
    if not alpha:
        pixels = pixels[..., : 3 if pixels.shape[-1] > 2 else 1 + two]
    elif two:  # so that the second is not taken for alpha
        pixels = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=-1)
    profile = spec.getattribute("ICCProfile") if srgb else None
    convert = None if profile is None else to_srgb(bytes(profile))
    return convert(pixels) if convert else pixels


def turned(pixels: Picture, orientation: int) -> Picture:
    """Undo the camera's rotation (EXIF orientation 1..8)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def write_picture(
    file: Path,
    picture: NDArray[Any],
    bits: Bits = 8,
    convert: Callable[[Picture], Picture] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a picture; under its name there is the old file or the new one, never half of it.

    Args:
        file: with the extension of its format.
        picture: (height, width, channels), 0..1 or whole numbers of 8 or 16 bits, top row first.
        bits: 8 or 16 for whole numbers, `exr` for half floats, `exr32` for floats.
        convert: changes the values, 0..1, of a few rows at a time.
        metadata: what the file shall say of itself, as `metadata.model_metadata` gives it; for PNG and EXR.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    partial = file.with_name(f".{file.stem}.{os.getpid()}.part{file.suffix}")
    try:
        problem = _encode(partial, picture, bits, convert, metadata or {})
        if not problem:
            with partial.open("rb+") as written:
                os.fsync(written.fileno())
            patiently(partial.replace, file)
    except OSError as error:
        problem = error.strerror or str(error)
    finally:
        partial.unlink(missing_ok=True)
    if problem:
        raise _unwritable(file, problem, picture.nbytes)


def _encode(
    file: Path,
    picture: NDArray[Any],
    bits: Bits,
    convert: Callable[[Picture], Picture] | None,
    metadata: Mapping[str, str],
) -> str:
    """Write the file as it is named and say what went wrong, if anything."""
    if file.suffix.lower() == ".png" and (bits == 8 or bits == 16):
        with file.open("wb") as out:
            write_png(out, _stored_whole(picture, bits, convert), text_chunks(metadata))
        return ""
    height, width, channels = picture.shape
    kinds = {8: oiio.UINT8, 16: oiio.UINT16, "exr": oiio.HALF, "exr32": oiio.FLOAT}
    output: oiio.ImageOutput | None = oiio.ImageOutput.create(str(file))
    if output is None:
        return oiio.geterror() or "no picture format has that extension"
    spec = oiio.ImageSpec(width, height, channels, kinds[bits])
    spec.attribute("oiio:ColorSpace", "")
    # Alpha is a value of its own here, by which the others are not multiplied.
    spec.attribute("oiio:UnassociatedAlpha", 1)
    if bits in ("exr", "exr32"):
        # Without this the time of writing is put in, and the same request gives another file.
        spec.attribute("DateTime", "")
        for name, text in metadata.items():
            spec.attribute(name, text)
    done = output.open(str(file), spec)
    for top, pixels in _stored_bands(picture, bits, convert):
        done = done and output.write_scanlines(top, top + len(pixels), 0, pixels)
    done = output.close() and done
    return "" if done else output.geterror() or "it could not be written"


def _stored_whole(
    picture: NDArray[Any], bits: Literal[8, 16], convert: Callable[[Picture], Picture] | None
) -> NDArray[Any]:
    """The whole numbers of a picture; itself where it is made of them."""
    kind = np.uint8 if bits == 8 else np.uint16
    if picture.dtype == kind and convert is None:
        return picture
    stored = np.empty(picture.shape, kind)
    for top, pixels in _stored_bands(picture, bits, convert):
        stored[top : top + len(pixels)] = pixels
    return stored


def _stored_bands(
    picture: NDArray[Any], bits: Bits, convert: Callable[[Picture], Picture] | None
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Top row and values of one band after the other."""
    for top in range(0, len(picture), _BAND):
        rows = picture[top : top + _BAND]
        yield top, _as_stored(convert(as_floats(rows)) if convert else rows, bits)


def _as_stored(picture: NDArray[Any], bits: Bits) -> NDArray[Any]:
    if bits == "exr" or bits == "exr32":
        kind = np.float16 if bits == "exr" else np.float32
        return np.ascontiguousarray(as_floats(picture), kind)
    if picture.dtype == (np.uint8 if bits == 8 else np.uint16):
        return np.ascontiguousarray(picture)
    return quantise(as_floats(picture), bits)


def _unwritable(file: Path, problem: str, size: int) -> StorageError:
    try:
        full = "space" in problem.lower() or shutil.disk_usage(file.parent).free < size // 4
    except OSError:
        full = False
    if full:
        return StorageError(
            "disk_full",
            f"There must be room on the disk for {file}; there is none.",
            "Free some space and do it again.",
        )
    return StorageError(
        "file_unwritable",
        f"{file} must be writable; {' '.join(problem.split()).rstrip('.')}.",
        "Check the folder and its permissions.",
    )


def tile(picture: NDArray[Any], rows: int = 2, columns: int = 2) -> NDArray[Any]:
    """The picture repeated, as it will lie on a surface."""
    return np.tile(picture, (rows, columns, 1))


def resize(picture: Picture, scale: float) -> Picture:
    """Scale both sides with a Lanczos filter; 1 gives the same picture back."""
    if scale == 1:
        return picture
    height, width = picture.shape[:2]
    return resize_to(picture, max(1, round(width * scale)), max(1, round(height * scale)))


def resize_to(picture: Picture, width: int, height: int) -> Picture:
    """Bring a picture of 0..1 to a size, pixels, with a Lanczos filter."""
    channels = picture.shape[2]
    target = oiio.ROI(0, width, 0, height, 0, 1, 0, channels)
    source = oiio.ImageBuf(np.ascontiguousarray(picture, np.float32))
    resized = oiio.ImageBufAlgo.resize(source, "lanczos3", roi=target)
    pixels = np.asarray(resized.get_pixels(oiio.FLOAT), np.float32)
    return np.clip(pixels.reshape(target.height, target.width, channels), 0, 1)
