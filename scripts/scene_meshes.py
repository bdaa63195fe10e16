"""Meshes of the scenes that show a material: UVs count meters, and nothing that a camera sees is stretched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surface:
    """A surface of quads.

    Attributes:
        vertices: meters, (count, 3).
        faces: four vertices each, counter-clockwise from outside, (count, 4).
        uv: one for each corner of each face, meters, (faces · 4, 2).
    """

    vertices: Array
    faces: NDArray[np.int64]
    uv: Array

    def turned(self, matrix: Array) -> Surface:
        """The same surface, turned.

        Args:
            matrix: (3, 3), a rotation.
        """
        return Surface(self.vertices @ matrix.T, self.faces, self.uv)

    def moved(self, x: float, y: float, z: float) -> Surface:
        """The same surface at another place, meters."""
        return Surface(self.vertices + (x, y, z), self.faces, self.uv)


def joined(surfaces: Sequence[Surface]) -> Surface:
    """Several surfaces as one."""
    starts = np.cumsum([0, *(len(one.vertices) for one in surfaces)])
    return Surface(
        np.concatenate([one.vertices for one in surfaces]),
        np.concatenate([one.faces + start for one, start in zip(surfaces, starts, strict=False)]),
        np.concatenate([one.uv for one in surfaces]),
    )


def lathe(profile: Array, segments: int) -> Surface:
    """Turn a profile around z, unrolled from the pole where it starts.

    The unrolling keeps areas, as Lambert's azimuthal projection of the sphere does: a flat disk stays what it is, and
    half a ball is stretched by √2 at its rim, across what is seen foreshortened there anyway. One piece, no seam.

    Args:
        profile: distances from the axis and heights, meters, from the pole outwards, (count, 2).
        segments: around.
    """
    turns = np.arange(segments) * (2 * np.pi / segments)
    around = np.stack([np.cos(turns), np.sin(turns)], -1)
    radius, height = profile.T
    vertices = np.empty((len(profile), segments, 3))
    vertices[..., :2] = radius[:, None, None] * around
    vertices[..., 2] = height[:, None]
    uv = _area_radius(profile)[:, None, None] * around
    return _grid(vertices, uv, closed=True)


def _area_radius(profile: Array) -> Array:
    """Radius of the flat disk that has the area of the surface from the pole to each point of the profile, meters."""
    steps = np.linalg.norm(np.diff(profile, axis=0), axis=1)
    rings = (profile[1:, 0] + profile[:-1, 0]) / 2 * steps
    return np.sqrt(2 * np.concatenate([[0.0], np.cumsum(rings)]))


def extruded(path: Array, heights: Array) -> Surface:
    """A wall along a path, its outside to the right of the way.

    Args:
        path: on the floor, meters, (count, 2).
        heights: meters, rising.
    """
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    vertices = np.empty((len(heights), len(path), 3))
    vertices[..., :2], vertices[..., 2] = path, heights[:, None]
    uv = np.stack(np.broadcast_arrays(along, heights[:, None]), -1)
    return _grid(vertices, uv)


def rectangle(width: float, depth: float, step: float) -> Surface:
    """A level piece of floor around the origin, meters."""
    x, y = (np.linspace(-side / 2, side / 2, round(side / step) + 1) for side in (width, depth))
    flat = np.stack(np.meshgrid(x, y), -1)
    return _grid(np.concatenate([flat, np.zeros((*flat.shape[:2], 1))], -1), flat)


def box(size: Sequence[float]) -> Surface:
    """A box around the origin, with an edge along x, y and z of so many meters."""
    face = np.array([(-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)]) / 2
    turns = [np.eye(3), np.diag([1.0, -1.0, -1.0])]
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        turns.append(np.array([(-y, 0, x), (x, 0, y), (0, 1, 0)], float))
    sides = [face @ turn.T * size for turn in turns]
    flat = face[:, :2]
    return joined([Surface(side, np.arange(4)[None], flat) for side in sides])


def _grid(vertices: Array, uv: Array, closed: bool = False) -> Surface:
    """Quads between rows of points; closed: the last column meets the first."""
    rows, columns = vertices.shape[:2]
    row, column = np.mgrid[: rows - 1, : columns - (not closed)]
    after = (column + 1) % columns
    corners = [(row, column), (row, after), (row + 1, after), (row + 1, column)]
    if closed:  # rows go outwards there
        corners = corners[::-1]
    faces = np.stack([r * columns + c for r, c in corners], -1).reshape(-1, 4)
    return Surface(vertices.reshape(-1, 3), faces, uv.reshape(-1, 2)[faces.reshape(-1)])


def softened(corners: Array, bevel: float, step: float) -> Array:
    """A line through corners that are rounded, as points in even steps; both ends stay.

    Args:
        corners: meters, (count, 2).
        bevel: about the radius of the rounding, meters.
        step: between points, meters.
    """
    fine = _resampled(corners, bevel / 8)
    reach = 16
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (reach / 3)) ** 2)
    weights /= weights.sum()
    start, end = 2 * fine[0] - fine[reach:0:-1], 2 * fine[-1] - fine[-2 : -reach - 2 : -1]
    long = np.concatenate([start, fine, end])
    smooth = np.stack([np.convolve(one, weights, "valid") for one in long.T], -1)
    return _resampled(smooth, step)


def _resampled(line: Array, step: float) -> Array:
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    wanted = np.linspace(0, at[-1], max(2, round(at[-1] / step) + 1))
    return np.stack([np.interp(wanted, at, one) for one in line.T], -1)


def arc(radius: float, start: float, end: float) -> Array:
    """Points of a circle around the origin, angles from the axis in degrees, (count, 2)."""
    angles = np.radians(np.linspace(start, end, 200))
    return radius * np.stack([np.sin(angles), np.cos(angles)], -1)
