"""The optimizer moves variables as Keras's own does, and keeps the same state."""

import keras
import numpy as np
import tensorflow as tf

from gan_worker.gan.networks.adam import Adam


def test_it_takes_the_steps_of_keras_and_keeps_its_variables():
    ends = []
    for kind in (Adam, keras.optimizers.Adam):
        variables = [
            keras.Variable(np.ones((3, 2), np.float32)),
            keras.Variable(np.zeros(4, np.float32)),
        ]
        optimizer = kind(1e-2, 0.5, 0.99)
        optimizer.build(variables)
        for number in range(5):
            optimizer.learning_rate.assign(1e-2 / (1 + number))
            drawn = [
                tf.random.stateless_normal(v.shape, [number, i]) for i, v in enumerate(variables)
            ]
            optimizer.apply(drawn, variables)
        ends.append([np.asarray(v) for v in (*variables, *optimizer.variables)])
    assert len(ends[0]) == len(ends[1]) == 2 + 2 + 4
    for ours, theirs in zip(*ends, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert np.abs(ends[0][0] - 1).min() > 1e-3
