"""A mesh's color attribute as a picture over its UV map, fast enough to follow a brush."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ..shader import projection

# Candidates of a batch of triangles: some 30 MB of numbers at once.
_MOST_CANDIDATES = 500_000
_EDGE = 1e-4  # a pixel on the edge of two triangles belongs to both


@dataclass(frozen=True)
class Unwrapping:
    """Which corners of a mesh each pixel of its UV square lies between.

    Attributes:
        corners: (side, side, 3), bottom row first as in Blender's images.
        weights: (side, side, 3), sums 1.
        count: corners of the mesh.
    """

    corners: np.ndarray
    weights: np.ndarray
    count: int


def unwrap(mesh: bpy.types.Mesh, side: int) -> Unwrapping | None:
    """Find all pixels of the mesh's rendered UV map; None where it covers none."""
    uvs = np.empty(len(mesh.loops) * 2, np.float32)
    projection.rendered_uv_map(mesh).uv.foreach_get("vector", uvs)
    mesh.calc_loop_triangles()
    triangles = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("loops", triangles)
    return rasterise(uvs.reshape(-1, 2), triangles.reshape(-1, 3), side)


def rasterise(uvs: np.ndarray, triangles: np.ndarray, side: int) -> Unwrapping | None:
    """Find the triangle that each pixel's centre lies in; outside of all, that of the nearest pixel.

    The UV square is a circle both ways, as the texture on it repeats.

    Args:
        uvs: (corners, 2).
        triangles: three corners each, (triangles, 3).
        side: of the square, pixels.
    """
    points = uvs[triangles].astype(np.float64) * side
    low = np.floor(points.min(axis=1)).astype(int)
    extent = (np.ceil(points.max(axis=1)).astype(int) - low).max(axis=1)
    corners = np.zeros((side, side, 3), np.int32)
    weights = np.zeros((side, side, 3), np.float32)
    classes = np.ceil(np.log2(np.maximum(extent, 1))).astype(int)
    for size in np.unique(classes):
        width = 1 << int(size)
        members = np.flatnonzero(classes == size)
        for part in np.array_split(members, 1 + len(members) * width**2 // _MOST_CANDIDATES):
            place, found, shares = _inside(points[part], low[part], width)
            rows, columns = place[..., 1] % side, place[..., 0] % side
            corners[rows, columns] = triangles[part[found]]
            weights[rows, columns] = shares
    return _filled(corners, weights, len(uvs)) if weights.any() else None


def _inside(
    points: np.ndarray, low: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels whose centres lie in triangles: where, in which triangle, and their weights."""
    steps = np.stack(np.meshgrid(np.arange(width), np.arange(width)), axis=-1).reshape(-1, 2)
    pixels = low[:, None] + steps
    a, b, c = points[:, None, 0], points[:, None, 1], points[:, None, 2]
    area = _cross(b - a, c - a)
    flat = np.abs(area) < 1e-12
    second = _cross(pixels + 0.5 - a, c - a) / np.where(flat, 1, area)
    third = _cross(b - a, pixels + 0.5 - a) / np.where(flat, 1, area)
    shares = np.stack([1 - second - third, second, third], axis=-1)
    inside = (shares.min(axis=-1) >= -_EDGE) & ~flat
    return pixels[inside], np.nonzero(inside)[0], shares[inside]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _filled(corners: np.ndarray, weights: np.ndarray, count: int) -> Unwrapping:
    """Let islands grow into what lies between them: there a soft brush or a smaller map looks too."""
    while (empty := ~weights.any(axis=-1)).any():
        for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            from_there = empty & ~np.roll(empty, shift, axis)
            corners[from_there] = np.roll(corners, shift, axis)[from_there]
            weights[from_there] = np.roll(weights, shift, axis)[from_there]
            empty = empty & ~from_there
    return Unwrapping(corners, weights, count)


def read(mesh: bpy.types.Mesh) -> np.ndarray:
    """The active color attribute at each corner of the mesh, (corners, 3) float32, 0..1, as it is painted."""
    attribute = mesh.color_attributes.active_color
    name = "color_srgb" if attribute.data_type == "BYTE_COLOR" else "color"
    colors = np.empty(len(attribute.data) * 4, np.float32)
    attribute.data.foreach_get(name, colors)
    colors = colors.reshape(-1, 4)[:, :3]
    if attribute.domain == "CORNER":
        return colors
    vertices = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", vertices)
    return colors[vertices]


def bake(unwrapping: Unwrapping, colors: np.ndarray) -> np.ndarray:
    """The colors of a mesh's corners as a picture, (side, side, 3) float32, bottom row first."""
    return np.einsum("hwk,hwkc->hwc", unwrapping.weights, colors[unwrapping.corners])
