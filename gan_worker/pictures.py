"""Picture files: read with every oddity named, written in one step."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import OpenImageIO as oiio

from gan_worker.errors import PictureError, StorageError

# Larger ones are refused by their header alone, before any memory is asked for.
LARGEST = 67_000_000
EXTENSIONS = ".png .jpg .jpeg .tif .tiff .exr .tga .bmp .webp .gif .psd .hdr .ppm .pgm .jp2".split()

Bits = Literal[8, 16, "exr"]


def read_picture(file: Path) -> np.ndarray:
    """Read a picture as it is stored, without any conversion of color.

    Rotation by EXIF is applied, alpha is dropped, palettes are looked up, CMYK becomes RGB.

    Returns:
        float32, shape (height, width, 1 or 3), top row first; 0..1, except for EXR, which may go beyond.

    Raises:
        PictureError: `picture_missing` or `picture_unreadable`, with the reason.
    """
    opened = _open(file)
    try:
        spec = opened.spec()
        pixels = opened.read_image(0, 0, 0, spec.nchannels, oiio.FLOAT)
        if pixels is None:
            raise _unreadable(file, opened.geterror() or "the file ends too early")
    finally:
        opened.close()
    return _upright(np.asarray(pixels, np.float32), spec.get_int_attribute("Orientation", 1))


def check_picture(file: Path) -> None:
    """Look at the header alone.

    Raises:
        PictureError: `picture_missing` or `picture_unreadable`, with the reason.
    """
    _open(file).close()


def _open(file: Path) -> oiio.ImageInput:
    if not file.is_file():
        raise PictureError(
            "picture_missing",
            f"The picture must be a file; {file} is not there.",
            "Check the name and where it lies.",
        )
    opened = oiio.ImageInput.open(str(file))
    if opened is None:
        raise _unreadable(file, oiio.geterror() or "no known picture format")
    try:
        _check_header(file, opened, opened.spec())
    except PictureError:
        opened.close()
        raise
    return opened


def _check_header(file: Path, opened: oiio.ImageInput, spec: oiio.ImageSpec) -> None:
    if spec.width * spec.height > LARGEST:
        raise _unreadable(
            file,
            f"it has {spec.width}×{spec.height} pixels, and {LARGEST // 10**6} million is the most",
        )
    if spec.depth > 1 or spec.nchannels < 1:
        raise _unreadable(file, "it is no flat picture")
    if spec.get_int_attribute("oiio:Movie", 0) and opened.seek_subimage(1, 0):
        raise _unreadable(file, "it is animated")
    opened.seek_subimage(0, 0)
    if opened.format_name() == "jpeg" and not _jpeg_is_whole(file):
        raise _unreadable(file, "the file ends too early")


def _jpeg_is_whole(file: Path) -> bool:
    """Decoders fill what is missing with grey; the end marker tells."""
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 4096))
        return b"\xff\xd9" in opened.read()


def _unreadable(file: Path, reason: str) -> PictureError:
    return PictureError(
        "picture_unreadable",
        f"{file.name} cannot be used: {' '.join(reason.split())}.",
        "Open it in a picture editor and save it as PNG, or leave it out.",
    )


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Drop alpha and undo the camera's rotation (EXIF orientation 1..8)."""
    pixels = pixels[..., :1] if pixels.shape[-1] < 3 else pixels[..., :3]
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def write_picture(file: Path, picture: np.ndarray, bits: Bits = 8) -> None:
    """Write a picture; under its name there is the old file or the new one, never half of it.

    Args:
        file: with the extension of its format.
        picture: (height, width, channels), 0..1, top row first.
        bits: 8 or 16 for whole numbers, `exr` for half floats.

    Raises:
        StorageError: `file_unwritable`.
    """
    partial = file.with_name(f".{file.stem}.part{file.suffix}")
    height, width, channels = picture.shape
    pixels = picture.astype(np.float16) if bits == "exr" else quantise(picture, bits)
    kind = {8: oiio.UINT8, 16: oiio.UINT16, "exr": oiio.HALF}[bits]
    output = oiio.ImageOutput.create(str(partial))
    problem = oiio.geterror() if output is None else ""
    if output is not None:
        spec = oiio.ImageSpec(width, height, channels, kind)
        spec.attribute("oiio:ColorSpace", "")
        done = output.open(str(partial), spec) and output.write_image(np.ascontiguousarray(pixels))
        done = output.close() and done
        problem = "" if done else output.geterror() or "it could not be opened"
    if problem:
        partial.unlink(missing_ok=True)
        raise StorageError(
            "file_unwritable",
            f"{file} must be writable; {' '.join(problem.split())}.",
            "Check the folder, its permissions and the room on the disk.",
        )
    partial.replace(file)


def quantise(picture: np.ndarray, bits: int) -> np.ndarray:
    """0..1 to whole numbers: uint8 for 8 bits, uint16 for 16, rounded."""
    if bits == 8:
        return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return np.round(np.clip(picture, 0, 1) * 65535).astype(np.uint16)


def tile(picture: np.ndarray, rows: int = 2, columns: int = 2) -> np.ndarray:
    """The picture repeated, as it will lie on a surface."""
    return np.tile(picture, (rows, columns, 1))


def resize(picture: np.ndarray, scale: float) -> np.ndarray:
    """Scale both sides with a Lanczos filter; 1 gives the same picture back."""
    if scale == 1:
        return picture
    height, width, channels = picture.shape
    target = oiio.ROI(
        0, max(1, round(width * scale)), 0, max(1, round(height * scale)), 0, 1, 0, channels
    )
    source = oiio.ImageBuf(np.ascontiguousarray(picture, np.float32))
    resized = oiio.ImageBufAlgo.resize(source, "lanczos3", roi=target)
    return np.clip(
        resized.get_pixels(oiio.FLOAT).reshape(target.height, target.width, channels), 0, 1
    )
