"""Steps between the lines of a picture, in TensorFlow; what they say of its seams stands in `validation.seams`."""

from __future__ import annotations

import tensorflow as tf

from gan_worker.validation.seams import SAMPLED as SAMPLED
from gan_worker.validation.seams import LineSteps as LineSteps
from gan_worker.validation.seams import band_ratio as band_ratio
from gan_worker.validation.seams import calm_origin as calm_origin
from gan_worker.validation.seams import line_steps as line_steps
from gan_worker.validation.seams import rolled as rolled
from gan_worker.validation.seams import seam_rank as seam_rank
from gan_worker.validation.seams import seam_ratio as seam_ratio


def mean_steps(picture: tf.Tensor, axis: int) -> tf.Tensor:
    """Mean absolute step to each line across an axis, 0 or 1, from the line before; the first is the wrap.

    Of the lines at which `line_steps` measures, it is the same as there.

    Args:
        picture: (height, width, channels).
        axis: 0 for the steps between rows, 1 for those between columns.
    """
    return tf.reduce_mean(tf.abs(picture - tf.roll(picture, 1, axis)), axis=(1 - axis, 2))
