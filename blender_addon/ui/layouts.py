"""Pieces that all panels are laid out with."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Protocol

import bpy

from gan_worker.progress import BatchProgress, copy_warning

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

    from gan_worker.errors import TilewrightError
    from gan_worker.validation.findings import Finding

_LETTER = 6.7  # pixels of an average letter


class TabPanel:
    """What puts a panel into the Tilewright tab of the 3D View's sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Tilewright"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return True


class ShaderEditor(TabPanel):
    """What puts a panel into the sidebar of the Shader Editor."""

    bl_space_type = "NODE_EDITOR"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.space_data.tree_type == "ShaderNodeTree"


def ui_scale() -> float:
    """How much larger than usual this user's interface is."""
    return bpy.context.preferences.system.ui_scale or 1.0  # 0 where no window was ever open


def paragraph(layout: bpy.types.UILayout, text: str, width: int, icon: IconItems = "NONE") -> None:
    """A sentence in several labels: Blender does not wrap lines."""
    letters = max(20, int(width / ui_scale() / _LETTER) - (8 if icon != "NONE" else 6))
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, letters)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else icon)


def pair(layout: bpy.types.UILayout, name: str, value: str) -> None:
    """A name and what it is, side by side."""
    halves = layout.split(factor=0.4)
    halves.label(text=name)
    halves.label(text=value)


def properties_column(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """A column of properties with their names on the left, as in Blender's own panels."""
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    return column


def file_name(path: str) -> str:
    """The end of a path, or of what a remote worker calls a picture, by which a person knows it."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def duration(seconds: float) -> str:
    """Seconds as `2:05`, or as `1 h 03 min`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes}:{seconds:02}"


class Task(Protocol):
    """What is drawn of long work."""

    state: str
    progress: BatchProgress
    error: TilewrightError | None

    @property
    def told(self) -> str: ...


def draw_task(layout: bpy.types.UILayout, task: Task | None, width: int, cancel: str) -> None:
    """How far long work is, with the button that ends it; or why it failed.

    Args:
        layout: where it is drawn.
        task: None draws nothing.
        width: of the region, pixels.
        cancel: idname of the operator that ends it.
    """
    if task is not None and task.state == "running":
        now, row = task.progress, layout.row(align=True)
        eta = "" if now.eta is None else f", {duration(now.eta)} left"
        row.progress(factor=now.done / max(1, now.total), text=f"{task.told}{eta}")
        row.operator(cancel, text="", icon="X")
    elif task is not None and task.state == "failed" and task.error:
        paragraph(layout, task.error.info.message, width, "ERROR")
        paragraph(layout, task.error.info.cure, width, "LIGHT")


def draw_findings(layout: bpy.types.UILayout, findings: tuple[Finding, ...], width: int) -> None:
    """What was found about a material: what is wrong with its cure, and what is not in one line."""
    for finding in findings:
        if finding.is_ok:
            continue
        column = layout.column(align=True)
        column.alert = finding.state == "bad"
        paragraph(column, finding.message, width, "CANCEL" if column.alert else "ERROR")
        paragraph(layout, finding.cure, width, "LIGHT")
    sound = [finding.map.replace("_", " ") for finding in findings if finding.is_ok]
    if sound:
        paragraph(layout, f"Nothing is wrong with {', '.join(sound)}", width, "CHECKMARK")


def draw_copies(layout: bpy.types.UILayout, share: float | None, width: int) -> None:
    """A warning, where a model copies too much of its training pictures."""
    warning = copy_warning(share)
    if warning:
        column = layout.column()
        column.alert = True
        paragraph(column, warning, width, "ERROR")
