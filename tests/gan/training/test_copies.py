"""A training that learns its pictures by heart is told from one that makes new ones."""

import dataclasses

import numpy as np
import pytest

from gan_worker.config import TrainingConfig
from gan_worker.gan.generation import model as generation
from gan_worker.gan.training import copies, loop
from gan_worker.gan.training.copies import EVERY, CopyDetector
from gan_worker.materials import pictures
from gan_worker.progress import MOST_COPIED, Notice
from gan_worker.runs.run import Run, read_model_info


def grained(seed, side=192):
    """Soft blobs with grain, different for every seed."""
    generator = np.random.default_rng(seed)
    coarse = np.kron(generator.uniform(0, 1, (side // 12, side // 12, 1)), np.ones((12, 12, 3)))
    return np.clip(coarse + generator.normal(0, 0.05, coarse.shape), 0, 1).astype(np.float32)


REAL = [grained(seed) for seed in (0, 1)]


def rolled(picture):
    return np.roll(picture, (37, 61), (0, 1))


@pytest.mark.parametrize(
    ("made", "least", "most"),
    [
        ([grained(2), grained(3)], 0, 0),
        # Some pieces lie across what was the border.
        (list(map(rolled, REAL)), 0.7, 1),
        ([rolled(REAL[1]), grained(2)], 0.35, 0.6),
        ([p + np.random.default_rng(5).normal(0, 0.02, p.shape) for p in REAL], 0.8, 1),
    ],
    ids=["new", "all", "one of two", "with noise"],
)
def test_the_share_of_copies_is_measured(made, least, most):
    look = CopyDetector(REAL, turned=False)
    assert look.copied is None
    found = look.look(made, 1.0, last=True)
    assert found == {"copied": look.copied}
    assert least <= look.copied <= most


@pytest.mark.parametrize(
    "way", [lambda p: np.rot90(p), lambda p: p[::-1], lambda p: np.rot90(p)[::-1]]
)
def test_what_is_learned_in_all_ways_is_found_in_all_ways(way):
    turned = list(map(way, REAL))
    assert CopyDetector(REAL, turned=False).look(turned, 1.0, last=True) == {"copied": 0}
    assert CopyDetector(REAL, turned=True).look(turned, 1.0, last=True)["copied"] > 0.8
    new = [grained(2), grained(3)]
    assert CopyDetector(REAL, turned=True).look(new, 1.0, last=True) == {"copied": 0}


def test_it_looks_seldom_and_takes_a_small_share_of_the_time(monkeypatch):
    now = iter([0.0, 4.0, 10.0, 10.1])
    monkeypatch.setattr(copies.time, "perf_counter", lambda: next(now))
    look = CopyDetector(REAL, turned=False, copied=0.5)
    assert look.look(REAL, 100.0) == {}
    assert look.copied == 0.5
    assert look.look(REAL, 100.0 + EVERY)
    # It took 4 seconds, which is 2 % of 200.
    assert look.look(REAL, 100.0 + EVERY + 199) == {}
    assert look.look(REAL, 100.0 + EVERY + 200)


def test_a_training_that_learns_by_heart_ends_with_a_warning(monkeypatch, tmp_path):
    """A generator that returns the training picture, rolled, stands in; honest ones are in test_training."""
    pictures.write_picture(tmp_path / "bark.png", REAL[0])
    generate = generation.Model.generate

    def recite(model, wanted, *more):
        maps = {"base_color": np.roll(REAL[0], 37 * wanted.seed, (0, 1))}
        return dataclasses.replace(generate(model, wanted, *more), maps=maps)

    monkeypatch.setattr(generation.Model, "generate", recite)
    run, heard = Run.create(tmp_path, "bark"), []
    file = str(tmp_path / "bark.png")
    config = TrainingConfig("bark", (file,), "nano", minutes=None, kimg=0.004, scale=1.0)
    loop.train(config, run, heard.append, lambda: False)
    copied = read_model_info(run.path).copied
    assert copied > MOST_COPIED
    assert run.load_checkpoint()[1]["copied"] == copied
    (notice,) = [r.text for r in heard if isinstance(r, Notice) and "copied" in r.text]
    assert f"{copied:.0%} of what this model makes is copied" in notice
    assert "Train on more or larger pictures" in notice
