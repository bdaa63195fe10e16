"""Adam in one operation a variable: a third fewer operations in a step's graph, so the first step comes earlier."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Keras's Adam (Kingma and Ba 2015, arXiv 1412.6980) with its variables and formula, in TensorFlow's own kernel."""

    def apply(self, grads: Sequence[tf.Tensor], trainable_variables: Sequence) -> None:
        """Move each variable once.

        Args:
            grads: of all variables, dense.
            trainable_variables: those it was built for, in that order.
        """
        step = tf.cast(self.iterations.value + 1, tf.float32)
        powers = [tf.pow(tf.constant(beta), step) for beta in (self.beta_1, self.beta_2)]
        rate = tf.convert_to_tensor(self.learning_rate.value)
        for gradient, variable, m, v in zip(
            grads, trainable_variables, self._momentums, self._velocities, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.value.handle,
                m=m.value.handle,
                v=v.value.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )
        one = tf.ones((), tf.int64)
        tf.raw_ops.AssignAddVariableOp(resource=self.iterations.value.handle, value=one)


def assign(variable: keras.Variable, value: tf.Tensor) -> None:
    """Give a variable a value; of several replicas each gives its own copy the same one."""
    tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=value)


def update(
    optimizers: Sequence[Adam],
    gradients: Sequence[Sequence[tf.Tensor]],
    trained: Sequence[Sequence],
    rate: tf.Tensor,
) -> None:
    """Move the variables of each network once, each by its own optimizer, at the same learning rate."""
    for optimizer, found, variables in zip(optimizers, gradients, trained, strict=True):
        assign(optimizer.learning_rate, rate)
        optimizer.apply(found, variables)


def follow(means: keras.Model, network: keras.Model, memory: tf.Tensor) -> None:
    """Move the running means of a network's variables, which a twin of it holds.

    Args:
        means: the twin.
        network: that was updated.
        memory: share of the means that is kept, 0..1.
    """
    for mean, variable in zip(means.variables, network.variables, strict=True):
        assign(mean, mean * memory + variable * (1 - memory))
