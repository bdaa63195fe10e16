"""Distances between two sets of windows of materials, by statistics that need no learned weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import tensorflow as tf

from gan_worker.gan.metrics.faults import Faults, describe_faults, fault_figures, halvings_of
from gan_worker.materials.maps import MAPS, Kind

# Of the patches whose distributions are compared.
PATCH, PROJECTIONS, SAMPLES = 7, 64, 8192
# Smallest side of a level of the pyramid, pixels.
COARSEST = 32
# Sides of the windows in which contrast is measured, pixels.
CONTRAST_SIDES = (5, 9, 17)
FILTERS = (32, 64, 64)
RINGS, SECTORS = 12, 8


@dataclass(frozen=True)
class Layout:
    """Which channels of a stacked window belong to which map, and how they were standardised.

    Attributes:
        channels: map name → its channels.
        mean: of each channel, in 0..1.
        spread: of each channel, one value a map, in 0..1.
        halvings: how often pictures are halved where their shapes are described.
    """

    channels: Mapping[str, slice]
    mean: np.ndarray
    spread: np.ndarray
    halvings: int = 0


@dataclass(frozen=True)
class Description:
    """Statistics of one set of windows; two of equal shape can be compared.

    Attributes:
        projections: for each level of the pyramid, sorted projections of patches, (samples, projections).
        grams: for each layer of the random network, the Gram matrix of its features.
        contrasts: for each side, sorted local standard deviations, (samples, channels).
        spectrum: power by ring and sector, (rings, sectors, channels).
        autocorrelation: (lags, lags, channels), 1 at lag 0.
        values: sorted values, (samples, channels).
        correlations: between the intensities of the maps, (maps, maps).
        normal_height: correlation of the normals' slope with the height's; NaN without these maps.
        faults: dots at the pixel, and shapes.
    """

    projections: tuple[np.ndarray, ...]
    grams: tuple[np.ndarray, ...]
    contrasts: tuple[np.ndarray, ...]
    spectrum: np.ndarray
    autocorrelation: np.ndarray
    values: np.ndarray
    correlations: np.ndarray
    normal_height: float
    faults: Faults


def describe(windows: np.ndarray, layout: Layout) -> Description:
    """Measure one set of windows.

    Args:
        windows: (count, side, side, channels), standardised; the side is a multiple of 16, 32 at least.
        layout: of the channels.
    """
    x = tf.constant(windows, tf.float32)
    return Description(
        projections=tuple(projected(level, i) for i, level in enumerate(pyramid(x))),
        grams=_grams(x),
        contrasts=tuple(local_contrast(x, side) for side in CONTRAST_SIDES),
        spectrum=_spectrum(windows),
        autocorrelation=_autocorrelation(windows),
        values=_sorted_sample(x),
        correlations=map_correlations(windows, layout),
        normal_height=normal_height(windows, layout),
        faults=faults_of(windows, layout),
    )


def distances(real: Description, other: Description, layout: Layout) -> dict[str, float]:
    """Distances of two descriptions, lower is better, 0 for the same windows.

    Returns:
        `swd/<level>` (0 is the full resolution), `swd` (their mean), `local_contrast`, all three Wasserstein
        distances of standardised values × 1000; `gram` (relative, × 1000); `spectrum` (mean difference, dB);
        `autocorrelation` (root mean square difference × 1000); `histogram/<map>` (Wasserstein distance, 8-bit levels);
        `correlations` (largest difference); `normal_height` (difference); and those of `faults.fault_figures`, of
        which `dots/<map>` are 1 for the same windows.
    """
    levels = [
        1000 * wasserstein(a, b) for a, b in zip(real.projections, other.projections, strict=True)
    ]
    contrast = np.mean(
        [wasserstein(a, b) for a, b in zip(real.contrasts, other.contrasts, strict=True)]
    )
    gram = np.mean(
        [
            np.linalg.norm(a - b) / np.linalg.norm(a)
            for a, b in zip(real.grams, other.grams, strict=True)
        ]
    )
    found = {f"swd/{i}": level for i, level in enumerate(levels)}
    found["swd"] = float(np.mean(levels))
    found["local_contrast"] = 1000 * float(contrast)
    found["gram"] = 1000 * float(gram)
    decibel = 10 * np.abs(np.log10(real.spectrum) - np.log10(other.spectrum))
    found["spectrum"] = float(decibel.mean())
    change = real.autocorrelation - other.autocorrelation
    found["autocorrelation"] = 1000 * float(np.sqrt(np.mean(np.square(change))))
    moved = 255 * np.abs(real.values - other.values).mean(axis=0) * layout.spread
    for name, channels in layout.channels.items():
        found[f"histogram/{name}"] = float(moved[channels].mean())
    if len(real.correlations) > 1:
        found["correlations"] = float(np.abs(real.correlations - other.correlations).max())
    if np.isfinite(real.normal_height):
        found["normal_height"] = abs(real.normal_height - other.normal_height)
    return found | fault_figures(real.faults, other.faults)


def faults_of(windows: np.ndarray, layout: Layout) -> Faults:
    """What an artist would see in windows, (count, side, side, channels), standardised."""
    maps = {n: windows[..., c] * layout.spread[c] for n, c in layout.channels.items()}
    return describe_faults(maps, map_intensities(windows, layout), layout.halvings)


def wasserstein(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over columns of the Wasserstein-1 distance of two tables of equal shape with sorted columns."""
    return float(np.abs(first - second).mean())


def pyramid(x: tf.Tensor, coarsest: int = COARSEST) -> list[tf.Tensor]:
    """Laplacian pyramid (Burt and Adelson 1983), finest level first, the low-pass rest last.

    Args:
        x: (count, side, side, channels).
        coarsest: smallest side of a level, pixels; there are three and the rest at most.
    """
    levels: list[tf.Tensor] = []
    while x.shape[1] >= 2 * coarsest and len(levels) < 3:
        detail, x = split_detail(x)
        levels.append(detail)
    return [*levels, x]


def split_detail(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The finest level of the pyramid, and what is left at half the size."""
    smaller = _binomial(x)[:, ::2, ::2]
    spread = tf.repeat(tf.repeat(smaller, 2, axis=1), 2, axis=2)[:, : x.shape[1], : x.shape[2]]
    return x - _binomial(spread), smaller


def _binomial(x: tf.Tensor) -> tf.Tensor:
    """Blur with [1, 4, 6, 4, 1]/16 along both axes, mirrored at the border."""
    for axis in (1, 2):
        paddings = [[0, 0]] * 4
        paddings[axis] = [2, 2]
        padded, size = tf.pad(x, paddings, "REFLECT"), x.shape[axis]
        taps = [tf.gather(padded, tf.range(i, i + size), axis=axis) for i in range(5)]
        x = (taps[0] + taps[4] + 4 * (taps[1] + taps[3]) + 6 * taps[2]) / 16
    return x


def projected(level: tf.Tensor, index: int) -> np.ndarray:
    """Sorted projections of the level's patches on fixed random directions of unit length × patch size.

    Sliced Wasserstein distance of Laplacian patches as in Karras et al. 2018 (arXiv 1710.10196), but standardised by
    the real picture alone, so that wrong contrast is seen.
    """
    kernel = _directions(level.shape[-1], index)
    responses = tf.nn.conv2d(level, kernel, 1, "VALID")
    return _sorted_sample(responses)


@cache
def _directions(channels: int, index: int) -> np.ndarray:
    shape = (PATCH, PATCH, channels, PROJECTIONS)
    drawn = np.random.default_rng([7, index]).standard_normal(shape)
    return (drawn / np.sqrt(np.sum(drawn**2, axis=(0, 1, 2)))).astype(np.float32)


def _sorted_sample(x: tf.Tensor) -> np.ndarray:
    """Some places of (count, height, width, channels), the same for every input of that shape, sorted by column."""
    flat = tf.reshape(x, (-1, x.shape[-1]))
    if flat.shape[0] > SAMPLES:
        chosen = np.random.default_rng(11).choice(flat.shape[0], SAMPLES, replace=False)
        flat = tf.gather(flat, np.sort(chosen))
    return np.sort(flat.numpy(), axis=0)


def local_contrast(x: tf.Tensor, side: int) -> np.ndarray:
    """Sorted standard deviations in windows of this side, (samples, channels).

    Shapes have calm insides and sharp edges; noise of the same spectrum is about equally busy everywhere.
    """
    return _sorted_sample(tf.sqrt(local_variance(x, side, 1)))


def local_variance(x: tf.Tensor, side: int, stride: int) -> tf.Tensor:
    """Variance in every window of this side, (batch, windows, windows, channels)."""
    mean = tf.nn.avg_pool2d(x, side, stride, "VALID")
    square = tf.nn.avg_pool2d(tf.square(x), side, stride, "VALID")
    return tf.maximum(square - tf.square(mean), 0)


def _grams(x: tf.Tensor) -> tuple[np.ndarray, ...]:
    """Gram matrices of a random network's features (Ustyuzhaninov et al. 2016, arXiv 1606.00021)."""
    grams = []
    for index, kernel in enumerate(_random_network(x.shape[-1])):
        x = tf.nn.leaky_relu(tf.nn.conv2d(x, kernel, 1, "VALID"), 0.2)
        flat = tf.reshape(x, (-1, x.shape[-1]))
        grams.append((tf.matmul(flat, flat, transpose_a=True) / flat.shape[0]).numpy())
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID") if index < len(FILTERS) - 1 else x
    return tuple(grams)


@cache
def _random_network(channels: int) -> tuple[np.ndarray, ...]:
    generator, kernels = np.random.default_rng(13), []
    for filters in FILTERS:
        kernel = generator.standard_normal((3, 3, channels, filters))
        kernels.append((kernel * np.sqrt(2 / (9 * channels))).astype(np.float32))
        channels = filters
    return tuple(kernels)


def _power(windows: np.ndarray) -> np.ndarray:
    """Mean power spectrum under a Hann window, (side, side, channels)."""
    side = windows.shape[1]
    taper = np.hanning(side)[:, None, None] * np.hanning(side)[None, :, None]
    level = windows - windows.mean(axis=(0, 1, 2))
    return (np.abs(np.fft.fft2(level * taper, axes=(1, 2))) ** 2).mean(axis=0)


def _spectrum(windows: np.ndarray) -> np.ndarray:
    power = _power(windows)
    side = len(power)
    fy, fx = np.fft.fftfreq(side)[:, None] * side, np.fft.fftfreq(side)[None] * side
    radius, angle = np.hypot(fx, fy), np.mod(np.arctan2(fy, fx), np.pi)
    edges = np.geomspace(1.5, side / 2, RINGS + 1)
    ring, sector = np.digitize(radius, edges) - 1, (angle / np.pi * SECTORS).astype(int) % SECTORS
    inside = (ring >= 0) & (ring < RINGS)
    index = (ring * SECTORS + sector)[inside]
    total = np.stack(
        [np.bincount(index, p[inside], RINGS * SECTORS) for p in np.moveaxis(power, -1, 0)], -1
    )
    number = np.bincount(index, minlength=RINGS * SECTORS)[:, None]
    # Some sectors of the innermost rings hold no frequency; the floor is 60 dB below the mean.
    return total / np.maximum(number, 1) + 1e-6 * power.mean(axis=(0, 1))


def _autocorrelation(windows: np.ndarray) -> np.ndarray:
    """Circular autocorrelation of the tapered windows to a quarter of their side, 1 at lag 0."""
    correlation = np.fft.ifft2(_power(windows), axes=(0, 1)).real
    lags = len(correlation) // 4
    correlation = np.roll(correlation, (lags, lags), (0, 1))[: 2 * lags + 1, : 2 * lags + 1]
    return correlation / np.maximum(correlation[lags, lags], 1e-12)


def typical_halvings(intensities: Sequence[np.ndarray]) -> int:
    """The median of `faults.halvings_of` of some pictures, (height, width) each."""
    return round(np.median([halvings_of(picture) for picture in intensities]))


def map_intensities(windows: np.ndarray, layout: Layout) -> dict[str, np.ndarray]:
    """The mean of each map's channels, of normals the steepness, (count, side, side)."""
    intensities = {}
    for name, channels in layout.channels.items():
        part = windows[..., channels]
        if MAPS[name].kind is Kind.direction:
            part = np.hypot(*np.moveaxis(part * layout.spread[channels], -1, 0))[..., None]
        intensities[name] = part.mean(axis=-1)
    return intensities


def map_correlations(windows: np.ndarray, layout: Layout, finest: bool = False) -> np.ndarray:
    """Correlations between the maps' intensities, (maps, maps): the mean of the channels, of normals the steepness.

    Args:
        windows: (count, side, side, channels), standardised.
        layout: of the channels.
        finest: of what a blur over five pixels takes away, alone.
    """
    intensities = map_intensities(windows, layout)
    stacked = np.stack(list(intensities.values()), axis=-1)
    if finest:
        # Less a blur that is centered, which a level of the pyramid is not: a trace of slopes would be left there.
        x = tf.constant(stacked, tf.float32)
        stacked = (x - _binomial(x)).numpy()
    table = stacked.reshape(-1, len(intensities)).T
    table = table - table.mean(axis=1, keepdims=True)
    table /= np.maximum(np.sqrt((table**2).sum(axis=1, keepdims=True)), 1e-9)
    return table @ table.T


def normal_height(windows: np.ndarray, layout: Layout) -> float:
    """Correlation of the slopes that normals (OpenGL) and height say, both axes together; NaN without them."""
    if not {"normal", "height"} <= layout.channels.keys():
        return float("nan")
    x = tf.constant(windows, tf.float32)
    height = _binomial(x[..., layout.channels["height"]]).numpy()[..., 0]
    # Standardised normals differ from the stored ones by a factor and an offset, which a correlation ignores.
    normal = _binomial(x[..., layout.channels["normal"]]).numpy()[:, 1:-1, 1:-1]
    across = height[:, 1:-1, :-2] - height[:, 1:-1, 2:]
    down = height[:, 2:, 1:-1] - height[:, :-2, 1:-1]
    slopes = np.concatenate([across.ravel(), down.ravel()])
    said = np.concatenate([normal[..., 0].ravel(), normal[..., 1].ravel()])
    if slopes.std() < 1e-9 or said.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(slopes, said)[0, 1])
