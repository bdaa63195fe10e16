"""Files below a shared folder are read only where they lie below one, at the moment they are read."""

import numpy as np
import pytest

from gan_worker.confinement import LED_OUT, confine, leads_out
from gan_worker.errors import PictureError
from gan_worker.gan.editing.material_files import read_mask, read_one
from gan_worker.materials.pictures import read_picture, write_picture
from gan_worker.materials.sets import find_materials, read_material
from gan_worker.runs.licenses import AttributionFinder


@pytest.fixture(autouse=True)
def _free_again():
    yield
    confine([])


@pytest.fixture
def shared(tmp_path):
    """A shared folder with a picture, beside a folder with others."""
    folder = tmp_path / "shared" / "oak"
    for place in (folder, tmp_path / "mine"):
        place.mkdir(parents=True)
        write_picture(place / "oak_color.png", np.full((8, 8, 3), 0.5, np.float32))
    write_picture(tmp_path / "mine" / "oak_height.png", np.full((8, 8, 1), 0.5, np.float32))
    (tmp_path / "mine" / "token.txt").write_text("x")
    confine([tmp_path / "shared"])
    return folder


def test_links_to_files_and_folders_outside_are_left_out_by_name_alone(shared, tmp_path):
    (shared / "inner.png").symlink_to(tmp_path / "mine" / "oak_color.png")
    (shared / "oak_height.png").symlink_to(tmp_path / "mine" / "oak_height.png")
    (shared / "deep").symlink_to(tmp_path / "mine")
    (shared / "twice.png").symlink_to(shared / "inner.png")
    (shared / "roundabout").symlink_to("../..")
    sets, skipped, _ = find_materials([shared], alike=False)
    assert [s.files for s in sets] == [{"base_color": shared / "oak_color.png"}]
    left_out = {
        f"{shared}/{n}" for n in ("inner.png", "oak_height.png", "deep", "twice.png", "roundabout")
    }
    assert {s.file for s in skipped} == left_out
    assert {s.reason for s in skipped} == {LED_OUT}


def test_links_that_stay_within_are_followed(shared):
    (shared.parent / "ash.png").symlink_to(shared / "oak_color.png")
    (shared.parent / "again").symlink_to(shared)
    sets, skipped, _ = find_materials([shared.parent / "ash.png", shared.parent / "again"])
    assert len(sets) == 1
    assert not skipped


def test_a_file_that_becomes_a_link_after_it_was_found_is_not_read(shared, tmp_path):
    ((found,), _, _) = find_materials([shared])
    (shared / "oak_color.png").unlink()
    (shared / "oak_color.png").symlink_to(tmp_path / "mine" / "oak_color.png")
    with pytest.raises(PictureError, match="leads out"):
        read_material(found)


def test_a_folder_that_becomes_a_link_after_it_was_found_is_not_read(shared, tmp_path):
    ((found,), _, _) = find_materials([shared])
    shared.rename(tmp_path / "elsewhere")
    shared.symlink_to(tmp_path / "mine")
    with pytest.raises(PictureError, match="leads out"):
        read_material(found)


def test_repair_reads_neither_picture_nor_mask_outside(shared, tmp_path):
    for name in ("mask.png", "picture.png"):
        (shared / name).symlink_to(tmp_path / "mine" / "oak_color.png")
    with pytest.raises(PictureError, match="leads out"):
        read_mask(shared / "mask.png", (8, 8))
    with pytest.raises(PictureError, match="leads out"):
        read_one(shared / "picture.png")


def test_what_is_said_of_licenses_outside_is_not_read(shared, tmp_path):
    (tmp_path / "mine" / "secret.license").write_text("SPDX-License-Identifier: Secret\n")
    (shared / "oak_color.png.license").symlink_to(tmp_path / "mine" / "secret.license")
    (shared / "REUSE.toml").symlink_to(tmp_path / "mine" / "token.txt")
    finder = AttributionFinder([shared])
    assert finder.find(shared / "oak_color.png", {}).license == ""
    assert len(finder.problems) == 2


def test_one_shared_folder_may_lead_into_another(shared, tmp_path):
    confine([tmp_path / "shared", tmp_path / "mine"])
    (shared / "inner.png").symlink_to(tmp_path / "mine" / "oak_color.png")
    assert not leads_out(shared / "inner.png")


@pytest.mark.parametrize("name", ["shared2/a.png", "mine/oak_color.png"])
def test_what_was_not_named_below_a_shared_folder_is_nobodys_business(shared, tmp_path, name):
    (tmp_path / "shared2").mkdir()
    (tmp_path / "shared2" / "a.png").symlink_to(tmp_path / "mine" / "oak_color.png")
    assert not leads_out(tmp_path / name)
    assert read_picture(tmp_path / name).shape == (8, 8, 3)


def test_a_shared_folder_may_itself_be_a_link(shared, tmp_path):
    (tmp_path / "photos").symlink_to(tmp_path / "shared")
    (shared / "inner.png").symlink_to(tmp_path / "mine" / "oak_color.png")
    confine([tmp_path / "photos"])
    for name in ("shared", "photos"):
        assert leads_out(tmp_path / name / "oak" / "inner.png")
    assert not leads_out(tmp_path / "photos" / "oak" / "oak_color.png")
