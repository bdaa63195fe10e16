"""Before and after in the Image Editor: the outcome at preview size, which follows what is chosen."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.photos import look, preparation, preview
from blender_addon.shader import images
from gan_worker.errors import TilewrightError
from gan_worker.photos.preparing import prepare
from gan_worker.preparation import Preparation

CORNERS = ((0.25, 0.125), (0.75, 0.25), (0.875, 0.75), (0.125, 0.875))


@pytest.fixture
def space() -> bpy.types.SpaceImageEditor:
    area = bpy.context.screen.areas[-1]
    area.type = "IMAGE_EDITOR"
    return area.spaces.active


@pytest.fixture
def shown(space: bpy.types.SpaceImageEditor, photo: Path) -> bpy.types.Image:
    """A photo in an editor."""
    space.image = bpy.data.images.load(str(photo))
    return space.image


def pixels(image: bpy.types.Image) -> np.ndarray:
    return images.read_pixels(image)[..., :3]


def test_after_shows_what_comes_of_the_photo_and_before_the_photo(space, shown):
    shown.tilewright.even_light, shown.tilewright.white_balance = 0.75, 0.5
    expected = prepare(pixels(shown), Preparation((), 0.75, 0.5))
    preview.show_after(space).wait()
    assert space.image != shown and preview.is_after(space.image)
    assert np.abs(pixels(space.image) - expected).max() < 0.01
    preview.show_before(space)
    assert space.image == shown


def test_after_is_straightened(space, shown):
    preparation.set_corners(shown, CORNERS)
    preview.show_after(space).wait()
    expected = prepare(pixels(shown), Preparation(CORNERS))
    assert tuple(space.image.size) == expected.shape[1::-1]
    assert np.abs(pixels(space.image) - expected).max() < 0.01


def test_it_follows_what_is_chosen_while_it_is_shown(space, shown):
    preview.show_after(space).wait()
    before = pixels(space.image)
    shown.tilewright.white_balance = 1.0
    task = preview.newest(shown)
    assert task.state == "running"
    task.wait()
    assert np.abs(pixels(space.image) - before).max() > 0.05
    assert sum(preview.is_after(image) for image in bpy.data.images) == 1


def test_what_is_chosen_while_it_is_made_is_what_it_shows(space, shown):
    task = preview.show_after(space)
    steps = task.work()
    next(steps)
    shown.tilewright.white_balance = 1.0
    assert preview.newest(shown) is task
    task.wait()
    expected = prepare(pixels(shown), Preparation((), 0.0, 1.0))
    assert np.abs(pixels(space.image) - expected).max() < 0.01


def test_nothing_is_made_of_photos_whose_outcome_is_not_shown(space, shown):
    shown.tilewright.even_light = 1.0
    assert preview.newest(shown) is None
    preview.show_after(space).wait()
    preview.show_before(space)
    task = preview.newest(shown)
    shown.tilewright.even_light = 0.5
    assert preview.newest(shown) is task


def test_the_file_stays_as_it_is(space, shown, photo):
    before = photo.read_bytes()
    preparation.set_corners(shown, CORNERS)
    preview.show_after(space).wait()
    assert photo.read_bytes() == before
    assert not shown.is_dirty


def test_the_outcome_is_neither_lost_nor_asked_about(space, shown, tmp_path):
    preview.show_after(space).wait()
    assert space.image.packed_file and not space.image.is_dirty
    assert space.image.colorspace_settings.name == "sRGB"


def test_a_large_photo_is_shown_smaller(space):
    random = np.random.default_rng(0)
    large = bpy.data.images.new("large", 1500, 1000)
    images.write_pixels(large, random.integers(0, 255, (1000, 1500, 3), np.uint8))
    space.image = large
    preview.show_after(space).wait()
    assert tuple(space.image.size) == (500, 333)
    boxes = pixels(large)[:999].reshape(333, 3, 500, 3, 3).mean((1, 3))
    assert np.abs(pixels(space.image) - boxes).max() < 0.02


def test_light_beyond_white_is_clipped_and_shown_as_the_screen_does(space):
    space.image = bpy.data.images.new("light", 16, 16, float_buffer=True)
    rgba = np.full((16, 16, 4), 0.5, np.float32)
    rgba[:8] = 4.0
    images.set_pixels(space.image, rgba)
    preview.show_after(space).wait()
    rows = pixels(space.image)[:, 0, 0]
    assert rows[-1] == pytest.approx(1.0) and rows[0] == pytest.approx(0.735, abs=0.01)


def test_undo_shows_the_outcome_of_what_was_chosen_before(space, shown):
    shown.use_fake_user = True
    preview.show_after(space).wait()
    bpy.ops.ed.undo_push(message="after")
    name, before = shown.name, pixels(space.image)
    shown.tilewright.white_balance = 1.0
    preview.newest(shown).wait()
    bpy.ops.ed.undo_push(message="white balance")
    bpy.ops.ed.undo()
    again = bpy.context.screen.areas[-1].spaces.active.image
    assert preview.is_after(again)
    preview.newest(bpy.data.images[name]).wait()
    assert np.abs(pixels(again) - before).max() < 0.01


def test_undo_of_after_shows_the_photo(space, shown):
    shown.use_fake_user = True
    name = shown.name
    bpy.ops.ed.undo_push(message="photo")
    preview.show_after(space).wait()
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    assert bpy.context.screen.areas[-1].spaces.active.image == bpy.data.images[name]


def test_a_photo_that_is_removed_meanwhile_ends_it_in_words(space, shown):
    task = preview.show_after(space)
    bpy.data.images.remove(shown)
    task.wait()
    assert task.state == "failed"
    assert isinstance(task.error, TilewrightError) and "gone" in task.error.info.message


# ---- in a scene with many images


@pytest.fixture
def looked(watch) -> list[bpy.types.Image]:
    """The images that were looked through."""
    return watch(preview, "images")


def test_an_outcome_follows_without_a_look_through_all_images(space, shown, looked):
    preview.show_after(space).wait()
    looked.clear()
    shown.tilewright.white_balance = 1.0
    preview.newest(shown).wait()
    assert preview.newest(shown).state == "succeeded"
    preview.show_before(space)
    preview.show_after(space).wait()
    assert not looked


def test_photo_and_outcome_are_found_by_other_names(space, shown):
    preview.show_after(space).wait()
    outcome, name = space.image, shown.name
    shown.tilewright.white_balance = 1.0
    shown.name, outcome.name = "wall", "another"
    bpy.data.images.new(name, 8, 8)
    preview.newest(shown).wait()
    assert preview.newest(shown).state == "succeeded"
    preview.show_before(space)
    preview.show_after(space)
    assert space.image == outcome


def test_a_photo_is_found_again_as_long_as_it_is_there(shown, looked):
    known, name = preview.Known(shown), shown.name
    assert known.find() == shown
    assert not looked
    shown.name = "wall"
    bpy.data.images.new(name, 8, 8)
    assert known.find() == shown
    looked.clear()
    assert known.find() == shown
    assert not looked
    bpy.data.images.remove(shown)
    assert known.find() is None


# ---- what is wrong with it


def test_a_clipped_photo_is_told_with_a_cure(space):
    space.image = bpy.data.images.new("burnt", 64, 64)
    images.write_pixels(space.image, np.full((64, 64, 3), 255, np.uint8))
    task = look.look(space.image)
    task.wait()
    (problem,) = task.problems
    assert problem.kind == "clipped" and problem.cure


def test_a_photo_is_looked_at_once_however_often_it_is_pressed(space, shown):
    task = look.look(shown)
    assert look.look(shown) is task
    task.wait()
    assert look.look(shown) is not task


def test_only_the_part_that_is_used_is_judged(space):
    random = np.random.default_rng(0)
    colors = random.integers(60, 200, (128, 128, 3), np.uint8)
    colors[:, 64:] = 255
    space.image = bpy.data.images.new("half burnt", 128, 128)
    images.write_pixels(space.image, colors)
    look.look(space.image).wait()
    assert "clipped" in [problem.kind for problem in look.newest(space.image).problems]
    left = ((0.05, 0.05), (0.45, 0.05), (0.45, 0.95), (0.05, 0.95))
    preparation.set_corners(space.image, left)
    assert look.newest(space.image) is None, "another part was looked at"
    look.look(space.image).wait()
    assert "clipped" not in [problem.kind for problem in look.newest(space.image).problems]


# ---- buttons


def test_buttons_say_why_they_cannot_be_pressed(space):
    area = bpy.context.screen.areas[-1]
    with bpy.context.temp_override(area=area, space_data=space):
        assert not bpy.ops.tilewright.show_prepared.poll()
    with bpy.context.temp_override(area=bpy.context.screen.areas[0]):
        assert not bpy.ops.tilewright.show_prepared.poll(), "no Image Editor"


def test_buttons_do_what_the_functions_do(space, shown):
    area = bpy.context.screen.areas[-1]
    preparation.set_corners(shown, CORNERS)
    with bpy.context.temp_override(area=area, space_data=space):
        assert bpy.ops.tilewright.show_prepared(wait=True) == {"FINISHED"}
        assert preview.is_after(space.image)
        assert bpy.ops.tilewright.use_whole_photo() == {"FINISHED"}
        assert preparation.of(shown).is_empty
        assert bpy.ops.tilewright.check_photo(wait=True) == {"FINISHED"}
        assert look.newest(shown).state == "succeeded"
        assert bpy.ops.tilewright.show_prepared() == {"FINISHED"}
        assert space.image == shown
