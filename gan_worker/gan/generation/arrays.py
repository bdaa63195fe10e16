"""Arrays by name, from and to variables of networks and optimizers; files are the run folder's matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.errors import StorageError

if TYPE_CHECKING:
    from gan_worker.runs.checkpoints import Shapes

Groups = Mapping[str, Iterable[tf.Variable]]


def by_name(groups: Groups) -> dict[str, tf.Variable]:
    """Name every variable `<group>/<index>`."""
    return {
        f"{group}/{index:03d}": variable
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }


def to_arrays(groups: Groups) -> dict[str, np.ndarray]:
    """Name every variable `<group>/<index>` and copy its value."""
    return {name: np.asarray(variable) for name, variable in by_name(groups).items()}


def check_shapes(expected: Shapes, received: Shapes) -> None:
    """Compare all names and shapes.

    Raises:
        StorageError: `model_format`, naming the first that differs.
    """
    if expected != received:
        name = sorted(set(expected.items()) ^ set(received.items()))[0][0]
        raise StorageError(
            "model_format",
            f"The stored weights must fit the networks; they differ at {name}: "
            f"{expected.get(name, 'nothing')} expected, {received.get(name, 'nothing')} received.",
            "Use the preset the run was started with, or start a new run.",
        )


def assign_arrays(groups: Groups, arrays: Mapping[str, np.ndarray]) -> None:
    """Give every variable its stored value; all names and shapes are compared before the first is touched.

    Raises:
        StorageError: `model_format` when the arrays are those of another architecture.
    """
    variables = by_name(groups)
    check_shapes(
        {name: tuple(variable.shape) for name, variable in variables.items()},
        {name: array.shape for name, array in arrays.items()},
    )
    for name, variable in variables.items():
        variable.assign(arrays[name])
