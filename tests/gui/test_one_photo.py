"""One photo's path from the desktop to an export; each test goes on where the one before it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SIZE = 256
# Every wait has its own limit.
pytestmark = pytest.mark.timeout(1800)
CHOSEN = "bpy.context.scene.tilewright"
MATERIAL = "bpy.context.object.active_material"
ESTIMATED = {"roughness", "normal", "height", "ambient_occlusion"}
# The corners of a block of tiles in the photo, as shares of its width and height.
TILES = ((0.225, 0.02), (0.765, 0.02), (0.945, 0.98), (0.045, 0.98))


@pytest.fixture(scope="module", autouse=True)
def desk(window: Any) -> None:
    """The worker runs, also where these tests are run alone."""
    if not window.ask("session().connected"):
        window.hover_view()
        window.press("n")
        window.wait("open_tab('Tilewright')")
        window.start_worker()


@pytest.fixture(scope="module")
def photo(window: Any) -> Path:
    """A floor of tiles, taken askew, with light from one side; drawn."""
    y, x = np.mgrid[0:480, 0:640] / 480
    far = 0.6 + 0.4 * y  # the upper edge is further away
    across, down = (x - 0.66) / far, 1 / far
    mortar = (np.mod(across * 6, 1) < 0.1) | (np.mod(down * 12, 1) < 0.12)
    light = 0.35 + 0.65 * x / x.max()
    tiles = np.where(mortar[..., None], (0.8, 0.8, 0.75), (0.65, 0.3, 0.2)) * light[..., None]
    folder = window.work / "photos"
    folder.mkdir()
    path = folder / "floor of tiles.png"
    Image.fromarray((tiles * 255).astype(np.uint8)).save(path)
    return path


def wait_for_photo(window: Any) -> dict[str, Any]:
    """The maps on the active object, once the photo is its material."""
    task = "addon('generation.photo').PhotoMaterial.newest()"
    window.wait(f"{task} and {task}.state != 'running'")
    assert window.ask(f"{task}.state") == "succeeded", window.ask(f"str({task}.error)")
    window.wait("is_quiet() and 'normal' in look()['maps']")
    maps = window.ask("look()")["maps"]
    assert set(maps) == {"base_color", *ESTIMATED}
    assert all(found["kept"] for found in maps.values())
    return maps


def drag(window: Any, start: list[int], end: list[int]) -> None:
    window.move(*start)
    window.call("xdotool", "mousedown", 1)
    window.settle(2)
    window.move(*end)
    window.release()


def test_a_photo_is_dropped_into_the_image_editor_and_its_corners_dragged(
    window: Any, photo: Path
) -> None:
    window.ask("show_image_editor()")
    window.settle(20)
    window.drop(photo, *window.ask("middle()"))
    window.wait(f"photo() and photo().filepath == {str(photo)!r}")
    window.wait("open_tab('Tilewright')")
    window.settle(20)
    window.hover_view()
    window.press("Home")  # all of it is seen
    window.click("edit_corners(", 0.25)
    window.settle(20)
    start, wanted = window.ask("places([corners()[0], (0.28, 0.16)])")
    drag(window, start, wanted)
    (reached,) = window.ask("places(corners()[:1])")
    assert max(abs(a - b) for a, b in zip(reached, wanted, strict=True)) <= 2
    window.photograph("photo_corners")
    window.press("Escape")
    window.settle(20)
    assert not window.ask("photo().tilewright.is_cut"), "as it was before"


def test_suggest_finds_the_tiles(window: Any) -> None:
    window.click("suggest_corners(", 0.7)
    suggested = "addon('photos.suggestion').newest(photo())"
    window.wait(f"{suggested}.state == 'succeeded'")
    assert window.ask(f"{suggested}.found")
    window.settle(20)
    window.photograph("photo_suggested")


def test_it_is_straightened_by_its_corners_the_last_one_zoomed(window: Any) -> None:
    window.click("edit_corners(", 0.25)
    for n, corner in enumerate(TILES):
        near = (corner[0] + 0.01, corner[1] - 0.01) if n == 3 else corner
        drag(window, *window.ask(f"places([corners()[{n}], {near}])"))
    window.move(*window.ask("places(corners()[3:])")[0])
    window.call("xdotool", "click", 4)  # the wheel zooms in
    window.settle(20)
    drag(window, *window.ask(f"places([corners()[3], {TILES[3]}])"))
    window.photograph("photo_zoomed")
    window.press("Return")
    window.settle(20)
    assert window.ask("photo().tilewright.is_cut")
    assert np.allclose(window.ask("corners()"), TILES, atol=0.005)
    assert window.ask("addon('photos.overlay').editing().area") == 0


def test_before_and_after(window: Any) -> None:
    window.hover_view()
    window.press("Home")
    window.enter("tilewright.even_light", "1")
    window.photograph("photo_before")
    before = window.ask("look_at_light()")
    window.click("show_prepared(")
    window.wait("addon('photos.preview').newest(photo()).state == 'succeeded'")
    window.settle(20)
    window.photograph("photo_after")
    assert window.ask("look_at_light()") < before / 3
    window.click("check_photo(")
    window.wait("addon('photos.look').newest(photo()).state == 'succeeded'")
    window.settle(20)
    window.photograph("photo_checked")
    window.click("show_prepared(")
    assert window.ask("photo() == view()[1].spaces.active.image")


def test_photo_to_material_is_pressed(window: Any) -> None:
    window.click("photo_to_material(")
    maps = wait_for_photo(window)
    assert maps["base_color"]["size"] != [640, 480]
    window.settle(20)
    window.photograph("photo_made")
    task = "addon('generation.photo').PhotoMaterial.newest()"
    assert window.ask(f"{task}.outcome")[0] == "floor of tiles is the material of Cube now"
    window.ask("show_view()")
    window.wait("open_tab('Tilewright')")
    window.where.clear()
    window.hover_view()
    window.ask("shade('MATERIAL')")
    window.settle(40)
    window.photograph("photo_to_material")


def test_a_photo_dropped_onto_an_object_becomes_its_material(window: Any, photo: Path) -> None:
    window.ask("bpy.data.objects.new('Elsewhere', None)")
    window.ask("bpy.context.collection.objects.link(bpy.data.objects['Elsewhere'])")
    window.ask("setattr(bpy.context.view_layer.objects, 'active', bpy.data.objects['Elsewhere'])")
    window.drop(photo, 543, 459)  # the cube
    window.settle(20)
    window.photograph("photo_dropped")
    window.press("p")  # in the menu of all that takes pictures
    made = "bpy.data.objects['Cube'].active_material.tilewright.model"
    window.wait(f"{made} == 'floor of tiles 2' and is_quiet()")
    window.ask("setattr(bpy.context.view_layer.objects, 'active', bpy.data.objects['Cube'])")
    window.ask("bpy.ops.ed.undo_push(message='Active') and None")  # an undo comes back to here
    wait_for_photo(window)


def test_its_relief_follows_the_sliders(window: Any) -> None:
    window.open_only("Material")
    before = window.ask("look()")
    window.photograph("estimated_maps")
    window.hold("estimation.depth")
    window.pull(40)
    window.wait(f"look()['maps']['normal'] != {before['maps']['normal']!r}")
    window.photograph("depth")
    window.release()
    window.wait("is_quiet()")
    deep = window.ask("look()")
    assert window.ask(f"{MATERIAL}.tilewright.latents.estimation.depth") > 1
    assert deep["maps"]["normal"]["mean"] < before["maps"]["normal"]["mean"], "blue, as they lean"
    assert deep["maps"]["base_color"] == before["maps"]["base_color"]
    window.click("estimation.invert", 0.6)
    window.wait(f"is_quiet() and look()['maps']['height'] != {deep['maps']['height']!r}")
    inverted = window.ask("look()")
    assert window.ask(f"{MATERIAL}.tilewright.latents.estimation.invert")
    window.settle(20)
    window.photograph("inverted")
    window.hover_view()
    for step in (deep, before):
        window.press("ctrl+z")
        window.wait(f"is_quiet() and look() == {step!r}")
    for step in (deep, inverted):
        window.press("ctrl+shift+z")
        window.wait(f"is_quiet() and look() == {step!r}")


def test_it_is_learned_and_what_is_generated_has_all_maps(window: Any, photo: Path) -> None:
    window.ask(f"{CHOSEN}.pictures.clear()")
    window.open_only("Train")
    window.click("add_pictures")
    window.choose_file(photo)
    window.enter("tilewright.minutes", "0.05")
    window.choose("tilewright.preset", "s")
    assert window.ask(f"{CHOSEN}.preset") == "nano"
    window.photograph("photo_train")
    window.click("ops.tilewright.start_training(", 0.25)
    window.wait("session().training.done and session().training.config.preset == 'nano'")
    assert window.ask("session().training.state") == "succeeded"
    window.photograph("photo_trained")
    name = window.ask("session().training.name")
    window.wait(f"{CHOSEN}.model == {name!r}")
    window.open_only("Generate")
    for side in ("width", "height"):
        window.enter(f"tilewright.{side}", str(SIZE))
    window.photograph("photo_generate")
    window.click("ops.tilewright.generate_material(")
    window.wait(f"is_quiet() and look().get('maps') and {MATERIAL}.tilewright.model == {name!r}")
    maps = window.ask("look()")["maps"]
    assert set(maps) == {"base_color", *ESTIMATED}
    assert all(found["size"] == [SIZE, SIZE] and found["kept"] for found in maps.values())


def test_it_is_validated(window: Any) -> None:
    window.open_only("Material")
    for what in ("set_projection(", "estimation.depth"):
        window.fold(what, 0.7)
    window.open_part("Validate", "keep_asset(", closed=2)
    window.click("validate_material(")
    task = f"addon('output.validation').newest({MATERIAL})"
    window.wait(f"{task} and {task}.state != 'running'")
    assert window.ask(f"{task}.state") == "succeeded", window.ask(f"str({task}.error)")
    findings = window.ask(f"[[f.map, f.state.value, f.message, f.cure] for f in {task}.findings]")
    assert {name for name, *_ in findings} >= ESTIMATED
    assert "bad" not in {state for _, state, *_ in findings}, findings
    assert all(cure for _, state, _, cure in findings if state != "ok")
    window.settle(20)
    window.photograph("validated")


def test_it_is_exported_with_all_its_maps(window: Any) -> None:
    folder = window.work / "exported"
    window.ask(f"{CHOSEN}.export_folder = {str(folder)!r}")
    window.open_part("Export", "keep_asset(")
    window.click("export_material(")
    export = "addon('output.export').MaterialExport.newest()"
    window.wait(f"{export} and {export}.state != 'running'")
    assert window.ask(f"{export}.state") == "succeeded", window.ask(f"str({export}.error)")
    window.settle(20)
    window.photograph("exported")
    (file,) = folder.rglob("*.gltf")
    (found,) = json.loads(file.read_text())["materials"]
    assert {"normalTexture", "occlusionTexture"} <= set(found)
    assert "metallicRoughnessTexture" in found["pbrMetallicRoughness"]
    window.ask("shade('SOLID')")
