"""Photo to Material: a photo, or images that are there, become a material; nothing changes before it is there."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import bpy
import pytest

from blender_addon.generation import photo as photos
from blender_addon.generation import regeneration, requests
from blender_addon.shader import images, node_tree
from blender_addon.steering import levels, sliders
from blender_addon.worker import pump, session
from gan_worker.config import GenerationConfig, TrainingConfig, size_step
from gan_worker.errors import ErrorInfo, TilewrightError
from gan_worker.estimation import Estimation
from gan_worker.preparation import Preparation
from gan_worker.wire.messages import ModelEntry

from ..conftest import as_in_another_window

PHOTO = ModelEntry(
    *("waves", "b" * 64, 4, 0, ("base_color",)), preset="photo", octaves=2, tile=(160, 96)
)
SOURCES = ("FILE", "IMAGE", "MATERIAL")
ALL = {"base_color", "roughness", "normal", "height", "ambient_occlusion"}


@pytest.fixture
def worker(stand_in) -> Any:
    session.current.protocol = (1, 5)
    return stand_in


def wait_for_end() -> None:
    pump.wait(lambda: photos.PhotoMaterial.running() is None, 10)


def trained(worker: Any) -> TrainingConfig:
    """What the newest training was asked for."""
    return next(c for c in reversed(worker.submitted.values()) if isinstance(c, TrainingConfig))


def job_of(worker: Any, kind: type) -> str:
    return next(j for j, c in reversed(worker.submitted.items()) if isinstance(c, kind))


def read_photo(worker: Any) -> GenerationConfig:
    """Let the worker make the model of the photo; what is asked for then."""
    run = trained(worker).run
    worker.models = (replace(PHOTO, name=run), *worker.models)
    worker.state(job_of(worker, TrainingConfig), "succeeded")
    before = len(worker.submitted)
    pump.wait(lambda: len(worker.submitted) > before, 10)
    return worker.submitted[job_of(worker, GenerationConfig)]


def make_maps(worker: Any, make: Any) -> None:
    job = job_of(worker, GenerationConfig)
    config = worker.submitted[job]
    maps = make(config.width, config.height)
    worker.finish(job, {n: p for n, p in maps.items() if n in ALL})
    wait_for_end()
    pump.finish()


def test_a_photo_becomes_the_material_of_the_active_object(worker, plane, photo, make):
    assert bpy.ops.tilewright.photo_to_material(filepath=str(photo)) == {"FINISHED"}
    asked = trained(worker)
    assert (asked.run, asked.pictures, asked.preset) == ("waves", (str(photo),), "photo")
    assert asked.tileable and asked.prepare.is_empty
    assert plane.active_material is None, "nothing changes before the model is there"
    config = read_photo(worker)
    assert config == GenerationConfig("waves", width=160, height=96, estimation=Estimation())
    make_maps(worker, make)
    material = plane.active_material
    assert set(node_tree.images_of(material)) == ALL
    assert tuple(node_tree.images_of(material)["normal"].size) == (160, 96)
    assert sliders.is_shown(material)
    assert material.tilewright.latents.estimation.used
    assert bpy.context.scene.tilewright.model == "waves"
    assert _task().state == "succeeded"
    assert _task().outcome == ("waves is the material of Plane now",)


def _task() -> photos.PhotoMaterial:
    found = photos.PhotoMaterial.newest()
    assert found is not None
    return found


def test_choices_of_the_panel_count(worker, plane, photo, make):
    chosen = bpy.context.scene.tilewright
    chosen.tileable, chosen.estimate_maps = False, False
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    assert not trained(worker).tileable
    assert read_photo(worker).estimation is None


def test_what_is_told_of_the_pictures_of_train_is_not_told_of_this_photo(worker, plane, photo):
    chosen = bpy.context.scene.tilewright
    chosen.author, chosen.license, chosen.source = "Anna", "CC0-1.0", "her wall"
    chosen.picture_width = 2.4
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    asked = trained(worker)
    assert (asked.author, asked.license, asked.source, asked.picture_width) == ("", "", "", 0.0)


def test_the_same_photo_again_is_another_model(worker, plane, photo, make):
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    read_photo(worker)
    make_maps(worker, make)
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    assert trained(worker).run == "waves 2"


def test_what_will_not_show_it_is_told(worker, plane, photo, capsys):
    plane.data.uv_layers.remove(plane.data.uv_layers[0])
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    assert "Plane has no UV map" in capsys.readouterr().out
    worker.state(job_of(worker, TrainingConfig), "cancelled")
    wait_for_end()
    bpy.context.view_layer.objects.active = None
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    assert "No object takes a material" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["wall.jpg", "IMG_0815.HEIC", "saved.jfif", "sky.hdr"])
def test_what_the_worker_reads_can_be_chosen_and_dropped(name):
    (handler,) = (h for h in bpy.types.FileHandler.__subclasses__() if "TILEWRIGHT" in h.__name__)
    assert Path(name).suffix.lower() in handler.bl_file_extensions.split(";")
    for operator in (bpy.ops.tilewright.photo_to_material, bpy.ops.tilewright.add_pictures):
        shown = operator.get_rna_type().properties["filter_glob"].default.split(";")
        assert any(fnmatch(name.lower(), pattern) for pattern in shown)


def test_images_of_a_material_are_taken_as_its_files(worker, plane, photo):
    material = node_tree.new_material("wall")
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.load(str(photo))
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    material.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    plane.data.materials.append(material)
    assert bpy.ops.tilewright.photo_to_material(source="MATERIAL") == {"FINISHED"}
    assert trained(worker).pictures == (str(photo),)


def test_without_images_it_says_so(worker, plane, capsys):
    with pytest.raises(RuntimeError, match="must have a material"):
        bpy.ops.tilewright.photo_to_material(source="MATERIAL")
    with pytest.raises(RuntimeError, match="must be shown in an Image Editor"):
        bpy.ops.tilewright.photo_to_material(source="IMAGE")


@pytest.mark.parametrize("painted", [False, True])
def test_an_image_is_its_file_or_is_written_as_one(worker, photo, painted):
    from blender_addon.training import training

    image = bpy.data.images.load(str(photo))
    if painted:
        image.pixels[0] = 0.5
        image.update()
    place = training.place_of_image(image)
    assert (place == photo) == (not painted)
    assert place.is_file() and place == training.place_of_image(image)
    kept = bpy.data.images.load(str(place))
    assert abs(images.read_pixels(kept) - images.read_pixels(image)).max() < 1 / 255


@pytest.mark.parametrize("painted", [False, True])
def test_what_was_chosen_for_a_photo_is_done_to_it(worker, plane, photo, painted):
    image = bpy.data.images.load(str(photo))
    if painted:
        image.pixels[0] = 0.5
        image.update()
    image.tilewright.even_light = 0.5
    photos.start_from_image(bpy.context.scene, image, [plane])
    assert trained(worker).prepare == Preparation(even_light=0.5)


def test_cancelling_ends_the_job_and_changes_nothing(worker, plane, photo):
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    pump.tick()
    assert bpy.ops.tilewright.cancel_photo_to_material() == {"FINISHED"}
    wait_for_end()
    assert ("cancel", job_of(worker, TrainingConfig)) in worker.calls
    assert _task().state == "cancelled"
    assert plane.active_material is None
    assert not bpy.ops.tilewright.cancel_photo_to_material.poll()


def test_why_a_photo_cannot_be_used_stands_in_the_panel(worker, plane, photo):
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    why = ErrorInfo("picture_too_small", "A photo must be larger.", "Take a larger one.")
    worker.state(job_of(worker, TrainingConfig), "failed", why)
    wait_for_end()
    assert (_task().state, _task().error.code) == ("failed", "picture_too_small")
    assert plane.active_material is None


def test_a_worker_that_leaves_ends_it(worker, plane, photo):
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    pump.tick()
    session.current.close()
    with pytest.raises(TilewrightError):
        _task().wait()
        _task().raise_error()
    assert _task().error.code == "worker_gone"


@pytest.mark.parametrize("hinders", ["old", "training", "gone", "elsewhere"])
def test_what_hinders_is_said_before_anything_is_sent(worker, plane, photo, hinders):
    if hinders == "old":
        session.current.protocol = (1, 4)
    elif hinders == "training":
        session.current.train(TrainingConfig("other", ("there.png",)))
    elif hinders == "gone":
        session.current.close()
    else:
        session.current.host = "10.0.0.5"
    before = dict(worker.submitted)
    with pytest.raises(TilewrightError) as raised:
        photos.start(bpy.context.scene, [photo], [plane])
    assert raised.value.info.cure
    assert worker.submitted == before


@pytest.mark.parametrize("way", ["file", "image", "material", "estimator", "train"])
@pytest.mark.parametrize("host", ["10.0.0.5", "127.0.0.1"])
def test_pictures_that_the_worker_cannot_read_are_given_by_a_way_that_the_panels_have(
    worker, plane, photo, way, host
):
    from blender_addon.training import training

    session.current.host, session.current.guest = host, True
    image, scene = bpy.data.images.load(str(photo)), bpy.context.scene
    starts = {
        "file": lambda: photos.start(scene, [photo], [plane]),
        "image": lambda: photos.start_from_image(scene, image, [plane]),
        "material": lambda: photos.start_from_material(scene, node_tree.new_material("a"), []),
        "estimator": lambda: bpy.ops.tilewright.learn_estimator(directory=str(photo.parent)),
        "train": lambda: training.add_material_pictures(scene, node_tree.new_material("a")),
    }
    sizes = {"train": None, "estimator": "Estimator of Maps"}
    with pytest.raises((TilewrightError, RuntimeError)) as raised:
        starts[way]()
    told, size = str(raised.value), sizes.get(way, "One Photo, No Training")
    assert "Add a Name" in told and "photos:NAME" in told
    assert size in told if size else "Model Size" not in told
    assert bpy.ops.tilewright.add_picture_name(name=" photos:wall.jpg ") == {"FINISHED"}
    assert training.training_config(scene).pictures == ("photos:wall.jpg",)


def test_a_name_that_is_empty_is_no_picture(worker):
    with pytest.raises(RuntimeError, match="name"):
        bpy.ops.tilewright.add_picture_name(name=" ")
    assert not bpy.context.scene.tilewright.pictures


def test_an_object_that_was_renamed_gets_it_and_one_that_is_gone_none(worker, planes, photo, make):
    bpy.context.scene.tilewright.target = "SELECTED"
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    pump.tick()
    bpy.data.objects.remove(planes[0])
    planes[1].name = "Wall"
    read_photo(worker)
    make_maps(worker, make)
    assert planes[1].active_material == planes[2].active_material
    assert set(node_tree.images_of(planes[1].active_material)) == ALL


@pytest.mark.parametrize("gone", [False, True])
def test_its_model_is_chosen_in_the_scene_it_was_asked_in(worker, plane, photo, make, gone):
    asked = bpy.context.scene
    if gone:
        asked = bpy.data.scenes.new("Short-Lived")
    photos.start(asked, [photo], [plane])
    asked.name = "Renamed"
    before = bpy.context.scene.tilewright.model
    if gone:
        bpy.data.scenes.remove(asked)
    with as_in_another_window():
        bpy.context.scene.tilewright.model = "bricks"
        read_photo(worker)
        make_maps(worker, make)
        assert bpy.context.scene.tilewright.model == "bricks"
    assert _task().state == "succeeded"
    assert bpy.context.scene.tilewright.model == (before if gone else "waves")


def test_another_file_ends_it(worker, plane, photo):
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    pump.tick()
    task = _task()
    bpy.ops.wm.read_homefile(use_empty=True)
    pump.wait(lambda: task.state != "running", 10)
    assert task.state == "cancelled"
    assert ("cancel", job_of(worker, TrainingConfig)) in worker.calls


# ---- sizes


@pytest.mark.parametrize(
    ("side", "size", "mip"),
    [(4096, (160, 96), 0), (160, (160, 96), 0), (80, (80, 48), 1), (8, (40, 24), 2)],
)
def test_a_photo_has_its_own_sizes(side, size, mip):
    config = GenerationConfig("waves", width=side, height=side)
    for times in (1, 4):
        made = levels.with_area(config, PHOTO, times)
        assert ((made.width, made.height), made.mip) == (size, mip)
        made.check_for(PHOTO)
    assert (made.width, made.height) == size_step(PHOTO, mip)
    small = levels.small_tile(made, PHOTO, 8)
    assert small is not None
    assert (small.width, small.height, small.mip) == (40, 24, 2)
    small.check_for(PHOTO)


def test_a_photo_without_levels_is_itself_when_small():
    flat = replace(PHOTO, octaves=0, stride=1)
    config = levels.with_area(GenerationConfig("waves"), flat, 1)
    assert (config.width, config.height, config.mip) == (160, 96, 0)
    assert levels.small_tile(config, flat, 64) == config


def test_levels_of_a_photo_are_its_resolutions(worker, plane, photo, make):
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    read_photo(worker)
    make_maps(worker, make)
    material = plane.active_material
    material.tilewright.model_hash = PHOTO.hash
    assert regeneration.sides(material) == {40: "40", 80: "80", 160: "160"}
    assert regeneration.areas(material) == {}
    bpy.ops.tilewright.switch_size(side=80)
    config = worker.submitted[job_of(worker, GenerationConfig)]
    assert (config.width, config.height, config.mip) == (80, 48, 1)
    config.check_for(replace(PHOTO, name=config.model))


def test_a_slider_asks_for_the_finest_level_that_a_preview_may_have(worker, plane, photo, make):
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    read_photo(worker)
    make_maps(worker, make)
    bpy.context.scene.tilewright.preview_size = 100
    plane.active_material.tilewright.latents.estimation.depth = 2.0
    config = worker.submitted[job_of(worker, GenerationConfig)]
    assert (config.width, config.height, config.mip) == (80, 48, 1)
    assert config.estimation == Estimation(depth=2.0)


def test_the_line_in_the_panel_says_what_is_made():
    assert levels.in_words(512, PHOTO, 1) == "All of the photo, 160 × 96 pixels"
    assert levels.in_words(80, PHOTO, 2) == "All of the photo, 80 × 48 pixels of 160 × 96"


def test_generating_from_the_photo_again_takes_its_size(worker, plane, photo, make):
    bpy.ops.tilewright.photo_to_material(filepath=str(photo))
    read_photo(worker)
    make_maps(worker, make)
    config = requests.generation_config(bpy.context.scene)
    assert (config.width, config.height) == (160, 96)
    config.check_for(replace(PHOTO, name="waves"))
