"""Training from pictures to a run folder: it learns, stops, resumes exactly, and never keeps what went wrong."""

import dataclasses
import gc
import hashlib
import json
import shutil
import weakref
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import Credits, GenerationConfig, TrainingConfig
from gan_worker.errors import Cancelled, PictureError, RequestError, TrainingError
from gan_worker.gan.generation import model as generation
from gan_worker.gan.generation.seams import line_steps, seam_ratio
from gan_worker.gan.metrics import plateau
from gan_worker.gan.training import collapse, loop
from gan_worker.gan.training.collapse import CollapseDetector
from gan_worker.gan.training.pipelines import new_pipeline
from gan_worker.gan.training.step import TrainingStep
from gan_worker.materials import pictures
from gan_worker.preparation import AS_IT_IS, Preparation
from gan_worker.progress import (
    DataReport,
    LiveModel,
    Notice,
    Preview,
    Stage,
    TrainingProgress,
    Waiting,
)
from gan_worker.runs.provenance import read_provenance
from gan_worker.runs.room import Room
from gan_worker.runs.run import Run, open_model
from gan_worker.style import Latent


@pytest.fixture(scope="module")
def config(striped_file):
    return TrainingConfig(
        run="stripes",
        pictures=(str(striped_file),),
        preset="nano",
        minutes=None,
        kimg=0.024,
        scale=1.0,
        octaves=0,
        isotropic=True,
        prepare=Preparation(even_light=0.1),
    )


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "runs", "stripes")


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """A finished run and what it reported; building the networks takes seconds, so tests share it."""
    run = Run.create(tmp_path_factory.mktemp("trained"), "stripes")
    listener = Listener()
    loop.train(config, run, listener.report, listener.should_stop)
    return run, listener


@pytest.fixture(scope="module")
def stopped(config, tmp_path_factory):
    """A run that was stopped after three of its six steps."""
    run = Run.create(tmp_path_factory.mktemp("stopped"), "stripes")
    listener = Listener(steps=3)
    loop.train(config, run, listener.report, listener.should_stop)
    return run


@pytest.fixture
def halfway(stopped, tmp_path):
    """A copy of the stopped run."""
    return Run(shutil.copytree(stopped.path, tmp_path / "halfway" / "stripes"))


@pytest.fixture(scope="module")
def model(trained):
    run, _ = trained
    return generation.load_model(open_model(run.path.parent, "stripes"))


class Listener:
    """Keeps what training reports, and stops it after so many steps."""

    def __init__(self, steps: int = 10**9):
        self.reports, self.steps_left = [], steps

    def report(self, report):
        self.reports.append(report)

    def should_stop(self):
        self.steps_left -= 1
        return self.steps_left < 0

    def of(self, kind):
        return [r for r in self.reports if isinstance(r, kind)]


def weights(run):
    arrays, state, _ = run.load_checkpoint()
    return arrays, state


def test_a_training_leaves_a_folder_that_explains_itself(config, trained):
    run, listener = trained
    (data,) = listener.of(DataReport)
    assert data.maps == ("base_color",)
    assert (data.materials[0].width, data.materials[0].height) == (96, 96)
    progress = listener.of(TrainingProgress)[-1]
    assert progress.step == 6
    assert progress.fraction == 1
    # Nothing is left; None if the first ticks are not over yet.
    assert progress.eta in (None, 0.0)
    assert set(progress.losses) >= {"generator", "discriminator", "patch_distance"}
    assert listener.of(Preview)[0].step == 1
    assert listener.of(LiveModel)[0].name == "stripes"
    assert run.load_config() == config
    assert json.loads((run.path / "data_report.json").read_text())["maps"] == ["base_color"]
    assert run.read_progress()[-1] == progress
    assert (run.path / "previews" / "00000006.png").exists()
    assert list(run.path.glob("events.out.tfevents*"))


def test_what_a_run_has_told_is_read_once_however_often_it_is_saved(config, halfway, monkeypatch):
    read, written = [], []
    progress, provenance = Run.read_progress, loop.write_provenance
    monkeypatch.setattr(Run, "read_progress", lambda run: read.append(1) or progress(run))
    monkeypatch.setattr(loop, "write_provenance", lambda *a: written.append(1) or provenance(*a))
    for name in ("FIRST_CHECKPOINT", "CHECKPOINT_EVERY"):
        monkeypatch.setattr(loop, name, 0.0)
    drawn = []
    monkeypatch.setattr(loop, "draw_curves", lambda ticks, floor, file: drawn.append(list(ticks)))
    loop.train(dataclasses.replace(config, resume=True), halfway, print, lambda: False)
    assert len(drawn) > 2
    assert (len(read), len(written)) == (1, 1)
    monkeypatch.undo()
    assert drawn[-1] == halfway.read_progress()


def test_one_that_makes_new_material_is_not_warned_of(trained, model):
    _, listener = trained
    assert model.info.copied == 0
    assert not [n for n in listener.of(Notice) if "copied" in n.text]


def test_it_records_where_its_pictures_come_from(striped_file, trained, model):
    run, listener = trained
    found = read_provenance(run.path)
    (picture,) = found.pictures
    assert (picture.file, picture.width, picture.height) == ("stripes.png", 96, 96)
    assert picture.sha256 == hashlib.sha256(striped_file.read_bytes()).hexdigest()
    (session,) = found.sessions
    assert (session.settings["preset"], session.settings["seed"]) == ("nano", 0)
    assert session.versions["tensorflow"] == tf.__version__
    # No place of this computer goes along with a model.
    assert str(striped_file.parent) not in (run.path / "provenance.json").read_text()
    assert len([n for n in listener.of(Notice) if "license" in n.text]) == 1
    assert found.credits == Credits(found.hash, 1, 1)
    assert model.info.credits == found.credits
    assert model.generate(GenerationConfig("stripes", 1, 64, 64)).recipe.credits == found.credits
    assert listener.of(LiveModel)[0].model.info.credits == found.credits


def test_the_model_makes_seamless_material_of_any_size(model):
    wanted = GenerationConfig("stripes", seed=4, width=96, height=64)
    material = model.generate(wanted)
    assert material.maps["base_color"].shape == (64, 96, 3)
    assert material.recipe.model_hash == model.info.hash
    assert len(model.info.hash) == 64
    measured = seam_ratio(line_steps(material.maps["base_color"]))
    assert measured <= 1.05
    assert material.seam_ratios["base_color"] == pytest.approx(measured, rel=1e-3)

    # The same recipe gives the same picture, whatever was made in between; another seed another one.
    other = model.generate(dataclasses.replace(wanted, seed=5, width=128)).maps["base_color"]
    again = model.generate(dataclasses.replace(wanted, origin=material.recipe.config.origin))
    np.testing.assert_array_equal(again.maps["base_color"], material.maps["base_color"])
    assert np.abs(other[:, :96] - material.maps["base_color"]).mean() > 1e-3

    # Explicit latents: those of the seed give the seed's picture.
    from gan_worker.gan.generation.latents import draw_z

    explicit = dataclasses.replace(
        wanted, style=Latent(tuple(map(float, draw_z(4, model.network))))
    )
    np.testing.assert_array_equal(
        model.generate(explicit).maps["base_color"], material.maps["base_color"]
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"width": 65}, "invalid_size"),
        ({"height": 0}, "invalid_size"),
        ({"width": 80_000, "height": 80_000}, "invalid_size"),
        ({"style": Latent((1.0, 2.0))}, "invalid_latent"),
        ({"style": Latent(())}, "invalid_latent"),
        ({"style": Latent((float("nan"),) * 16)}, "invalid_latent"),
        ({"seed": -1}, "invalid_config"),
        ({"maps": ("roughness",)}, "invalid_config"),
        ({"truncation_psi": float("inf")}, "invalid_config"),
    ],
)
def test_bad_requests_are_refused_with_a_code(model, changes, code):
    with pytest.raises(RequestError) as caught:
        model.generate(dataclasses.replace(GenerationConfig("stripes", width=64), **changes))
    assert caught.value.code == code


def test_psi_zero_gives_the_mean_style_to_every_seed(model):
    one = GenerationConfig("stripes", seed=1, width=64, height=64, origin=(0, 0))
    restyled = dataclasses.replace(one, style=Latent((1.0,) * model.info.z_dim))

    def difference(psi):
        made = [
            model.generate(dataclasses.replace(config, truncation_psi=psi)).maps["base_color"]
            for config in (one, restyled)
        ]
        return np.abs(made[0] - made[1]).max()

    assert difference(0.0) < 1e-5
    assert difference(1.0) > 1e-4


def write_set(folder, picture, *words):
    folder.mkdir()
    for word in words:
        pictures.write_picture(folder / f"stripes_{word}.png", picture)
    return folder


def test_a_run_goes_on_with_the_maps_it_was_started_with(config, halfway, striped, tmp_path):
    """Files that came since, or that a later version knows as maps, would be channels it does not have."""
    folder = write_set(tmp_path / "set", striped, "color", "roughness", "height")
    listener = Listener()
    more = dataclasses.replace(config, resume=True, pictures=(str(folder),))
    loop.train(more, halfway, listener.report, listener.should_stop)
    (told,) = listener.of(DataReport)
    assert told.maps == told.materials[0].maps == ("base_color",)
    assert any("roughness is left out" in note for note in told.notes)
    made = generation.load_model(open_model(halfway.path.parent, halfway.name))
    assert set(made.generate(GenerationConfig("stripes", 1, 32, 32)).maps) == {"base_color"}


def test_a_run_does_not_go_on_without_a_map_it_was_started_with(config, halfway, striped, tmp_path):
    folder = write_set(tmp_path / "set", striped, "height", "roughness")
    other = dataclasses.replace(config, resume=True, pictures=(str(folder),))
    with pytest.raises(RequestError, match="no base_color") as caught:
        loop.train(other, halfway, lambda report: None, lambda: False)
    assert caught.value.code == "invalid_config"


def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(config, halfway, trained):
    whole, _ = trained
    assert weights(halfway)[1]["step"] == 3
    listener = Listener()
    # Stripes have a direction; a run that learns them turned all the same goes on with that, and with what was done to
    # its photo.
    resumed = dataclasses.replace(config, resume=True, isotropic=False, prepare=AS_IT_IS)
    loop.train(resumed, halfway, listener.report, listener.should_stop)
    assert listener.of(DataReport)[0].turned is True
    assert any("step 3" in notice.text for notice in listener.of(Notice))
    assert not any("bit-exact" in notice.text for notice in listener.of(Notice))
    sessions = read_provenance(halfway.path).sessions
    assert [session.step for session in sessions] == [0, 3]
    assert [session.settings["prepare"]["even_light"] for session in sessions] == [0.1, 0.1]

    (expected, state), (received, resumed_state) = weights(whole), weights(halfway)
    assert state["step"] == resumed_state["step"] == 6
    assert expected.keys() == received.keys()
    for name in expected:
        np.testing.assert_array_equal(received[name], expected[name], err_msg=name)


def test_on_another_device_or_version_a_run_goes_on_and_says_that_it_is_not_bit_exact(
    config, halfway, monkeypatch
):
    monkeypatch.setattr(loop, "computed_on", lambda: "GPU Other, TensorFlow 1.0")
    listener = Listener(steps=0)
    resumed = dataclasses.replace(config, resume=True)
    loop.train(resumed, halfway, listener.report, listener.should_stop)
    (told,) = [n.text for n in listener.of(Notice) if "not bit-exact" in n.text]
    assert "GPU Other, TensorFlow 1.0" in told
    assert f"TensorFlow {tf.__version__}" in told
    assert weights(halfway)[1]["computed_on"] == "GPU Other, TensorFlow 1.0"


def test_resuming_with_another_preset_is_refused(config, halfway):
    listener = Listener()
    before = weights(halfway)[0]
    with pytest.raises(RequestError, match="started as nano") as caught:
        loop.train(
            dataclasses.replace(config, resume=True, preset="tiny"),
            halfway,
            listener.report,
            listener.should_stop,
        )
    assert caught.value.code == "invalid_config"
    assert not listener.reports, "nothing was read or built in vain"
    assert halfway.load_config() == config
    np.testing.assert_array_equal(weights(halfway)[0]["generator/000"], before["generator/000"])


def test_pictures_that_are_in_the_table_are_let_go(config, run, tmp_path, monkeypatch):
    read, kept = loop.read_training_set, []

    def watched(*given):
        learned = read(*given)
        kept.extend(weakref.ref(m["roughness"]) for m in learned.pictures.materials)
        return learned

    monkeypatch.setattr(loop, "read_training_set", watched)
    several = dataclasses.replace(config, pictures=two_maps_of(config, tmp_path / "pictures"))
    room, pipeline_of = Room(print, lambda: False), partial(new_pipeline, config.preset)
    training = loop.Training(several, run, lambda report: None, pipeline_of, room)
    gc.collect()
    assert training.data.maps == ("base_color", "roughness")
    assert len(kept) == 1
    assert kept[0]() is None


def two_maps_of(config, folder):
    """A picture, and the same as a map of its own."""
    folder.mkdir()
    for word in ("color", "roughness"):
        shutil.copy(config.pictures[0], folder / f"oak_{word}.png")
    return (str(folder),)


def test_each_of_several_sets_is_told_while_they_are_read(config, run, tmp_path):
    """A server takes a training that gives no sign for minutes for wedged."""
    several = dataclasses.replace(config, pictures=three_of(config, tmp_path))
    told = []

    def report(news):
        told.extend([news.text] if isinstance(news, Stage) else [])
        if told[-1] == "building the networks":
            raise Cancelled

    with pytest.raises(Cancelled):
        loop.train(several, run, report, lambda: False)
    done = ("reading", "scaling", "measuring")
    expected = [f"{doing} set {number} of 3" for doing in done for number in (1, 2, 3)]
    assert told == ["reading pictures", *expected, "building the networks"]


def test_a_stop_while_pictures_are_read_comes_before_the_next_one(config, run, tmp_path):
    several = dataclasses.replace(config, pictures=three_of(config, tmp_path))
    listener = Listener(steps=1)
    with pytest.raises(Cancelled):
        loop.train(several, run, listener.report, listener.should_stop)
    assert [stage.text for stage in listener.of(Stage)] == [
        "reading pictures",
        "reading set 1 of 3",
    ]
    assert not run.checkpoints()


def three_of(config, folder):
    """Files of the same picture by three names."""
    files = [folder / f"{name}.png" for name in ("ash", "elm", "oak")]
    for file in files:
        shutil.copy(config.pictures[0], file)
    return tuple(map(str, files))


def test_cancelling_leaves_what_was_saved_before(config, run):
    def cancel():
        raise Cancelled

    with pytest.raises(Cancelled):
        loop.train(config, run, lambda report: None, cancel)
    assert run.load_checkpoint() is None


def test_weights_that_are_not_finite_are_never_saved(config, halfway, monkeypatch):
    monkeypatch.setattr(loop, "FIRST_CHECKPOINT", 1e9)
    good, poisoned = weights(halfway)[0], []

    def poison(report):
        if isinstance(report, LiveModel):
            poisoned.append(report.model.generator.variables[0])
        if isinstance(report, TrainingProgress):
            poisoned[0].assign(tf.fill(poisoned[0].shape, np.nan))

    with pytest.raises(TrainingError) as caught:
        loop.train(dataclasses.replace(config, resume=True), halfway, poison, lambda: False)
    assert caught.value.code == "diverged"
    np.testing.assert_array_equal(weights(halfway)[0]["generator/000"], good["generator/000"])


@pytest.mark.parametrize("saved_steps", [0, 3])
def test_a_training_that_goes_wrong_goes_back_and_finishes(
    config, run, halfway, saved_steps, monkeypatch
):
    run = halfway if saved_steps else run
    monkeypatch.setattr(loop, "FIRST_CHECKPOINT", 1e9)
    step, poisoned = TrainingStep.step, []

    def poison(update, number, fraction):
        losses = step(update, number, fraction)
        if number == 5 and not poisoned:
            poisoned.append(number)
            for variable in (*update.generator.variables, *update.discriminator.variables):
                variable.assign(tf.fill(variable.shape, np.nan))
        return losses

    monkeypatch.setattr(TrainingStep, "step", poison)
    listener = Listener()
    resumed = dataclasses.replace(config, resume=bool(saved_steps))
    loop.train(resumed, run, listener.report, listener.should_stop)
    assert poisoned
    (notice,) = [n.text for n in listener.of(Notice) if "went wrong" in n.text]
    assert f"from step {saved_steps} with half" in notice
    arrays, state = weights(run)
    assert (state["step"], state["rate_factor"]) == (6, 0.5)
    assert all(np.all(np.isfinite(a)) for a in arrays.values())
    assert run.read_progress()[-1].step == 6
    pipeline_of = partial(new_pipeline, config.preset)
    room = Room(listener.report, listener.should_stop)
    resumed = dataclasses.replace(config, resume=True)
    again = loop.Training(resumed, run, listener.report, pipeline_of, room)
    assert again.update.rate_factor == 0.5


def test_a_checkpoint_that_is_found_damaged_on_the_way_is_told(config, halfway, monkeypatch):
    monkeypatch.setattr(loop, "FIRST_CHECKPOINT", 1e9)
    arrays, state, _ = halfway.load_checkpoint()
    halfway.save_checkpoint("00000.013", arrays, state)
    step, damaged = TrainingStep.step, []

    def breaks_off_once(update, *args):
        if not damaged:
            (file,) = (halfway.path / "checkpoints" / "00000.013").glob("*.safetensors")
            file.write_bytes(b"torn")
            damaged.append(file)
            raise MemoryError
        return step(update, *args)

    monkeypatch.setattr(TrainingStep, "step", breaks_off_once)
    listener = Listener()
    resumed = dataclasses.replace(config, resume=True)
    loop.train(resumed, halfway, listener.report, listener.should_stop)
    told = [n.text for n in listener.of(Notice) if "put aside" in n.text]
    assert len(told) == 1
    assert "00000.013 was damaged" in told[0]


def test_a_training_on_a_full_disk_waits_goes_on_and_is_the_same(
    small_disk, config, trained, monkeypatch
):
    monkeypatch.setattr("gan_worker.runs.room.TRY_EVERY", 0.05)
    disk = small_disk(24)
    run = Run.create(disk.folder / "runs", "stripes")
    listener, waits = Listener(), []

    def report(news):
        listener.report(news)
        if isinstance(news, TrainingProgress) and not waits:
            disk.fill()
        if isinstance(news, Waiting):
            waits.append(news.error and news.error.code)
            if len(waits) == 3:
                disk.free()

    monkeypatch.setattr(loop, "PREVIEW_EVERY", 0.0)
    loop.train(config, run, report, listener.should_stop)
    assert waits[:3] == ["disk_full"] * 3
    assert waits[-1] is None
    expected, found = weights(trained[0])[0], weights(run)[0]
    assert all(np.array_equal(expected[name], found[name]) for name in expected)
    assert run.read_progress()[-1].step == 6


@pytest.mark.parametrize(("seconds", "saved_step"), [(0.0, 2), (1e9, 0)])
def test_a_collapse_is_never_saved_and_is_taken_back_on_slow_and_fast_computers(
    config, run, monkeypatch, seconds, saved_step
):
    """All is shown and saved within a step, or nothing ever; what is seen is the same."""
    for name in ("PREVIEW_EVERY", "CHECKPOINT_EVERY", "FIRST_CHECKPOINT"):
        monkeypatch.setattr(loop, name, seconds)
    monkeypatch.setattr(collapse, "YOUNG", 0)
    for module in (loop, collapse):
        monkeypatch.setattr(module, "LOOK_EVERY", 1)
    listener = Listener()
    looks, health = [], CollapseDetector.health

    def flattened(seen, pictures):
        """From the third look on the pictures are those of a collapsed generator, until it goes back."""
        looks.append(len(looks))
        normal = dict.fromkeys(health(seen, pictures), 1.0)
        return {**normal, "contrast": 0.01} if 3 <= len(looks) <= 5 else normal

    monkeypatch.setattr(CollapseDetector, "health", flattened)
    loop.train(config, run, listener.report, listener.should_stop)
    (notice,) = [n.text for n in listener.of(Notice) if "went wrong" in n.text]
    assert "At step 5" in notice
    assert "contrast 0.01" in notice
    assert f"from step {saved_step} with half" in notice
    assert weights(run)[1]["step"] == 6


def test_a_training_that_gets_no_better_says_so_and_goes_on(config, run, monkeypatch):
    monkeypatch.setattr(loop, "PREVIEW_EVERY", 0.0)
    monkeypatch.setattr(plateau, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(plateau, "LEAST_PREVIEWS", 4)
    step = TrainingStep.step

    def learns_nothing(update, number, fraction):
        update.rate_factor = 0.0
        return step(update, number, fraction)

    monkeypatch.setattr(TrainingStep, "step", learns_nothing)
    listener = Listener()
    longer = dataclasses.replace(config, kimg=0.08)
    loop.train(longer, run, listener.report, listener.should_stop)
    ticks = listener.of(TrainingProgress)
    assert ticks[-1].step == 20
    assert [t.stopped_for for t in ticks[:3]] == [None] * 3
    assert ticks[-1].stopped_for > 0
    assert "stop and keep it" in ticks[-1].advice()
    # Its step had been told when the last preview was made, which alone looked for copies.
    assert "copied" in ticks[-1].figures
    assert ticks[-1].losses == ticks[-2].losses
    assert run.read_progress()[-1] == ticks[-1]


def test_curves_and_figures_are_in_the_run_folder(trained):
    run, listener = trained
    figures = [p.figures for p in listener.of(TrainingProgress) if p.figures]
    known = {"swd/0", "local_contrast", "diversity", "copied"}
    assert figures[-1].keys() == known
    assert run.read_progress()[-1].figures == figures[-1]
    assert pictures.read_picture(run.path / "progress.png").shape == (600, 800, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": "huge"},
        {"minutes": None, "kimg": None},
        {"minutes": -1.0},
        {"scale": float("nan")},
        {"seed": -1},
    ],
)
def test_a_wrong_config_is_refused_before_anything_is_written(config, run, changes):
    with pytest.raises(RequestError) as caught:
        loop.train(dataclasses.replace(config, **changes), run, lambda report: None, lambda: False)
    assert caught.value.code == "invalid_config"
    assert list(run.path.iterdir()) == []


def test_a_missing_picture_is_named(config, run):
    with pytest.raises(PictureError, match=r"nowhere\.png") as caught:
        loop.train(
            dataclasses.replace(config, pictures=("/nowhere.png",)),
            run,
            lambda report: None,
            lambda: False,
        )
    assert caught.value.code == "picture_missing"


@pytest.mark.slow
def test_it_learns_the_colors_of_the_picture(config, run, striped):
    longer = dataclasses.replace(config, kimg=0.6)
    listener = Listener()
    loop.train(longer, run, listener.report, listener.should_stop)
    distances = [p.losses["patch_distance"] for p in listener.of(TrainingProgress)]
    assert distances[-1] < 0.7 * distances[0]
    model = listener.of(LiveModel)[0].model
    made = model.generate(GenerationConfig("stripes", width=128, height=128)).maps["base_color"]
    np.testing.assert_allclose(made.mean(axis=(0, 1)), striped.mean(axis=(0, 1)), atol=0.12)
    np.testing.assert_allclose(made.std(axis=(0, 1)), striped.std(axis=(0, 1)), rtol=0.4)
