"""Choose what is to be done to the photo in the Image Editor, and look at what comes of it."""

from __future__ import annotations

import bpy

from ..ui.layouts import ui_scale
from ..worker.reporting import (
    Action,
    CancelTask,
    StartTask,
    obstacle_of,
    require,
    still,
    unless,
    when,
)
from . import corners, look, overlay, preparation, preview, suggestion

# Pixels beside a handle at which the mouse still takes it, however far one has zoomed.
_REACH = 16.0
_HELP = "Drag the corners, or all of it · Enter: done · Ctrl Z: one step back · Esc: as before"


def _editor(context: bpy.types.Context) -> bpy.types.SpaceImageEditor:
    """The editor that a button was pressed in.

    Raises:
        RequestError: `invalid_config` elsewhere.
    """
    space = context.space_data
    rule = "This is done to the photo in an Image Editor; it was asked for elsewhere."
    found = space if isinstance(space, bpy.types.SpaceImageEditor) else None
    return require(found, rule, "Open one, and press the button there.")


def _photo(context: bpy.types.Context) -> bpy.types.Image:
    """The photo in that editor.

    Raises:
        TilewrightError: as `preparation.check`.
    """
    return preparation.check(_editor(context).image)


class _OfPhoto(Action):
    """What buttons about the photo in the editor share."""

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        busy = overlay.editing().area
        return obstacle_of(_photo, context) or when(
            busy, "Corners are being dragged: press Done first"
        )


class TILEWRIGHT_OT_edit_corners(_OfPhoto, bpy.types.Operator):
    """Drag four corners on the photo: what lies between them is straightened to a rectangle, and the rest not used"""

    bl_idname = "tilewright.edit_corners"
    bl_label = "Corners"
    bl_options = {"UNDO"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        return self.execute(context)

    def act(self, context: bpy.types.Context) -> set[str]:
        photo, area = _photo(context), still(context.area)
        preview.show_before(_editor(context))
        self.drag = _Drag(area, photo)
        context.workspace.status_text_set(_HELP)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        outcome = self.drag.take(event)
        if outcome in ("FINISHED", "CANCELLED"):
            self._end(context, restored=outcome == "CANCELLED")
        return {outcome}

    def cancel(self, context: bpy.types.Context) -> None:
        self._end(context, restored=True)

    def _end(self, context: bpy.types.Context, restored: bool) -> None:
        self.drag.end(restored)
        context.workspace.status_text_set(None)


class _Drag:
    """Corners in one editor while they are dragged.

    Args:
        area: of the editor.
        photo: that it shows.
    """

    def __init__(self, area: bpy.types.Area, photo: bpy.types.Image) -> None:
        self._photo, self._area = preview.Known(photo), area.as_pointer()
        self._before = preparation.corners_of(photo)
        self._steps: list[corners.Corners] = []
        # The corner that is held, 4 for all of them; and where the mouse took it.
        self._held: int | None = None
        self._taken: tuple[corners.Corners, overlay.Place] = ((), (0.0, 0.0))
        overlay.editing().area, overlay.editing().is_done = self._area, False
        if not self._before:
            preparation.set_corners(photo, corners.DEFAULT)
        area.tag_redraw()

    def take(self, event: bpy.types.Event) -> str:
        """Do what mouse and keys say; gives what Blender is told."""
        area, photo = self._find()
        if area is None or photo is None or overlay.editing().is_done:
            return "FINISHED" if photo else "CANCELLED"
        area.tag_redraw()
        if self._held is not None:
            return self._pull(area, photo, event)
        region = _region_at(area, event)
        if region is None:
            return "PASS_THROUGH"
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            return "CANCELLED"
        if event.type in ("RET", "NUMPAD_ENTER", "SPACE") and event.value == "PRESS":
            return "FINISHED"
        if event.type == "Z" and event.ctrl:
            return self._step_back(photo, event)
        return self._aim(region, photo, event)

    def end(self, restored: bool) -> None:
        """Dragged no longer."""
        state = overlay.editing()
        state.area, state.hovered = 0, -1
        area, photo = self._find()
        if photo and restored:
            preparation.set_corners(photo, self._before)
        if area:
            area.tag_redraw()

    def _find(self) -> tuple[bpy.types.Area | None, bpy.types.Image | None]:
        """The editor, if it still shows the photo, and the photo, if it is still there."""
        photo = self._photo.find()
        for area in preview.editors():
            if area.as_pointer() == self._area and area.spaces.active.image == photo:
                return area, photo
        return None, photo

    def _aim(self, region: bpy.types.Region, photo: bpy.types.Image, event: bpy.types.Event) -> str:
        now, mouse = preparation.corners_of(photo), _mouse(region, event)
        shown = overlay.places(region, now)
        index, distance = corners.nearest(shown, mouse)
        overlay.editing().hovered = index if distance <= _REACH * ui_scale() else -1
        if event.type != "LEFTMOUSE":
            return "PASS_THROUGH"
        if event.value == "PRESS" and (
            overlay.editing().hovered >= 0 or corners.is_inside(shown, mouse)
        ):
            self._held = index if overlay.editing().hovered >= 0 else len(now)
            self._taken = now, overlay.place_in_photo(region, *mouse)
            self._steps.append(now)
        return "RUNNING_MODAL"

    def _pull(self, area: bpy.types.Area, photo: bpy.types.Image, event: bpy.types.Event) -> str:
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            self._held = None
        elif event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            self._held = None  # this one goes back; the next press ends it all
            preparation.set_corners(photo, self._steps.pop())
        elif event.type == "MOUSEMOVE":
            region = _window_region(area)
            start, (x, y) = self._taken
            at = overlay.place_in_photo(region, *_mouse(region, event))
            by = at[0] - x, at[1] - y
            assert self._held is not None
            if self._held == len(start):
                preparation.set_corners(photo, corners.moved(start, by))
            else:
                a, b = start[self._held]
                target = a + by[0], b + by[1]
                preparation.set_corners(photo, corners.pulled(start, self._held, target))
        return "RUNNING_MODAL"

    def _step_back(self, photo: bpy.types.Image, event: bpy.types.Event) -> str:
        if event.value == "PRESS" and self._steps:
            preparation.set_corners(photo, self._steps.pop())
        return "RUNNING_MODAL"


def _window_region(area: bpy.types.Area) -> bpy.types.Region:
    return next(region for region in area.regions if region.type == "WINDOW")


def _mouse(region: bpy.types.Region, event: bpy.types.Event) -> overlay.Place:
    return event.mouse_x - region.x, event.mouse_y - region.y


def _region_at(area: bpy.types.Area, event: bpy.types.Event) -> bpy.types.Region | None:
    """The region with the image, where the mouse is on it and on no sidebar that lies over it."""
    under = [
        region
        for region in area.regions
        if region.x <= event.mouse_x < region.x + region.width
        and region.y <= event.mouse_y < region.y + region.height
        and min(region.width, region.height) > 1
    ]
    return under[0] if [region.type for region in under] == ["WINDOW"] else None


class TILEWRIGHT_OT_end_corners(Action, bpy.types.Operator):
    """Take the corners as they are"""

    bl_idname = "tilewright.end_corners"
    bl_label = "Done"

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(overlay.editing().area, "No corners are being dragged")

    def act(self, _context: bpy.types.Context) -> None:
        overlay.editing().is_done = True


class TILEWRIGHT_OT_suggest_corners(_OfPhoto, StartTask, bpy.types.Operator):
    """Look for a regular pattern, such as bricks or tiles, and put the corners where it repeats"""

    bl_idname = "tilewright.suggest_corners"
    bl_label = "Suggest"

    def begin(self, context: bpy.types.Context) -> suggestion.Suggestion:
        preview.show_before(_editor(context))
        return suggestion.suggest(_photo(context))


class TILEWRIGHT_OT_use_whole_photo(_OfPhoto, bpy.types.Operator):
    """Use all of the photo, as it lies"""

    bl_idname = "tilewright.use_whole_photo"
    bl_label = "Whole Photo"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        preparation.set_corners(_photo(context), ())


class TILEWRIGHT_OT_check_photo(_OfPhoto, StartTask, bpy.types.Operator):
    """Look whether the photo is blurred, clipped or has the edge of a shadow"""

    bl_idname = "tilewright.check_photo"
    bl_label = "Check Photo"

    def begin(self, context: bpy.types.Context) -> look.Look:
        return look.look(_photo(context))


class TILEWRIGHT_OT_cancel_photo(CancelTask, bpy.types.Operator):
    """Stop looking at the photo"""

    bl_idname = "tilewright.cancel_photo"
    bl_label = "Cancel"
    nothing = "No photo is being looked at"

    @classmethod
    def obstacle(cls, context: bpy.types.Context) -> str:
        return obstacle_of(_photo, context) or super().obstacle(context)

    @classmethod
    def task(cls, context: bpy.types.Context) -> preview.PhotoTask | None:
        photo = _photo(context)
        tasks = (look.newest(photo), suggestion.newest(photo))
        return next((task for task in tasks if task and task.state == "running"), None)


class TILEWRIGHT_OT_show_prepared(_OfPhoto, StartTask, bpy.types.Operator):
    """Show what comes of the photo, or the photo itself. The preview is smaller; its file is never changed"""

    bl_idname = "tilewright.show_prepared"
    bl_label = "Before / After"
    bl_options = {"UNDO"}

    def begin(self, context: bpy.types.Context) -> preview.Preview | None:
        if preview.is_after(_editor(context).image):
            preview.show_before(_editor(context))
            return None
        return preview.show_after(_editor(context))


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_OT_edit_corners,
        TILEWRIGHT_OT_end_corners,
        TILEWRIGHT_OT_suggest_corners,
        TILEWRIGHT_OT_use_whole_photo,
        TILEWRIGHT_OT_check_photo,
        TILEWRIGHT_OT_cancel_photo,
        TILEWRIGHT_OT_show_prepared,
    )
)
