"""An artist's path through a Blender window; each test goes on where the one before it stopped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

COBBLES = "Starter Mossy Cobblestone"
SIZE, LARGER = 256, 512
SOME_SPREAD = 4.0  # of 255
# Every wait has its own limit.
pytestmark = pytest.mark.timeout(1800)
GENERATE, START = (f"ops.tilewright.{n}(" for n in ("generate_material", "start_worker"))
CHOSEN = "bpy.context.scene.tilewright"
MATERIAL = "bpy.context.object.active_material"
CONNECTED = "session().connected"
SLIDER = "latents.directions[0].amount"
DRAWN = "addon('steering.variations').configs() and not addon('steering.variations').is_drawing()"


@pytest.fixture(scope="module")
def picture(window: Any) -> Path:
    """Something small to learn from, in a folder of its own."""
    y, x = np.mgrid[0:160, 0:160]
    wave = (np.sin(x / 5) * np.cos(y / 7) + 1) * 100
    folder = window.work / "pictures"
    folder.mkdir()
    path = folder / "waves.png"
    Image.fromarray(np.stack([wave, wave / 2, 255 - wave], -1).astype(np.uint8)).save(path)
    return path


def wait_for_seed(window: Any, seed: int) -> dict[str, Any]:
    """The maps on the active object, once they are those of a seed and all work is done."""
    window.wait(f"look().get('seed') == {seed} and is_quiet()")
    return window.ask("look()")["maps"]


def check(maps: dict[str, Any], side: int = SIZE) -> None:
    assert {"base_color", "roughness", "normal", "height"} <= set(maps)
    for name, found in maps.items():
        assert found["size"] == [side, side]
        assert found["space"] == ("sRGB" if name == "base_color" else "Non-Color")
        assert found["kept"], f"{name} is not packed"
        # A starter without metal has a metallic map of one value.
        assert name == "metallic" or found["spread"] > 0.005, f"{name} is flat"


def face_spread(photo: Path) -> float:
    """How much one face of the cube varies in a picture of the window; plain, not at all."""
    pixels = np.asarray(Image.open(photo).convert("RGB"), np.float32)
    return float(pixels[448:470, 526:560].std((0, 1)).mean())


def test_the_tab_opens_and_says_stopped(window: Any) -> None:
    window.hover_view()
    window.press("n")
    window.wait("open_tab('Tilewright')")
    window.settle()
    assert window.ask("session().state") == "stopped"
    window.photograph("idle")


def test_without_a_worker_its_setup_stands_alone(window: Any) -> None:
    window.wait("addon('worker.setup').get().need == 'missing'")
    window.settle(20)
    window.photograph("setup")
    shown = window.buttons()
    assert "set_up_worker(" in shown
    assert START not in shown and "run_doctor(" not in shown
    assert not window.ask("bpy.ops.tilewright.set_up_worker.poll()")
    window.click("userpref_allow_online(")
    window.wait("bpy.app.online_access and bpy.ops.tilewright.set_up_worker.poll()")
    window.settle(20)
    window.photograph("setup_online")
    window.ask("bpy.context.preferences.system.use_online_access = False")


def test_a_wrong_worker_python_is_named_with_its_cure(window: Any) -> None:
    wrong = window.work / "no-such-python"
    window.ask(f"addon('worker.preferences').get().worker_python = {str(wrong)!r}")
    window.wait("addon('worker.setup').get().need == 'astray'")
    window.click(START, 0.25)
    window.wait("session().last_error")
    assert window.ask("session().last_error.code") == "worker_command"
    assert str(wrong) in window.ask("session().last_error.message")
    assert window.ask("session().last_error.cure")
    window.hover_view()
    window.photograph("error")
    window.click("dismiss_error", 0.85)
    assert window.ask("session().last_error is None")


def test_start_connects(window: Any, workers: Any) -> None:
    window.start_worker()
    assert workers()
    window.wait("session().model_names()")
    # All that the panel says of a worker stands there, so what is below is as far down as it gets.
    window.wait("session().storage")
    window.settle(20)
    window.photograph("connected")


def test_generate_makes_a_material_with_all_its_maps(window: Any) -> None:
    names = window.ask("addon('generation.properties').offered_models()")
    assert names == sorted(names) and len(names) >= 12
    # The list is opened from a field that holds a name already, and scrolled to its last.
    assert COBBLES not in (names[0], names[-1])
    picks = (names[0], "models"), (names[-1], "models_again"), (COBBLES, "")
    for name, picture in picks:
        window.pick("tilewright.model", names.index(name), picture)
        assert window.ask(f"{CHOSEN}.model") == name
    for name in ("width", "height"):
        window.enter(f"tilewright.{name}", str(SIZE))
    window.click(GENERATE)
    check(wait_for_seed(window, 1))


def test_it_shows_in_the_viewport(window: Any) -> None:
    window.hover_view()
    window.ask("shade('MATERIAL')")
    end = time.monotonic() + 300
    while face_spread(window.photograph("generated")) < SOME_SPREAD:
        assert time.monotonic() < end, "the cube stays plain: see out/gui/generated.png"
        window.settle()  # shaders compile at the first look
    window.ask("shade('SOLID')")


def test_another_seed_and_back_and_forth_through_undo(window: Any) -> None:
    first = window.ask("look()")
    window.enter("tilewright.seed", "7")
    window.click(GENERATE)
    second = wait_for_seed(window, 7)
    check(second)
    assert second["base_color"]["mean"] != first["maps"]["base_color"]["mean"]
    window.hover_view()
    window.press("ctrl+z")
    # It also stays so: nothing is asked for again.
    window.wait(f"is_quiet() and look() == {first!r}")
    window.press("ctrl+shift+z")
    window.wait(f"is_quiet() and look()['seed'] == 7 and look()['maps'] == {second!r}")


def test_a_slider_is_followed_and_is_one_undo_step(window: Any) -> None:
    before = window.ask("look()")
    window.fold(GENERATE)  # the sliders come up from below
    window.hold(SLIDER)
    window.pull(40)
    window.wait(f"look()['maps'] != {before['maps']!r}")
    window.photograph("slider")
    window.pull(20)
    window.release()
    window.wait("is_quiet()")
    after = window.ask("look()")
    assert list(after["directions"]) == ["pca 1"] and after["directions"]["pca 1"] > 0
    check(after["maps"])
    assert after["maps"]["base_color"]["mean"] != before["maps"]["base_color"]["mean"]
    window.hover_view()
    window.press("ctrl+z")
    window.wait(f"is_quiet() and look() == {before!r}")
    window.press("ctrl+shift+z")
    window.wait(f"is_quiet() and look() == {after!r}")


def test_a_variation_is_chosen_by_its_picture(window: Any) -> None:
    before = window.ask("look()")
    window.fold(SLIDER, 0.7)
    window.click("tilewright.explore", 0.13)
    window.press("a")
    window.wait(DRAWN)
    wanted = window.ask("dict(addon('steering.variations').configs()[0].directions)")
    window.photograph("exploring")
    window.click("choose_variation(", 0.15)
    window.wait(f"is_quiet() and look()['directions'] == {wanted!r}")
    assert wanted != before["directions"]
    check(window.ask("look()['maps']"))
    window.wait(DRAWN)  # of what lies around the new middle
    window.click("tilewright.explore", 0.13)
    assert not window.ask(f"{CHOSEN}.explore")


def test_training_can_be_watched_and_stopped(window: Any, picture: Path) -> None:
    window.click("add_pictures")
    window.choose_file(picture)
    assert window.ask(f"[p.path for p in {CHOSEN}.pictures]") == [str(picture)]
    window.enter("tilewright.minutes", "30")
    window.choose("tilewright.preset", "s")
    assert window.ask(f"{CHOSEN}.preset") == "nano"
    window.click("ops.tilewright.start_training(", 0.25)
    window.wait("session().training and session().training.progress")
    window.wait("session().training.progress.step > 2 and addon('training.preview').is_there()")
    assert window.ask("session().training.progress.eta") > 0
    window.photograph("training")
    window.click("stop_training", 0.6)
    window.wait("session().training.state == 'succeeded'")
    window.wait("'waves' in session().model_names()")  # as its picture is named
    window.photograph("trained")


def test_a_second_training_has_a_name_of_its_own_and_a_taken_one_is_refused_in_its_panel(
    window: Any,
) -> None:
    proposed = "addon('training.runs').proposed_name(bpy.context.scene)"
    window.wait(f"{proposed} == 'waves 2'")
    window.enter('"].tilewright.run', "waves")  # an operator's name begins like it
    assert window.ask(f"{CHOSEN}.run") == "waves"
    window.click("ops.tilewright.start_training(", 0.25)
    window.wait("session().training.state == 'failed'")
    assert window.ask("session().training.error.code") == "run_exists"
    window.open_only("Train")
    window.photograph("name_taken")
    window.click("dismiss_error(", 0.85)
    window.wait("session().training.error is None")
    window.ask(f"{CHOSEN}.run = ''")


def test_saved_textures_are_there_after_reopening(window: Any) -> None:
    before, path = window.ask("look()"), str(window.work / "artist.blend")
    window.ask(f"bpy.ops.wm.save_as_mainfile(filepath={path!r}) and None")
    window.ask(f"bpy.ops.wm.open_mainfile(filepath={path!r}) and None")
    window.wait(f"bpy.data.filepath == {path!r} and look()")
    assert window.ask("look()") == before
    check(before["maps"])
    assert window.ask(CONNECTED), "opening a file must not cost the connection"


def test_another_size_and_lost_textures_come_by_one_click_each(window: Any) -> None:
    window.wait("open_tab('Tilewright')")  # the file brought its own window
    before = window.ask("look()")
    window.open_only("Material")
    window.click(f"switch_size(side={LARGER})", 0.15)
    window.wait(f"is_quiet() and look()['maps']['height']['size'] == [{LARGER}, {LARGER}]")
    large = window.ask("look()")
    check(large["maps"], LARGER)
    assert (large["seed"], large["directions"]) == (before["seed"], before["directions"])
    lost = f"addon('shader.node_tree').images_of({MATERIAL})['base_color']"
    window.ask(f"bpy.data.images.remove({lost})")
    window.click("regenerate(")
    window.wait(f"is_quiet() and look() == {large!r}")
    window.photograph("material")


def test_a_loop_is_baked(window: Any) -> None:
    window.open_only("Motion")
    window.enter("motion.frames", "4")
    window.click("bake_motion(")
    bake = "addon('animation.motion').MotionBake.newest()"
    window.wait(f"{bake} and {bake}.state != 'running'")
    assert window.ask(f"{bake}.state") == "succeeded", window.ask(f"str({bake}.error)")
    assert window.ask(f"addon('shader.node_tree').shows_sequence({MATERIAL})")
    assert window.ask(f"{bake}.evenness.closing") < 2
    assert len(list(window.work.glob("textures/*/*_basecolor_*.png"))) == 4
    window.settle(20)
    window.photograph("motion")
    window.open_only("Latents")
    window.click("apply_latents(")
    window.wait("is_quiet() and look()['maps'].get('height', {}).get('kept')")
    check(window.ask("look()['maps']"), LARGER)


def test_looks_are_painted(window: Any) -> None:
    window.open_only("Favorites")
    for amount in (4, -4):
        window.ask(f"{MATERIAL}.tilewright.latents.directions['pca 1'].amount = {amount}")
        window.click("add_favourite(")
    window.wait(f"is_quiet() and len({CHOSEN}.favourites) == 2")
    window.open_only("Paint Looks")
    for place in (0, 1):  # a menu cannot be found by what lies under the pointer
        window.ask(f"bpy.ops.tilewright.add_look(uid={CHOSEN}.favourites[{place}].uid)")
    window.click("paint_looks(", 0.2)
    window.wait("bpy.context.object.mode == 'TEXTURE_PAINT' and is_quiet()")
    before = window.ask(f"{MATERIAL}.tilewright.recipe")
    window.ask("remember()")
    looks = f"{MATERIAL}.tilewright.painted_looks"
    color = f"addon('painting.painting').COLORS[{looks}[1].place]"
    # Debian's Blender comes without brushes.
    window.ask(f"paint({MATERIAL}.tilewright.style_image, {color}, 1, 0.5)")
    window.wait(f"{MATERIAL}.tilewright.recipe != {before!r} and is_quiet()")
    # A tile is eight cells of the latent grid wide, and what lies three beyond a border is drawn from both sides.
    painted, left_alone = window.ask("changes(0.25)")
    assert painted > 0.01
    assert left_alone < painted / 5, "what was not painted stays"
    window.photograph("painting")
    window.click("mode_set(")
    window.wait("bpy.context.object.mode == 'OBJECT' and is_quiet()")
    check(window.ask("look()['maps']"), LARGER)


def test_a_part_is_repaired(window: Any) -> None:
    window.open_only("Repair")
    window.click("paint_repair_mask(")
    window.wait("bpy.context.object.mode == 'TEXTURE_PAINT'")
    window.ask("remember()")
    window.ask(f"paint({MATERIAL}.tilewright.repair_mask, (1, 1, 1), 0.1, 0.1)")
    window.settle(20)
    window.photograph("repair_mask")
    window.click("tilewright.repair(")
    window.wait(f"{MATERIAL}.tilewright.repaired or session().last_error")
    assert window.ask("session().last_error is None"), window.ask("str(session().last_error)")
    masked, left_alone = window.ask("changes()")
    assert masked > 0
    assert left_alone == 0, "what was not masked stays to the bit"
    window.settle(20)
    window.photograph("repaired")
    window.ask("shade('SOLID')")


def test_more_pixels_are_the_same_tile_with_more_detail(window: Any) -> None:
    y, x = np.mgrid[0:512, 0:512]
    wave = (np.sin(x / 20) * np.cos(y / 28) + 1) * 80
    grain = np.clip(wave + np.random.default_rng(1).normal(40, 20, wave.shape), 0, 255)
    path = window.work / "grain.png"
    Image.fromarray(np.stack([grain, grain / 2, 255 - grain], -1).astype(np.uint8)).save(path)
    window.ask(f"train_briefly('grain', {str(path)!r}, octaves=2)")
    window.wait("session().training.done and 'grain' in session().model_names()")
    window.ask("bpy.ops.object.mode_set(mode='OBJECT') and None")
    window.open_only("Generate")
    window.ask(f"{CHOSEN}.model, {CHOSEN}.seed = 'grain', 11")
    window.click(GENERATE)
    maps = wait_for_seed(window, 11)
    assert maps["base_color"]["size"] == [SIZE, SIZE]
    assert {"roughness", "normal", "height"} <= set(maps), "what it has not learned is estimated"
    window.ask("remember()")
    window.photograph("tile_area")
    repeats = window.ask(f"addon('shader.projection').repeats({MATERIAL})")
    window.open_only("Material")
    window.click(f"switch_size(side={4 * SIZE})")
    window.wait(f"is_quiet() and look()['maps']['base_color']['size'] == [{4 * SIZE}, {4 * SIZE}]")
    alike, finer = window.ask("more_detail()")
    assert alike > 0.9, "its shapes lie where they lay"
    assert finer > 0.3, "what is finer than they are is there"
    assert window.ask(f"addon('shader.projection').repeats({MATERIAL})") == repeats
    window.photograph("more_pixels")


def test_a_look_is_chosen_by_its_picture(window: Any, picture: Path) -> None:
    rings = np.hypot(*np.mgrid[-80:80, -80:80]) % 20 * 12
    path = window.work / "rings.png"
    Image.fromarray(np.stack([rings, 255 - rings, rings / 3], -1).astype(np.uint8)).save(path)
    window.ask(f"train_briefly('two', {str(picture)!r}, {str(path)!r}, octaves=0)")
    window.wait("session().training.done and 'two' in session().model_names()")
    window.open_only("Generate")
    window.ask(f"{CHOSEN}.model, {CHOSEN}.seed = 'two', 3")
    window.click(GENERATE)
    wait_for_seed(window, 3)
    window.open_only("Looks")
    window.wait("not addon('steering.variations').is_drawing() and is_quiet()")
    window.settle(20)
    window.photograph("looks")
    styles = window.ask("session().model('two').styles")
    assert sorted(styles) == ["rings", "waves"]
    colors = []
    for look, column in zip(styles, (0.15, 0.5), strict=True):
        window.click("choose_look(", column)
        window.wait(f"{MATERIAL}.tilewright.latents.material == {look!r} and is_quiet()")
        colors.append(window.ask("look()['maps']['base_color']['mean']"))
    assert colors[0] != colors[1]
    window.settle(20)
    window.photograph("look_chosen")
