"""The panels that train: pictures, progress, the curves of quality and the list of runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import bpy

from ..photos import preparation
from ..ui.layouts import (
    TabPanel,
    draw_copies,
    duration,
    file_name,
    pair,
    paragraph,
    properties_column,
    ui_scale,
)
from ..worker import session
from ..worker.reporting import counted, draw_error, size_in_words
from . import curves, preview, run_pictures, runs
from .properties import PRESET_TEXTS

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

    from gan_worker.progress import DataReport, TrainingProgress
    from gan_worker.wire.messages import RunEntry

    from .properties import TrainingChoices

_TRAINING = {
    "sent": "asking the worker",
    "queued": "waits for its turn",
    "succeeded": "has learned, press Generate",
    "interrupted": "was interrupted, press Continue",
}
_OTHERS = {
    "photo": {
        "succeeded": "is ready, press Generate",
        "interrupted": "was interrupted, begin again",
    },
    "estimator": {
        "succeeded": "has learned, choose it as Estimator",
        "interrupted": "was interrupted, begin again",
    },
}


class TILEWRIGHT_PT_training(TabPanel, bpy.types.Panel):
    bl_label = "Train"

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        _draw_pictures(layout, chosen)
        _draw_preparation(layout, chosen, context.region.width)
        column = properties_column(layout)
        column.prop(chosen, "run", placeholder=runs.proposed_name(context.scene))
        column.prop(chosen, "preset")
        if chosen.preset == "photo":
            column.prop(chosen, "tileable")
        else:
            if chosen.preset not in ("classic", "estimator") and not chosen.picture_scale:
                column.row().prop(chosen, "detail", expand=True)
            column.prop(chosen, "minutes")
        if not session.current.running("train") and runs.is_taken(runs.typed_name(context.scene)):
            text = "There is one of that name: press Continue, or choose another"
            paragraph(layout, text, context.region.width, "INFO")
        row = layout.row(align=True)
        row.operator("tilewright.start_training", icon="PLAY")
        row.operator("tilewright.start_training", text="Continue", icon="FRAME_NEXT").resume = True
        job = session.current.training
        if job:
            _draw_training(layout, job, context.region.width)


class TILEWRIGHT_PT_training_details(TabPanel, bpy.types.Panel):
    bl_label = "Details"
    bl_parent_id = "TILEWRIGHT_PT_training"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        column = properties_column(self.layout)
        column.prop(context.scene.tilewright, "picture_scale")
        column.prop(context.scene.tilewright, "picture_width")
        column.prop(context.scene.tilewright, "isotropic")
        column.prop(context.scene.tilewright, "training_seed")
        column.prop(context.scene.tilewright, "author")
        column.prop(context.scene.tilewright, "license")
        column.prop(context.scene.tilewright, "source")
        for item in context.scene.tilewright.pictures:
            column.prop(item, "path")
        column.operator("tilewright.add_picture_name", icon="ADD")


def _draw_pictures(layout: bpy.types.UILayout, chosen: TrainingChoices) -> None:
    if chosen.pictures:  # an empty column would leave a gap
        column = layout.column(align=True)
        for index, item in enumerate(chosen.pictures):
            row = column.row(align=True)
            # A whole path would be clipped in the middle; it can be read and changed in Details.
            row.label(text=file_name(item.path), icon="FILE_IMAGE")
            row.operator("tilewright.remove_picture", text="", icon="X").index = index
    column = layout.column(align=True)
    column.operator("tilewright.add_pictures", icon="ADD")
    column.operator("tilewright.add_material_pictures", icon="MATERIAL")


def _draw_preparation(layout: bpy.types.UILayout, chosen: TrainingChoices, width: int) -> None:
    """What is done to the photos first, as was chosen in the Image Editor."""
    shared = preparation.shared(item.path for item in chosen.pictures)
    if not shared.photo:
        return
    words = preparation.in_words(preparation.as_shown(shared.photo))
    text = f"As chosen for {shared.photo.name}: {words}"
    paragraph(layout, text, width, "IMAGE_DATA")
    if session.current.connected and not session.current.speaks(1, 5):
        text = "The worker is older and learns the photos as they are: update Tilewright there"
        paragraph(layout, text, width, "ERROR")
    if shared.others:
        names = ", ".join(shared.others)
        text = f"A training prepares all its photos alike, also {names}, for which something else is chosen"
        paragraph(layout, text, width, "ERROR")


def _draw_training(layout: bpy.types.UILayout, job: session.Job, width: int) -> None:
    box = layout.box()
    preset = _preset(job)
    told = _TRAINING | _OTHERS.get(preset, {})
    doing = job.stage if job.state == "running" else told.get(job.state, job.state)
    paragraph(box, f"{job.name}: {doing}", width)
    if job.progress and preset != "photo":
        _draw_progress(box, job.progress, job.under_way)
        if job.under_way and job.progress.stopped_for is not None:
            paragraph(box, job.progress.advice(), width, "INFO")
    if job.under_way:
        _draw_steering(box.row(align=True), job)
    if job.failure:
        draw_error(box, job.failure, width, job.id)
    if preview.is_there():
        units = (width / ui_scale() - 60) / 20  # a unit of a layout is 20 pixels high
        box.template_icon(icon_value=preview.icon(), scale=max(4.0, units))
    if job.data_report:
        chosen = bool(getattr(job.config, "scale", None))
        _draw_data(box, job.data_report, chosen, width)
    for notice in job.notices[-3:]:
        paragraph(box, notice, width, "INFO")


def _preset(job: session.Job) -> str:
    """What is trained, as the run says where there is one: who only goes on with it has not been told."""
    entry = session.current.run(job.name)
    return (entry.preset if entry else "") or getattr(job.config, "preset", "")


def _draw_steering(row: bpy.types.UILayout, job: session.Job) -> None:
    if job.state == "paused":
        row.operator("tilewright.resume_training", icon="PLAY")
    else:
        row.operator("tilewright.pause_training", icon="PAUSE")
    row.operator("tilewright.stop_training", text="Stop, Keep", icon="SNAP_FACE")
    row.operator("tilewright.cancel_training", text="", icon="TRASH")


def _draw_progress(layout: bpy.types.UILayout, progress: TrainingProgress, under_way: bool) -> None:
    if under_way:
        eta = "" if progress.eta is None else f", {duration(progress.eta)} left"
        layout.progress(factor=progress.fraction, text=f"{progress.fraction:.0%}{eta}")
    column = layout.column(align=True)
    pair(column, "Step", f"{progress.step} ({progress.images_per_second:.1f} images/s)")
    # Losses say nothing to an artist; the curves of quality do, in a panel of their own.
    pair(column, "Memory", size_in_words(progress.memory_mb * 2**20))


def _draw_data(layout: bpy.types.UILayout, report: DataReport, chosen: bool, width: int) -> None:
    maps = ", ".join(name.replace("_", " ") for name in report.maps)
    paragraph(layout, f"{counted(len(report.materials), 'material')} with {maps}.", width)
    for sentence in report.in_words(chosen):
        paragraph(layout, sentence, width)
    for skipped in report.skipped[:5]:
        paragraph(layout, f"{skipped.file}: {skipped.reason}", width, "CANCEL")
    if len(report.skipped) > 5:
        layout.label(text=f"and {len(report.skipped) - 5} more skipped")
    for note in report.notes[:3]:
        paragraph(layout, note, width, "INFO")


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
        icon: IconItems
        icon = "PLAY" if entry.training else "MATERIAL" if entry.has_model else "FILE_BLANK"
        icon = "SHADERFX" if entry.name in session.current.estimator_names() else icon
        icon = "ERROR" if entry.problem else icon
        split = layout.split(factor=0.5)
        if run_pictures.is_there(entry.name):
            split.label(text=entry.name, icon_value=run_pictures.icon(entry.name))
        else:
            split.label(text=entry.name, icon=icon)
        row = split.row()
        row.label(text="in training" if entry.training else _date(entry.created, "%d %b"))
        row.label(text=size_in_words(entry.size))


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
    pair(column, "Model Size", PRESET_TEXTS.get(entry.preset, (entry.preset,))[0])
    pair(column, "Trained", f"{entry.minutes:.1f} min, {entry.kimg:.1f} kimg")
    pair(column, "Saved", _date(entry.created))
    pair(column, "Size on Disk", size_in_words(entry.size))
    for name, title in curves.TITLES.items():
        if name in entry.figures:
            pair(column, title, f"{entry.figures[name]:.1f}, lower is closer")
    if entry.critic_auc is not None:
        pair(column, "Told from Real", f"{entry.critic_auc:.0%}, at best 50%")
    copied = entry.figures.get("copied")
    if copied is not None:
        pair(column, "Copied", f"{copied:.0%} of small pieces")
        draw_copies(layout, copied, width)
    if entry.problem:
        paragraph(layout, entry.problem, width, "ERROR")
    elif entry.name in session.current.estimator_names():
        column.label(text="Maps can be estimated with it", icon="INFO")
    elif not entry.has_model:
        column.label(text="It has no model yet", icon="INFO")


def _date(created: str, shown: str = "%Y-%m-%d %H:%M") -> str:
    """A time of the worker's in this computer's clock."""
    try:
        return datetime.fromisoformat(created).astimezone().strftime(shown)
    except ValueError:
        return created[:16]


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_PT_training,
        TILEWRIGHT_PT_training_details,
        TILEWRIGHT_PT_curves,
        TILEWRIGHT_UL_runs,
        TILEWRIGHT_PT_runs,
    )
)
