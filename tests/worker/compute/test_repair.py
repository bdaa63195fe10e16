"""A repair as the compute process runs it: a starter model, real files, and what the result holds."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from dataclasses import replace

import numpy as np
import pytest

from gan_worker.compute.jobs import GanProgram
from gan_worker.config import GenerationConfig, RepairConfig
from gan_worker.errors import Cancelled, RequestError
from gan_worker.estimation import Estimation
from gan_worker.materials.pictures import write_picture
from gan_worker.progress import GenerationProgress

MODEL = "Starter Red Bricks"
MASKED = (slice(50, 70), slice(110, 128))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return GanProgram(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def maps(program):
    """A seamless material of 128×128."""
    config = GenerationConfig(MODEL, seed=5, width=128, height=128)
    return program.generate(config, None, lambda news: None, lambda: False).maps


@pytest.fixture
def config(maps, tmp_path):
    return written(maps, tmp_path, MODEL)


def written(maps, tmp_path, model):
    """The repair of a material, whose files and whose mask are written."""
    (tmp_path / "maps").mkdir(exist_ok=True)
    for name, pixels in maps.items():
        bits = 8 if pixels.dtype == np.uint8 else 16
        write_picture(tmp_path / "maps" / f"wall_{name}.png", pixels, bits)
    mask = np.zeros((128, 128, 1), np.uint8)
    mask[MASKED] = 255
    write_picture(tmp_path / "mask.png", mask)
    return RepairConfig(
        model, str(tmp_path / "maps"), str(tmp_path / "mask.png"), scale=1.0, steps=4
    )


def test_all_maps_are_filled_and_keep_their_bits_elsewhere(program, maps, config):
    told = []
    done = program.repair(config, told.append, lambda: False)
    assert told[:4] == [GenerationProgress(n, 4) for n in (1, 2, 3, 4)]
    assert set(done.maps) == set(maps)
    known = np.ones((128, 128), bool)
    known[MASKED] = False
    for name, before in maps.items():
        after = done.maps[name]
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        assert after[known].tobytes() == before[known].tobytes()
    assert (done.maps["base_color"] != maps["base_color"])[MASKED].mean() > 0.5
    assert (done.recipe.model, len(done.recipe.model_hash)) == (MODEL, 64)
    assert max(done.seam_ratios.values()) < 1.5


def test_one_that_is_given_up_ends_at_the_next_step(program, config):
    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        program.repair(config, lambda news: None, stop)


def test_a_mask_that_marks_nothing_is_refused(program, config, tmp_path):
    write_picture(tmp_path / "black.png", np.zeros((128, 128, 1), np.uint8))
    with pytest.raises(RequestError, match="marks nothing"):
        program.repair(
            replace(config, mask=str(tmp_path / "black.png")), lambda news: None, lambda: False
        )


def test_estimated_maps_are_filled_with_what_is_estimated_from_the_new_color(program, tmp_path):
    chosen = Estimation(occlusion=2.0)
    asked = GenerationConfig("Starter Denim", 5, 128, 128, estimation=chosen)
    maps = program.generate(asked, None, lambda news: None, lambda: False).maps
    config = written(maps, tmp_path, "Starter Denim")
    with pytest.raises(RequestError, match="not ambient_occlusion"):
        program.repair(config, lambda news: None, lambda: False)
    maps["ambient_occlusion"][MASKED] = 0
    config = written(maps, tmp_path, "Starter Denim")
    done = program.repair(replace(config, estimation=chosen), lambda news: None, lambda: False).maps
    known = np.ones((128, 128), bool)
    known[MASKED] = False
    before, after = maps["ambient_occlusion"], done["ambient_occlusion"]
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    assert after[known].tobytes() == before[known].tobytes()
    assert abs(after[MASKED].mean() - before[known].mean()) < 0.1 * 255
    assert set(done) == set(maps)
