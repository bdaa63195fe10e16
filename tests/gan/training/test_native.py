"""Native training: detail is learned in turns with the small picture, resumes exactly, and shows the same tile."""

import dataclasses
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS, GenerationConfig, TrainingConfig
from gan_worker.errors import RequestError
from gan_worker.gan.data import dataset
from gan_worker.gan.generation import model as generation
from gan_worker.gan.generation import rendering
from gan_worker.gan.training import loop
from gan_worker.gan.training.detail import DetailStep
from gan_worker.gan.training.native import NativeStep
from gan_worker.gan.training.pipelines import MaterialPipeline
from gan_worker.materials import pictures
from gan_worker.progress import LiveModel
from gan_worker.runs.run import Run, open_model, read_model_info
from gan_worker.style import CellMap, Seed

STEPS, BATCH = 14, 4


@pytest.fixture(scope="module")
def config(blobs, tmp_path_factory):
    """A picture of 192² with large shapes and fine grain, whose shapes are learned at a quarter."""
    soft = blobs(192, 8) + 0.15 * (blobs(192, 0.5) - 0.5)
    file = tmp_path_factory.mktemp("native") / "stones.png"
    pictures.write_picture(file, np.clip(soft * [0.9, 0.8, 0.7], 0, 1).astype(np.float32))
    return TrainingConfig(
        run="stones",
        pictures=(str(file),),
        preset="nano",
        minutes=None,
        kimg=STEPS * BATCH / 1000,
        octaves=2,
        scale=1.0,
        picture_width=0.96,
    )


def train(config, folder, steps=10**9):
    run = (Run.open if config.resume else Run.create)(folder, config.run)
    left = [steps]

    def should_stop():
        left[0] -= 1
        return left[0] < 0

    reports = []
    loop.train(config, run, reports.append, should_stop)
    return run, reports


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    return train(config, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def model(trained):
    run, _ = trained
    return generation.load_model(open_model(run.path.parent, run.name))


def wanted(**changes):
    return dataclasses.replace(GenerationConfig("stones", seed=3, width=256, height=192), **changes)


def halved(picture, times):
    side = 1 << times
    height, width = (n // side for n in picture.shape[:2])
    return picture.reshape(height, side, width, side, -1).mean(axis=(1, 3))


def test_a_model_with_detail_says_so(model):
    assert (model.info.octaves, model.info.scale, model.info.format) == (2, 1.0, 2)
    assert model.info.stride == 4 * model.network.stride
    assert model.info.pixel_size == pytest.approx(0.96 / 192)
    # Its detail is made of pieces of the picture.
    assert model.info.credits.contained
    assert model.generate(wanted(mip=2, width=32, height=32)).recipe.credits.contained


def test_small_steps_are_counted_by_themselves_so_that_their_penalties_come_due():
    update, seen = object.__new__(NativeStep), []
    update.detail = SimpleNamespace(steps=0)

    def detail_step(fraction):
        update.detail.steps += 1

    update.detail.step = detail_step
    update.small = SimpleNamespace(step=lambda number, fraction: seen.append(number))
    for number in range(100):
        update.step(number, number / 100)
    assert seen == list(range(65)), "of the last 70, every other one is of the detail"


def test_all_parts_have_learned(trained):
    run, _ = trained
    progress = run.read_progress()
    told = {name for tick in progress for name in tick.losses}
    assert told >= {"generator", "detail_generator", "detail_distance"}
    assert progress[-1].step == STEPS


def test_a_loaded_model_draws_what_it_drew_in_training(trained, model):
    _, reports = trained
    (live,) = [report.model for report in reports if isinstance(report, LiveModel)]
    pair = [one.generate(wanted()).maps["base_color"] for one in (live, model)]
    np.testing.assert_allclose(*pair, rtol=0, atol=1e-6)


def test_a_resumed_training_is_the_uninterrupted_one(config, trained, tmp_path):
    # With three octaves "at most", whose pictures have two, it is the same training, each time it goes on.
    config = dataclasses.replace(config, octaves=3, scale=None)
    stopped, _ = train(config, tmp_path, steps=STEPS - 3)
    # Whoever goes on need not say again how wide the picture is.
    resumed, _ = train(dataclasses.replace(config, resume=True, picture_width=0.0), tmp_path)
    assert stopped.path == resumed.path
    assert read_model_info(resumed.path).pixel_size == pytest.approx(0.96 / 192)
    expected, found = (one.load_checkpoint()[0] for one in (trained[0], resumed))
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("mip", [1, 2])
def test_less_detail_shows_the_same_tile(model, mip):
    whole = model.generate(wanted())
    small = model.generate(wanted(mip=mip, width=256 >> mip, height=192 >> mip))
    # Both begin beside the same line of the small picture, at most a pixel of it (four of the whole) away.
    left, top = (
        own - (other << mip)
        for own, other in zip(whole.recipe.config.origin, small.recipe.config.origin, strict=True)
    )
    most = 4 if mip == 2 else 7
    assert abs(left) <= most
    assert abs(top) <= most
    back = np.roll(whole.maps["base_color"], (top, left), (0, 1))
    expected, found = halved(back, mip), small.maps["base_color"]
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.9


def test_sizes_and_levels_that_cannot_be_are_refused(model):
    for changes, code in (
        ({"width": 264}, "invalid_size"),
        ({"mip": 3, "width": 32, "height": 24}, "invalid_config"),
        ({"mip": -1}, "invalid_config"),
    ):
        with pytest.raises(RequestError) as caught:
            model.generate(wanted(**changes))
        assert caught.value.code == code
    assert model.generate(wanted(mip=1, width=144)).maps["base_color"].shape == (192, 144, 3)


@pytest.mark.parametrize(
    "style",
    [None, CellMap(rows=2, columns=2, cells=(0.0, 1.0, 1.0, 0.0), styles=(Seed(1), Seed(2)))],
    ids=["one style", "painted"],
)
def test_pieces_make_the_whole(model, monkeypatch, style):
    config = wanted(style=style, width=512, height=384)
    whole = model.generate(config)
    monkeypatch.setattr(rendering, "LONGEST", 128)
    pieces = model.generate(config)
    assert pieces.recipe == whole.recipe
    difference = np.abs(pieces.maps["base_color"] - whole.maps["base_color"])
    # Where two places of the bank are equally near, rounding may choose the other one.
    assert np.mean(difference > 1 / 255) < 1e-3


def test_a_tile_with_detail_has_no_seam(model):
    ratios = [
        ratio
        for seed in range(4)
        for ratio in model.generate(wanted(seed=seed)).seam_ratios.values()
    ]
    assert np.mean(ratios) < 1.05


def test_detail_has_the_strength_of_the_real_one(config, model):
    real = pictures.read_picture(model_file(config))
    made = model.generate(wanted()).maps["base_color"]
    plain = model.generate(wanted(mip=2, width=64, height=48)).maps["base_color"]
    smooth = plain.repeat(4, 0).repeat(4, 1)

    def finest(picture):
        return float(np.std(picture[::2] - picture[1::2]))

    assert finest(made) == pytest.approx(finest(real), rel=0.3)
    assert finest(smooth) < 0.5 * finest(real)


def model_file(config):
    from pathlib import Path

    return Path(config.pictures[0])


@pytest.mark.parametrize(
    ("scale", "before", "asked", "expected", "told"),
    [
        (0.25, 0, None, (0.25, 0), ""),
        (0.25, 0, 2, (1.0, 2), ""),
        (0.25, 0, 6, (1.0, 2), "2 instead of 6. More would enlarge the pictures"),
        (0.4, 1, 3, (0.8, 2), "2 instead of 3"),
        # What was chosen for it first is the most it may have.
        (1.0, 1, 3, (1.0, 1), "1 instead of 3"),
        (2.0, 1, 2, (2.0, 1), "1 instead of 2"),
        (1.0, 2, 2, (1.0, 2), ""),
        (1.0, 2, 1, (1.0, 2), "2 instead of 1. A run keeps those it has"),
    ],
)
def test_a_resumed_run_gets_no_more_octaves_than_its_pictures_have(
    scale, before, asked, expected, told, config
):
    pipeline = MaterialPipeline(PRESETS["nano"])
    first = dataclasses.replace(config, scale=scale, octaves=before)
    measured = pipeline.read(first, {}, None, lambda text: None)
    state = {
        "scale": scale,
        "octaves": before,
        "statistics": measured.statistics.to_json(),
        "patterns": [dataclasses.asdict(pattern) for pattern in measured.patterns],
    }
    again = pipeline.read(dataclasses.replace(first, octaves=asked), state, None, lambda text: None)
    assert (again.report.scale, again.report.octaves) == expected
    notes = [note for note in again.report.notes if "Octaves" in note]
    assert [told in note for note in notes] == [True] * bool(told)


def test_detail_is_learned_however_little_is_kept_of_each_material(config, tmp_path, monkeypatch):
    """Of five pictures of 8192² with six octaves it would be 14 small pixels across, whose halves hold no patch."""
    monkeypatch.setattr(dataset, "KEPT_PIXELS", 2**10)
    run, _ = train(config, tmp_path, steps=0)
    assert read_model_info(run.path).octaves == config.octaves


@pytest.fixture(scope="module")
def plain(config, tmp_path_factory):
    """A run without detail, whose pictures have some."""
    return train(dataclasses.replace(config, octaves=0, scale=0.25), tmp_path_factory.mktemp("p"))


def with_detail(plain, folder, steps=2):
    """A copy of that run, continued with detail."""
    run = Run(shutil.copytree(plain[0].path, folder / "stones"))
    config = run.load_config()
    kimg = config.kimg + steps * BATCH / 1000
    more = dataclasses.replace(config, octaves=2, scale=None, resume=True, kimg=kimg)
    return train(more, folder)


@pytest.fixture(scope="module")
def continued(plain, tmp_path_factory):
    return with_detail(plain, tmp_path_factory.mktemp("continued"))[0]


def test_a_run_without_detail_can_be_continued_with_it(plain, continued):
    before, _ = plain
    small = generation.load_model(open_model(before.path.parent, "stones"))
    assert (small.info.octaves, small.info.format) == (0, 1)
    kept = before.load_checkpoint()[0]
    large = generation.load_model(open_model(continued.path.parent, "stones"))
    assert (large.info.octaves, large.info.scale) == (2, 1.0)
    assert large.info.stride == 4 * small.info.stride
    assert large.generate(wanted()).maps["base_color"].shape == (192, 256, 3)
    now = continued.load_checkpoint()[0]
    assert set(kept) < set(now)


def test_a_new_detail_stage_is_new_again_where_a_training_goes_back(
    plain, continued, tmp_path, monkeypatch
):
    """There is none in the checkpoint to go back to."""
    monkeypatch.setattr(loop, "FIRST_CHECKPOINT", 1e9)
    step, spoiled = DetailStep.step, []

    def breaks_off_once(detail, fraction):
        losses = step(detail, fraction)
        if not spoiled:
            spoiled.append(detail)
            for variable in detail.upsampler.variables:
                variable.assign(tf.fill(variable.shape, np.nan))
            raise MemoryError
        return losses

    monkeypatch.setattr(DetailStep, "step", breaks_off_once)
    # Smaller parts would round otherwise.
    monkeypatch.setattr(NativeStep, "divide", lambda update: True)
    found, _ = with_detail(plain, tmp_path)
    assert spoiled
    expected, found = (run.load_checkpoint()[0] for run in (continued, found))
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
