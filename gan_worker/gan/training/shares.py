"""Shares of a batch: all of it, that of one of several devices, or one of several parts that are worked off in turn.

Everything is drawn for the whole batch, so what is learned does not depend on how it is shared, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Gradients for each variable in any structure, and losses by name.
Measured = tuple[Any, dict[str, tf.Tensor]]
Step = Callable[..., dict[str, tf.Tensor]]


class Share:
    """The whole batch in one.

    Attributes:
        count: how many shares there are.
    """

    count = 1

    def own(self, whole: tf.Tensor) -> tf.Tensor:
        """This share of what was drawn for the whole batch, (batch, …)."""
        return whole

    def whole(self, own: tf.Tensor) -> tf.Tensor:
        """All shares of the generated pictures; only the own one has a gradient."""
        return own


WHOLE = Share()


class ReplicaShare(Share):
    """What one of several devices takes; inside `tf.distribute.Strategy.run`.

    Args:
        count: of devices.
    """

    def __init__(self, count: int):
        self.count = count

    def own(self, whole: tf.Tensor) -> tf.Tensor:
        return tf.split(whole, self.count)[self._number()]

    def whole(self, own: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        shares = tf.split(context.all_gather(tf.stop_gradient(own), 0), self.count)
        shares[self._number()] = own
        return tf.concat(shares, 0)

    def _number(self) -> int:
        context = tf.distribute.get_replica_context()
        return int(tf.get_static_value(context.replica_id_in_sync_group))


class PartShare(Share):
    """One of several parts that one device works off in turn, where the whole does not fit into its memory.

    Args:
        count: of parts; divides the batch.
        part: number of this one, a scalar.
        pictures: the generated pictures of the whole batch; needed by `whole` alone.
    """

    def __init__(self, count: int, part: tf.Tensor, pictures: tf.Tensor | None = None):
        self.count, self._part, self._pictures = count, part, pictures

    def own(self, whole: tf.Tensor) -> tf.Tensor:
        return tf.gather(self._parted(whole), self._part)

    def whole(self, own: tf.Tensor) -> tf.Tensor:
        assert self._pictures is not None
        parted = self._parted(tf.stop_gradient(self._pictures))
        is_own = tf.reshape(tf.range(self.count) == self._part, (-1,) + (1,) * own.shape.rank)
        return tf.reshape(tf.where(is_own, own[None], parted), self._pictures.shape)

    def _parted(self, whole: tf.Tensor) -> tf.Tensor:
        return tf.reshape(whole, (self.count, whole.shape[0] // self.count, *whole.shape[1:]))


def step_in_parts(
    count: int,
    pictures_of: Callable[[tf.Tensor, Share], tf.Tensor],
    measure: Callable[[tf.Tensor, Share], Measured],
    apply: Callable[..., None],
) -> Step:
    """A training step that works a batch off in parts, of which one at a time takes memory, and then updates once.

    Args:
        count: of parts.
        pictures_of: number of the step and a share to that share of the generated pictures.
        measure: the same to the gradients and losses of the share.
        apply: updates with all gradients, and what else the step is given.
    """

    def part_of_pictures(number: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
        return pictures_of(number, PartShare(count, part))

    def measure_part(number: tf.Tensor, part: tf.Tensor, pictures: tf.Tensor) -> Measured:
        return measure(number, PartShare(count, part, pictures))

    functions = part_of_pictures, measure_part, apply
    draw, measured_of, update = (tf.function(f, autograph=False) for f in functions)
    parts = [tf.constant(part) for part in range(count)]

    def step(number: tf.Tensor, *settings: tf.Tensor) -> dict[str, tf.Tensor]:
        pictures = tf.concat([draw(number, part) for part in parts], 0)
        total = measured_of(number, parts[0], pictures)
        for part in parts[1:]:
            total = tf.nest.map_structure(tf.add, total, measured_of(number, part, pictures))
        gradients, losses = tf.nest.map_structure(lambda tensor: tensor / count, total)
        update(gradients, *settings)
        return dict(losses)

    return step
