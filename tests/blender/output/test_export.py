"""The Export button writes what the command line writes, from the pictures of the material."""

from __future__ import annotations

import sys

import bpy
import numpy as np
import pytest

from blender_addon.generation import requests
from blender_addon.output import export as material_export
from blender_addon.shader import node_tree, surface
from blender_addon.worker import pump
from gan_worker.config import GenerationConfig
from gan_worker.errors import RequestError, StorageError
from gan_worker.exports.export import ExportedMaterial, export_material
from gan_worker.exports.targets import ExportTarget
from gan_worker.materials.metadata import material_metadata, read_metadata
from gan_worker.materials.pictures import read_header


@pytest.fixture
def material(stand_in, plane, maps) -> bpy.types.Material:
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    return plane.active_material


def export(target: str, folder) -> material_export.MaterialExport:
    chosen = bpy.context.scene.tilewright
    chosen.export_target, chosen.export_folder = target, str(folder)
    assert bpy.ops.tilewright.export_material(wait=True) == {"FINISHED"}
    return material_export.MaterialExport.newest()


@pytest.mark.parametrize("target", ["gltf", "unreal", "unity", "godot"])
def test_button_writes_the_bytes_of_the_command_line(material, maps, target, tmp_path):
    done = export(target, tmp_path / "button")
    (tmp_path / "command").mkdir()
    name = bpy.path.clean_name(material.name)
    metadata = material_metadata(node_tree.read_recipe(material))
    expected = ExportedMaterial(name, maps, metadata)
    wanted = [f for f, _ in export_material(expected, ExportTarget(target), tmp_path / "command")]
    assert [f.name for f, _ in done.files] == [f.name for f in wanted]
    for file in wanted:
        assert (tmp_path / "button" / file.name).read_bytes() == file.read_bytes(), file.name
    assert (done.state, done.progress.done) == ("succeeded", done.progress.total)


def test_files_of_a_repaired_material_name_no_recipe(material, tmp_path):
    (whole, _), *_ = export("unreal", tmp_path / "whole").files
    material.tilewright.repaired = True
    (repaired, _), *_ = export("unreal", tmp_path / "repaired").files
    before, after = (read_metadata(read_header(file)[2]) for file in (whole, repaired))
    assert before["recipe"]["seed"] == 5
    assert after == {**before, "recipe": None}


def test_gltf_comes_back_through_blenders_own_importer(material, maps, tmp_path):
    done = export("gltf", tmp_path)
    file = next(f for f, _ in done.files if f.suffix == ".gltf")
    known = set(bpy.data.materials)
    bpy.ops.import_scene.gltf(filepath=str(file))
    (back,) = set(bpy.data.materials) - known
    shader = next(n for n in back.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    image = shader.inputs["Base Color"].links[0].from_node.image
    pixels = np.empty(48 * 32 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    shown = np.round(pixels.reshape(32, 48, 4)[::-1, :, :3] * 255)
    assert np.array_equal(shown, maps["base_color"])


@pytest.mark.parametrize(("target", "package"), [("materialx", "MaterialX"), ("usd", "pxr")])
def test_documents_that_need_a_library(material, target, package, tmp_path, monkeypatch):
    pytest.importorskip(package, reason="needs the extra 'export'")
    assert export(target, tmp_path).files[-1][0].suffix in (".mtlx", ".usda")
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    material_export.look_for_libraries()
    try:
        assert not bpy.ops.tilewright.export_material.poll()
        with pytest.raises(RequestError) as caught:
            material_export.start(material, ExportTarget(target), str(tmp_path))
        assert f"gan-worker export MODEL --to {target}" in str(caught.value)
    finally:
        monkeypatch.undo()
        material_export.look_for_libraries()


def test_maps_that_are_left_out_are_not_exported(material, tmp_path):
    for name in ("normal", "ambient_occlusion"):
        surface.use_map(material, name, False)
    files = [file.name for file, _ in export("godot", tmp_path).files]
    assert not any("normal" in name for name in files)
    assert any("orm" in name for name in files)


def test_export_goes_on_with_every_tick_and_can_be_cancelled(material, tmp_path):
    running = material_export.start(material, ExportTarget.gltf, str(tmp_path / "all"))
    with pytest.raises(RequestError):
        material_export.start(material, ExportTarget.unity, str(tmp_path))
    assert bpy.ops.tilewright.cancel_export() == {"FINISHED"}
    running.wait()
    assert (running.state, running.files) == ("cancelled", [])
    assert not bpy.ops.tilewright.cancel_export.poll()
    assert bpy.ops.tilewright.export_material.poll() is False  # //export, never saved


def test_material_deleted_meanwhile_is_an_error_and_another_file_ends_it(material, tmp_path):
    running = material_export.start(material, ExportTarget.gltf, str(tmp_path))
    bpy.data.materials.remove(material)
    running.wait()
    with pytest.raises(RequestError) as caught:
        running.raise_error()
    assert (running.state, caught.value.code) == ("failed", "wrong_state")
    bpy.ops.wm.read_homefile(use_empty=True)
    assert material_export.MaterialExport.newest() is None


@pytest.mark.parametrize("folder", ["//export", "", "export"])
def test_a_folder_that_is_nowhere_is_refused(material, folder):
    with pytest.raises(StorageError) as caught:
        material_export.start(material, ExportTarget.gltf, folder)
    assert caught.value.code == "file_unwritable"
    assert ("Save the file" in caught.value.info.cure) == folder.startswith("//")


def test_folder_that_cannot_be_made_is_said(material, tmp_path):
    (tmp_path / "taken").write_text("a file")
    chosen = bpy.context.scene.tilewright
    chosen.export_folder = str(tmp_path / "taken" / "out")
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.tilewright.export_material(wait=True)
    assert "[file_unwritable]" in str(caught.value)


@pytest.fixture
def linked(material, tmp_path) -> bpy.types.Material:
    """The material, linked from the file that it was made in."""
    name, path = material.name, str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.materials = [name]
    bpy.ops.mesh.primitive_plane_add()
    bpy.context.object.data.materials.append(wanted.materials[0])
    return wanted.materials[0]


@pytest.mark.parametrize("beside", [False, True])
def test_a_linked_material_is_exported(linked, maps, tmp_path, beside):
    if beside:  # a local copy with the same uuid and other pictures is not it
        copy = linked.copy()
        copy.use_fake_user = True
        for node in copy.node_tree.nodes:
            if node.type == "TEX_IMAGE":
                node.image = bpy.data.images.new("black", 48, 32)
    done = export("unreal", tmp_path / "files")
    (tmp_path / "command").mkdir()
    name, said = bpy.path.clean_name(linked.name), node_tree.read_metadata(linked)
    whole = ExportedMaterial(name, maps, said)
    wanted = [f for f, _ in export_material(whole, ExportTarget("unreal"), tmp_path / "command")]
    assert [f.read_bytes() for f, _ in done.files] == [f.read_bytes() for f in wanted]


def test_a_packed_material_is_exported_as_it_is(material, tmp_path):
    """From Blender 5.0 on assets are packed when they are dropped into a scene."""
    name, path = material.name, str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    try:
        with bpy.data.libraries.load(path, link=True, pack=True) as (_, wanted):
            wanted.materials = [name]
    except TypeError:
        pytest.skip("This Blender packs no linked data.")
    bpy.ops.mesh.primitive_plane_add()
    bpy.context.object.data.materials.append(wanted.materials[0])
    assert not wanted.materials[0].is_editable
    assert export("gltf", tmp_path / "files").state == "succeeded"


def test_files_of_a_material_with_a_very_long_name_are_written(material, tmp_path):
    material.name = "石" * 85
    files = [file for file, _ in export("unreal", tmp_path / "files").files]
    assert files
    assert all(file.is_file() and len(file.name.encode()) < 256 for file in files)
