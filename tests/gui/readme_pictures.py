"""Makes the README's pictures of the panels again: `scripts/test_gui tests/gui/readme_pictures.py`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gan_worker.runs.run import BUNDLED

ROOT = Path(__file__).resolve().parents[2]
SCALE = 1.25  # of the interface, so that it can be read when the picture is made smaller
PICTURES = ROOT / ".github" / "pictures"
SIZE = (1280, 800)
MOST_BYTES = 150_000
UP, DOWN = 4, 5  # the mouse wheel
MODEL = "Starter Mossy Cobblestone"
MANY = "Starter Library"
LEARNED = "Starter Aged Bricks"  # from its real picture a training is shown
CHOSEN = "bpy.context.scene.tilewright"
PREFERENCES = "addon('worker.preferences').get()"
START = "ops.tilewright.start_worker("
GENERATE = "ops.tilewright.generate_material("
pytestmark = pytest.mark.timeout(3600)

SCENE = f"""
import mathutils

for obj in list(bpy.data.objects):
    bpy.data.objects.remove(obj)
bpy.ops.mesh.primitive_plane_add(size=40)
bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, location=(-1.3, 0, 1))
bpy.ops.object.shade_smooth()
bpy.ops.mesh.primitive_cube_add(size=1.7, location=(1.2, 0.3, 0.85), rotation=(0, 0, 0.5))
for name, repeats in (("Plane", (10, 10)), ("Sphere", (2, 1)), ("Cube", (2, 2))):
    bpy.data.objects[name].select_set(True)
    for corner in bpy.data.objects[name].data.uv_layers[0].data:
        corner.uv = [at * many for at, many in zip(corner.uv, repeats)]
space = view()[1].spaces.active
space.region_3d.view_location = (0, 0, 0.8)
space.region_3d.view_rotation = mathutils.Euler((1.2, 0, 0.25)).to_quaternion()
space.region_3d.view_distance = 5.2
space.overlay.show_overlays = space.show_gizmo = space.show_region_toolbar = False
space.shading.studiolight_intensity = 2.0
bpy.context.scene.tilewright.target = "SELECTED"
bpy.context.scene.eevee.taa_samples = 4
bpy.context.preferences.view.ui_scale = {SCALE}
"""

# A path across a lawn.
PAINTED_LOOKS = {"lawn": "Grass", "path": "Forest Soil"}
PAINTED = f"""
import mathutils

for obj in list(bpy.data.objects):
    bpy.data.objects.remove(obj)
bpy.ops.mesh.primitive_plane_add(size=3)
space = view()[1].spaces.active
space.region_3d.view_location = (0, 0.1, 0)
space.region_3d.view_rotation = mathutils.Euler((0.75, 0, 0.35)).to_quaternion()
space.region_3d.view_distance = 3.4
bpy.context.scene.tilewright.target = "ACTIVE"
bpy.context.scene.tilewright.model = {MANY!r}
"""
# A path of the second look across the tile; Debian's Blender comes without brushes.
STROKE = """
image = bpy.context.object.active_material.tilewright.style_image
y, x = np.mgrid[0 : image.size[1], 0 : image.size[0]] / image.size[0]
painted = np.abs(x - 0.5 - 0.15 * np.sin(2 * np.pi * y)) < 0.14
rgba = np.empty((image.size[1], image.size[0], 4), np.float32)
image.pixels.foreach_get(rgba.reshape(-1))
rgba[painted, :3] = addon("painting.painting").COLORS[1]
image.pixels.foreach_set(rgba.reshape(-1))
image.update()
"""


@pytest.fixture(scope="module")
def desk(window: Any) -> Iterator[Any]:
    """A 3D View as large as the screen, with something to wear a material and a wide sidebar."""
    window.hover_view()
    window.press("n")
    window.wait("open_tab('Tilewright')")
    window.ask(SCENE)
    window.hover_view()
    window.press("ctrl+space")
    window.wait("len(view()[0].screen.areas) == 1")
    window.settle(10)
    window.move(window.ask("sidebar()")[0], 500)  # its edge, which is pulled
    window.call("xdotool", "mousedown", 1)
    window.settle()
    window.pull(-120, 0.005)
    window.release()
    window.ask(f"{PREFERENCES}.worker_python = {str(window.worker_python())!r}")
    window.wait("not addon('worker.setup').get().need")
    # The folder is named in a picture.
    with tempfile.TemporaryDirectory(prefix="tilewright-", ignore_cleanup_errors=True) as home:
        window.ask(f"{PREFERENCES}.home_folder = {home!r}")
        yield window
        shutil.rmtree(window.debian / Path(home).relative_to("/"), ignore_errors=True)
        window.ask("bpy.ops.tilewright.stop_worker() and None")
        window.wait("session().state == 'stopped'")


def keep(window: Any, name: str) -> None:
    """What is on the screen, for the README."""
    window.hover_view()
    window.settle(20)
    path = PICTURES / f"{name}.jpg"
    shown = Image.open(window.photograph(name)).convert("RGB").resize(SIZE, Image.LANCZOS)
    for quality in range(90, 30, -5):
        shown.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return
    raise AssertionError(f"{path} cannot be made small enough")


def test_idle(desk: Any) -> None:
    desk.click(START, 0.25)
    desk.wait(f"{MODEL!r} in session().model_names()")
    desk.ask(f"{CHOSEN}.model = {MODEL!r}")
    desk.fold("add_pictures")
    desk.click(GENERATE)
    desk.wait("is_quiet() and look().get('maps')")
    desk.fold("latents.seed")
    desk.ask("view()[1].spaces.active.shading.type = 'MATERIAL'")
    keep(desk, "idle")


def test_exploring(desk: Any) -> None:
    desk.open_only("Explore")
    desk.click("tilewright.explore", 0.08)
    desk.wait(
        "addon('steering.variations').configs() and not addon('steering.variations').is_drawing()"
    )
    keep(desk, "exploring")
    desk.click("tilewright.explore", 0.08)


def test_looks(desk: Any) -> None:
    desk.ask(f"{CHOSEN}.model = {MANY!r}")
    desk.ask("bpy.ops.tilewright.generate_material() and None")
    desk.wait(f"is_quiet() and len(session().model({MANY!r}).styles) > 1")
    desk.open_only("Looks")
    desk.wait("not addon('steering.variations').is_drawing() and is_quiet()", 600)
    keep(desk, "looks")
    desk.ask(f"{CHOSEN}.model = {MODEL!r}")
    desk.ask("bpy.ops.tilewright.generate_material() and None")
    desk.wait("is_quiet()")


def test_training(desk: Any) -> None:
    folder = Path(desk.ask(f"{PREFERENCES}.home_folder")) / "pictures"
    bricks = folder / "brick wall"
    command = [sys.executable, str(ROOT / "scripts/kept_pictures.py")]
    command += [str(BUNDLED / LEARNED), str(bricks)]
    subprocess.run(command, check=True, capture_output=True)
    inside = desk.debian / folder.relative_to("/")  # Blender looks whether they are there
    shutil.copytree(folder, inside, dirs_exist_ok=True)
    desk.ask(f"{CHOSEN}.pictures.add().path = {str(bricks)!r}")
    desk.ask(f"{CHOSEN}.run = 'brick wall'")
    desk.ask(f"{CHOSEN}.minutes = 12")
    desk.ask("bpy.ops.tilewright.start_training() and None")
    desk.open_only("Train")
    desk.wait("addon('training.curves').shown() and addon('training.preview').is_there()")
    # Of a young model nobody can tell what it is going to be.
    desk.wait(
        "session().training.progress.step > 1500 or session().training.progress.fraction > 0.95",
        1800,
    )
    desk.ask("bpy.context.preferences.view.ui_scale = 1.0")  # preview and curves are high
    desk.settle(10)
    scroll(desk, DOWN)
    keep(desk, "training")
    scroll(desk, UP)
    desk.ask(f"bpy.context.preferences.view.ui_scale = {SCALE}")
    desk.settle(10)
    fold_closed(desk, 1)
    desk.ask("bpy.ops.tilewright.cancel_training() and None")
    desk.wait("session().training.done")


def test_error(desk: Any) -> None:
    fold_closed(desk, 0)
    right = desk.ask(f"{PREFERENCES}.worker_python")
    desk.ask("bpy.ops.tilewright.stop_worker() and None")
    desk.wait("session().state == 'stopped'")
    desk.ask(f"{PREFERENCES}.worker_python = '/opt/tilewright/bin/python'")
    desk.click(START, 0.25)
    desk.wait("session().last_error")
    keep(desk, "error")
    desk.click("dismiss_error", 0.86)
    desk.ask(f"{PREFERENCES}.worker_python = {right!r}")
    desk.click(START, 0.25)
    desk.wait("session().connected")


def test_doctor(desk: Any) -> None:
    desk.ask("bpy.context.preferences.view.ui_scale = 1.0")  # it is long
    desk.click("run_doctor")
    doctor = "addon('worker.doctor').get()"
    desk.wait(f"{doctor}.ran and not {doctor}.running")
    keep(desk, "doctor")


def test_painting(desk: Any) -> None:
    desk.ask(f"bpy.context.preferences.view.ui_scale = {SCALE}")
    desk.ask(PAINTED)
    for name, look in PAINTED_LOOKS.items():
        desk.ask(f"{CHOSEN}.look = {look!r}")
        desk.ask("bpy.ops.tilewright.generate_material() and None")
        desk.wait("is_quiet() and look().get('maps')")
        desk.ask("bpy.ops.tilewright.add_favourite() and None")
        desk.ask(f"{CHOSEN}.favourites[-1].name = {name!r}")
        desk.ask(f"bpy.ops.tilewright.add_look(uid={CHOSEN}.favourites[-1].uid) and None")
    desk.wait(f"is_quiet() and all(f.thumbnail for f in {CHOSEN}.favourites)")
    desk.open_only("Paint Looks")
    desk.click("paint_looks(", 0.2)
    desk.wait("bpy.context.object.mode == 'TEXTURE_PAINT'")
    desk.wait("is_quiet()")
    recipe = "bpy.context.object.active_material.tilewright.recipe"
    before = desk.ask(recipe)
    desk.ask(STROKE)
    desk.wait(f"{recipe} != {before!r} and is_quiet()")
    desk.ask("view()[1].spaces.active.show_region_asset_shelf = False")
    keep(desk, "painting")


def scroll(window: Any, button: int) -> None:
    """Turn the mouse wheel over the sidebar, as far as the curves of quality."""
    left, top, width, _ = window.ask("sidebar()")
    window.move(left + width // 3, top + 320)
    window.call("xdotool", "click", "--repeat", 6, "--delay", 60, button)
    window.settle(10)


def fold_closed(window: Any, place: int) -> None:
    """Open the panel of this place, or close it again; those above must be closed."""
    left, top, width, _ = window.ask("sidebar()")
    window.move(left + width // 2, top + int(SCALE * (15 + 27 * place)))
    window.press("a")
