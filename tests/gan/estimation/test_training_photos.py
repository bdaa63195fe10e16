"""Photos that a model is compared with are made what its run has learned from."""

from dataclasses import replace

import numpy as np
import pytest

from gan_worker.config import TrainingConfig
from gan_worker.gan.estimation.training_photos import as_trained, photo_maps
from gan_worker.materials.pictures import write_picture
from gan_worker.preparation import Preparation
from gan_worker.runs.estimators import shipped
from gan_worker.runs.provenance import (
    Provenance,
    TrainingSession,
    describe_picture,
    write_provenance,
)
from gan_worker.runs.run import Run

CORNERS = ((0.1, 0.1), (0.9, 0.15), (0.85, 0.9), (0.1, 0.85))
DONE = Preparation(CORNERS, even_light=1.0, white_balance=0.5, neutral=(0.5, 0.6, 0.5))


@pytest.fixture
def photos(tmp_path):
    """Two photos, of which a run has learned from the first."""
    random, files = np.random.default_rng(1), []
    for name in ("floor", "wall"):
        write_picture(tmp_path / f"{name}.png", random.random((96, 96, 3), np.float32))
        files.append(tmp_path / f"{name}.png")
    return files


@pytest.fixture
def run(photos, tmp_path):
    run = Run.create(tmp_path / "runs", "floor")
    run.save_config(TrainingConfig("floor", (str(photos[0]),), prepare=DONE))
    session = TrainingSession(0, {}, {})
    write_provenance(run.path, Provenance().extended([describe_picture(photos[0])], session))
    return run


def asked(run, *files):
    told = []
    return *as_trained(run, [str(file) for file in files], told.append), told


def test_its_own_photo_gets_all_that_was_done_to_it(run, photos, tmp_path):
    assert asked(run, photos[0]) == (DONE, None, [])
    copied = tmp_path / "elsewhere" / "other name.png"
    copied.parent.mkdir()
    copied.write_bytes(photos[0].read_bytes())
    assert asked(run, copied) == (DONE, None, [])


def test_another_photo_has_no_such_corners_and_no_such_gray(run, photos):
    for files in ([photos[1]], photos):
        done, _, told = asked(run, *files)
        assert done == Preparation(even_light=1.0, white_balance=0.5)
        assert len(told) == 1 and "corners" in told[0].text


def test_light_alone_is_evened_out_of_any_photo(run, photos):
    even = Preparation(even_light=0.7)
    run.save_config(replace(run.load_config(), prepare=even))
    assert asked(run, photos[1]) == (even, None, [])


def test_where_all_maps_were_learned_photos_get_them(run, photos):
    run.save_config(replace(run.load_config(), learn_maps=True))
    assert asked(run, photos[0])[1].names == photo_maps(shipped()).names


def test_a_model_without_its_run_says_nothing(photos, tmp_path):
    (tmp_path / "model").mkdir()
    assert asked(Run(tmp_path / "model"), photos[0]) == (Preparation(), None, [])
