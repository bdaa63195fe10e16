"""Directions in w that a slider moves along, found without labels and ordered by how much they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from gan_worker.errors import RequestError
from gan_worker.style import DIRECTION_NAME

if TYPE_CHECKING:
    from gan_worker.gan.networks.generator import Generator

# Styles that axes and step widths are measured on.
STYLES = 4096


@dataclass(frozen=True, eq=False)
class Direction:
    """A named axis in w.

    Attributes:
        name: `pca 1` or `factor 1` and upwards.
        vector: (w_dim,) float32 of unit length; its largest entry is positive.
        step: standard deviation of w along it; a slider's amount counts these.
        strength: what the directions of this kind are ordered by, largest first.
    """

    name: str
    vector: np.ndarray
    step: float
    strength: float


def random_styles(generator: Generator, count: int) -> tf.Tensor:
    """Styles of random latents, (count, w_dim), the same in every call."""
    z = np.random.default_rng(0).standard_normal((count, generator.network.z_dim), np.float32)
    return generator.style(tf.constant(z))


def principal_directions(generator: Generator) -> list[Direction]:
    """Principal components of w over random latents (GANSpace, Härkönen et al. 2020, arXiv 2004.02546).

    Their strength is the standard deviation of w along them.
    """
    covariance = _covariance(generator)
    strengths = [float(max(v, 0.0) ** 0.5) for v in np.linalg.eigvalsh(covariance)[::-1]]
    return _named("pca", covariance, covariance, strengths)


def factor_directions(generator: Generator) -> list[Direction]:
    """Directions that change scales and shifts most, from the weights alone (SeFa, arXiv 2007.06600).

    With A the affine weights of all style norms, one below the other, they are the eigenvectors of AᵀA;
    their strength is the eigenvalue.
    """
    kernels = _affine_kernels(generator)
    # Keras keeps kernels as (inputs, outputs), so that this is Aᵀ.
    a = np.concatenate(kernels, axis=1).astype(np.float64)
    strengths = [float(v) for v in np.linalg.eigvalsh(a @ a.T)[::-1]]
    return _named("factor", a @ a.T, _covariance(generator), strengths)


def find_direction(generator: Generator, name: str) -> Direction:
    """The direction of that name.

    Raises:
        RequestError: `invalid_config`, saying which names there are.
    """
    match, most = DIRECTION_NAME.match(name), generator.network.w_dim
    if not match or int(match[2]) > most:
        raise RequestError(
            "invalid_config",
            f"Directions of this model are named 'pca 1' to 'pca {most}' and 'factor 1' to "
            f"'factor {most}'; received {name!r}.",
            "Look at them with gan-worker directions MODEL.",
        )
    find = principal_directions if match[1] == "pca" else factor_directions
    return find(generator)[int(match[2]) - 1]


def fingerprint(generator: Generator) -> int:
    """A number that changes with the weights that directions and styles depend on."""
    mapping = [v.numpy() for layer in generator.mapping for v in layer.variables]
    return hash(b"".join(a.tobytes() for a in (*mapping, *_affine_kernels(generator))))


def _affine_kernels(generator: Generator) -> list[np.ndarray]:
    blocks = [block.norm for level in generator.levels for block in level]
    return [norm.affine.kernel.numpy() for norm in (*blocks, generator.exit_norm)]


def _covariance(generator: Generator) -> np.ndarray:
    return np.cov(random_styles(generator, STYLES).numpy().astype(np.float64), rowvar=False)


def _named(
    kind: str, matrix: np.ndarray, covariance: np.ndarray, strengths: list[float]
) -> list[Direction]:
    """The eigenvectors of a symmetric matrix, strongest first, with steps measured by the covariance of w."""
    vectors = np.linalg.eigh(matrix)[1].T[::-1]
    largest = np.abs(vectors).argmax(axis=1)[:, None]
    vectors = vectors * np.sign(np.take_along_axis(vectors, largest, axis=1))
    steps = np.sqrt(np.maximum(np.einsum("di,ij,dj->d", vectors, covariance, vectors), 0.0))
    return [
        Direction(f"{kind} {i + 1}", vectors[i].astype(np.float32), float(steps[i]), strengths[i])
        for i in range(len(vectors))
    ]
