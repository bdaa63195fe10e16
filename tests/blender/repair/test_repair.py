"""A masked part of a material is filled by the worker; all else, and what was chosen, stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import bpy
import numpy as np
import pytest

from blender_addon.generation import requests
from blender_addon.repair import mask as repair_mask
from blender_addon.repair import panels, repair
from blender_addon.shader import images, node_tree, projection
from blender_addon.steering import sliders
from blender_addon.worker import panels as worker_panels
from blender_addon.worker import pump, session
from blender_addon.worker.reporting import obstacle_of
from gan_worker.client.events import JobReport, MapReady, MaterialReady
from gan_worker.config import GenerationConfig, Recipe, RepairConfig
from gan_worker.errors import ErrorInfo, RequestError
from gan_worker.estimation import Estimation
from gan_worker.materials.metadata import SOURCE_TYPE, read_metadata
from gan_worker.materials.pictures import read_header, read_stored
from gan_worker.materials.sets import find_materials
from gan_worker.photos.pieces import finished
from gan_worker.progress import GenerationProgress, Notice

from ..conftest import add_lightmap, as_in_another_window
from ..test_panels import draw

CONFIG = GenerationConfig("bricks", seed=5, width=48, height=32)
HIDDEN = np.zeros((32, 48), bool)
HIDDEN[5:12, 20:30] = True


class Bench:
    """A generated material on the active plane, and the worker that repairs it."""

    def __init__(self, worker, obj, maps) -> None:
        self.worker, self.maps = worker, maps
        session.current.protocol = (1, 2)
        (job,) = requests.generate_for_objects([obj], CONFIG)
        worker.finish(job.id, maps)
        self.settle()
        self.material = obj.active_material

    def settle(self) -> None:
        pump.tick()
        pump.finish()

    def mask(self) -> None:
        bpy.ops.tilewright.paint_repair_mask()
        pixels = np.zeros((32, 48, 3), np.uint8)
        pixels[HIDDEN] = 255
        images.write_pixels(self.material.tilewright.repair_mask, pixels)

    def ask(self) -> str:
        """Press Repair, and let the maps be written."""
        before = len(self.worker.submitted)
        assert bpy.ops.tilewright.repair() == {"FINISHED"}
        for _ in range(200):
            pump.tick()
            if len(self.worker.submitted) > before:
                job = list(self.worker.submitted)[-1]
                assert isinstance(self.worker.submitted[job], RepairConfig)
                return job
        raise AssertionError("nothing was asked for")

    def result(self) -> dict[str, np.ndarray]:
        made = {name: pixels.copy() for name, pixels in self.maps.items()}
        for pixels in made.values():
            pixels[HIDDEN] = 7
        return made

    def finish(self, job: str) -> None:
        recipe = Recipe(GenerationConfig("bricks", 1, 48, 32, origin=(0, 0)), "a" * 64, "0.1")
        made = self.result()
        self.worker.state(job, "succeeded")
        self.worker.events += [MapReady(job, name, pixels) for name, pixels in made.items()]
        self.worker.events.append(MaterialReady(job, recipe, made, {}, 0.1))
        self.end()

    def end(self) -> None:
        for _ in range(200):
            pump.tick()
            if repair.of(self.material) is None:
                return
        raise AssertionError("the repair does not end")

    def shown(self) -> dict[str, np.ndarray]:
        """What the images of the material hold, as whole numbers."""
        shown = node_tree.images_of(self.material)
        return {
            name: finished(images.stored_pieces(lambda n=name: shown[n], name, as_held=True))
            for name in self.maps
        }

    def holds(self, maps: dict[str, np.ndarray]) -> bool:
        return all(np.array_equal(pixels, maps[name]) for name, pixels in self.shown().items())


@pytest.fixture
def bench(stand_in, plane, maps) -> Bench:
    return Bench(stand_in, plane, maps)


def test_worker_gets_the_maps_as_they_are_and_the_mask(bench):
    bench.mask()
    config = bench.worker.submitted[bench.ask()]
    assert (config.model, config.tileable, config.scale) == ("bricks", True, 1.0)
    (found,), _, _ = find_materials([Path(config.picture)])
    assert set(found.files) == set(bench.maps)
    for name, file in found.files.items():
        assert np.array_equal(read_stored(file), bench.maps[name]), name
    assert np.array_equal(read_stored(Path(config.mask))[..., 0] == 255, HIDDEN)


def test_maps_of_less_detail_tell_how_much_smaller_they_are(bench):
    (model,) = session.current.models
    session.current.models = (replace(model, octaves=3, stride=64),)
    made = node_tree.recipe_of(bench.material)
    node_tree.store_recipe(bench.material, replace(made, config=replace(CONFIG, mip=3)), {})
    bench.mask()
    assert bench.worker.submitted[bench.ask()].scale == 8.0


def test_of_estimated_maps_the_worker_is_told_what_was_made_of_the_estimates(bench):
    made, chosen = node_tree.recipe_of(bench.material), Estimation(depth=2.0)
    estimated = replace(made, config=replace(CONFIG, estimation=chosen))
    node_tree.store_recipe(bench.material, estimated, {})
    sliders.store(bench.material, estimated.config)
    bench.mask()
    assert "Update Tilewright there" in obstacle_of(repair.check, bench.material)
    session.current.protocol = (1, 6)
    assert bench.worker.submitted[bench.ask()].estimation == chosen


def test_what_was_masked_is_replaced_in_all_maps_and_the_files_say_so(bench, tmp_path):
    recipe, job = bench.material.tilewright.recipe, None
    bench.mask()
    job = bench.ask()
    folder = Path(bench.worker.submitted[job].picture).parent
    assert bench.holds(bench.maps)
    bench.finish(job)
    assert bench.holds(bench.result())
    assert not folder.exists()
    kept = bench.material.tilewright
    assert kept.repaired and kept.recipe == recipe
    assert kept.repair_mask is None and not bpy.ops.tilewright.repair.poll()
    base = node_tree.images_of(bench.material)["base_color"]
    assert base.name == "bricks_5_48x32_repaired_basecolor"
    (tmp_path / "base.png").write_bytes(base.packed_file.data)
    said = read_metadata(read_header(tmp_path / "base.png")[2])
    assert said["source_type"] == SOURCE_TYPE and said["model"] == "bricks"
    assert said["recipe"] is None, "no recipe makes these pixels again"


def test_one_undo_takes_the_repair_away_and_brings_the_mask_back(bench, plane):
    bench.mask()
    job, name = bench.ask(), bench.material.name
    bpy.ops.ed.undo_push(message="before")
    bench.finish(job)
    bpy.ops.ed.undo_push(message="repair")  # pushed by itself where there is a window
    bpy.ops.ed.undo()
    bench.material = bpy.data.materials[name]
    assert bench.holds(bench.maps)
    assert not bench.material.tilewright.repaired
    assert images.read_pixels(bench.material.tilewright.repair_mask)[..., 0].sum() == HIDDEN.sum()
    bpy.ops.ed.redo()
    bench.material = bpy.data.materials[name]
    assert bench.holds(bench.result())
    assert bench.material.tilewright.repaired


def test_repaired_material_and_painted_mask_are_kept_in_the_file(bench, tmp_path):
    bench.mask()
    bench.finish(bench.ask())
    bench.mask()
    name = bench.material.name
    path = str(tmp_path / "repaired.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    bench.material = bpy.data.materials[name]
    assert bench.holds(bench.result())
    assert images.read_pixels(bench.material.tilewright.repair_mask)[..., 0].sum() == HIDDEN.sum()
    assert repair_mask.is_painted(bench.material)
    bpy.ops.tilewright.end_repair_mask()
    assert not repair_mask.is_painted(bench.material)


def test_files_are_named_like_what_they_hold_once_the_scene_is_saved(bench, tmp_path):
    bpy.context.scene.tilewright.storage = "FILES"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bench.mask()
    job = bench.ask()
    with as_in_another_window():
        bench.finish(job)
    bpy.ops.wm.save_mainfile()
    made = {file.name for file in (tmp_path / "textures").iterdir()}
    assert "bricks_5_48x32_repaired_height.png" in made and len(made) == len(bench.maps)
    height = read_stored(tmp_path / "textures" / "bricks_5_48x32_repaired_height.png")
    assert np.array_equal(height, bench.result()["height"])


def test_what_makes_it_anew_says_what_that_undoes_and_undoes_it(bench):
    names = ("regenerate", "switch_size", "switch_area", "estimate_maps")
    buttons = [getattr(bpy.types, f"TILEWRIGHT_OT_{name}") for name in names]
    assert not any("repaired" in b.description(bpy.context, None) for b in buttons)
    bench.mask()
    bench.finish(bench.ask())
    for button in buttons:
        assert button.description(bpy.context, None).endswith(". What was repaired is lost")
    text = " ".join(draw(panels.TILEWRIGHT_PT_repair).split())
    assert "Another resolution, Regenerate and every slider take that away" in text
    bpy.ops.tilewright.regenerate()
    bench.worker.finish(list(bench.worker.submitted)[-1], bench.maps)
    bench.settle()
    assert bench.holds(bench.maps)
    assert not bench.material.tilewright.repaired


def test_mask_is_shown_over_one_tile_while_it_is_painted(bench):
    projection.repeat(bench.material, (3.0, 2.0))
    nodes = bench.material.node_tree.nodes
    assert bpy.ops.tilewright.paint_repair_mask() == {"FINISHED"}
    assert bpy.context.object.mode == "TEXTURE_PAINT"
    mask = bench.material.tilewright.repair_mask
    assert bpy.context.scene.tool_settings.image_paint.canvas == mask
    assert tuple(mask.size) == (48, 32)
    assert projection.repeats(bench.material) == (1.0, 1.0)
    surface = nodes[node_tree.OUTPUT].inputs["Surface"]
    assert surface.links[0].from_node == nodes[repair_mask.MIX]
    bpy.ops.tilewright.paint_repair_mask()  # pressed again, nothing is forgotten
    assert bpy.ops.tilewright.end_repair_mask() == {"FINISHED"}
    assert projection.repeats(bench.material) == (3.0, 2.0)
    assert surface.links[0].from_node == nodes[node_tree.SHADER]
    assert bpy.context.object.mode == "OBJECT"
    assert not {repair_mask.MASK, repair_mask.RED, repair_mask.MIX} & set(nodes.keys())


def test_mask_is_painted_through_the_uv_map_that_is_rendered(bench, plane):
    add_lightmap(plane.data)
    bpy.ops.tilewright.paint_repair_mask()
    assert plane.data.uv_layers.active.active_render
    assert plane.data.uv_layers.active.name != "Lightmap"


def test_copied_material_has_a_mask_of_its_own_and_shows_it(bench, plane):
    bench.mask()
    original, mask = bench.material, bench.material.tilewright.repair_mask
    plane.active_material = copy = original.copy()
    bpy.ops.tilewright.paint_repair_mask()
    own = copy.tilewright.repair_mask
    assert own != mask == original.tilewright.repair_mask
    assert copy.node_tree.nodes[repair_mask.MASK].image == own
    assert original.node_tree.nodes[repair_mask.MASK].image == mask
    np.testing.assert_array_equal(images.read_pixels(own), images.read_pixels(mask))


def test_cancel_keeps_the_material_and_the_mask(bench):
    bench.mask()
    job = bench.ask()
    assert bpy.ops.tilewright.cancel_repair() == {"FINISHED"}
    pump.tick()
    assert ("cancel", job) in bench.worker.calls
    assert repair.of(bench.material) is None, "nothing is waited for"
    bench.finish(job)  # it comes all the same
    assert bench.holds(bench.maps)
    assert not bench.material.tilewright.repaired
    assert images.read_pixels(bench.material.tilewright.repair_mask)[..., 0].sum() == HIDDEN.sum()
    assert bpy.ops.tilewright.repair.poll()


def test_what_goes_wrong_at_the_worker_is_told_and_changes_nothing(bench):
    bench.mask()
    job = bench.ask()
    bench.worker.state(job, "failed", ErrorInfo("out_of_memory", "No room.", "Make room."))
    bench.end()
    assert session.current.last_error.code == "out_of_memory"
    assert "No room.\nMake room." in draw(panels.TILEWRIGHT_PT_repair)
    assert "No room." not in draw(worker_panels.TILEWRIGHT_PT_worker)
    assert bench.holds(bench.maps)


def test_a_material_that_was_changed_meanwhile_is_left_alone(bench, make):
    bench.mask()
    job = bench.ask()
    bpy.ops.tilewright.switch_size(side=96)
    other = make(96, 64, 1)
    bench.worker.finish(list(bench.worker.submitted)[-1], other)
    bench.settle()
    bench.finish(job)
    assert session.current.last_error.code == "wrong_state"
    assert bench.holds(other)


def test_a_worker_that_is_stopped_ends_it(bench):
    bench.mask()
    bench.ask()
    session.current.close()
    bench.end()
    assert session.current.last_error.code == "worker_gone"


@pytest.mark.parametrize("value", [0, 255])
def test_mask_of_nothing_or_everything_is_refused(bench, value):
    bpy.ops.tilewright.paint_repair_mask()
    mask = bench.material.tilewright.repair_mask
    images.write_pixels(mask, np.full((32, 48, 3), value, np.uint8))
    with pytest.raises(RuntimeError, match="all is masked" if value else "nothing is masked"):
        bpy.ops.tilewright.repair(wait=True)
    assert repair.of(bench.material) is None


def test_buttons_say_why_they_are_disabled(bench):
    def reason() -> str:
        return obstacle_of(repair.check, bench.material)

    assert reason() == ""
    assert not bpy.ops.tilewright.repair.poll(), "there is no mask yet"
    session.current.host = "farm"
    assert "it runs on farm" in reason() and "gan-worker repair" in reason()
    session.current.host, session.current.guest = "", True
    assert "was paired with it" in reason() and "On This Computer" in reason()
    session.current.guest = False
    session.current.protocol = (1, 1)
    assert "older than the extension" in reason()
    session.current.protocol = (1, 2)
    bench.mask()
    bench.ask()
    assert "being repaired already" in reason()
    bench.material.tilewright.projection = "BOX"
    assert not bpy.ops.tilewright.paint_repair_mask.poll()


def drawn() -> str:
    panel, context = MagicMock(), MagicMock()
    context.region.width = 400
    panels.TILEWRIGHT_PT_repair.draw(panel, context)
    return str(panel.layout.mock_calls)


def test_remark_of_the_worker_is_shown_until_the_next_repair(bench):
    bench.mask()
    job = bench.ask()
    bench.worker.events.append(JobReport(job, Notice("This model hardly comes near.")))
    bench.finish(job)
    assert "text='This model hardly comes near.', icon='INFO'" in drawn()
    bench.mask()
    job = bench.ask()
    assert "hardly comes near" not in drawn(), "that is about the repair before"
    bench.finish(job)
    assert "was repaired" in drawn() and "hardly comes near" not in drawn()


def test_panel_shows_progress_and_how_long_it_takes(bench):
    assert "paint_repair_mask" in drawn() and "tilewright.repair'" in drawn()
    bench.mask()
    assert "end_repair_mask" in drawn()
    job = bench.ask()
    assert "Repairing: 0%'" in drawn()
    bench.worker.events.append(JobReport(job, GenerationProgress(75, 150)))
    pump.tick()
    assert "Repairing: 50%, 0:00 left" in drawn() and "cancel_repair" in drawn()
    bench.finish(job)
    assert "was repaired" in drawn()


def test_a_picture_whose_file_was_deleted_is_named(stand_in, plane, maps, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "house.blend"))
    bpy.context.scene.tilewright.storage = "FILES"
    (job,) = requests.generate_for_objects(
        [plane], CONFIG, requests.result_order(bpy.context.scene)
    )
    stand_in.finish(job.id, maps)
    pump.tick()
    pump.finish()
    session.current.protocol = (1, 2)
    (tmp_path / "textures" / "bricks_5_48x32_height.png").unlink()
    with pytest.raises(RequestError, match="height cannot be read"):
        repair.repair(plane.active_material)
    with pytest.raises(RequestError, match="height cannot be read"):
        repair_mask.start(plane)


def test_a_mask_is_painted_on_a_mesh_that_is_edited(bench):
    bpy.ops.object.mode_set(mode="EDIT")
    bench.mask()
    assert bpy.context.object.mode == "TEXTURE_PAINT"
