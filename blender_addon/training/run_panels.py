"""Below the Train panel: the curves of quality and the list of runs."""

from __future__ import annotations

from datetime import datetime

import bpy

from gan_worker.wire.messages import RunEntry

from .. import properties
from ..panels import draw_copies
from ..ui.layouts import TabPanel, pair, ui_scale
from ..worker import session
from . import curves, run_pictures, runs


class TILEWRIGHT_PT_curves(TabPanel, bpy.types.Panel):
    bl_label = "Quality"
    bl_parent_id = "TILEWRIGHT_PT_training"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return session.current.training is not None and bool(curves.shown())

    def draw(self, context: bpy.types.Context) -> None:
        # Two side by side; a unit of a layout is 20 pixels high.
        scale = max(3.0, (context.region.width / ui_scale() - 70) / 40)
        row = self.layout.row()
        for name in curves.shown():
            column = row.column()
            column.template_icon(icon_value=curves.icon(name), scale=scale)
            column.label(text=curves.TITLES[name])
        self.layout.label(text="Lower is closer to your pictures", icon="INFO")


class TILEWRIGHT_UL_runs(bpy.types.UIList):
    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        _icon: int,
        _active: bpy.types.PropertyGroup,
        _active_name: str,
    ) -> None:
        entry = session.current.run(item.name)
        if entry is None:
            return
        icon = "PLAY" if entry.training else "MATERIAL" if entry.has_model else "FILE_BLANK"
        split = layout.split(factor=0.5)
        if run_pictures.is_there(entry.name):
            split.label(text=entry.name, icon_value=run_pictures.icon(entry.name))
        else:
            split.label(text=entry.name, icon=icon)
        row = split.row()
        row.label(text="in training" if entry.training else _date(entry.created, "%d %b"))
        row.label(text=_size(entry.size))


class TILEWRIGHT_PT_runs(TabPanel, bpy.types.Panel):
    bl_label = "Runs"
    bl_parent_id = "TILEWRIGHT_PT_training"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, shown = self.layout, context.window_manager.tilewright
        row = layout.row()
        row.template_list("TILEWRIGHT_UL_runs", "", shown, "runs", shown, "run_index", rows=4)
        column = row.column(align=True)
        column.operator("tilewright.rename_run", text="", icon="GREASEPENCIL")
        column.operator("tilewright.delete_run", text="", icon="TRASH")
        column.separator()
        column.operator("tilewright.refresh_models", text="", icon="FILE_REFRESH")
        entry = runs.chosen_run()
        if entry is not None:
            _draw_entry(layout, entry, context.region.width)
        column = layout.column(align=True)
        column.operator("tilewright.continue_run", icon="FRAME_NEXT")
        column.operator("tilewright.use_run_settings", icon="DUPLICATE")


def _draw_entry(layout: bpy.types.UILayout, entry: RunEntry, width: int) -> None:
    if run_pictures.is_there(entry.name):
        layout.template_icon(icon_value=run_pictures.icon(entry.name), scale=5.0)
    column = layout.column(align=True)
    pair(column, "Model Size", properties.PRESET_TEXTS.get(entry.preset, (entry.preset,))[0])
    pair(column, "Trained", f"{entry.minutes:.1f} min, {entry.kimg:.1f} kimg")
    pair(column, "Saved", _date(entry.created))
    pair(column, "Size on Disk", _size(entry.size))
    for name, title in curves.TITLES.items():
        if name in entry.figures:
            pair(column, title, f"{entry.figures[name]:.1f}, lower is closer")
    if entry.critic_auc is not None:
        pair(column, "Told from Real", f"{entry.critic_auc:.0%}, at best 50%")
    copied = entry.figures.get("copied")
    if copied is not None:
        pair(column, "Copied", f"{copied:.0%} of small pieces")
        draw_copies(layout, copied, width)
    if not entry.has_model:
        column.label(text="It has no model yet", icon="INFO")


def _date(created: str, shown: str = "%Y-%m-%d %H:%M") -> str:
    """A time of the worker's in this computer's clock."""
    try:
        return datetime.fromisoformat(created).astimezone().strftime(shown)
    except ValueError:
        return created[:16]


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


register, unregister = bpy.utils.register_classes_factory(
    (TILEWRIGHT_PT_curves, TILEWRIGHT_UL_runs, TILEWRIGHT_PT_runs)
)
