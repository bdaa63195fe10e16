"""What is to be done to a photo: kept with its image, for which images, and what a training makes of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.photos import orientation, preparation
from blender_addon.training import training
from gan_worker.errors import PictureError, RequestError, TilewrightError
from gan_worker.materials.pictures import read_picture
from gan_worker.preparation import Preparation

CORNERS = ((0.25, 0.125), (0.75, 0.25), (0.875, 0.75), (0.125, 0.875))


def load(path: Path) -> bpy.types.Image:
    return bpy.data.images.load(str(path))


def test_an_untouched_image_is_used_as_it_is(photo):
    assert preparation.of(load(photo)).is_empty


def test_what_is_chosen_is_kept_in_the_file(photo, tmp_path):
    image = load(photo)
    preparation.set_corners(image, CORNERS)
    image.tilewright.even_light, image.tilewright.white_balance = 0.75, 0.5
    image.use_fake_user = True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    (again,) = [i for i in bpy.data.images if i.source == "FILE"]
    assert preparation.of(again) == Preparation(CORNERS, 0.75, 0.5)


def test_the_whole_photo_needs_no_corners(photo):
    image = load(photo)
    preparation.set_corners(image, CORNERS)
    preparation.set_corners(image, ())
    assert preparation.of(image).is_empty


def test_undo_brings_back_what_was_chosen(photo):
    load(photo).use_fake_user = True
    bpy.ops.ed.undo_push(message="start")
    bpy.data.images["waves.png"].tilewright.even_light = 1.0
    bpy.ops.ed.undo_push(message="even light")
    bpy.ops.ed.undo()
    assert preparation.of(bpy.data.images["waves.png"]).even_light == 0


def unprepared(kind: str, photo: Path) -> bpy.types.Image | None:
    if kind == "missing":
        image = load(photo)
        image.filepath = str(photo.with_name("gone.png"))
        image.reload()
        return image
    image = load(photo)
    image.source = kind
    return image


@pytest.mark.parametrize("kind", ["missing", "MOVIE", "SEQUENCE", "TILED"])
def test_what_is_no_photo_is_told_in_words(kind, photo):
    with pytest.raises(PictureError) as caught:
        preparation.check(unprepared(kind, photo))
    assert caught.value.info.code in ("picture_missing", "picture_unreadable")
    assert photo.name in caught.value.info.message


def test_render_results_and_empty_editors_are_told_in_words():
    # Blender makes one when it renders, and lets nobody else do so.
    result = SimpleNamespace(source="VIEWER", name="Render Result")
    result.tilewright = SimpleNamespace(prepared_of=None)
    for image in (None, result):
        with pytest.raises(TilewrightError):
            preparation.check(image)


def test_an_image_of_another_file_is_told_to_be_made_local(photo, tmp_path):
    load(photo).use_fake_user = True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, linked):
        linked.images = ["waves.png"]
    with pytest.raises(RequestError) as caught:
        preparation.check(linked.images[0])
    assert caught.value.info.code == "not_allowed"
    assert "local" in caught.value.info.cure


def test_more_pixels_than_a_photo_may_have_are_told():
    image = bpy.data.images.new("Poster", 8, 8)
    image.generated_width, image.generated_height = 8200, 8200
    with pytest.raises(PictureError, match="million"):
        preparation.check(image)


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("is_float", [False, True])
def test_generated_packed_and_float_images_can_be_prepared(pack, is_float):
    image = bpy.data.images.new("Noise", 8, 8, float_buffer=is_float)
    if pack:
        image.pack()
    assert preparation.check(image) == image


# ---- how the camera was held


def with_exif(held: int, format: str) -> bytes:
    image = pytest.importorskip("PIL.Image", reason="written in the worker's environment")
    colors = np.zeros((16, 24, 3), np.uint8)
    colors[:8, :12] = 255, 0, 0
    exif, file = image.Exif(), io.BytesIO()
    exif[0x0112] = held
    image.fromarray(colors).save(file, format, exif=exif, quality=95)
    return file.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("held", range(1, 9))
def test_orientation_is_read_of_every_format(held, format):
    assert orientation.read_orientation(with_exif(held, format)) == held


@pytest.mark.parametrize("data", [b"", b"\xff\xd8Exif\0\0II*\0", b"II*\0\xff\xff\xff\xff", b"eXif"])
def test_damaged_files_are_upright(data):
    assert orientation.read_orientation(data) == 1


@pytest.mark.parametrize("held", range(1, 9))
def test_corners_lie_where_the_worker_sees_that_part(held, tmp_path):
    file = tmp_path / "held.jpg"
    file.write_bytes(with_exif(held, "JPEG"))
    image = load(file)
    preparation.set_corners(image, ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)))
    seen, corners = read_picture(file), preparation.of(image).corners
    Preparation(corners).check()
    x, y = np.mean(corners, axis=0)
    height, width = seen.shape[:2]
    assert seen[int(y * height), int(x * width), 0] > 0.8, "the red part"


# ---- trainings


def choose(*paths: object) -> None:
    training.set_pictures(bpy.context.scene, [str(path) for path in paths])


def wearing(image: bpy.types.Image) -> bpy.types.Material:
    """A material whose color is this image."""
    material = bpy.data.materials.new("Wall")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    texture = material.node_tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    shader = material.node_tree.nodes["Principled BSDF"]
    material.node_tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    return material


def test_a_training_prepares_its_photo_as_was_chosen(photo):
    load(photo).tilewright.even_light = 0.5
    choose(photo)
    assert training.training_config(bpy.context.scene).prepare == Preparation(even_light=0.5)


def test_a_training_on_a_photo_that_is_open_nowhere_prepares_nothing(photo, tmp_path):
    load(photo).tilewright.even_light = 0.5
    choose(tmp_path / "another.png")
    assert training.training_config(bpy.context.scene).prepare.is_empty


@pytest.fixture
def beside_the_scene(photo, tmp_path) -> bpy.types.Image:
    """A photo in a folder beside that of the .blend, as Blender names it then: `//../photos/waves.png`."""
    for folder in ("photos", "scene"):
        (tmp_path / folder).mkdir()
    image = load(photo.rename(tmp_path / "photos" / photo.name))
    image.use_fake_user = True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene" / "a.blend"))
    image.filepath = bpy.path.relpath(image.filepath)
    assert image.filepath.startswith("//..")
    return image


def test_a_photo_in_another_folder_than_its_scene_is_prepared(beside_the_scene, tmp_path):
    beside_the_scene.tilewright.even_light = 0.5
    photo = tmp_path / "photos" / "waves.png"
    choose(photo)
    assert training.training_config(bpy.context.scene).prepare == Preparation(even_light=0.5)
    assert training.photo_config(bpy.context.scene, [photo]).prepare.even_light == 0.5


def test_a_photo_stays_prepared_where_its_scene_is_saved_elsewhere(photo, tmp_path):
    (tmp_path / "scene").mkdir()
    image = load(photo)
    image.use_fake_user, image.tilewright.even_light = True, 0.5
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    image.filepath = bpy.path.relpath(image.filepath)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene" / "b.blend"), relative_remap=True)
    choose(photo)
    assert training.training_config(bpy.context.scene).prepare == Preparation(even_light=0.5)


def test_a_picture_that_is_chosen_already_is_not_chosen_again_with_its_material(
    beside_the_scene, tmp_path
):
    material = wearing(beside_the_scene)
    choose(tmp_path / "photos" / "waves.png")
    training.add_material_pictures(bpy.context.scene, material)
    assert len(bpy.context.scene.tilewright.pictures) == 1


@pytest.mark.parametrize("pack", [False, True])
def test_a_photo_that_is_in_no_file_is_prepared_where_its_material_is_learned(pack, plane):
    image = bpy.data.images.new("Painted", 32, 32)
    if pack:
        image.pack()
    image.tilewright.even_light = 0.5
    training.add_material_pictures(bpy.context.scene, wearing(image))
    assert training.training_config(bpy.context.scene).prepare == Preparation(even_light=0.5)


def test_a_photo_of_a_worker_elsewhere_is_known_by_its_name(photo):
    load(photo).tilewright.white_balance = 1.0
    assert preparation.shared([f"photos:walls/{photo.name}"]).preparation.white_balance == 1
    assert preparation.shared([f"photos:{photo.name}"]).photo.name == photo.name
    assert preparation.shared(["photos:other.png"]).preparation.is_empty


def test_photos_that_are_to_be_prepared_otherwise_are_named(photo, tmp_path):
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    load(photo).tilewright.even_light = 0.5
    load(other)
    shared = preparation.shared([str(other), str(photo)])
    assert shared.preparation.even_light == 0.5
    assert (shared.photo.name, shared.others) == (photo.name, (other.name,))


class Watched:
    """Blender as the module under test sees it: which images are looked at, and of which the path is made out."""

    def __init__(self) -> None:
        self.looked: list[str] = []
        self.resolved: list[str] = []
        self.data, self.path = SimpleNamespace(images=self), self

    def __iter__(self) -> Iterator[bpy.types.Image]:
        for image in bpy.data.images:
            self.looked.append(image.name)
            yield image

    def abspath(self, path: str, **more: Any) -> str:
        self.resolved.append(path)
        return bpy.path.abspath(path, **more)


@pytest.fixture
def watched(monkeypatch) -> Watched:
    """A scene with many images, of which nothing is to be done to any."""
    for number in range(20):
        bpy.data.images.new(f"{number}", 4, 4).filepath = f"//textures/{number}.png"
    seen = Watched()
    monkeypatch.setattr(preparation, "bpy", seen)
    return seen


def test_no_image_is_looked_at_where_no_picture_is_chosen(watched):
    assert preparation.shared(iter(())) == preparation.Shared()
    assert not watched.looked


def test_of_a_scene_with_many_images_only_those_that_may_be_chosen_are_made_out(watched, photo):
    load(photo).tilewright.even_light = 0.5
    assert preparation.shared([str(photo)]).photo.name == photo.name
    assert set(watched.resolved) == {str(photo)}
    watched.resolved.clear()
    other = photo.with_name("13.png")
    other.write_bytes(photo.read_bytes())
    load(other)
    assert preparation.shared([str(other), str(photo)]).others == ("13.png",)
    assert set(watched.resolved) == {str(photo), str(other), "//textures/13.png"}


def test_a_picture_that_two_images_show_is_prepared_as_one_of_them_says(photo):
    prepared = load(photo)
    prepared.tilewright.even_light = 0.5
    load(photo)
    assert len([i for i in bpy.data.images if i.filepath == str(photo)]) == 2
    assert preparation.shared([str(photo)]) == preparation.Shared(prepared)


def test_the_outcome_stands_for_its_photo(photo):
    image, outcome = load(photo), bpy.data.images.new("waves prepared", 8, 8)
    outcome.tilewright.prepared_of = image
    image.tilewright.even_light = 0.5
    assert preparation.check(outcome) == image
    assert preparation.of(outcome).even_light == 0.5
