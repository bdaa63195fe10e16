"""Source: the pictures of one material before their scale is chosen, whole or, where they are large, in two parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

from gan_worker.errors import PictureError
from gan_worker.files import shown_name
from gan_worker.gan.data.periodicity import find_cell
from gan_worker.materials.pictures import quantise, read_layout, resize
from gan_worker.materials.pixels import as_floats, with_unit_normals
from gan_worker.materials.reduction import Reduced, read_part, read_reduced, reduce_maps
from gan_worker.materials.sets import PHOTO, MaterialSet, read_material
from gan_worker.photos.preparing import (
    PhotoProblem,
    find_problems,
    prepare_and_inspect,
    prepared_size,
    straighten_part,
)
from gan_worker.preparation import AS_IT_IS as AS_IT_IS
from gan_worker.preparation import Preparation
from gan_worker.validation.material import validate

if TYPE_CHECKING:
    from pathlib import Path

    from gan_worker.validation.findings import Finding

Material = Mapping[str, np.ndarray]
Problems: TypeAlias = "Sequence[PhotoProblem | Finding]"
# Is told what comes next, and raises `Cancelled` where that is not wanted any more.
Tell = Callable[[str], None]
T = TypeVar("T")

# Pixels of a picture that is read whole, at most.
WHOLE = 2**24
# Of the overviews of larger ones: of all materials together, and of each at least.
OVERVIEWS, OVERVIEW = 2**24, 2**20
# Of what the size of elements is measured on, at most.
MEASURED = 2**22
# Side of the window that is read of a larger one, at least.
WINDOW = 2**10
# Pixels of a photo that something is done to, at most: all of it is held for that, which takes 1.6 GiB, and
# twice that where its maps are estimated.
PREPARED = 2**26
# Bytes of maps read whole that are held until their scale is chosen, of all materials together: three sets of 4096².
# Those for which there is no room are read twice, so that any number of sets is learned from.
HELD = 2**31


@dataclass(frozen=True)
class PhotoMaps:
    """How a photo gets all maps.

    Attributes:
        names: of all of them, base color included.
        make: makes them of a photo's color, uint8, at its size: whole numbers.
    """

    names: tuple[str, ...]
    make: Callable[[np.ndarray], Material]


@dataclass(frozen=True)
class Sized:
    """The pictures of one material at the sizes that are learned.

    Attributes:
        small: what the generator learns.
        size: width and height with all detail, pixels.
        native: the middle with all detail; empty without octaves.
    """

    small: Material
    size: tuple[int, int]
    native: Material


class Source:
    """The maps of a material, read whole: held where there is room, or else read once more for `at`.

    Args:
        maps: at the size of their files; whole numbers, which take less room, become floats when they are used.
        problems: of a photo, or of the maps of a set.
        read: gives the same maps again.
        room: bytes that they may take.

    Attributes:
        element: size of the main elements, pixels.
        side: shorter one of the pictures, pixels.
        problems: as they were given.
        held: bytes that are held.
    """

    def __init__(self, maps: Material, problems: Problems, read: Callable[[], Material], room: int):
        self.problems, self._read = problems, read
        self.element = _main_element(_in_floats(maps))
        self.side = min(_size(maps))
        size = sum(picture.nbytes for picture in maps.values())
        self._maps = maps if size <= room else None
        self.held = size if self._maps else 0

    def at(self, scale: float, octaves: int, side: int) -> Sized:
        """The pictures at a scale.

        Args:
            scale: factor on their size, of all detail.
            octaves: times they are halved for the generator.
            side: of the middle at most, pixels.
        """
        native = _scaled(_in_floats(self._maps or self._read()), scale)
        middle = _middle(native, side, octaves) if octaves else {}
        return Sized(_halved(native, octaves), _size(native), middle)


class LargeSource:
    """The maps of a material, too large to be held: an overview of all of it, and a window of its middle.

    Args:
        reduced: with normals of unit length.
        problems: of a photo, or of the maps of a set.

    Attributes:
        element: size of the main elements, pixels.
        side: shorter one of the pictures, pixels.
        problems: as they were given.
        held: nothing of what `HELD` counts.
    """

    held = 0

    def __init__(self, reduced: Reduced, problems: Problems = ()):
        self._reduced, self.problems = reduced, problems
        self.side = min(reduced.size)
        element = _main_element(reduced.overview) * reduced.shrink
        # What is finer than the overview's pixels repeats in the window.
        self.element = min(element, find_cell(reduced.window)[0])

    def at(self, scale: float, octaves: int, side: int) -> Sized:
        """See `Source.at`; of more detail than the overview has, there is the middle alone."""
        overview, window = self._reduced.overview, self._reduced.window
        width, height = self._reduced.size
        factor = scale * self._reduced.shrink
        if factor <= 1:
            native = _scaled(overview, factor)
        else:
            # Enlarged, a part of the window is as much.
            part = math.ceil(max(_size(window)) / max(1.0, scale))
            native = _scaled(_middle(window, part, 0), scale)
        small_factor = factor / 2**octaves
        from_overview = small_factor <= 1 < factor
        small = _shrunk(overview, small_factor) if from_overview else _halved(native, octaves)
        middle = _middle(native, side, octaves) if octaves else {}
        return Sized(small, (round(width * scale), round(height * scale)), middle)


def open_sources(
    materials: Sequence[MaterialSet],
    names: Sequence[str],
    side: int,
    preparation: Preparation = AS_IT_IS,
    estimate: PhotoMaps | None = None,
    tell: Tell = lambda text: None,
) -> list[Source | LargeSource]:
    """Read what is needed of materials, and hold as many whole as there is room for.

    Args:
        materials: their files.
        names: of the maps.
        side: of the middle that will be kept of each, pixels.
        preparation: what is done first to those that are photos, which have no maps but their base color.
        estimate: gives photos their other maps; None leaves them with their color alone.
        tell: is told of each.

    Raises:
        PictureError: as `read_material`; `picture_unreadable` for a photo that is too large for what is done to it.
    """
    sources: list[Source | LargeSource] = []
    for one in one_by_one(materials, "reading", tell):
        room = HELD - sum(opened.held for opened in sources)
        sources.append(_opened(one, names, side, len(materials), room, preparation, estimate))
    return sources


def one_by_one(sets: Sequence[T], doing: str, tell: Tell) -> Iterator[T]:
    """What there is of each of several sets, which are told of one after the other: they may take hours together."""
    for number, one in enumerate(sets, 1):
        if len(sets) > 1:
            tell(f"{doing} set {number} of {len(sets)}")
        yield one


def _opened(
    material: MaterialSet,
    names: Sequence[str],
    side: int,
    materials: int,
    room: int,
    preparation: Preparation,
    estimate: PhotoMaps | None,
) -> Source | LargeSource:
    """One of so many materials, for which there is so much room, bytes."""
    is_photo = material.maps == PHOTO
    if is_photo and (estimate or not preparation.is_empty):
        make = partial(_prepared_maps, material, names, preparation, estimate)
        return _open_prepared(make, side, materials, room)
    size = read_layout(next(iter(material.files.values()))).size
    if math.prod(size) <= WHOLE:
        read = partial(_read_whole, material, names)
        maps = read()
        return Source(maps, _problems(maps) if is_photo else _faults(maps), read, room)
    shrink = _shrink(size, materials)
    reduced = read_reduced(material, names, shrink, max(WINDOW, side), with_unit_normals)
    if is_photo:
        return LargeSource(reduced, _problems(reduced.window, reduced.overview))
    return LargeSource(reduced, _faults(reduced.window))


def _read_whole(material: MaterialSet, names: Sequence[str]) -> Material:
    read = read_material(material)
    return {name: read[name] for name in names}


def _open_prepared(
    make: Callable[[], tuple[Material, Problems]], side: int, materials: int, room: int
) -> Source | LargeSource:
    """What `make` gives, whole or in two parts."""
    maps, problems = make()
    if math.prod(_size(maps)) <= WHOLE:
        return Source(maps, problems, lambda: make()[0], room)
    shrink = _shrink(_size(maps), materials)
    return LargeSource(reduce_maps(maps, shrink, max(WINDOW, side), _as_read), problems)


def _prepared_maps(
    material: MaterialSet,
    names: Sequence[str],
    preparation: Preparation,
    estimate: PhotoMaps | None,
) -> tuple[Material, Problems]:
    """A photo, straightened, looked at for problems, and then lit evenly and balanced; then its maps are estimated."""
    photo, problems = _prepared(material, preparation)
    maps: Material = {"base_color": photo}
    if estimate:
        color = quantise(photo, 8)
        del photo, maps
        maps = estimate.make(color)
    return {name: maps[name] for name in names}, problems


def _prepared(
    material: MaterialSet, preparation: Preparation
) -> tuple[np.ndarray, Sequence[PhotoProblem]]:
    """A photo with all that shall be done to it, and what is wrong with it; of a large one, what corners cut out."""
    file = material.files["base_color"]
    size = read_layout(file).size
    if math.prod(size) <= PREPARED:
        return prepare_and_inspect(read_material(material)["base_color"], preparation)
    if math.prod(prepared_size(*size, preparation)) > PREPARED:
        raise _too_large(file)
    read = partial(read_part, material)
    photo = straighten_part(read, size, preparation.corners)
    return prepare_and_inspect(photo, replace(preparation, corners=()))


def _as_read(name: str, picture: np.ndarray) -> np.ndarray:
    """Floats of 0..1, and normals of unit length."""
    return with_unit_normals(name, as_floats(picture))


def _in_floats(maps: Material) -> Material:
    """Maps of whole numbers as if they were read from files; those of floats as they are."""
    return {n: p if p.dtype.kind == "f" else _as_read(n, p) for n, p in maps.items()}


def _problems(*parts: Material) -> tuple[PhotoProblem, ...]:
    """Those of a photo, each kind once, from all of it or from parts of it."""
    found = {
        problem.kind: problem for maps in parts for problem in find_problems(maps["base_color"])
    }
    return tuple(found.values())


def _faults(maps: Material) -> tuple[Finding, ...]:
    """What is wrong with the maps of a set, which need not tile and whose normals get their length here."""
    learned = {name: with_unit_normals(name, picture) for name, picture in maps.items()}
    return tuple(finding for finding in validate(learned, closed=False) if not finding.is_ok)


def _shrink(size: tuple[int, int], materials: int) -> int:
    """Side of the boxes that bring a picture of this size to an overview."""
    width, height = size
    shrink = 1
    while (width // shrink) * (height // shrink) > max(OVERVIEW, OVERVIEWS // materials):
        shrink *= 2
    return shrink


def _too_large(file: Path) -> PictureError:
    side = math.isqrt(PREPARED)
    return PictureError(
        "picture_unreadable",
        f"A photo that something is done to first may have {side}×{side} pixels at most; {shown_name(file.name)} has "
        "more, also between its corners if it has any.",
        "Make it smaller, choose corners of a smaller part, or leave out what shall be done to it.",
    )


def _size(maps: Material) -> tuple[int, int]:
    """Width and height."""
    height, width = next(iter(maps.values())).shape[:2]
    return width, height


def _scaled(maps: Material, scale: float) -> Material:
    return {name: with_unit_normals(name, resize(picture, scale)) for name, picture in maps.items()}


def _halved(maps: Material, octaves: int) -> Material:
    """Pictures so often halved, by the mean of their pixels; normals that differ become shorter by it."""
    return {name: _boxes(picture, 1 << octaves) for name, picture in maps.items()}


def _boxes(picture: np.ndarray, side: int) -> np.ndarray:
    rows, columns = (n // side for n in picture.shape[:2])
    cut = picture[: rows * side, : columns * side]
    boxes = cut.reshape(rows, side, columns, side, -1)
    return picture if side == 1 else boxes.mean(axis=(1, 3), dtype=np.float32)


def _shrunk(maps: Material, factor: float) -> Material:
    """Pictures made smaller by the mean of their pixels, and by a filter for what is no power of two."""
    octaves = math.floor(-math.log2(factor))
    halved = _halved(maps, octaves)
    return {name: resize(picture, factor * 2**octaves) for name, picture in halved.items()}


def _middle(maps: Material, side: int, octaves: int) -> Material:
    """The middle of pictures, of whole pixels of the smallest octave; copied, so that the rest is free to go."""
    whole = 1 << octaves
    spans = []
    for length in reversed(_size(maps)):
        kept = min(length, side) // whole * whole
        start = (length - kept) // 2 // whole * whole
        spans.append(slice(start, start + kept))
    return {name: picture[spans[0], spans[1]].copy() for name, picture in maps.items()}


def _main_element(material: Material) -> float:
    """Size in pixels: of the shapes in the first map, or of what repeats or runs on where that is smaller.

    Corrugations and the boards of a wall are seen in the height, and stains on them are larger; the joints of a wall
    of tiles match themselves at any distance along them.
    """
    cell, runs_on = find_cell(material)
    element = min(measure_element(next(iter(material.values()))), cell)
    return min(element, measure_element(material["height"])) if runs_on else element


def measure_element(picture: np.ndarray) -> float:
    """How large the main elements of a picture are, pixels.

    Taken as four times the shift at which the autocorrelation of the brightness first falls below a tenth: a quarter
    period of a regular pattern, half a radius of a heap of stones.

    Args:
        picture: (height, width, channels) in 0..1.
    """
    grey, shrink = picture.mean(axis=-1), 1
    while grey.size > MEASURED:
        grey, shrink = _boxes(grey, 2)[..., 0], 2 * shrink
    across = _correlation_length(grey)
    return 4 * shrink * min(float(np.sqrt(across[0] * across[1])), 2 * min(across))


def _correlation_length(grey: np.ndarray) -> tuple[int, int]:
    height, width = grey.shape
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    blur = np.exp(-2 * (np.pi * min(height, width) / 10) ** 2 * (rows**2 + columns**2))
    flat = np.fft.irfft2(np.fft.rfft2(grey - grey.mean()) * (1 - blur), s=grey.shape)
    window = np.hanning(height)[:, None] * np.hanning(width)[None]
    double = (2 * height, 2 * width)
    power = np.fft.irfft2(np.abs(np.fft.rfft2(flat * window, s=double)) ** 2)
    weight = np.fft.irfft2(np.abs(np.fft.rfft2(window, s=double)) ** 2)
    correlation = power / np.maximum(weight, weight.max() * 1e-3)
    limit = 0.1 * correlation[0, 0]
    lines = correlation[0, : max(1, width // 2)], correlation[: max(1, height // 2), 0]
    across, down = (int(np.argmax(line < limit)) or len(line) for line in lines)
    return across, down
