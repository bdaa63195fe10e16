"""A material is kept as an asset, in this file or as a copy in a library, and says whose pictures it comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.generation import requests, results
from blender_addon.output import assets, keeping, previews
from blender_addon.shader import images, node_tree
from blender_addon.worker import pump
from gan_worker.config import Credits, GenerationConfig
from gan_worker.errors import RequestError, StorageError
from gan_worker.materials.maps import MAPS
from gan_worker.photos.pieces import finished

CREDITS = Credits("c" * 64, 3, 0, ("Ann Oak", "Bo Fir"), ("CC0-1.0", "CC-BY-4.0"))


def drawn(**maps: bpy.types.Image) -> np.ndarray:
    return finished(previews.preview_pieces(lambda: maps))


def keep(material: bpy.types.Material, catalog: str, library: str = "") -> Path:
    preview = drawn(**node_tree.images_of(material))
    return assets.keep(material, preview, catalog, library)


@pytest.fixture
def material(stand_in, plane, maps) -> bpy.types.Material:
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    made = plane.active_material
    recipe = replace(node_tree.read_recipe(made), credits=CREDITS)
    node_tree.store_recipe(made, recipe, {})
    return made


@pytest.fixture
def saved(material, tmp_path) -> Path:
    path = tmp_path / "house.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.fixture
def library(tmp_path):
    """An asset library of the preferences, not made on the disk yet."""
    folder = tmp_path / "library"
    libraries = bpy.context.preferences.filepaths.asset_libraries
    added = libraries.new(name="Mine", directory=str(folder))
    yield folder
    libraries.remove(added)


def catalogs(folder: Path) -> dict[str, str]:
    return assets._catalogs((folder / assets.FILE).read_text())


def test_kept_in_this_file_with_all_that_is_known(saved, material):
    bpy.context.scene.tilewright.asset_catalog = "Tilewright/Bricks"
    assert bpy.ops.tilewright.keep_asset() == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    (kept,) = (m for m in bpy.data.materials if m.asset_data)
    data = kept.asset_data
    assert data.catalog_id == catalogs(saved.parent)["Tilewright/Bricks"]
    assert {t.name for t in data.tags} == {
        *("Tilewright", "bricks", "48x32", "Base Color", "Roughness", "Metallic", "Normal"),
        *("Height", "Ambient Occlusion", "Opacity", "Emission"),
    }
    assert (data.author, data.license) == ("Ann Oak, Bo Fir", "CC0-1.0; CC-BY-4.0")
    assert "trained on 3 pictures by Ann Oak, Bo Fir" in data.copyright
    assert "model bricks: seed 5, 48×32, model hash " + "a" * 64 in data.description
    assert tuple(kept.preview.image_size) == (previews.PREVIEW_SIDE, previews.PREVIEW_SIDE)
    assert np.ptp(np.array(kept.preview.image_pixels_float)) > 0.5


def test_the_preview_is_cut_out_and_glows(maps):
    def shown(**values: float) -> np.ndarray:
        made = {}
        for name, value in values.items():
            made[name] = images.new_image(name, name, maps[name], "job")
            images.write_pixels(made[name], np.full_like(maps[name], value * 255))
        return drawn(**made)

    assert np.all(shown(base_color=0)[..., 3] == 1)
    lava = shown(base_color=0, emission=1, opacity=0.2)
    np.testing.assert_allclose(lava[..., :3], 1)
    np.testing.assert_allclose(lava[..., 3], 51 / 255, atol=1e-6)


@pytest.mark.parametrize("size", [(1024, 512), (600, 700), (48, 32)])
def test_the_preview_is_the_average_of_all_pixels_a_row_at_a_time(make, size):
    """A whole map of 4K at once would hold Blender up for a second and more."""
    image = images.new_image("base_color", "base_color", make(*size)["base_color"], "job")
    images.write_pixels(image, make(*size)["base_color"])
    step = max(1, min(size) // previews.PREVIEW_SIDE)
    count = min(size) // step
    whole = images.read_pixels(image)[: count * step, : count * step]
    small = whole.reshape(count, step, count, step, 4).mean(axis=(1, 3))
    places = np.arange(previews.PREVIEW_SIDE) * count // previews.PREVIEW_SIDE
    np.testing.assert_allclose(drawn(base_color=image), small[places][:, places], atol=1e-5)
    assert len(list(previews.preview_pieces(lambda: {"base_color": image}))) > count


def test_keeping_goes_on_beside_the_artist_and_can_be_cancelled(saved, material, library):
    task = keeping.start([material], "Tilewright")
    assert keeping.start([material], "Tilewright") is task
    assert not bpy.ops.tilewright.keep_asset.poll()
    assert bpy.ops.tilewright.cancel_keeping() == {"FINISHED"}
    pump.wait(lambda: task.state != "running", 60)
    assert task.state == "cancelled"
    assert not material.asset_data
    assert not bpy.ops.tilewright.cancel_keeping.poll()
    assert bpy.ops.tilewright.keep_asset(wait=True) == {"FINISHED"}
    assert keeping.AssetKeeping.newest().file == saved
    assert material.asset_data


@pytest.mark.parametrize(("into", "expected"), [("", ["Keep as Asset"]), ("Mine", [])])
def test_what_changes_this_file_is_a_step_of_undo(
    saved, material, library, monkeypatch, into, expected
):
    steps: list[str] = []
    monkeypatch.setattr(results, "push_undo", steps.append)
    bpy.context.scene.tilewright.asset_library = into
    assert bpy.ops.tilewright.keep_asset() == {"FINISHED"}
    assert steps == expected


@pytest.mark.parametrize("change", ["another picture", "deleted"])
def test_a_material_that_changes_while_it_is_kept_is_told_so(saved, material, change):
    task = keeping.AssetKeeping([material], "Tilewright", "")
    steps = task.steps()
    assert next(steps) is False
    if change == "deleted":
        bpy.data.materials.remove(material)
    else:
        name = node_tree.texture_node_name("normal")
        material.node_tree.nodes[name].image = bpy.data.images.new("other", 8, 8)
    assert len(list(steps)) < 100, "it ends at the next map"
    assert task.state == "failed"
    assert "changed or deleted" in task.error.info.message
    assert not any(m.asset_data for m in bpy.data.materials)


def test_license_of_some_pictures_is_not_that_of_all():
    some = replace(CREDITS, unlicensed=1, licenses=("CC0-1.0",))
    assert assets._license(some) == "CC0-1.0; of some pictures not recorded"
    assert assets._license(Credits()) == ""


def test_what_somebody_wrote_stays(saved, material):
    keep(material, "Tilewright")
    material.asset_data.author = "Me"
    material.asset_data.tags.new("favourite")
    recipe = node_tree.read_recipe(material)
    recipe = replace(recipe, config=replace(recipe.config, seed=6))
    node_tree.store_recipe(material, recipe, {})
    keep(material, "Tilewright")
    assert material.asset_data.author == "Me"
    assert "seed 6" in material.asset_data.description
    assert "favourite" in material.asset_data.tags
    assert len([t for t in material.asset_data.tags if t.name == "bricks"]) == 1


def test_file_that_was_never_saved_is_told_so(material, library):
    with pytest.raises(StorageError) as caught:
        keep(material, "Tilewright")
    assert (caught.value.code, caught.value.info.cure) == (
        "file_unwritable",
        "Save the file, or choose an asset library.",
    )
    assert not material.asset_data
    assert not bpy.ops.tilewright.keep_asset.poll()
    bpy.context.scene.tilewright.asset_library = "Mine"
    assert bpy.ops.tilewright.keep_asset.poll()
    bpy.context.scene.tilewright.asset_library = "Nobody's"
    assert not bpy.ops.tilewright.keep_asset.poll()


def test_copy_in_a_library_has_its_pictures_and_leaves_this_file_alone(
    stand_in, saved, material, maps, library
):
    bpy.context.scene.tilewright.asset_library = "Mine"
    before = images.read_pixels(node_tree.images_of(material)["base_color"])
    assert bpy.ops.tilewright.keep_asset() == {"FINISHED"}
    assert not material.asset_data
    (file,) = library.glob("*.blend")
    assert not list(library.glob("*.tmp"))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(file), assets_only=True) as (there, wanted):
        wanted.materials = there.materials
    (copy,) = wanted.materials
    assert copy.asset_data.catalog_id == catalogs(library)["Tilewright"]
    assert copy.asset_data.author == "Ann Oak, Bo Fir"
    found = node_tree.images_of(copy)
    assert set(found) == set(maps)
    assert all(image.packed_file for image in found.values())
    assert (images.read_pixels(found["base_color"]) == before).all()
    assert node_tree.read_recipe(copy).config.seed == 5


def test_keeping_again_replaces_the_copy_and_files_beside_the_blend_stay(
    stand_in, saved, material, make, plane, library
):
    scene = bpy.context.scene.tilewright
    scene.storage = "FILES"
    (job,) = requests.generate_for_objects(
        [plane], GenerationConfig("bricks", 5, 48, 32), requests.result_order(bpy.context.scene)
    )
    stand_in.finish(job.id, make(48, 32))
    pump.tick()
    pump.finish()
    paths = {n: i.filepath for n, i in node_tree.images_of(material).items()}
    first = keep(material, "Tilewright", "Mine")
    assert keep(material, "Tilewright/Walls", "Mine") == first
    assert {n: i.filepath for n, i in node_tree.images_of(material).items()} == paths
    assert not any(i.packed_file for i in node_tree.images_of(material).values())
    assert set(catalogs(library)) == {"Tilewright", "Tilewright/Walls"}
    with bpy.data.libraries.load(str(first)) as (there, wanted):
        wanted.images = there.images
    assert len(wanted.images) == len(MAPS)
    assert all(image.packed_file for image in wanted.images)


def test_asset_of_this_file_keeps_its_catalogue_when_a_copy_goes_to_a_library(
    saved, material, library
):
    keep(material, "House")
    file = keep(material, "Tilewright/Walls", "Mine")
    assert material.asset_data.catalog_id == catalogs(saved.parent)["House"]
    with bpy.data.libraries.load(str(file), assets_only=True) as (there, wanted):
        wanted.materials = there.materials
    assert wanted.materials[0].asset_data.catalog_id == catalogs(library)["Tilewright/Walls"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_copy_for_a_library_changes_nothing_of_who_keeps_the_material(material, library, kept):
    material.use_fake_user = kept
    users = material.users
    keep(material, "Tilewright", "Mine")
    assert not material.asset_data
    assert (material.use_fake_user, material.users) == (kept, users)


def test_file_inside_a_library_uses_the_catalogues_of_its_root(material, library):
    (library / "walls").mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(library / "walls" / "brick.blend"))
    keep(material, "Tilewright")
    assert material.asset_data.catalog_id == catalogs(library)["Tilewright"]
    assert not (library / "walls" / assets.FILE).exists()


def test_library_that_cannot_be_written_is_said_and_nothing_is_left(saved, material, library):
    library.write_text("a file where the folder should be")
    with pytest.raises(StorageError) as caught:
        keep(material, "Tilewright", "Mine")
    assert caught.value.code == "file_unwritable"
    assert not material.asset_data


def test_preview_of_a_slider_and_lost_pictures_are_not_kept(saved, material, maps):
    for image in node_tree.images_of(material).values():
        image[images.JOB_KEY] = images.LIVE_PREFIX + material.tilewright.uuid
    with pytest.raises(RequestError) as caught:
        keep(material, "Tilewright")
    assert "it shows a preview" in str(caught.value)
    lost = bpy.data.images.new("lost", 8, 8)
    lost.source, lost.filepath = "FILE", str(saved.parent / "gone.png")
    material.node_tree.nodes[node_tree.texture_node_name("height")].image = lost
    for name in set(maps) - {"height"}:
        material.node_tree.nodes[node_tree.texture_node_name(name)].image = None
    task = keeping.start([material], "Tilewright")
    task.wait()
    with pytest.raises(RequestError) as caught:
        task.raise_error()
    assert "height cannot be read. Press Regenerate first." in str(caught.value)
    assert not material.asset_data


def test_catalogues_are_added_and_all_else_stays(tmp_path):
    file = tmp_path / assets.FILE
    text = (
        "# mine\n\nVERSION 1\n\n"
        "11111111-1111-4111-8111-111111111111:Walls:Walls\n"
        "22222222-2222-4222-8222-222222222222:Tilewright/Bricks:Tilewright-Bricks"
    )
    file.write_text(text)
    known = assets.catalog_id(tmp_path, " Tilewright / Bricks/")
    assert known == "22222222-2222-4222-8222-222222222222"
    assert file.read_text() == text
    added = assets.catalog_id(tmp_path, "Tilewright/Old: mossy")
    assert file.read_text() == (f"{text}\n{added}:Tilewright/Old- mossy:Tilewright-Old- mossy\n")
    assert assets.catalog_id(tmp_path, "Tilewright/Old: mossy") == added


@pytest.mark.parametrize("content", [b"VERSION 2\n", b"no version\n", b"VERSION 1\n\xff\xfe"])
def test_catalogues_of_another_format_are_left_alone(tmp_path, content):
    file = tmp_path / assets.FILE
    file.write_bytes(content)
    with pytest.raises(StorageError):
        assets.catalog_id(tmp_path, "Tilewright")
    assert file.read_bytes() == content


def test_a_linked_material_is_said_to_be_linked(saved, material):
    name = material.name
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(saved), link=True) as (_, wanted):
        wanted.materials = [name]
    with pytest.raises(RequestError) as caught:
        assets.check(wanted.materials[0], "")
    assert "linked from another, house.blend" in caught.value.info.message
    assert "Make Local" in caught.value.info.cure


@pytest.mark.parametrize("reopened", [False, True])
@pytest.mark.parametrize("into", ["Mine", ""])
def test_a_picture_whose_file_was_deleted_is_named_not_the_library(
    stand_in, plane, maps, library, tmp_path, reopened, into
):
    chosen, path = bpy.context.scene.tilewright, str(tmp_path / "house.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    chosen.storage = "FILES"
    (job,) = requests.generate_for_objects(
        [plane],
        GenerationConfig("bricks", 5, 48, 32),
        requests.result_order(bpy.context.scene),
    )
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    (tmp_path / "textures" / "bricks_5_48x32_roughness.png").unlink()
    if reopened:
        bpy.ops.wm.save_mainfile()
        bpy.ops.wm.open_mainfile(filepath=path)
    with pytest.raises(RequestError) as caught:
        assets.keep(bpy.context.object.active_material, "Tilewright", into)
    assert "roughness cannot be read" in caught.value.info.message
    assert "Regenerate" in caught.value.info.cure
    assert not bpy.context.object.active_material.asset_data
    assert not library.exists()
