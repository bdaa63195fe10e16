"""Bank: the real detail of a material, octave by octave, and the features by which it is found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.gan.detail.matching import (
    GROUP,
    PATCH,
    block_features,
    coherent_sources,
    move_detail,
    nearest_keys,
    place_features,
)
from gan_worker.gan.networks.layers import downsample, upsample
from gan_worker.limits import MOST_PIXELS

if TYPE_CHECKING:
    from gan_worker.runs.checkpoints import Shapes

# Numbers that describe the surroundings of a block, patches from which they are measured, and places among which the
# nearest is looked for. With four times as many the moved detail alone came out 3 to 8 % nearer to the real one in its
# finest band, and comparing with them took longer than all the rest of a picture.
FEATURES, MEASURED, KEYS = 16, 20_000, 4_096
# The strongest feature's standard deviation in whole numbers: larger ones are rarely cut off, smaller ones still tell.
SPREAD = 40.0
# What the arrays of a model's file are called.
PICTURE, SCALES, KERNEL, BIAS = "bank/picture/", "bank/scales", "bank/kernel/", "bank/bias/"


def bank_shapes(
    stored: Shapes, materials: int, channels: int, octaves: int
) -> dict[str, tuple[int, ...]]:
    """Shapes of what the file of a model holds of its real pictures, by name.

    Args:
        stored: shapes that a file says it holds; the sides of its pictures are taken where they can be right.
        materials: that it has pictures of.
        channels: standardised channels of all maps together.
        octaves: of the model.
    """
    least = PATCH << octaves
    shapes: dict[str, tuple[int, ...]] = {SCALES: (2, channels)}
    for index in range(materials):
        name = f"{PICTURE}{index:03d}"
        sides = stored.get(name, ())[:2]
        good = len(sides) == 2 and min(sides) >= least and math.prod(sides) <= MOST_PIXELS
        shapes[name] = (*(sides if good else (least, least)), channels)
    for octave in range(octaves):
        shapes[f"{KERNEL}{octave}"] = PATCH, PATCH, channels, FEATURES
        shapes[f"{BIAS}{octave}"] = (FEATURES,)
    return shapes


def pyramid(native: tf.Tensor, octaves: int) -> list[tf.Tensor]:
    """A picture at all its sizes, the smallest first; what does not fill a whole small pixel is left out.

    Args:
        native: (height, width, channels), standardised.
        octaves: times it is halved.
    """
    step = 1 << octaves
    height, width = (n // step * step for n in native.shape[:2])
    sizes = [native[None, :height, :width]]
    for _ in range(octaves):
        sizes.insert(0, downsample(sizes[0]))
    return [size[0] for size in sizes]


@dataclass(frozen=True, eq=False)
class Basis:
    """How features are made of the patches of one octave: principal axes of real patches, scaled to whole numbers.

    Attributes:
        kernel: (PATCH, PATCH, channels, features).
        bias: (features,).
    """

    kernel: np.ndarray
    bias: np.ndarray


def measure_basis(pictures: Sequence[np.ndarray]) -> Basis:
    """The basis of these small pictures, (height, width, channels) each."""
    generator = np.random.default_rng(31)
    each, patches = -(-MEASURED // len(pictures)), []
    for picture in pictures:
        rows, columns = (generator.integers(0, n - PATCH + 1, each) for n in picture.shape[:2])
        patches += [
            picture[r : r + PATCH, c : c + PATCH].ravel()
            for r, c in zip(rows, columns, strict=True)
        ]
    table = np.stack(patches).astype(np.float64)
    mean = table.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov((table - mean).T))
    chosen = axes[:, np.argsort(variance)[::-1][:FEATURES]]
    scale = SPREAD / max(float(np.sqrt(variance.max())), 1e-6)
    kernel = (chosen * scale).reshape(PATCH, PATCH, pictures[0].shape[-1], -1)
    return Basis(kernel.astype(np.float32), (-mean @ chosen * scale).astype(np.float32))


class Octave:
    """What one octave of a material's bank holds.

    Args:
        low: the real small picture, (height, width, channels).
        high: the real picture at twice the size.
        basis: of the octave.
    """

    def __init__(self, low: tf.Tensor, high: tf.Tensor, basis: Basis):
        self._kernel, self._bias = tf.constant(basis.kernel), tf.constant(basis.bias)
        self.detail = tf.cast(high - upsample(low[None])[0], tf.float16)
        self._places = place_features(low[None], self._kernel, self._bias)
        rows, columns = self._places.shape[:2]
        order = np.random.default_rng(37).permutation(rows * columns)
        chosen = np.sort(np.resize(order, max(GROUP, min(KEYS, len(order)) // GROUP * GROUP)))
        self._corners = tf.constant(np.stack(np.divmod(chosen, columns), axis=-1), tf.int32)
        self._keys = tf.gather_nd(self._places, self._corners)

    def move(self, low: tf.Tensor) -> tf.Tensor:
        """Real detail moved into place for a circular picture, (1, height, width, channels), sides even.

        Returns:
            (1, 2 · height, 2 · width, channels).
        """
        return _move(
            low, self._kernel, self._bias, self._keys, self._corners, self._places, self.detail
        )


# One graph for all octaves of all materials.
@tf.function(autograph=False, reduce_retracing=True)
def _move(
    low: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
    keys: tf.Tensor,
    corners: tf.Tensor,
    places: tf.Tensor,
    detail: tf.Tensor,
) -> tf.Tensor:
    features = block_features(low, kernel, bias)
    rows, columns = tf.shape(features)[0], tf.shape(features)[1]
    nearest = nearest_keys(tf.reshape(features, (-1, features.shape[-1])), keys)
    sources = tf.reshape(tf.gather(corners, nearest), (rows, columns, 2))
    return move_detail(detail, coherent_sources(features, sources, places))


class Bank:
    """All octaves of one material.

    Args:
        sizes: of `pyramid`.
        bases: of each octave.
    """

    def __init__(self, sizes: Sequence[tf.Tensor], bases: Sequence[Basis]):
        self.octaves = [
            Octave(low, high, basis)
            for low, high, basis in zip(sizes[:-1], sizes[1:], bases, strict=True)
        ]


class KeptPictures:
    """Real pictures at their own size as a model keeps them: whole numbers of 8 bits, and bases made of them.

    Args:
        pictures: of each material, (height, width, channels) uint8.
        scales: what makes standardised channels of them, (2, channels): the value of 0, and a step.
        bases: of each octave.
    """

    def __init__(self, pictures: Sequence[np.ndarray], scales: np.ndarray, bases: Sequence[Basis]):
        self.pictures, self.scales, self.bases = tuple(pictures), scales, tuple(bases)

    @classmethod
    def of(cls, natives: Sequence[np.ndarray], octaves: int) -> KeptPictures:
        """Keep standardised pictures, (height, width, channels) float32."""
        least = np.min([n.min(axis=(0, 1)) for n in natives], axis=0)
        most = np.max([n.max(axis=(0, 1)) for n in natives], axis=0)
        scales = np.stack([least, np.maximum(most - least, 1e-6) / 255]).astype(np.float32)
        pictures = [np.round((n - scales[0]) / scales[1]).astype(np.uint8) for n in natives]
        kept = cls(pictures, scales, ())
        sizes = [kept.pyramid(index, octaves) for index in range(len(pictures))]
        lows = [[s[octave].numpy() for s in sizes] for octave in range(octaves)]
        return cls(pictures, scales, [measure_basis(low) for low in lows])

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], octaves: int) -> KeptPictures:
        """The way back from `to_arrays`.

        Raises:
            LookupError: one is missing.
        """
        count = sum(name.startswith(PICTURE) for name in arrays)
        pictures = [arrays[f"{PICTURE}{index:03d}"] for index in range(count)]
        bases = [Basis(arrays[f"{KERNEL}{o}"], arrays[f"{BIAS}{o}"]) for o in range(octaves)]
        return cls(pictures, arrays[SCALES], bases)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """What the file of a model holds of it."""
        found = {f"{PICTURE}{index:03d}": p for index, p in enumerate(self.pictures)}
        for octave, basis in enumerate(self.bases):
            found |= {f"{KERNEL}{octave}": basis.kernel, f"{BIAS}{octave}": basis.bias}
        return {**found, SCALES: self.scales}

    def reduced(self, side: int, steps: np.ndarray) -> KeptPictures:
        """The middle of each picture in coarser numbers, which takes less room in a zip.

        Args:
            side: of the middle at most, pixels.
            steps: the least difference that is kept, of each standardised channel.
        """
        coarser = np.maximum(self.scales[1], steps).astype(np.float32)
        factor = self.scales[1] / coarser
        pictures = [np.round(_middle(p, side) * factor).astype(np.uint8) for p in self.pictures]
        return KeptPictures(pictures, np.stack([self.scales[0], coarser]), self.bases)

    def pyramid(self, index: int, octaves: int) -> list[tf.Tensor]:
        """One of the pictures at all its sizes, standardised."""
        values = tf.cast(tf.constant(self.pictures[index]), tf.float32)
        return pyramid(values * self.scales[1] + self.scales[0], octaves)

    def bank(self, index: int) -> Bank:
        """The bank of a material."""
        return Bank(self.pyramid(index, len(self.bases)), self.bases)


def _middle(picture: np.ndarray, side: int) -> np.ndarray:
    top, left = (max(0, n - side) // 2 for n in picture.shape[:2])
    return picture[top : top + side, left : left + side]
