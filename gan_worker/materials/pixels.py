"""Pixels as floats of 0..1, as whole numbers of 8 or 16 bits, and their colors as sRGB."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gan_worker.materials.maps import MAPS, Kind

# Shorter normals of a picture have no direction that eight bits could tell.
SHORTEST = 4 / 255

# Rows that a picture is changed by at a time: each step on the way takes memory for these alone.
_ROWS = 256

# Bits of a whole number, or the halves and the whole floats of EXR.
Bits = Literal[8, 16, "exr", "exr32"]
Picture = NDArray[np.float32]


def quantise(picture: NDArray[Any], bits: int) -> NDArray[Any]:
    """0..1 to whole numbers: uint8 for 8 bits, uint16 for 16, rounded."""
    kind, most = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    scaled: NDArray[Any] = np.clip(picture, 0, 1, dtype=np.float32)
    scaled *= most
    np.rint(scaled, out=scaled)
    return scaled.astype(kind)


def as_floats(picture: NDArray[Any]) -> Picture:
    """0..1 as float32, of whole numbers of 8 or 16 bits or of floats."""
    if not np.issubdtype(picture.dtype, np.integer):
        return picture.astype(np.float32, copy=False)
    return picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)


def changed(picture: NDArray[Any], change: Callable[[NDArray[Any]], NDArray[Any]]) -> Picture:
    """What becomes of a large picture by something that looks at one pixel at a time and keeps the channels."""
    made = np.empty(picture.shape, np.float32)
    for top in range(0, len(picture), _ROWS):
        made[top : top + _ROWS] = change(picture[top : top + _ROWS])
    return made


def to_screen(linear: Picture) -> Picture:
    """Linear light to sRGB values, both 0..1 (IEC 61966-2-1)."""
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(
        np.float32
    )


def to_light(screen: NDArray[Any]) -> Picture:
    """SRGB values to linear light, both 0..1: the inverse of `to_screen`."""
    shown = np.clip(screen, 0, 1)
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    return np.asarray(light, np.float32)


# Linear sRGB to XYZ for the white of ICC profiles, D50 (sRGB's own profile, IEC 61966-2-1 adapted by Bradford).
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
# Steps of 0..1 in which curves are looked up; differences below half a step of 8 bits are none.
_STEPS = 65535
_SAME = 0.75 / 255
# Terms of ICC.1:2022, table 68, with the numbers g a b c d e f in this order.
_CURVES: tuple[tuple[int, Callable[..., Any]], ...] = (
    (1, lambda x, g: x**g),
    (3, lambda x, g, a, b: np.where(x >= -b / a, _base(a * x + b) ** g, 0)),
    (4, lambda x, g, a, b, c: np.where(x >= -b / a, _base(a * x + b) ** g + c, c)),
    (5, lambda x, g, a, b, c, d: np.where(x >= d, _base(a * x + b) ** g, c * x)),
    (7, lambda x, g, a, b, c, d, e, f: np.where(x >= d, _base(a * x + b) ** g + e, c * x + f)),
)


@lru_cache(maxsize=4)
def to_srgb(profile: bytes) -> Callable[[Picture], Picture] | None:
    """What makes sRGB of a picture with this color profile.

    Args:
        profile: ICC, for red, green and blue by curves and primaries, such as Adobe RGB and Display P3, or for grey.

    Returns:
        Changes (height, width, 1 or 3, and one more with alpha) of 0..1; None where nothing is to be changed, and for
        profiles of other kinds.
    """
    try:
        tags = _read_tags(profile)
        kind = profile[16:20]
        if kind == b"GRAY":
            return _unless_same(_Conversion((_curve(tags[b"kTRC"]),), np.eye(1)))
        if kind != b"RGB ":
            return None
        primaries = np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
        curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
        matrix = np.linalg.inv(_SRGB_TO_XYZ) @ primaries
    except (KeyError, IndexError, ValueError, ZeroDivisionError, struct.error):
        return None  # of another kind, or damaged: the picture is read as if it brought none
    return _unless_same(_Conversion(curves, matrix)) if np.isfinite(matrix).all() else None


class _Conversion:
    """Colors through a curve for each channel and a matrix into linear sRGB, and back to what a screen shows."""

    def __init__(self, curves: tuple[NDArray[Any], ...], matrix: NDArray[Any]) -> None:
        self._curves, self._matrix = curves, matrix.T.astype(np.float32)
        self.channels = len(curves)

    def __call__(self, picture: Picture) -> Picture:
        if picture.shape[-1] not in (self.channels, self.channels + 1):
            return picture  # as a grey picture with a profile for colors
        return changed(picture, self._converted)

    def _converted(self, picture: Picture) -> Picture:
        places = quantise(picture, 16)
        light = np.stack([c[places[..., n]] for n, c in enumerate(self._curves)], axis=-1)
        shown: Picture = _shown()[quantise(light @ self._matrix, 16)]
        rest = picture[..., self.channels :]
        return np.concatenate([shown, rest], axis=-1, dtype=np.float32)


@lru_cache(maxsize=1)
def _shown() -> Picture:
    """SRGB of each step of light: four times as fast as its powers."""
    return to_screen(np.linspace(0, 1, _STEPS + 1, dtype=np.float32))


def _unless_same(conversion: _Conversion) -> _Conversion | None:
    """None where it changes no color that can be seen, as of the many profiles that are sRGB."""
    steps = np.linspace(0, 1, 17, dtype=np.float32)
    colors = np.stack(np.meshgrid(*[steps] * conversion.channels, indexing="ij"), axis=-1)
    colors = colors.reshape(1, -1, conversion.channels)
    return None if np.abs(conversion(colors) - colors).max() < _SAME else conversion


def _read_tags(profile: bytes) -> Mapping[bytes, bytes]:
    """What stands in an ICC profile, by the four letters of each tag."""
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * n) for n in range(min(count, 100))]
    return {name: profile[start : start + size] for name, start, size in entries}


def _xyz(tag: bytes) -> NDArray[Any]:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> NDArray[np.float32]:
    """What is light of each step of 0..1 (ICC.1:2022, 10.6 and 10.18)."""
    x = np.linspace(0, 1, _STEPS + 1)
    (count,) = struct.unpack_from(">I" if tag[:4] == b"curv" else ">H", tag, 8)
    if tag[:4] == b"para":
        terms, curve = _CURVES[count]
        light = curve(x, *(n / 65536 for n in struct.unpack_from(f">{terms}i", tag, 12)))
    elif tag[:4] != b"curv":
        raise ValueError("a curve must be curv or para")
    elif count < 2:
        light = x ** (struct.unpack_from(">H", tag, 12)[0] / 256 if count else 1)
    else:
        values = np.frombuffer(tag, ">u2", count, 12) / 65535
        light = np.interp(x, np.linspace(0, 1, count), values)
    if not np.isfinite(light).all():
        raise ValueError("a curve must be of numbers")
    return np.asarray(np.clip(light, 0, 1), np.float32)


def _base(values: NDArray[Any]) -> NDArray[Any]:
    """What can be raised to any power; where it was below zero another term counts."""
    return np.maximum(values, 0)


def with_unit_normals(name: str, picture: NDArray[Any]) -> NDArray[Any]:
    """A map as it is learned: one of normals with `unit_normals`, others as they are."""
    return unit_normals(picture) if MAPS[name].kind is Kind.direction else picture


def unit_normals(picture: NDArray[Any]) -> NDArray[Any]:
    """Normals as a renderer sees them, which gives every one unit length: maps made smaller hold shorter ones.

    Args:
        picture: a normal map, (height, width, 3) in 0..1.

    Returns:
        The same shape; where nothing can be made of a normal, it points outwards.
    """
    return changed(picture, _unit)


def _unit(picture: NDArray[Any]) -> NDArray[Any]:
    vectors = picture * 2 - 1
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    up = np.array([0, 0, 1], np.float32)
    return np.where(length > SHORTEST, vectors / np.maximum(length, SHORTEST), up) * 0.5 + 0.5
