"""What pre-trained weights are made from: many materials, each standardised by itself, and their detail."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gan_worker.gan.data.dataset import ROOM, Material, read_pictures
from gan_worker.gan.data.statistics import MapStatistics, Statistics, measure_statistics
from gan_worker.gan.detail.bank import Octave, measure_basis, pyramid
from gan_worker.gan.detail.matching import ALIGNMENT
from gan_worker.gan.training.detail import LEAST_DEVIATION, DetailStep, Table, band
from gan_worker.materials.maps import MAPS, Kind

# Maps that the weights know, and standardised channels of each: a channel that a material lacks is 0.
CHANNELS = {
    "base_color": 3,
    "height": 1,
    "normal": 2,
    "roughness": 1,
    "ambient_occlusion": 1,
    "metallic": 1,
}
# Octaves that the weights of the detail stage tell apart, the finest first.
OCTAVES = 4
# Longest side of what is learned of one octave of a picture, pixels.
WINDOW = 256
# Small pictures that are bent, as generated ones are: how far in pixels, and how wide the bends are.
BENT, BEND = 2.5, 12
# Share of the crops whose other maps are left out, so that one photo is known too.
COLOR_ALONE = 0.35


@dataclass(frozen=True)
class Known:
    """A material to learn.

    Attributes:
        name: of its folder.
        small: standardised channels at the size of the generator's pictures, (height, width, 9) float16.
        native: the same at the picture's own size.
        octaves: between both.
    """

    name: str
    small: np.ndarray
    native: np.ndarray
    octaves: int


def statistics() -> Statistics:
    """Of channels that are standardised already."""
    return Statistics({name: _as_it_is(count) for name, count in CHANNELS.items()})


def _as_it_is(channels: int) -> MapStatistics:
    axes = tuple(map(tuple, np.eye(channels).tolist()))
    return MapStatistics((0.0,) * channels, axes, (1.0,) * channels)


def read_known(place: Path, crop: int, octaves: int | None, kept: Path) -> Known:
    """Read a folder of maps, or what was kept of it the last time.

    Args:
        place: the folder.
        crop: side of a training crop of the generator, pixels.
        octaves: between small and native pictures; None measures them.
        kept: folder for what was read.
    """
    name = hashlib.sha256(f"{place.resolve()} {crop} {octaves}".encode()).hexdigest()[:16]
    file = kept / f"{name}.npz"
    if not file.exists():
        read = read_pictures([str(place)], crop, None if octaves is None else 1.0, False, octaves)
        names = [n for n in read.report.maps if n in CHANNELS]
        measured = measure_statistics(read.natives or read.materials, names)
        small = _channels(measured, read.materials[0])
        native = _channels(measured, read.natives[0]) if read.natives else small
        with tempfile.NamedTemporaryFile(dir=kept, suffix=".npz", delete=False) as part:
            np.savez(part, small=small, native=native, octaves=read.report.octaves)
        Path(part.name).replace(file)
    with np.load(file) as found:
        return Known(place.name, found["small"], found["native"], int(found["octaves"]))


def _channels(measured: Statistics, material: Mapping[str, np.ndarray]) -> np.ndarray:
    """All known channels of one material; what it lacks is 0."""
    parts = []
    for name, count in CHANNELS.items():
        shape = next(iter(material.values())).shape[:2]
        values = np.zeros((*shape, 0), np.float32)
        if name in measured.maps:
            values = Statistics({name: measured.maps[name]}).standardise(material)
        parts.append(np.pad(values, ((0, 0), (0, 0), (0, count - values.shape[-1]))))
    return np.concatenate(parts, axis=-1).astype(np.float16)


def scales_of(small: np.ndarray, crop: int, count: int) -> Iterator[np.ndarray]:
    """A small picture, (height, width, channels) float16, and coarser ones of it, so that no size is learned by heart.

    Each is an octave coarser than the one before, by the mean of its pixels as octaves of detail are.

    Args:
        small: of `Known`.
        crop: side of a training crop of the generator, pixels.
        count: of pictures at most; those with less room than `ROOM` crops are left out.
    """
    yield small
    while (count := count - 1) and min(small.shape[:2]) // 2 >= ROOM * crop:
        height, width = (side // 2 * 2 for side in small.shape[:2])
        boxes = small[:height, :width].reshape(height // 2, 2, width // 2, 2, -1)
        small = boxes.mean((1, 3), dtype=np.float32).astype(np.float16)
        yield small


def as_maps(channels: np.ndarray) -> Material:
    """Standardised channels as maps that the statistics of `statistics` leave as they are."""
    found, first = {}, 0
    for name, count in CHANNELS.items():
        values = channels[..., first : first + count].astype(np.float32)
        # A map of normals lies in 0..1.
        found[name] = (values + 1) / 2 if MAPS[name].kind is Kind.direction else values
        first += count
    return found


@dataclass(frozen=True)
class Window:
    """One octave of a part of a material, all float16.

    Attributes:
        octave: 0 for the finest.
        target: what is real, (2h, 2w, channels).
        lows: what detail is drawn on: a part of the real small picture, and one that is bent, (h, w, channels).
        moved: the detail that the rest of the picture has for each, (2h, 2w, channels).
    """

    octave: int
    target: np.ndarray
    lows: tuple[np.ndarray, np.ndarray]
    moved: tuple[np.ndarray, np.ndarray]


def windows_of(known: Known) -> Iterator[Window]:
    """Each octave of a material."""
    sizes = pyramid(tf.constant(known.native.astype(np.float32)), known.octaves)
    random = np.random.default_rng(int(hashlib.sha256(known.name.encode()).hexdigest()[:8], 16))
    for octave, (low, high) in enumerate(itertools.pairwise(sizes)):
        low, high = low.numpy(), high.numpy()
        basis = measure_basis([low])
        height, half = low.shape[0] // 4 * 4, low.shape[1] // 8 * 4
        own = int(random.integers(2))
        spans = slice(0, half), slice(half, 2 * half)
        there = spans[1 - own]
        finer = slice(2 * there.start, 2 * there.stop)
        rest = Octave(
            tf.constant(low[:height, there]), tf.constant(high[: 2 * height, finer]), basis
        )
        whole = Octave(tf.constant(low), tf.constant(high), basis)
        bent = _bent(low[:height, : 2 * half], random)
        pairs = [
            _part(one, octaves.move(tf.constant(one[None]))[0].numpy(), random)
            for one, octaves in ((low[:height, spans[own]], rest), (bent, whole))
        ]
        target = _part(low[:height, : 2 * half], high[: 2 * height, : 4 * half], random)[1]
        (real, moved), (bent, moved_to_bent) = pairs
        number = known.octaves - 1 - octave
        yield Window(number, target, (real, bent), (moved, moved_to_bent))


def _part(
    low: np.ndarray, high: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A random part of both, of `WINDOW` pixels of the finer one at most, float16."""
    sides = [min(n, WINDOW // 2) for n in low.shape[:2]]
    row, column = (int(random.integers(n - m + 1)) for n, m in zip(low.shape, sides, strict=False))
    (height, width), half = sides, np.float16
    return (
        low[row : row + height, column : column + width].astype(half),
        high[2 * row : 2 * (row + height), 2 * column : 2 * (column + width)].astype(half),
    )


def _bent(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A picture with bends, as what a generator draws is like the real one but for its shapes."""
    height, width = picture.shape[:2]
    places = []
    for axis, size in enumerate((height, width)):
        field = random.standard_normal((-(-height // BEND) + 1, -(-width // BEND) + 1, 1))
        field = tf.image.resize(field, (height, width), "bicubic")[..., 0].numpy()
        start = np.arange(size).reshape((-1, 1) if axis == 0 else (1, -1))
        places.append(np.clip(start + BENT * field, 0, size - 1.001))
    whole = [np.floor(place).astype(int) for place in places]
    down, across = (
        (place - first)[..., None].astype(np.float32)
        for place, first in zip(places, whole, strict=True)
    )
    rows, columns = whole
    above = picture[rows, columns] * (1 - across) + picture[rows, columns + 1] * across
    below = picture[rows + 1, columns] * (1 - across) + picture[rows + 1, columns + 1] * across
    found: np.ndarray = above * (1 - down) + below * down
    return found


class ManyBases:
    """What a `DetailStep` asks of the pictures it learns, for windows of many materials.

    Args:
        windows: to learn.
    """

    pictures = ()

    def __init__(self, windows: Sequence[Window]):
        self.windows = windows
        self.scales = np.zeros((2, sum(CHANNELS.values())), np.float32)
        self.bases = (None,) * OCTAVES


class ManyDetails(DetailStep):
    """The detail stage learning the detail of many materials, told which octave it draws and nothing else."""

    def _prepare_real(self, kept: Any) -> None:
        windows: Sequence[Window] = kept.windows
        least = self._side
        self.banks: list = []
        self._octave = tf.constant([w.octave for w in windows])
        self._targets = Table([tf.constant(w.target) for w in windows], self.config.crop)
        sides = [-(-least // ALIGNMENT) * ALIGNMENT] * 2
        lows = [low for w in windows for low in w.lows]
        moved = [m for w in windows for m in w.moved]
        self._real_low = Table([tf.constant(low) for low in lows], sides[0])
        self._real_moved = Table([tf.constant(m) for m in moved], 2 * sides[0])
        bands = [band(tf.cast(tf.constant(w.target[None]), tf.float32))[0].numpy() for w in windows]
        spread = np.stack([b.std(axis=(0, 1)) for b in bands])
        # What a material lacks is 0 in all pictures, and is not blown up.
        self._spread = tf.constant(np.where(spread > 0, spread + LEAST_DEVIATION, 1.0), tf.float32)

    def _prepare_pool(self, w_dim: int) -> None:
        """There is no generator to draw small pictures."""

    def _refresh(self, number: int) -> None:
        """See `_prepare_pool`."""

    def variables(self) -> dict[str, list]:
        groups = {
            "upsampler": self.upsampler.variables,
            "ema_upsampler": self.ema_upsampler.variables,
            "detail_discriminator": self.discriminator.variables,
            "upsampler_optimizer": self._optimizers[0].variables,
            "detail_discriminator_optimizer": self._optimizers[1].variables,
        }
        return {**groups, "detail_steps": [self.steps]}

    def _inputs(self, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        batch, side, crop = self.config.batch, self._side, self.config.crop
        count = self._octave.shape[0]
        window = tf.random.stateless_uniform((batch,), seed + [0, 1], 0, count, tf.int32)
        kind = tf.random.stateless_uniform((batch,), seed + [0, 2], 0, 2, tf.int32)
        which = 2 * window + kind
        spots = self._real_low.spots(which, seed + [0, 3], side)
        low = self._real_low.crops(which, spots, side)
        moved = self._real_moved.crops(which, 2 * spots, 2 * side)
        spots = self._targets.spots(window, seed + [0, 4], crop)
        real = self._targets.crops(window, spots, crop)
        alone = tf.random.stateless_uniform((batch, 1), seed + [0, 5]) < COLOR_ALONE
        color = tf.range(self.channels)[None, :] < CHANNELS["base_color"]
        shown = tf.cast(color | ~alone, tf.float32)
        deviations = shown * tf.gather(self._spread, window) + 1 - shown
        shown = shown[:, None, None, :]
        w = self._styles(window, seed + [0, 6])
        octave = tf.gather(self._octave, window)
        return octave, w, low * shown, moved * shown, real * shown, deviations
