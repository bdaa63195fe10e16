"""Reduction of large pictures: read in bands, shrunk by boxes to an overview, with a window of the middle kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_worker.materials.pictures import (
    Layout,
    Picture,
    quantise,
    read_bands,
    turned,
)
from gan_worker.materials.pictures import read_layout as read_layout
from gan_worker.materials.reading import (
    MaterialSet,
    as_maps,
    check_sizes,
    has_alpha,
    in_order,
    measure_ranges,
    shows_color,
)

# Rows of maps in memory that are reduced at a time.
ROWS = 128


@dataclass(frozen=True)
class Reduced:
    """A material whose maps are too large to be kept whole.

    Attributes:
        size: width and height of its pictures, pixels.
        shrink: side of the boxes whose means the overview holds, pixels.
        overview: map → (height, width, channels) in 0..1, of the whole material; what fills no box is left out.
        window: map → its middle, at the pictures' own size.
    """

    size: tuple[int, int]
    shrink: int
    overview: dict[str, Picture]
    window: dict[str, Picture]


def read_reduced(
    material: MaterialSet,
    names: Sequence[str],
    shrink: int,
    side: int,
    finish: Callable[[str, Picture], Picture],
) -> Reduced:
    """Read all maps of a set, however large, in bounded memory.

    Args:
        material: its files.
        names: of the maps to read.
        shrink: side of the boxes, pixels.
        side: of the window at most, pixels.
        finish: changes the values of a map, by name, before they are averaged.

    Raises:
        PictureError: as `read_material`.
    """
    layouts = {file: read_layout(file) for _, file in in_order(material)}
    check_sizes(material.name, {file: layout.size for file, layout in layouts.items()})
    overview: dict[str, Picture] = {}
    window: dict[str, Picture] = {}
    for kind, file in in_order(material):
        layout = layouts[file]
        bands = read_bands(file, has_alpha(kind))
        ranges = measure_ranges(kind, bands) if layout.floating else None
        parts = _Parts(layout, shrink, side)
        for band in read_bands(file, has_alpha(kind), shows_color(kind)):
            maps = as_maps(kind, band, file, ranges)
            parts.add({name: finish(name, maps[name]) for name in names if name in maps})
        overview |= parts.overview()
        window |= parts.window()
    size = next(iter(layouts.values())).size
    return Reduced(size, shrink, {n: overview[n] for n in names}, {n: window[n] for n in names})


def reduce_maps(
    maps: Mapping[str, Picture],
    shrink: int,
    side: int,
    finish: Callable[[str, Picture], Picture] = lambda _, band: band,
) -> Reduced:
    """The same of maps that are in memory already; arguments as of `read_reduced`."""
    height, width = next(iter(maps.values())).shape[:2]
    parts = _Parts(Layout(width, height, orientation=1, floating=False), shrink, side)
    for top in range(0, height, ROWS):
        parts.add({name: finish(name, p[top : top + ROWS]) for name, p in maps.items()})
    return Reduced((width, height), shrink, parts.overview(), parts.window())


def read_part(photo: MaterialSet, box: tuple[int, int, int, int]) -> NDArray[np.uint16]:
    """Read a part of a photo, however large that is, in bands.

    Args:
        photo: a set of a base color alone.
        box: left, top, right and bottom pixel of the part, in the upright picture.

    Returns:
        sRGB as whole numbers of 16 bits, (height, width, 3), upright.

    Raises:
        PictureError: as `read_material`.
    """
    kind, file = in_order(photo)[0]
    layout = read_layout(file)
    left, top, right, bottom = box
    part = np.empty((bottom - top, right - left, 3), np.uint16)
    stored, (rows, columns) = _as_stored(part, box, layout)
    at = 0
    for band in read_bands(file, has_alpha(kind), shows_color(kind)):
        first, last = max(rows.start, at), min(rows.stop, at + len(band))
        if first < last:
            cut = as_maps(kind, band[first - at : last - at, columns], file)["base_color"]
            stored[first - rows.start : last - rows.start] = quantise(cut, 16)
        at += len(band)
    return part


def _as_stored(
    part: NDArray[Any], box: tuple[int, int, int, int], layout: Layout
) -> tuple[NDArray[Any], tuple[slice, slice]]:
    """A view of an upright part as its file has it, and its rows and columns there: the other way round as `turned`."""
    (width, height), (left, top, right, bottom) = layout.size, box
    if layout.orientation in (2, 3, 6, 7):
        part, left, right = part[:, ::-1], width - right, width - left
    if layout.orientation in (3, 4, 7, 8):
        part, top, bottom = part[::-1], height - bottom, height - top
    rows, columns = slice(top, bottom), slice(left, right)
    if layout.orientation in (5, 6, 7, 8):
        return part.transpose(1, 0, 2), (columns, rows)
    return part, (rows, columns)


class _Parts:
    """Overview and window of the maps in one file, from its bands.

    Args:
        layout: of the file.
        shrink: side of the overview's boxes, pixels.
        side: of the window at most, pixels.
    """

    def __init__(self, layout: Layout, shrink: int, side: int) -> None:
        self._layout, self._shrink = layout, shrink
        self._rows, self._columns = (
            slice((n - min(n, side)) // 2, (n + min(n, side)) // 2)
            for n in (layout.height, layout.width)
        )
        self._top = 0
        self._boxes: dict[str, list[Picture]] = {}
        # Rows that fill no box yet, already averaged along themselves.
        self._rest: dict[str, Picture] = {}
        self._window: dict[str, list[Picture]] = {}

    def add(self, maps: Mapping[str, Picture]) -> None:
        """Take the next band of each map, all as high."""
        for name, band in maps.items():
            self._add_boxes(name, band)
            first, last = (max(0, n - self._top) for n in (self._rows.start, self._rows.stop))
            # A copy, so that it keeps no whole band in memory.
            self._window.setdefault(name, []).append(band[first:last, self._columns].copy())
        self._top += len(next(iter(maps.values())))

    def _add_boxes(self, name: str, band: Picture) -> None:
        side = self._shrink
        columns = band.shape[1] // side
        # Sums of slices, which NumPy makes three times faster than means over a short axis.
        slices = [band[:, first : columns * side : side] for first in range(side)]
        narrow = functools.reduce(np.add, slices) / np.float32(side)
        narrow = np.concatenate([self._rest.get(name, narrow[:0]), narrow])
        whole = len(narrow) // side * side
        boxes = narrow[:whole].reshape(-1, side, *narrow.shape[1:]).mean(axis=1)
        self._boxes.setdefault(name, []).append(boxes)
        self._rest[name] = narrow[whole:]

    def overview(self) -> dict[str, Picture]:
        """All of each map, shrunk and upright."""
        return self._upright(self._boxes)

    def window(self) -> dict[str, Picture]:
        """The middle of each map, upright."""
        return self._upright(self._window)

    def _upright(self, bands: Mapping[str, list[Picture]]) -> dict[str, Picture]:
        turn = self._layout.orientation
        return {name: turned(np.concatenate(parts), turn) for name, parts in bands.items()}
