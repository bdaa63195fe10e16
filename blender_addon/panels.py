"""The sidebar tab in the 3D View: lays out what is already known, and asks nobody."""

from __future__ import annotations

import bpy

from gan_worker.progress import DataReport, TrainingProgress
from gan_worker.runs.copies import copy_warning

from .scenes import batch as scene_batch
from .shader import node_tree
from .steering import sliders
from .training import preview
from .ui.layouts import TabPanel, duration, file_name, pair, paragraph, properties_column, ui_scale
from .worker import preferences, session
from .worker.error_titles import title

_STATES = {
    "stopped": ("Stopped: press Start", "RADIOBUT_OFF"),
    "starting": ("Starting", "SORTTIME"),
    "connecting": ("Connecting", "SORTTIME"),
    "connected": ("Connected", "CHECKMARK"),
    "lost": ("Link lost, trying again", "ERROR"),
}
_COMPUTING = {
    "off": "Not loaded yet",
    "starting": "Loading TensorFlow",
    "idle": "Ready",
    "busy": "Busy",
    "stopping": "Ending",
}
_TRAINING = {
    "sent": "asking the worker",
    "queued": "waits for its turn",
    "succeeded": "has learned, press Generate",
}


class TILEWRIGHT_PT_worker(TabPanel, bpy.types.Panel):
    bl_label = "Worker"

    def draw(self, context: bpy.types.Context) -> None:
        layout, now = self.layout, session.current
        text, icon = _STATES[now.state]
        layout.label(text=text, icon=icon)
        if now.connected:
            if now.device:  # it is known once something was computed
                pair(layout, "Device", now.device)
            pair(layout, "Computing", _COMPUTING.get(now.compute_state, now.compute_state))
            if now.memory_mb:
                pair(layout, "Memory", f"{now.memory_mb / 1024:.1f} GiB")
                layout.operator("tilewright.free_memory", icon="MEMORY")
        row = layout.row(align=True)
        row.operator("tilewright.start_worker", icon="PLAY")
        row.operator("tilewright.stop_worker", icon="SNAP_FACE")
        if preferences.get().location == "REMOTE":
            layout.operator("tilewright.pair_worker", icon="LINKED")
        layout.operator("tilewright.run_doctor", icon="VIEWZOOM")
        if now.last_error:
            _draw_error(layout.box(), now.last_error, context.region.width)


class TILEWRIGHT_PT_training(TabPanel, bpy.types.Panel):
    bl_label = "Train"

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        _draw_pictures(layout, chosen)
        column = properties_column(layout)
        for name in ("run", "preset", "minutes"):
            column.prop(chosen, name)
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
        column.prop(context.scene.tilewright, "isotropic")
        column.prop(context.scene.tilewright, "training_seed")
        column.prop(context.scene.tilewright, "author")
        column.prop(context.scene.tilewright, "license")
        column.prop(context.scene.tilewright, "source")
        for item in context.scene.tilewright.pictures:
            column.prop(item, "path")


class TILEWRIGHT_PT_generation(TabPanel, bpy.types.Panel):
    bl_label = "Generate"

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        row = layout.row(align=True)
        row.prop(chosen, "model", icon="MATERIAL")
        row.operator("tilewright.refresh_models", text="", icon="FILE_REFRESH")
        model = session.current.model(chosen.model)
        if model:
            draw_copies(layout, model.copied, context.region.width)
        column = properties_column(layout)
        column.prop(chosen, "seed")
        size = column.column(align=True)
        size.prop(chosen, "width")
        size.prop(chosen, "height")
        column.prop(chosen, "truncation_psi")
        column.row().prop(chosen, "target", expand=True)
        if chosen.target == "SELECTED":
            column.prop(chosen, "vary_per_object")
        row = layout.row(align=True)
        row.operator("tilewright.generate_material", icon="SHADERFX")
        row.operator("tilewright.next_seed", text="", icon="FORWARD")
        _draw_generating(layout)
        _draw_shading(layout, context)


class TILEWRIGHT_PT_maps(TabPanel, bpy.types.Panel):
    bl_label = "Maps"
    bl_parent_id = "TILEWRIGHT_PT_generation"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, chosen = self.layout, context.scene.tilewright
        model = session.current.model(chosen.model)
        layout.label(text="All the Model Has" if not chosen.maps else "Only These")
        grid = layout.grid_flow(columns=2, even_columns=True, align=True)
        for name in model.maps if model else ():
            grid.prop_enum(chosen, "maps", name)
        column = properties_column(layout)
        for name in ("scale", "multiply_occlusion", "displacement", "storage"):
            column.prop(chosen, name)
        if chosen.storage == "FILES":
            column.prop(chosen, "texture_folder")


class TILEWRIGHT_PT_scene_recipe(TabPanel, bpy.types.Panel):
    bl_label = "Scene Recipe"
    bl_order = 1  # below the panels that an artist needs more often
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, batch = self.layout, scene_batch.current
        properties_column(layout).prop(context.scene.tilewright, "scene_recipe")
        row = layout.row(align=True)
        row.operator("tilewright.run_scene_recipe", icon="PLAY")
        row.operator("tilewright.show_scene_plan", icon="TEXT")
        if batch is not None:
            _draw_batch(layout, batch, context.region.width)


def draw_copies(layout: bpy.types.UILayout, share: float | None, width: int) -> None:
    """A warning, where a model copies too much of its training pictures."""
    warning = copy_warning(share)
    if warning:
        column = layout.column()
        column.alert = True
        paragraph(column, warning, width, "ERROR")


def _draw_pictures(layout: bpy.types.UILayout, chosen: bpy.types.PropertyGroup) -> None:
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


def _draw_training(layout: bpy.types.UILayout, job: session.Job, width: int) -> None:
    box = layout.box()
    doing = job.stage if job.state == "running" else _TRAINING.get(job.state, job.state)
    box.label(text=f"{job.name}: {doing}")
    if job.progress:
        _draw_progress(box, job.progress, job.ended)
    if not job.done:
        _draw_steering(box.row(align=True), job)
    if preview.is_there():
        units = (width / ui_scale() - 60) / 20  # a unit of a layout is 20 pixels high
        box.template_icon(icon_value=preview.icon(), scale=max(4.0, units))
    if job.data_report:
        chosen = bool(getattr(job.config, "scale", None))
        _draw_data(box, job.data_report, chosen, width)
    for notice in job.notices[-3:]:
        paragraph(box, notice, width, "INFO")


def _draw_steering(row: bpy.types.UILayout, job: session.Job) -> None:
    if job.state == "paused":
        row.operator("tilewright.resume_training", icon="PLAY")
    else:
        row.operator("tilewright.pause_training", icon="PAUSE")
    row.operator("tilewright.stop_training", text="Stop, Keep", icon="SNAP_FACE")
    row.operator("tilewright.cancel_training", text="", icon="TRASH")


def _draw_progress(layout: bpy.types.UILayout, progress: TrainingProgress, ended: bool) -> None:
    if not ended:
        eta = "" if progress.eta is None else f", {duration(progress.eta)} left"
        layout.progress(factor=progress.fraction, text=f"{progress.fraction:.0%}{eta}")
    column = layout.column(align=True)
    pair(column, "Step", f"{progress.step} ({progress.images_per_second:.1f} images/s)")
    # Losses say nothing to an artist; the curves of quality do, in a panel of their own.
    pair(column, "Memory", f"{progress.memory_mb / 1024:.1f} GiB")


def _draw_data(layout: bpy.types.UILayout, report: DataReport, chosen: bool, width: int) -> None:
    count = len(report.materials)
    maps = ", ".join(name.replace("_", " ") for name in report.maps)
    paragraph(layout, f"{count} material{'s' if count != 1 else ''} with {maps}.", width)
    for sentence in report.in_words(chosen):
        paragraph(layout, sentence, width)
    for skipped in report.skipped[:5]:
        paragraph(layout, f"{skipped.file}: {skipped.reason}", width, "CANCEL")
    if len(report.skipped) > 5:
        layout.label(text=f"and {len(report.skipped) - 5} more skipped")
    for note in report.notes[:3]:
        paragraph(layout, note, width, "INFO")


def _draw_generating(layout: bpy.types.UILayout) -> None:
    running = session.current.running("generate")
    jobs = [job for job in running if job.purpose == "material"]
    if not jobs:
        return
    row = layout.row(align=True)
    pieces = jobs[0].pieces
    factor = pieces.done / max(1, pieces.total) if pieces else 0.0
    row.progress(factor=factor, text=f"Generating {len(jobs)}")
    row.operator("tilewright.cancel_generation", text="", icon="X")


def _draw_shading(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Say why a material that is there is not seen."""
    shading, material = getattr(context.space_data, "shading", None), sliders.active_material()
    if shading is None or not node_tree.is_ours(material):
        return
    if shading.type == "WIREFRAME" or (shading.type, shading.color_type) == ("SOLID", "MATERIAL"):
        text = "The 3D View shows solid colors; switch to Material Preview to see the material"
        paragraph(layout, text, context.region.width, "INFO")
        layout.prop_enum(shading, "type", "MATERIAL")


def _draw_batch(layout: bpy.types.UILayout, batch: scene_batch.SceneBatch, width: int) -> None:
    now = batch.progress
    if batch.state == "running":
        row = layout.row()
        eta = "" if now.eta is None else f", {duration(now.eta)} left"
        text = f"{batch.stage.capitalize()}: {now.done} of {now.total}{eta}"
        row.progress(factor=now.done / max(1, now.total), text=text)
        row.operator("tilewright.cancel_scene_recipe", text="", icon="X")
    elif batch.error:
        paragraph(layout, batch.error.info.message, width, "ERROR")
        paragraph(layout, batch.error.info.cure, width, "LIGHT")
    else:
        text = f"{now.total} materials in {batch.applied} slots: {now.made} made, {now.kept} were there"
        paragraph(layout, text, width, "CHECKMARK")


def _draw_error(layout: bpy.types.UILayout, error: object, width: int) -> None:
    """What happened, and what to do next."""
    row = layout.row()
    row.alert = True
    row.label(text=title(error.code), icon="ERROR")
    row.operator("tilewright.dismiss_error", text="", icon="X", emboss=False)
    paragraph(layout, error.message, width)
    paragraph(layout, error.cure, width, "LIGHT")


register, unregister = bpy.utils.register_classes_factory(
    (
        TILEWRIGHT_PT_worker,
        TILEWRIGHT_PT_training,
        TILEWRIGHT_PT_training_details,
        TILEWRIGHT_PT_generation,
        TILEWRIGHT_PT_maps,
        TILEWRIGHT_PT_scene_recipe,
    )
)
