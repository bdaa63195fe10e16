"""Overlay of the Image Editor: the part of a photo that is used, with handles while it is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from gan_worker.photos.straightening import SQUARE, homography, project

from .. import state
from ..ui.layouts import ui_scale
from . import preparation

Place = tuple[float, float]

# In pixels of an interface of usual size.
HANDLE, LINE = 7.0, 2.0
_ACCENT, _HOVERED, _EDGE = (1.0, 0.55, 0.1, 1.0), (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.8)
_OUTSIDE, _GRID = (0.0, 0.0, 0.0, 0.5), (1.0, 1.0, 1.0, 0.35)
# Lines of the grid that shows the slant, along each side.
_CELLS = 4


@dataclass
class Editing(state.FilePart):
    """Which editor's corners are dragged now.

    Attributes:
        area: its pointer; 0 while none are.
        hovered: the corner that the mouse would take; -1 without.
        is_done: whether they are to be taken as they are.
    """

    area: int = 0
    hovered: int = -1
    is_done: bool = False


def editing() -> Editing:
    """What is known of the corners that are dragged."""
    return state.of_file.get(Editing)


def is_edited(area: bpy.types.Area | None) -> bool:
    """Whether the corners in this editor are dragged now."""
    return area is not None and editing().area == area.as_pointer()


def places(region: bpy.types.Region, corners: Sequence[Place]) -> list[Place]:
    """Pixels of a region at which corners of its image lie, from its lower left one; also beside what it shows."""
    found = [region.view2d.view_to_region(x, 1 - y, clip=False) for x, y in corners]
    return [(float(x), float(y)) for x, y in found]


def place_in_photo(region: bpy.types.Region, x: float, y: float) -> Place:
    """The inverse of `places`, for one."""
    u, v = region.view2d.region_to_view(x, y)
    return u, 1 - v


def grid(corners: Sequence[Place]) -> list[tuple[Place, Place]]:
    """Lines that lie evenly on what is between the corners, so with the slant of it."""
    matrix = homography(SQUARE, np.array(corners, np.float64))
    steps = np.arange(1, _CELLS) / _CELLS
    starts = [(s, 0.0) for s in steps] + [(0.0, s) for s in steps]
    ends = [(s, 1.0) for s in steps] + [(1.0, s) for s in steps]
    from_x, from_y = project(matrix, *np.array(starts).T)
    to_x, to_y = project(matrix, *np.array(ends).T)
    return [
        ((float(a), float(b)), (float(c), float(d)))
        for a, b, c, d in zip(from_x, from_y, to_x, to_y, strict=True)
    ]


def _draw() -> None:
    context = bpy.context
    space, region = context.space_data, context.region
    image = space.image
    if (
        region is None
        or image is None
        or not space.overlay.show_overlays
        or image.tilewright.prepared_of
    ):
        return
    corners = preparation.corners_of(image)
    if not corners:
        return
    edited = is_edited(context.area)
    painter = _Painter(region)
    if edited:
        outer = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
        painter.ring(places(region, outer), places(region, corners), _OUTSIDE)
        lines = [place for line in grid(corners) for place in line]
        painter.lines(places(region, lines), _GRID, 1.0)
    around = [place for n in range(4) for place in (corners[n], corners[(n + 1) % 4])]
    painter.lines(places(region, around), _EDGE, LINE + 2)
    painter.lines(places(region, around), _ACCENT, LINE)
    for n, place in enumerate(places(region, corners) if edited else ()):
        painter.square(place, HANDLE + 1.5, _EDGE)
        painter.square(place, HANDLE, _HOVERED if n == editing().hovered else _ACCENT)


class _Painter:
    """Draws into the region that is being drawn."""

    def __init__(self, region: bpy.types.Region) -> None:
        import gpu  # fails where Blender has no window; what is drawn has one
        from gpu_extras.batch import batch_for_shader

        self._gpu, self._batch, self._scale = gpu, batch_for_shader, ui_scale()
        self._size = region.width, region.height

    def lines(self, ends: list[Place], color: tuple[float, ...], width: float) -> None:
        shader = self._gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
        shader.bind()
        shader.uniform_float("viewportSize", self._size)
        shader.uniform_float("lineWidth", width * self._scale)
        self._paint(shader, "LINES", [(x, y, 0.0) for x, y in ends], color)

    def square(self, center: Place, half: float, color: tuple[float, ...]) -> None:
        half, (x, y) = half * self._scale, center
        a, b, c, d = ((x + i * half, y + j * half) for j in (-1, 1) for i in (-1, 1))
        self._fill([a, b, c, c, b, d], color)

    def ring(self, outer: list[Place], inner: list[Place], color: tuple[float, ...]) -> None:
        """What is between two shapes of four corners each."""
        triangles = []
        for n in range(4):
            m = (n + 1) % 4
            triangles += [outer[n], outer[m], inner[n], inner[n], outer[m], inner[m]]
        self._fill(triangles, color)

    def _fill(self, triangles: list[Place], color: tuple[float, ...]) -> None:
        shader = self._gpu.shader.from_builtin("UNIFORM_COLOR")
        shader.bind()
        self._paint(shader, "TRIS", [(x, y, 0.0) for x, y in triangles], color)

    def _paint(self, shader, kind: str, places: list, color: tuple[float, ...]) -> None:  # type: ignore[no-untyped-def]
        shader.uniform_float("color", color)
        self._gpu.state.blend_set("ALPHA")
        self._batch(shader, kind, {"pos": places}).draw(shader)
        self._gpu.state.blend_set("NONE")


_handles: list[object] = []


def register() -> None:
    _handles.append(bpy.types.SpaceImageEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    while _handles:
        bpy.types.SpaceImageEditor.draw_handler_remove(_handles.pop(), "WINDOW")
