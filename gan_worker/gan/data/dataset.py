"""Pictures to training crops: read, scaled, kept on the device, cut inside the graph."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gan_worker.errors import PictureError, RequestError, counted
from gan_worker.gan.data.isotropy import is_isotropic
from gan_worker.gan.data.periodicity import measure_pattern
from gan_worker.gan.data.source import Material as Material
from gan_worker.gan.data.source import PhotoMaps as PhotoMaps
from gan_worker.gan.data.source import Tell as Tell
from gan_worker.gan.data.source import measure_element as measure_element
from gan_worker.gan.data.source import one_by_one as one_by_one
from gan_worker.gan.data.source import open_sources
from gan_worker.gan.data.statistics import WEAKEST_AXIS, Statistics, measure_statistics
from gan_worker.gan.data.waves import Pattern, patterns_from_json
from gan_worker.limits import OCTAVES
from gan_worker.materials.maps import MAPS, Kind
from gan_worker.materials.sets import PHOTO, MaterialSet, find_materials
from gan_worker.preparation import AS_IT_IS, Preparation
from gan_worker.progress import DataReport, MaterialEntry
from gan_worker.style import NAME_LIMIT

if TYPE_CHECKING:
    from gan_worker.gan.data.source import LargeSource, Source

# Size of elements in crops above which a person is told: after five minutes of `tiny`, paving stones of 0.91 came out
# as blotches and bricks of 0.75 as bricks; at two thirds of its scale the paving had its shapes.
LARGE = 0.8
# Crops' widths of a picture that are left at least, or there is too little variety to learn from.
ROOM = 1.5
# Pixels of real pictures at their own size that the detail stage learns from and a model keeps, of all materials
# together: a picture of 2048² whole, or the middle of a larger one.
KEPT_PIXELS = 2**22
# Side of what is kept of each material, halved by all octaves, pixels, at least: the detail stage learns to fill either
# half of it from the other one, in patches of six.
LEAST_KEPT = 16


@dataclass(frozen=True)
class Pictures:
    """Everything that was read, with the report a person sees before training, and the files.

    Attributes:
        materials: at the size that the generator learns.
        report: for a person.
        files: that were read.
        natives: where there are octaves of detail, the middle of each at the full size.
        first: which of the materials the first picture is of; they are sorted by name.
    """

    materials: tuple[Material, ...]
    report: DataReport
    files: tuple[Path, ...]
    natives: tuple[Material, ...] = ()
    first: int = 0

    def pixel_size(self, picture_width: float) -> float:
        """Meters that a pixel with all detail spans where the first picture shows so many from left to right."""
        return picture_width / self.report.materials[self.first].width


@dataclass(frozen=True, kw_only=True)
class MeasuredPictures(Pictures):
    """What was read, with what is known of it before the first step.

    Attributes:
        names: by which the networks know the materials, all different; none where they know no material by name.
        patterns: of each material; none for networks that take none.
        statistics: how maps become standardised channels.
    """

    names: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    statistics: Statistics


def read_pictures(
    files: Sequence[str],
    crop: int,
    scale: float | None,
    turned: bool = False,
    octaves: int | None = 0,
    preparation: Preparation = AS_IT_IS,
    estimate: PhotoMaps | None = None,
    tell: Tell = lambda text: None,
) -> Pictures:
    """Find, read and scale all materials; normals get unit length. Those that are too small are left out.

    Args:
        files: pictures or folders.
        crop: side of a training crop, pixels.
        scale: factor on the size; None leaves it as it is, but for what too few octaves leave out.
        turned: whether they will be learned turned and mirrored too, for the report.
        octaves: times they are halved for the generator; None measures it.
        preparation: what is done to photos first.
        estimate: gives photos the maps that they lack, which are learned too; None leaves them as they are.
        tell: is told of each of several.

    Raises:
        PictureError: `picture_missing`, `dataset_empty`, `map_size_mismatch`; `picture_too_small`, where all are.
    """
    of_photos = estimate.names if estimate else PHOTO
    least = _least_side(crop, scale, octaves)
    sets, skipped, notes = find_materials(files, of_photos=of_photos, least=least)
    names = _common_maps([_maps_of(one, estimate) for one in sets])
    side = int((KEPT_PIXELS / len(sets)) ** 0.5)
    sources = open_sources(sets, names, side, preparation, estimate, tell)
    elements = [source.element for source in sources]
    small: list[str] = []
    if scale is None or octaves is None:
        sides = [source.side for source in sources]
        scales = [suggest_scale(*pair, crop) for pair in zip(elements, sides, strict=True)]
        suggested = float(np.median(scales))
        choose = partial(choose_octaves, scale, octaves, suggested)
        usual, *fitting = (choose(ROOM * crop / n) for n in (float(np.median(sides)), *sides))
        small = _note_small([one.name for one in sets], fitting, usual)
        scale, octaves = choose(ROOM * crop / min(sides))
    side = max(side, LEAST_KEPT << octaves)
    sized = [s.at(scale, octaves, side) for s in one_by_one(sources, "scaling", tell)]
    entries = []
    for material_set, at in zip(sets, sized, strict=True):
        height, width = at.small[names[0]].shape[:2]
        _check_size(material_set.name, width, height, crop, scale, octaves)
        if octaves:
            _check_middle(material_set.name, at.native[names[0]], octaves)
        entries.append(MaterialEntry(material_set.name, *at.size, names))
    scaled = tuple(at.small for at in sized)
    isotropic = all(map(is_isotropic, scaled))
    # First, because a panel shows the first few.
    first = small or _note_large(entries, np.array(elements) * scale / 2**octaves / crop)
    told = (*first, *_note_estimates(sets, estimate), *_note_problems(sets, sources), *notes)
    report = DataReport(
        tuple(entries), tuple(skipped), names, scale, told, isotropic, turned, octaves
    )
    natives = tuple(at.native for at in sized) if octaves else ()
    return Pictures(scaled, report, all_files(sets), natives, _find_first(sets, files))


def _find_first(sets: Sequence[MaterialSet], places: Sequence[str]) -> int:
    """Which of the sets the first of the places holds that holds any."""
    for place in places:
        for number, one in enumerate(sets):
            if any(file.is_relative_to(place) for file in one.files.values()):
                return number
    return 0


def measure_pictures(
    pictures: Pictures, stride: int, state: Mapping[str, Any], tell: Tell = lambda text: None
) -> MeasuredPictures:
    """Measure patterns and statistics of materials.

    Args:
        pictures: that were read.
        stride: pixels a cell of the latent grid.
        state: of the checkpoint to go on from, whose weights mean what was measured then; empty at the start.
        tell: is told of each of several.
    """
    report = pictures.report
    if state:
        patterns, statistics = patterns_from_json(state), Statistics.from_json(state["statistics"])
    else:
        materials = one_by_one(pictures.materials, "measuring", tell)
        patterns = tuple(measure_pattern(material, stride) for material in materials)
        statistics = _measure(pictures)
    if any(pattern.is_any for pattern in patterns):
        report = replace(report, isotropic=False)  # turned, a pattern is another one
    names = unique_names([entry.name for entry in report.materials])
    return MeasuredPictures(
        pictures.materials,
        report,
        pictures.files,
        pictures.natives,
        pictures.first,
        names=names,
        patterns=patterns,
        statistics=statistics,
    )


def _measure(pictures: Pictures) -> Statistics:
    """Statistics at the full size; of a map that is of one value in the middle that is kept, those of all of it."""
    # Where shapes are learned from the very pixels, faint tints cost more than they are worth: a fabric's and a
    # plaster's local contrast was twice as wrong with them.
    tints, largest = bool(pictures.natives), pictures.natives or pictures.materials
    found = measure_statistics(largest, pictures.report.maps, tints).maps
    flat = [name for name, known in found.items() if not known.axes]
    whole = measure_statistics(pictures.materials, flat).maps
    return Statistics(found | {name: known for name, known in whole.items() if known.axes})


def with_maps(read: Pictures, names: tuple[str, ...]) -> Pictures:
    """What was read, with the maps alone that a run was started with: files may have come since, or be known since.

    Raises:
        RequestError: `invalid_config`, where one of them is missing.
    """
    missing = [name for name in names if name not in read.report.maps]
    if missing:
        raise RequestError(
            "invalid_config",
            f"A run keeps the maps it was started with; it learned {', '.join(names)}, and the pictures have no "
            f"{', '.join(missing)}.",
            "Resume with the same pictures, or start a new run with these.",
        )
    others = [name for name in read.report.maps if name not in names]
    notes = [f"{name} is left out: the run was started without it." for name in others]
    entries = tuple(replace(entry, maps=names) for entry in read.report.materials)
    report = replace(read.report, materials=entries, maps=names, notes=(*read.report.notes, *notes))
    materials, natives = (
        tuple({name: m[name] for name in names} for m in which)
        for which in (read.materials, read.natives)
    )
    return replace(read, materials=materials, natives=natives, report=report)


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names short enough for a request and all different: the second `oak` becomes `oak (2)`."""
    given: dict[str, None] = {}
    numbers: dict[str, int] = {}  # the last one of each name: all before it are given
    for name in names:
        number = numbers.get(name, 0) + 1
        while (unique := _numbered(name, number)) in given:
            number += 1
        numbers[name] = number
        given[unique] = None
    return tuple(given)


def _numbered(name: str, number: int) -> str:
    suffix = f" ({number})" if number > 1 else ""
    return name[: NAME_LIMIT - len(suffix)] + suffix


def _note_large(entries: Sequence[MaterialEntry], seen: np.ndarray) -> list[str]:
    """A sentence where shapes are too large to be learned soon; `seen` is their size in crops."""
    large = [entry.name for entry, share in zip(entries, seen, strict=True) if share > LARGE]
    if not large:
        return []
    return [
        f"The main shapes of {_listed(large)} fill nearly all that the networks see at once, or more, and may come out "
        "as blotches: take a picture that shows more of the material."
    ]


def _note_small(
    names: Sequence[str], fitting: Sequence[tuple[float, int]], usual: tuple[float, int]
) -> list[str]:
    """A sentence where some are so small that all others are learned larger than they need to be.

    Args:
        names: of the materials.
        fitting: the scale and the octaves with which enough is left of each.
        usual: the same of a picture of the usual size.
    """
    size = usual[0] / 2 ** usual[1]
    small = [
        name
        for name, (scale, octaves) in zip(names, fitting, strict=True)
        if scale / 2**octaves > size
    ]
    if not small:
        return []
    return [
        "The main shapes of the other pictures are learned too large, and may come out as blotches, because there is "
        f"so little of {_listed(small)}. Leave that out, or take a larger picture of it."
    ]


def _note_problems(
    sets: Sequence[MaterialSet], sources: Sequence[Source | LargeSource]
) -> Iterator[str]:
    """Sentences about what is wrong with the pictures, each cure once, with all that need it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for material_set, source in zip(sets, sources, strict=True):
        for problem in source.problems:
            found.setdefault(problem.cure, []).append((material_set.name, problem.message))
    for cure, ((name, message), *others) in found.items():
        more = [other for other, _ in others]
        also = f" So it is with {_listed(more)}." if more else ""
        yield f"{name}: {message}{also} {cure}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def all_files(sets: Sequence[MaterialSet]) -> tuple[Path, ...]:
    """The files of all sets, each once, in a fixed order."""
    return tuple(sorted({file for material_set in sets for file in material_set.files.values()}))


def _maps_of(material: MaterialSet, estimate: PhotoMaps | None) -> tuple[str, ...]:
    """The maps that there will be of a material."""
    return estimate.names if estimate and material.maps == PHOTO else material.maps


def _note_estimates(sets: Sequence[MaterialSet], estimate: PhotoMaps | None) -> tuple[str, ...]:
    photos = [one.name for one in sets if estimate and one.maps == PHOTO]
    if not photos:
        return ()
    which = photos[0] if len(photos) == 1 else f"{len(photos)} photos"
    return (
        f"All maps but the color of {which} are estimated, and the light is taken out of that.",
    )


def _common_maps(sets: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    common = set.intersection(*map(set, sets))
    if not common:
        raise PictureError(
            "dataset_empty",
            "All materials of a run must share at least one map; these share none.",
            "Train them in separate runs, or add a base color picture to each.",
        )
    return tuple(name for name in sets[0] if name in common)


def _least_side(crop: int, scale: float | None, octaves: int | None) -> int:
    """Pixels along each side of a file that leave more than a crop, with fewer octaves where their number is open."""
    halvings = 0 if scale is None or octaves is None else octaves
    return next(n for n in itertools.count(1) if round(n * (scale or 1.0)) >> halvings > crop)


def _check_size(name: str, width: int, height: int, crop: int, scale: float, octaves: int) -> None:
    if min(width, height) > crop:
        return
    halved = f" and {counted(octaves, 'octave')}" if octaves else ""
    fewer = " fewer octaves," if octaves else ""
    raise PictureError(
        "picture_too_small",
        f"Every picture must be larger than a training crop of {crop}×{crop} pixels; {name} is "
        f"{width}×{height} at scale {scale:.2f}{halved}.",
        f"Use a larger picture, a larger scale,{fewer} or a preset with a smaller crop.",
    )


def _check_middle(name: str, native: np.ndarray, octaves: int) -> None:
    """Of a large picture a window was read before it was known how much smaller it would be made."""
    least, (height, width) = LEAST_KEPT << octaves, native.shape[:2]
    if min(width, height) >= least:
        return
    raise PictureError(
        "picture_too_small",
        f"For {counted(octaves, 'octave')} of detail, {least}×{least} pixels of the middle of every picture must be "
        f"there; of {name} there are {width}×{height} at this scale.",
        "Use fewer octaves, or a larger scale.",
    )


def suggest_scale(element: float, side: int, crop: int) -> float:
    """The factor on a picture's size at which its main elements fill about half a crop; never above 1.

    Args:
        element: size of the main elements, pixels.
        side: the shorter one of the picture, pixels.
        crop: side of a training crop, pixels.
    """
    return float(np.clip(crop / 2 / element, min(1.0, ROOM * crop / side), 1.0))


def choose_octaves(
    scale: float | None, octaves: int | None, suggested: float, least: float
) -> tuple[float, int]:
    """The scale of what is learned in all, and the octaves from there down to what the generator learns.

    One octave there is wherever the shapes are larger than what fits: grass whose blades would have fitted at .71 came
    out nearer to the real one through an octave than at its full size.

    Args:
        scale: that was chosen; None for the pictures' own size.
        octaves: that were chosen; None for as many as bring the main shapes into a crop.
        suggested: scale at which they fit.
        least: scale at which too little variety is left.
    """
    whole = scale or 1.0
    above = math.log2(whole / suggested)
    # A size is measured to some percent.
    fitting = max(round(above), math.ceil(above - 0.1) if above < 1 else 1)
    fitting = min(fitting, math.floor(math.log2(whole / least)))
    fitting = OCTAVES.nearest(fitting)
    if octaves is None:
        return whole, fitting
    if scale is None:
        return 0.5 ** max(0, fitting - octaves), min(octaves, fitting)
    return scale, octaves


# Of a channel of one material, where 1 is that of all materials together: less is noise, or nothing at all.
LEAST_SPREAD = 0.02


class Dataset:
    """All materials as one table of pixels on the device, from which crops are gathered inside the graph.

    Args:
        materials: in order.
        statistics: how their maps become standardised channels.
        turned: whether each crop is turned by quarters and mirrored at random, and its normals with it.
        toned: whether crops are brought to a spread of 1 around 0 by that of their own material.

    Attributes:
        statistics: how maps became standardised channels.
        channels: standardised channels of a crop.
        spreads: of each material's channels, (materials, channels); what is of one value has a small one.
        means: the same.
    """

    def __init__(
        self,
        materials: Sequence[Material],
        statistics: Statistics,
        turned: bool = False,
        toned: bool = False,
    ):
        self.statistics, self.turned = statistics, turned
        if not self.statistics.channels:
            raise PictureError(
                "dataset_empty",
                "A picture to learn from must show something; all of these are one flat color.",
                "Choose pictures with visible structure.",
            )
        self.channels = self.statistics.channels
        sizes = np.array([next(iter(m.values())).shape[:2] for m in materials])
        ends = np.cumsum(sizes[:, 0] * sizes[:, 1])
        starts = np.concatenate([[0], ends[:-1]])
        self._sizes = tf.constant(sizes, tf.int32)
        self._starts = tf.constant(starts, tf.int32)
        self.toned = toned
        self.means, self.spreads = np.empty((2, len(materials), self.channels), np.float32)
        # Filled one after the other, or all would be there three times.
        table = np.empty((ends[-1], self.channels), np.float16)
        for index, material in enumerate(materials):
            picture = self.statistics.standardise(material).astype(np.float16)
            table[starts[index] : ends[index]] = picture.reshape(-1, self.channels)
            self.means[index] = picture.mean((0, 1), np.float32)
            self.spreads[index] = self._spreads(picture.astype(np.float32))
        self._pixels = tf.constant(table)

    @property
    def materials(self) -> int:
        """How many there are."""
        return len(self._starts)

    def _spreads(self, picture: np.ndarray) -> np.ndarray:
        """Of each channel of a material; of color axes the weak ones keep some proportion, as in its statistics."""
        found: np.ndarray = np.maximum(picture.std((0, 1)), LEAST_SPREAD)
        for name, known in self.statistics.maps.items():
            place = self.statistics.place(name)
            if place and MAPS[name].kind is Kind.color:
                shown = found[place] * np.array(known.spread, np.float32)
                found[place] *= np.maximum(shown, WEAKEST_AXIS * shown.max()) / shown
        return found

    def choose(self, seed: tf.Tensor, batch: int) -> tf.Tensor:
        """Which material each crop of that seed comes from, (batch,) int32."""
        return tf.random.stateless_uniform(
            (batch,), seed + [0, 1], 0, self.materials, dtype=tf.int32
        )

    def crops(
        self, seed: tf.Tensor, batch: int, crop: int, which: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Random plain crops, (batch, crop, crop, channels) float32; the same seed gives the same crops.

        Args:
            seed: (2,) integers.
            batch: crops.
            crop: side, pixels.
            which: material of each crop, (batch,) int32; those of `choose` by default.
        """
        which = self.choose(seed, batch) if which is None else which
        room = tf.gather(self._sizes, which) - crop + 1
        spot = tf.random.stateless_uniform((batch, 2), seed + [0, 2]) * tf.cast(room, tf.float32)
        spot = tf.cast(spot, tf.int32)
        width = tf.gather(self._sizes[:, 1], which)[:, None, None]
        rows, columns = tf.range(crop)[None, :, None], tf.range(crop)[None, None, :]
        turn = Turn(seed, batch) if self.turned else None
        if turn:
            rows, columns = turn.places(rows, columns, crop)
        rows, columns = spot[:, 0, None, None] + rows, spot[:, 1, None, None] + columns
        index = tf.gather(self._starts, which)[:, None, None] + rows * width + columns
        found = tf.cast(tf.gather(self._pixels, index), tf.float32)
        found = turn.normals(found, self.statistics) if turn else found
        if not self.toned:
            return found
        means, spreads = (tf.gather(m, which)[:, None, None] for m in (self.means, self.spreads))
        return (found - means) / spreads


class Turn:
    """Quarter turns and mirrors drawn for each crop of a batch: the eight ways to lay a square onto itself.

    Args:
        seed: of the step.
        batch: crops.
    """

    def __init__(self, seed: tf.Tensor, batch: int):
        coins = tf.random.stateless_uniform((batch, 3), seed + [0, 3], 0, 2, tf.int32)
        self._down, self._across, self._swapped = (coins[:, i, None, None] for i in range(3))

    def places(self, rows: tf.Tensor, columns: tf.Tensor, crop: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Where in the upright crop each pixel comes from: two of (batch, crop, crop)."""
        rows = tf.where(self._down == 1, crop - 1 - rows, rows)
        columns = tf.where(self._across == 1, crop - 1 - columns, columns)
        swapped = self._swapped == 1
        return tf.where(swapped, columns, rows), tf.where(swapped, rows, columns)

    def normals(self, crops: tf.Tensor, statistics: Statistics) -> tf.Tensor:
        """Turn the normals of turned crops, (batch, crop, crop, channels) standardised, the same way.

        A normal's x points right and its y up, so that with rows and columns swapped x becomes -y and y becomes -x.
        """
        for name in statistics.maps:
            place = statistics.place(name)
            if place and MAPS[name].kind is Kind.direction:
                stored = self._vectors(statistics.stored(name, crops[..., place]))
                turned = statistics.standardised(name, stored)
                parts = [crops[..., : place.start], turned, crops[..., place.stop :]]
                crops = tf.concat(parts, axis=-1)
        return crops

    def _vectors(self, stored: tf.Tensor) -> tf.Tensor:
        """Vectors by their x and y, (batch, crop, crop, 2)."""
        across, down = (tf.cast(1 - 2 * m, tf.float32) for m in (self._across, self._down))
        x, y = tf.unstack(stored, axis=-1)
        swapped = self._swapped == 1
        return tf.stack(
            [tf.where(swapped, -y, x) * across, tf.where(swapped, -x, y) * down], axis=-1
        )
