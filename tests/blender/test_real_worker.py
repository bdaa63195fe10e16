"""The add-on against the real worker: its own process, its own environment, TensorFlow in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.generation import requests as generation
from blender_addon.painting import painting
from blender_addon.repair import mask as repair_mask
from blender_addon.scenes import script
from blender_addon.shader import images, node_tree, projection
from blender_addon.steering import favourites, steering
from blender_addon.steering import sliders as latents
from blender_addon.training import preview, training
from blender_addon.worker import connection, preferences, pump, session
from gan_worker.client.events import JobReport, LinkLost
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.errors import TilewrightError
from gan_worker.materials import png
from gan_worker.materials.pictures import read_picture
from gan_worker.progress import TrainingProgress

MODEL = "waves"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of runs for all tests here: only the first of them trains."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def connected(worker_python: str, home: Path, keep_session: None) -> session.Session:
    """The session with a running worker: TensorFlow takes seconds to start, so they share one."""
    chosen = preferences.get()
    chosen.worker_python, chosen.home_folder = worker_python, str(home)
    if not session.current.connected:
        bpy.ops.tilewright.start_worker(wait=True)
    session.current.training = session.current.last_error = None
    session.current.listeners.clear()
    return session.current


@pytest.fixture
def model(connected: session.Session, home: Path, photo: Path) -> Iterator[str]:
    """A model that knows little, trained through the operators."""
    if not (home / "runs" / MODEL / "model.json").exists():
        train(photo)
    pump.wait(lambda: session.current.model(MODEL) is not None, 30)
    bpy.context.scene.tilewright.model = MODEL
    return MODEL


def train(photo: Path) -> None:
    scene = bpy.context.scene
    training.set_pictures(scene, [photo])
    scene.tilewright.run, scene.tilewright.preset, scene.tilewright.minutes = MODEL, "nano", 0.05
    bpy.ops.tilewright.start_training(wait=True, timeout=240)


def stride() -> int:
    return session.current.model(MODEL).stride


def test_training_is_seen_and_leaves_a_model(connected, photo, home):
    seen: list[TrainingProgress] = []

    def listen(event: object) -> None:
        if isinstance(event, JobReport) and isinstance(event.report, TrainingProgress):
            seen.append(event.report)

    connected.listeners.append(listen)
    preview.clear()
    train(photo)
    job = connected.training
    assert (job.state, job.error) == ("succeeded", None)
    assert seen[-1].step > 0
    assert seen[-1].losses
    assert [m.name for m in job.data_report.materials] == ["waves"]
    assert preview.is_there()
    assert MODEL in connected.model_names()
    assert bpy.context.scene.tilewright.model == MODEL


def test_operator_and_function_make_the_same_pixels(model, planes):
    size = stride() * 8, stride() * 4
    scene = bpy.context.scene.tilewright
    scene.width, scene.height, scene.seed = *size, 11
    scene.target = "ACTIVE"
    bpy.ops.tilewright.generate_material(wait=True)
    (job,) = generation.generate_for_objects(
        planes[:1], generation.generation_config(bpy.context.scene)
    )
    pump.wait_for_job(job, 120)
    by_button, by_function = planes[2].active_material, planes[0].active_material
    assert by_button != by_function
    assert node_tree.read_recipe(by_button) == node_tree.read_recipe(by_function)
    pixels = [
        images.read_pixels(node_tree.images_of(m)["base_color"]) for m in (by_button, by_function)
    ]
    assert pixels[0].shape == (size[1], size[0], 4)
    np.testing.assert_array_equal(*pixels)


def test_a_photo_becomes_a_material_whose_relief_follows_its_sliders(connected, plane, photo):
    path = photo.rename(photo.with_name("gravel.png"))
    bpy.context.scene.tilewright.tileable = False
    assert bpy.ops.tilewright.photo_to_material(filepath=str(path), wait=True) == {"FINISHED"}
    material = plane.active_material
    before = pixels_of(material)
    assert set(before) == {"base_color", "roughness", "normal", "height", "ambient_occlusion"}
    assert {pixels.shape[:2] for pixels in before.values()} == {(160, 160)}
    marked = node_tree.read_recipe(material).estimated
    assert set(marked) == set(before) - {"base_color"}
    relief = material.tilewright.latents.estimation
    relief.depth = 2.0
    steering.settle()
    deep = pixels_of(material)
    assert steepness(deep["normal"]) > 1.3 * steepness(before["normal"])
    for name in ("base_color", "roughness"):
        np.testing.assert_array_equal(deep[name], before[name])
    relief.surface = "metal"
    steering.settle()
    metal = pixels_of(material)
    assert metal["metallic"][..., 0].min() == 1.0
    assert steepness(metal["normal"]) == pytest.approx(steepness(before["normal"]), rel=0.01)
    latents.store(material, node_tree.read_recipe(material).config)
    assert bpy.ops.tilewright.switch_size(side=80, wait=True) == {"FINISHED"}
    assert {pixels.shape[:2] for pixels in pixels_of(material).values()} == {(80, 80)}


def pixels_of(material: bpy.types.Material) -> dict[str, np.ndarray]:
    return {n: images.read_pixels(i) for n, i in node_tree.images_of(material).items()}


def steepness(normals: np.ndarray) -> float:
    """How far normals lean on average."""
    return float(np.hypot(*(normals[..., :2] * 2 - 1).transpose(2, 0, 1)).mean())


@pytest.mark.newest_blender
def test_more_pixels_are_the_same_tile_with_more_detail(connected, plane, tmp_path):
    train_grain(tmp_path)
    chosen = bpy.context.scene.tilewright
    chosen.model, chosen.width, chosen.height, chosen.seed = "grain", 256, 256, 3
    bpy.ops.tilewright.generate_material(wait=True)
    material = plane.active_material
    small = colors(material)
    repeats = projection.repeats(material)
    bpy.ops.tilewright.switch_size(side=1024, wait=True)
    large = colors(material)
    assert (small.shape, large.shape) == ((256, 256, 3), (1024, 1024, 3))
    assert projection.repeats(material) == repeats == (1.0, 1.0)
    shrunk = large.reshape(256, 4, 256, 4, 3).mean((1, 3))
    assert likeness(shrunk, small) > 0.9
    assert likeness(np.roll(shrunk, 50, (0, 1)), small) < 0.5
    plain = shrunk.repeat(4, 0).repeat(4, 1)
    assert (large - plain).std() > 0.3 * plain.std((0, 1)).mean()


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two pictures, their mean colors left out."""
    flat = [(picture - picture.mean((0, 1))).ravel() for picture in (one, other)]
    return float(np.corrcoef(*flat)[0, 1])


def train_grain(folder: Path) -> None:
    """A model of shapes with grain on them, whose detail is two octaves finer than what its generator draws."""
    y, x = np.mgrid[0:512, 0:512]
    waves = (np.sin(x / 20) * np.cos(y / 28) + 1) * 80
    grain = np.random.default_rng(1).normal(40, 20, (512, 512))
    pixels = np.clip(waves + grain, 0, 255).astype(np.uint8)
    path = folder / "grain.png"
    path.write_bytes(png.encode_png(np.stack([pixels, pixels // 2, 255 - pixels], -1)))
    config = TrainingConfig("grain", (str(path),), "nano", 0.1, scale=1.0, octaves=2)
    training.wait_for_training(training.start_training(config), 240)


def colors(material: bpy.types.Material) -> np.ndarray:
    return images.read_pixels(node_tree.images_of(material)["base_color"])[..., :3]


def test_varied_objects_look_different_and_the_file_keeps_them(model, planes, tmp_path):
    scene = bpy.context.scene.tilewright
    scene.width = scene.height = stride() * 8
    scene.target, scene.vary_per_object = "SELECTED", True
    bpy.ops.tilewright.generate_material(wait=True)
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    found = [o.active_material for o in bpy.data.objects if o.active_material]
    assert sorted(m.tilewright.seed for m in found) == [1, 2, 3]
    first, second, _ = (
        images.read_pixels(node_tree.images_of(m)["base_color"])[..., :3] for m in found
    )
    assert np.abs(first - second).mean() > 0.005
    assert node_tree.texture_node_name("normal") in found[0].node_tree.nodes


def test_painted_looks_lie_where_they_were_painted(model, plane):
    size = stride() * 16
    (job,) = generation.generate_for_objects([plane], GenerationConfig(model, 3, size, size))
    pump.wait_for_job(job, 120)
    material = plane.active_material
    for amount in (-6.0, 6.0):
        steering.steer(material, directions={"pca 1": amount})
        painting.add_look(material, favourites.add(bpy.context.scene, material))
    image = painting.start(plane)
    pixels = images.read_pixels(image)
    pixels[:, : image.size[0] // 2, 0] = 1  # the left half has the second look
    images.set_pixels(image, pixels)
    painting.take_up(material)
    steering.settle(300)
    painted = images.read_pixels(node_tree.images_of(material)["base_color"])
    recipe = node_tree.read_recipe(material)
    assert (recipe.config.width, len(recipe.config.style.looks)) == (size, 2)
    halves = []
    for favourite in bpy.context.scene.tilewright.favourites:
        favourites.apply(material, favourite)
        steering.settle(300)
        plain = images.read_pixels(node_tree.images_of(material)["base_color"])
        halves.append(np.abs(painted - plain).mean(axis=(0, 2)))
    first, second = halves
    middle = slice(size // 4 - stride(), size // 4 + stride())
    assert first[size // 2 :][middle].mean() < 0.5 * second[size // 2 :][middle].mean()
    assert second[: size // 2][middle].mean() < 0.5 * first[: size // 2][middle].mean()


def test_a_masked_part_is_filled_and_all_else_keeps_its_bits(model, plane):
    size = stride() * 12
    (job,) = generation.generate_for_objects([plane], GenerationConfig(model, 3, size, size))
    pump.wait_for_job(job, 120)
    material = plane.active_material
    before = images.read_pixels(node_tree.images_of(material)["base_color"])
    mask = repair_mask.start(plane)
    hidden = np.zeros((size, size), bool)
    hidden[-6:, 10:24] = hidden[:6, 10:24] = True  # over the border
    images.write_pixels(mask, np.repeat(np.uint8(255) * hidden[..., None], 3, axis=-1))
    assert bpy.ops.tilewright.repair(wait=True, timeout=300) == {"FINISHED"}
    after = images.read_pixels(node_tree.images_of(material)["base_color"])
    np.testing.assert_array_equal(after[~hidden], before[~hidden])
    assert (after != before)[hidden].any(axis=-1).mean() > 0.5
    assert material.tilewright.repaired
    assert not list(preferences.picture_folder().glob("repair-*"))


def test_runs_are_kept_tidy_and_generate_under_their_new_name(model, home, photo):
    shutil.copytree(home / "runs" / MODEL, home / "runs" / "copy")
    bpy.ops.tilewright.refresh_models()
    # Lists that were asked for before may tell of half a copy: the runs of all of it, the models of nothing yet.
    pump.wait(lambda: session.current.model("copy") is not None, 30)
    pump.wait(lambda: (run := session.current.run("copy")) is not None and run.has_model, 30)
    found = session.current.run("copy")
    assert (found.preset, found.size > 10_000) == ("nano", True)
    scene = bpy.context.scene.tilewright
    scene.model, scene.width, scene.height = "copy", stride() * 8, stride() * 8
    bpy.ops.tilewright.generate_material(wait=True)  # now the compute process holds it too
    bpy.ops.tilewright.rename_run(run="copy", name="larch")
    pump.wait(lambda: session.current.model("larch") is not None, 30)
    assert scene.model == "larch"
    bpy.ops.tilewright.generate_material(wait=True)
    bpy.ops.tilewright.use_run_settings(run="larch")
    pump.wait(lambda: scene.run == "larch 2", 30)
    # Each test has a folder of its own, and an earlier one may have trained the model.
    assert [Path(item.path).name for item in scene.pictures] == [photo.name]
    bpy.ops.tilewright.delete_run(run="larch")
    pump.wait(lambda: session.current.model("larch") is None, 30)
    pump.wait(lambda: session.current.run("larch") is None, 30)
    assert not (home / "runs" / "larch").exists()


def save_cubes(folder: Path, count: int) -> tuple[Path, Path]:
    """A scene of many objects, and a recipe that gives each a material of its own."""
    for number in range(count):
        obj = bpy.data.objects.new(f"Cube {number:03}", bpy.data.meshes.new("cube"))
        bpy.context.scene.collection.objects.link(obj)
        obj.location.x = number
    scene, recipe = folder / "in.blend", folder / "recipe.toml"
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    recipe.write_text(
        f'[[rules]]\nselect = {{ name = "Cube*" }}\nmodel = "{MODEL}"\nsize = {8 * stride()}\n'
        'latent = { by = "neighbourhood", distance = 5 }\n'
    )
    return scene, recipe


def made_files(folder: Path) -> dict[str, bytes]:
    """What a batch made, byte for byte; where two Blenders of one batch compress otherwise, what is in the files.

    A batch that is started in the worker's environment has a faster encoder there than a Blender beside it may have.
    """
    files = {f.name: f for f in folder.iterdir() if f.suffix in (".png", ".json")}
    if png.deflate is not zlib:  # the worker's
        return {name: file.read_bytes() for name, file in files.items()}
    return {
        name: picture_in(file)
        if file.suffix == ".png"
        else re.sub(rb'"sha256": "\w+"', b"", file.read_bytes())
        for name, file in files.items()
    }


def picture_in(file: Path) -> bytes:
    """The content of a PNG file: all chunks as they are, the pixels unpacked and their filters undone."""
    chunks = dict[bytes, bytes]()
    data, at = file.read_bytes(), 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunks[kind] = chunks.get(kind, b"") + data[at + 8 : at + 8 + length]
        at += 12 + length
    del chunks[b"IDAT"]
    pixels = read_picture(file)
    return b"".join(kind + chunk for kind, chunk in sorted(chunks.items())) + pixels.tobytes()


def processes_below(pid: int) -> list[int]:
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [p for child in children for p in (child, *processes_below(child))]


def server_below(pid: int) -> int | None:
    """The worker that the Blender of a batch has started."""
    for found in processes_below(pid):
        if b"serve" in Path(f"/proc/{found}/cmdline").read_bytes().split(b"\0"):
            return found
    return None


def states_in(folder: Path) -> list[str]:
    """What a batch's log says of its items; a last line that a kill has cut is left out."""
    log = folder / "batch.jsonl"
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    return [json.loads(line)["state"] for line in lines]


@pytest.mark.newest_blender
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes")
def test_a_batch_that_lost_its_worker_goes_on_to_the_bytes_of_one_run(model, home, tmp_path):
    scene, recipe = save_cubes(tmp_path, 80)
    out, results = tmp_path / "out.blend", tmp_path / "maps"
    log = results / "batch.jsonl"
    paths = ("--scene", scene, "--out", out, "--results", results, "--home", home)
    python = preferences.get().worker_python
    batch = subprocess.Popen([python, "-m", "gan_worker", "batch", recipe, *paths])
    end = time.monotonic() + 200
    while not log.exists() or log.read_bytes().count(b"\n") < 3:
        assert batch.poll() is None
        assert time.monotonic() < end
        time.sleep(0.005)
    os.kill(server_below(batch.pid), signal.SIGKILL)
    assert batch.wait(60) == 75
    assert not out.exists()

    def run(folder: Path) -> list[str]:
        assert script.main(recipe, out, scene, results=folder) == 0
        return states_in(folder)

    states = run(results)  # in another process, with another worker
    assert states.count("made") == 80
    assert states.count("kept") >= 3
    assert run(tmp_path / "at once").count("made") == 80
    assert made_files(results) == made_files(tmp_path / "at once")
    bpy.ops.wm.open_mainfile(filepath=str(out))
    used = {o.active_material for o in bpy.data.objects}
    assert len(used) == 80
    assert None not in used


def test_sliders_move_the_material_and_its_recipe_makes_it_again(model, plane):
    size = stride() * 16, stride() * 8
    bpy.context.scene.tilewright.preview_size = stride() * 8
    (job,) = generation.generate_for_objects([plane], GenerationConfig(model, 3, *size))
    pump.wait_for_job(job, 120)
    material = plane.active_material
    before = images.read_pixels(node_tree.images_of(material)["base_color"])
    sliders = material.tilewright.latents.directions
    assert list(sliders.keys()) == [*(f"pca {n + 1}" for n in range(6)), "factor 1", "factor 2"]
    sliders["pca 1"].amount = 3.0
    pump.wait(lambda: node_tree.is_preview(material), 60)
    shown = images.read_pixels(node_tree.images_of(material)["base_color"])
    assert shown.shape == (stride() * 4, stride() * 8, 4)
    sliders["pca 2"].amount = -2.0
    steering.settle(60)
    after = images.read_pixels(node_tree.images_of(material)["base_color"])
    assert after.shape == before.shape
    assert np.abs(after - before).mean() > 0.002
    assert latents.is_shown(material)
    again = node_tree.read_recipe(material).config
    (job,) = generation.generate_for_objects([], again)
    pump.wait_for_job(job, 60)
    (other,) = (m for m in bpy.data.materials if m.tilewright.uuid == job.target)
    same = images.read_pixels(node_tree.images_of(other)["base_color"])
    np.testing.assert_array_equal(same, after)


def test_loop_is_baked_without_a_jump(model, plane, tmp_path):
    size = stride() * 8, stride() * 8
    (job,) = generation.generate_for_objects([plane], GenerationConfig(model, 3, *size))
    pump.wait_for_job(job, 120)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.context.scene.tilewright.motion.frames = 12
    pump.statistics.longest_cpu = 0.0
    bpy.ops.tilewright.bake_motion(wait=True)
    shown = node_tree.images_of(bpy.context.object.active_material)["base_color"]
    folder = Path(bpy.path.abspath(shown.filepath)).parent
    pictures = [read_picture(file) for file in sorted(folder.glob("*_basecolor_*.png"))]
    assert len(pictures) == 12
    steps = [np.abs(pictures[n] - pictures[n - 1]).mean() for n in range(12)]
    assert steps[0] < 1.25 * np.median(steps)  # from the last to the first
    assert np.median(steps) > 1e-3
    assert pump.statistics.longest_cpu < 0.05


def test_dataset_without_pictures_fails_with_its_code(connected, tmp_path):
    (tmp_path / "empty").mkdir()
    training.set_pictures(bpy.context.scene, [tmp_path / "empty"])
    bpy.context.scene.tilewright.run = "nothing"
    with pytest.raises(RuntimeError, match=r"\[dataset_empty\]"):
        bpy.ops.tilewright.start_training(wait=True, timeout=120)
    assert connected.last_error.code == "dataset_empty"
    assert connected.training.state == "failed"


def test_missing_picture_is_refused_before_anything_is_sent(connected, tmp_path):
    training.set_pictures(bpy.context.scene, [tmp_path / "gone.png"])
    with pytest.raises(RuntimeError, match=r"\[picture_missing\]"):
        bpy.ops.tilewright.start_training()
    assert connected.training is None


def test_killed_worker_is_reported_and_can_be_started_again(connected):
    os.kill(connected._launcher.poll().pid, signal.SIGKILL)
    with pytest.raises(TilewrightError) as caught:
        pump.wait(lambda: False, 20)
    assert caught.value.code == "worker_gone"
    assert connected.state == "stopped"
    bpy.ops.tilewright.start_worker(wait=True)
    assert connected.connected


def test_stop_ends_the_worker_and_waits_for_nothing(connected, monkeypatch):
    launcher = connected._launcher
    with monkeypatch.context() as patched:
        patched.setattr(type(launcher), "wait", lambda *_: pytest.fail("Blender was held"))
        bpy.ops.tilewright.stop_worker()
    assert launcher.wait(20)
    assert connected.state == "stopped"


def learning(connected: session.Session, photo: Path, run: str, minutes: float) -> session.Job:
    """A training that is under way."""
    job = training.start_training(TrainingConfig(run, (str(photo),), "nano", minutes))
    pump.wait(lambda: job.progress is not None, 120)
    return job


@pytest.mark.newest_blender
def test_a_main_thread_that_stood_still_for_minutes_catches_up(connected, photo, home, monkeypatch):
    """Nothing is taken in while a training runs to its end, then five minutes have passed."""
    heard: list[object] = []
    connected.listeners.append(heard.append)
    job = learning(connected, photo, "still", 0.04)
    heard.clear()
    deadline = time.monotonic() + 120
    while not (home / "runs" / "still" / "checkpoints" / "LATEST").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    later = time.monotonic
    monkeypatch.setattr(connected._client._heartbeat, "_clock", lambda: later() + 300)
    training.wait_for_training(job, 60)
    assert job.state == "succeeded"
    assert not [event for event in heard if isinstance(event, LinkLost)]
    assert connected.last_error is None
    reports = [e for e in heard if isinstance(e, JobReport)]
    assert len(reports) < 50  # old progress was left out, not queued up


@pytest.mark.newest_blender
def test_quitting_during_a_training_takes_no_time_and_loses_nothing(addon, connected, photo, home):
    """Blender unregisters its extensions when it quits; the worker saves and leaves by itself."""
    job = learning(connected, photo, "quit", 30.0)
    launcher, latest = connected._launcher, home / "runs" / "quit" / "checkpoints" / "LATEST"
    learned = job.progress.kimg
    began = time.perf_counter()
    connected.close()
    assert time.perf_counter() - began < 0.2
    addon.unregister()
    addon.register()
    assert launcher.wait(60)
    assert float(latest.read_text()) >= learned > 0
    bpy.ops.tilewright.start_worker(wait=True)
    bpy.context.scene.tilewright.run = "quit"
    pump.wait(lambda: connected.run("quit") is not None, 30)
    assert connected.run("quit").kimg > 0  # it can be continued


@pytest.mark.newest_blender
def test_hundred_reloads_leave_two_sockets(addon, connected):
    """The connection closes with the add-on; a new start opens one control and one bulk socket."""
    import zmq

    for _ in range(100):
        addon.unregister()
        addon.register()
    assert session.current.state == "stopped"
    assert session.current.wait_until_left(20)
    connection.start_worker()
    connection.wait_until_connected()
    client = session.current._client
    held = [v for v in vars(client).values() if isinstance(v, zmq.Socket)]
    assert len(held) == 2


def test_sizes_are_switched_and_the_recipe_gives_the_same_bytes_again(connected, model, plane):
    side = 4 * stride()
    config = GenerationConfig(MODEL, 3, side, side)
    (job,) = generation.generate_for_objects([plane], config)
    pump.wait_for_job(job, 120)
    material = plane.active_material
    before = shown(material)
    assert bpy.ops.tilewright.switch_size(side=2 * side, wait=True) == {"FINISHED"}
    assert shown(material).shape == (2 * side, 2 * side, 4)
    assert bpy.ops.tilewright.switch_size(side=side, wait=True) == {"FINISHED"}
    assert (shown(material) == before).all()
    for image in node_tree.images_of(material).values():
        bpy.data.images.remove(image)
    bpy.ops.tilewright.regenerate(wait=True)
    assert (shown(material) == before).all()


def shown(material: bpy.types.Material) -> np.ndarray:
    return images.read_pixels(node_tree.images_of(material)["base_color"])
