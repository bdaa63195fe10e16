"""Maps from estimates, as an artist wants them: depth, direction, coarse and fine, roughness, occlusion, light."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gan_worker.gan.estimation.estimator import BAND, Estimates, as_float, estimate
from gan_worker.gan.estimation.light import to_linear, to_srgb
from gan_worker.gan.estimation.relief import height_of_slopes, normals_of_slopes
from gan_worker.materials.maps import MAPS
from gan_worker.materials.pictures import Picture, quantise

if TYPE_CHECKING:
    from gan_worker.estimation import Estimation
    from gan_worker.progress import GenerationProgress

# Slopes of shapes are those of averages over so many pixels of the coarse view.
SHAPES = 8
# Part of the range of heights that the deepest place takes at depth 1: four times as deep still fits.
RANGE = 0.125


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
    if "normal" in names or "height" in names:
        slopes = _slopes(found, chosen)
        if "normal" in names:
            made["normal"] = _in_bands(
                lambda s: normals_of_slopes(s) / 2 + 0.5, bits.get("normal"), slopes
            )
        if "height" in names:
            made["height"] = _stored(_height(slopes, found, chosen), bits.get("height"))
    values = found.values
    if "base_color" in names:
        made["base_color"] = _in_bands(
            lambda c, light: _without_light(c, light, chosen.light),
            bits.get("base_color"),
            color,
            values[..., 4:5],
        )
    if "roughness" in names:
        mean = float(values[..., 2].mean(dtype=np.float64))
        level = mean + chosen.roughness
        made["roughness"] = _in_bands(
            lambda r: level + (r - mean) * chosen.roughness_range,
            bits.get("roughness"),
            values[..., 2:3],
        )
    if "ambient_occlusion" in names:
        made["ambient_occlusion"] = _in_bands(
            lambda o: tf.pow(tf.clip_by_value(o, 0.0, 1.0), chosen.occlusion),
            bits.get("ambient_occlusion"),
            values[..., 3:4],
        )
    if "metallic" in names:
        whole = np.full((*values.shape[:2], 1), chosen.metallic, np.float32)
        made["metallic"] = _stored(whole, bits.get("metallic"))
    return made


def _slopes(found: Estimates, chosen: Estimation) -> np.ndarray:
    """Slopes as they are wanted, (height, width, 2) float32."""
    slopes = found.values[..., :2].astype(np.float32)
    sign = -1.0 if chosen.invert else 1.0
    if chosen.coarse != chosen.fine:
        slopes = chosen.fine * slopes + (chosen.coarse - chosen.fine) * _shapes(found, slopes)
    else:
        slopes *= chosen.fine
    slopes *= sign * chosen.depth
    return slopes


def _shapes(found: Estimates, slopes: np.ndarray) -> np.ndarray:
    """Slopes of shapes alone, by a Gaussian in the Fourier domain."""
    padded = (
        slopes
        if found.closed
        else np.pad(slopes, [(0, s) for s in slopes.shape[:2]] + [(0, 0)], "symmetric")
    )
    sigma = SHAPES * 2.0**found.octaves / 2
    height, width = padded.shape[:2]
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    soft = np.exp(-2 * (np.pi * sigma) ** 2 * (rows**2 + columns**2)).astype(np.float32)
    parts = [
        tf.signal.irfft2d(
            tf.signal.rfft2d(padded[..., axis]) * tf.cast(soft, tf.complex64), [height, width]
        )
        for axis in (0, 1)
    ]
    shapes: np.ndarray = np.stack(parts, -1)[: slopes.shape[0], : slopes.shape[1]]
    return shapes


def _height(slopes: np.ndarray, found: Estimates, chosen: Estimation) -> np.ndarray:
    """Heights around one half, (height, width, 1)."""
    height = height_of_slopes(slopes, found.closed)
    most = float(np.abs(height).max())
    # What is flat stays flat: heights below a hundredth of a pixel are rounding.
    share = RANGE * min(chosen.depth, 4.0) if most > 0.01 else 0.0
    found_height: np.ndarray = 0.5 + height[..., None] * np.float32(share / max(most, 0.01))
    return found_height


def _without_light(color: tf.Tensor, light: tf.Tensor, share: float) -> tf.Tensor:
    """The color with less of the light on it."""
    return to_srgb(tf.clip_by_value(to_linear(color) * tf.exp(-share * light), 0.0, 1.0))


def _in_bands(make: Any, bits: int | None, *fields: np.ndarray) -> np.ndarray:
    """Values made of rows of all fields, band by band, so that few are in memory as floating-point numbers."""
    parts = []
    for top in range(0, len(fields[0]), BAND):
        values = make(*(tf.constant(as_float(f[top : top + BAND])) for f in fields))
        parts.append(_stored(values.numpy(), bits))
    return np.concatenate(parts)


def _stored(values: Picture, bits: int | None) -> np.ndarray:
    values = np.clip(values, 0, 1).astype(np.float32, copy=False)
    return values if bits is None else quantise(values, bits)


def estimate_maps(
    color: np.ndarray,
    closed: bool,
    chosen: Estimation,
    names: Sequence[str],
    report: Callable[[GenerationProgress], None] = lambda news: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Estimate maps of a photo, and make them at once.

    Args:
        color: sRGB, (height, width, 3), float32 in 0..1 or uint8.
        closed: whether its sides meet.
        chosen: what is made of the estimates.
        names: of `ESTIMATED_MAPS`.
        report: is told after each piece.
        should_stop: is asked before each piece.

    Returns:
        Map name → whole numbers of as many bits as the map needs, and what `Estimates.expected` says of them.

    Raises:
        Cancelled: `should_stop` said so.
    """
    found = estimate(color, closed, report=report, should_stop=should_stop)
    bits = {name: MAPS[name].bits for name in names}
    made = make_maps(color, found, chosen, names, bits)
    return made, found.expected([name for name in names if name != "base_color"])
