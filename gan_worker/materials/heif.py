"""HEIC pictures, as phones make them: opened by libheif, and read like those that OpenImageIO opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

# Letters behind the first box of a file: of HEIC, and of formats in the same container.
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
# What pillow-heif raises of damaged files.
_FAULTS = (ValueError, LookupError, RuntimeError, OSError, EOFError, SyntaxError, MemoryError)
CURE = "Save it as JPEG or PNG; an iPhone makes JPEG with Settings > Camera > Formats > Most Compatible."


def is_heif(head: bytes) -> bool:
    """Whether a file that begins so is HEIC, whatever its name is; AVIF is one of its family."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC + _AVIF


class HeifInput:
    """A HEIC picture in the place of an `oiio.ImageInput`, upright, with 8 bits.

    Args:
        file: the picture.

    Raises:
        ValueError: it is none that can be read, and why.
    """

    def __init__(self, file: Path) -> None:
        try:
            import pillow_heif
        except ImportError:
            raise ValueError("it is HEIC, and the package pillow-heif is not there") from None
        with file.open("rb") as opened:
            if opened.read(12)[8:] in _AVIF:
                raise ValueError("it is AVIF")
        self._pixels: NDArray[np.uint8] | None = None
        self._problem = ""
        try:
            self._image: Any = pillow_heif.open_heif(file, convert_hdr_to_8bit=True)
            self._spec = _spec(self._image)
        except _FAULTS as error:
            raise ValueError(str(error)) from error

    def spec(self) -> oiio.ImageSpec:
        return self._spec

    def format_name(self) -> str:
        return "heif"

    def seek_subimage(self, subimage: int, _mip: int) -> bool:
        return subimage == 0

    def read_image(
        self, _subimage: int, _mip: int, first: int, end: int, kind: Any
    ) -> NDArray[Any] | None:
        return self.read_scanlines(0, self._spec.height, 0, first, end, kind)

    def read_scanlines(
        self, top: int, bottom: int, _z: int, first: int, end: int, _kind: Any
    ) -> NDArray[np.float32] | None:
        """Rows from `top` up to `bottom`, 0..1; None where the file is damaged."""
        try:
            if self._pixels is None:
                shape = (self._spec.height, self._spec.width, -1)
                self._pixels = np.asarray(self._image).reshape(shape)  # gray has two dimensions
        except _FAULTS as error:
            self._problem = str(error) or "it is damaged"
            return None
        return self._pixels[top:bottom, :, first:end].astype(np.float32) / np.float32(255)

    def geterror(self) -> str:
        return self._problem

    def close(self) -> bool:
        self._image = self._pixels = None
        return True


def _spec(image: Any) -> oiio.ImageSpec:
    width, height = image.size
    spec = oiio.ImageSpec(width, height, len(image.mode), oiio.UINT8)
    profile = image.info.get("icc_profile")
    if profile:
        kind = oiio.TypeDesc(f"uint8[{len(profile)}]")
        spec.attribute("ICCProfile", kind, np.frombuffer(profile, np.uint8))
    for name, text in _texts(image.info.get("exif")).items():
        spec.attribute(name, text)
    return spec


def _texts(exif: bytes | None) -> dict[str, str]:
    """Who made it, by the names that OpenImageIO has for it."""
    from PIL import Image

    read = Image.Exif()
    read.load(exif or b"")
    names = {0x10E: "ImageDescription", 0x13B: "Artist", 0x8298: "Copyright"}
    return {name: read[tag] for tag, name in names.items() if isinstance(read.get(tag), str)}
