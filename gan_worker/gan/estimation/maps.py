"""Maps from estimates, as an artist wants them: depth, direction, coarse and fine, roughness, occlusion, light."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gan_worker.gan.estimation.estimator import Estimates, estimate
from gan_worker.gan.estimation.light import to_linear, to_srgb
from gan_worker.gan.estimation.relief import normals_of_slopes
from gan_worker.gan.estimation.spectral import AT_ONCE, blur, integrate
from gan_worker.materials.maps import MAPS
from gan_worker.materials.pixels import Picture, as_floats, quantise

if TYPE_CHECKING:
    from gan_worker.estimation import Estimation
    from gan_worker.progress import GenerationProgress
    from gan_worker.runs.estimators import Weights

# Slopes of shapes are those of averages over so many pixels of the coarse view.
SHAPES = 8
# Part of the range of heights that the depth of a material takes: four times as deep still fits. In version 1 of
# `Estimation` the depth was that of the deepest place of each picture.
SHARE_OF_RANGE = 0.125
# Share of the pixels that lie within the depth: single ones that stick out set no scale.
WITHIN = 0.999
# The least depth, as a share of the side of a tile: what is flatter is plain, and its noise is no relief. The flattest
# of 27 published materials, of wood, has a depth of 1/3300, the median one 1/220, the deepest 1/11.
FLATTEST = 2.0**-13
# Pixels along the shorter side of what depth is measured on: what is finer is not deep.
MEASURED = 1024
# From here on, of half the range, what is deeper is pressed together instead of cut off.
KNEE = 0.8


def make_maps(
    color: np.ndarray,
    found: Estimates,
    chosen: Estimation,
    names: Sequence[str],
    bits: Mapping[str, int],
) -> dict[str, np.ndarray]:
    """Make some maps of a picture.

    Args:
        color: the picture, sRGB, (height, width, 3), 0..1 or whole numbers.
        found: its estimates.
        chosen: what is made of them.
        names: of `ESTIMATED_MAPS`.
        bits: map name → bits of its whole numbers; float32 in 0..1 for others.

    Returns:
        Map name → (height, width, channels).
    """
    made: dict[str, np.ndarray] = {}
    height, width = found.values.shape[:2]
    if "normal" in names or "height" in names:
        slopes = _slopes(found, chosen)
        # First what takes most memory, while there is nothing else yet.
        if "height" in names:
            made["height"] = _height(slopes, found, chosen, bits.get("height"))
        if "normal" in names:
            made["normal"] = _in_bands(
                lambda rows: normals_of_slopes(tf.constant(slopes(rows))) / 2 + 0.5,
                (height, width, 3),
                bits.get("normal"),
            )
        del slopes  # and with it the shapes, which are as large as all other maps together
    values = found.values
    if "base_color" in names:
        made["base_color"] = _in_bands(
            lambda rows: _without_light(
                as_floats(color[rows]), as_floats(values[rows, :, 4:5]), chosen.light
            ),
            (height, width, 3),
            bits.get("base_color"),
        )
    if "roughness" in names:
        mean = float(values[..., 2].mean(dtype=np.float64))
        level = mean + chosen.roughness
        made["roughness"] = _in_bands(
            lambda rows: level + (as_floats(values[rows, :, 2:3]) - mean) * chosen.roughness_range,
            (height, width, 1),
            bits.get("roughness"),
        )
    if "ambient_occlusion" in names:
        made["ambient_occlusion"] = _in_bands(
            lambda rows: tf.pow(
                tf.clip_by_value(tf.constant(as_floats(values[rows, :, 3:4])), 0.0, 1.0),
                chosen.occlusion,
            ),
            (height, width, 1),
            bits.get("ambient_occlusion"),
        )
    if "metallic" in names:
        made["metallic"] = _in_bands(
            lambda rows: np.full((1, 1, 1), chosen.metallic, np.float32),
            (height, width, 1),
            bits.get("metallic"),
        )
    return made


def _slopes(found: Estimates, chosen: Estimation) -> Callable[[slice], np.ndarray]:
    """Gives the slopes of some rows as they are wanted, (rows, width, 2) float32."""
    shapes = _shapes(found) if chosen.coarse != chosen.fine else None
    depth = np.float32(-chosen.depth if chosen.invert else chosen.depth)

    def of_rows(rows: slice) -> np.ndarray:
        slopes = np.float32(chosen.fine) * found.values[rows, :, :2].astype(np.float32)
        if shapes is not None:
            slopes += np.float32(chosen.coarse - chosen.fine) * shapes[rows]
        slopes *= depth
        return slopes

    return of_rows


def _shapes(found: Estimates) -> np.ndarray:
    """Slopes of shapes alone, (height, width, 2) float32."""
    slopes = found.values[..., :2].astype(np.float32)
    blur(slopes, SHAPES * 2.0**found.octaves / 2, found.closed)
    return slopes


def _height(
    slopes: Callable[[slice], np.ndarray], found: Estimates, chosen: Estimation, bits: int | None
) -> np.ndarray:
    """Heights around one half, (height, width, 1)."""
    height = integrate(slopes, found.values.shape[:2], found.closed)[..., None]
    if chosen.version > 1:
        gain = np.float32(SHARE_OF_RANGE / (found.depth or relief_depth(found)))
        return _in_bands(lambda rows: 0.5 + _pressed(gain * height[rows]), height.shape, bits)
    most = max(float(height.max()), -float(height.min()))
    # What is flat stays flat: heights below a hundredth of a pixel are rounding.
    share = SHARE_OF_RANGE * min(chosen.depth, 4.0) if most > 0.01 else 0.0
    gain = np.float32(share / max(most, 0.01))
    return _in_bands(lambda rows: 0.5 + gain * height[rows], height.shape, bits)


def _pressed(heights: np.ndarray) -> np.ndarray:
    """Within -1/2..1/2: from the knee on ever less, without a bend, so that what is higher stays higher."""
    knee, room = np.float32(KNEE / 2), np.float32((1 - KNEE) / 2)
    beyond = np.maximum(np.abs(heights) - knee, 0)
    pressed = beyond / (beyond + room) * room
    return np.asarray(np.clip(heights, -knee, knee) + np.sign(heights) * pressed)


def relief_depth(found: Estimates) -> float:
    """How deep a relief is: the height, pixels, above or below the mean that nearly all of it lies within.

    Slopes are pixels a pixel, so the height of a tile in shares of its side, and with it the stored 1/2 + height /
    (8 * depth), is the same at each of its sizes. A model measures its depth once, for all it makes.
    """
    height, width = found.values.shape[:2]
    box = max(1, min(height, width) // MEASURED)
    rows, columns = height // box, width // box
    cut = found.values[: rows * box, : columns * box, :2]
    slopes = cut.reshape(rows, box, columns, box, 2).mean((1, 3), dtype=np.float32)
    heights = integrate(lambda band: slopes[band], (rows, columns), found.closed)
    return box * max(float(np.quantile(np.abs(heights), WITHIN)), FLATTEST * min(rows, columns))


def _without_light(color: np.ndarray, light: np.ndarray, share: float) -> tf.Tensor:
    """The color with less of the light on it."""
    linear = to_linear(tf.constant(color)) * tf.exp(-share * tf.constant(light))
    return to_srgb(tf.clip_by_value(linear, 0.0, 1.0))


def _in_bands(make: Callable[[slice], Any], shape: tuple[int, ...], bits: int | None) -> np.ndarray:
    """A map made some rows at a time, so that few are in memory as floating-point numbers."""
    whole = np.empty(shape, {None: np.float32, 8: np.uint8, 16: np.uint16}[bits])
    band = max(1, AT_ONCE // shape[1])
    for top in range(0, shape[0], band):
        rows = slice(top, top + band)
        whole[rows] = _stored(np.asarray(make(rows)), bits)
    return whole


def _stored(values: Picture, bits: int | None) -> np.ndarray:
    values = np.clip(values, 0, 1).astype(np.float32, copy=False)
    return values if bits is None else quantise(values, bits)


def estimate_maps(
    color: np.ndarray,
    closed: bool,
    chosen: Estimation,
    names: Sequence[str],
    weights: Weights,
    report: Callable[[GenerationProgress], None] = lambda news: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Estimate maps of a photo, and make them at once.

    Args:
        color: sRGB, (height, width, 3), float32 in 0..1 or uint8.
        closed: whether its sides meet.
        chosen: what is made of the estimates.
        names: of `ESTIMATED_MAPS`.
        weights: of the estimator.
        report: is told after each piece.
        should_stop: is asked before each piece.

    Returns:
        Map name → whole numbers of as many bits as the map needs, and what `Estimates.expected` says of them.

    Raises:
        Cancelled: `should_stop` said so.
    """
    found = estimate(color, closed, weights=weights.file, report=report, should_stop=should_stop)
    bits = {name: MAPS[name].bits for name in names}
    made = make_maps(color, found, chosen, names, bits)
    return made, found.expected([name for name in names if name != "base_color"])
