"""Batches that are worked off in parts where memory is short: slower, with the same result."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import TrainingConfig
from gan_worker.errors import WorkerError
from gan_worker.gan.networks import precision
from gan_worker.gan.training import loop
from gan_worker.gan.training.native import NativeStep
from gan_worker.gan.training.shares import PartShare
from gan_worker.gan.training.step import TrainingStep
from gan_worker.memory import ran_out_of_memory
from gan_worker.progress import Notice
from gan_worker.runs.run import Run

SHORT = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


@pytest.fixture
def exact(monkeypatch):
    """Rounding of bfloat16 depends on how a batch is divided."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)


@pytest.fixture
def config(striped_file):
    return TrainingConfig("r", (str(striped_file),), "nano", None, kimg=0.008, scale=1.0, octaves=0)


def train(config, folder):
    run, notices = Run.create(folder, config.run), []

    def report(news):
        if isinstance(news, Notice):
            notices.append(news.text)

    loop.train(config, run, report, lambda: False)
    return run.load_checkpoint()[0], notices


def short_of_memory(monkeypatch, kind, steps):
    """Let so many steps of this kind fail, each after it has spoiled some weights."""
    left, step = [steps], kind.step

    def failing(self, *args):
        if left[0]:
            left[0] -= 1
            for variable in self.generator.variables if kind is TrainingStep else ():
                variable.assign_add(tf.ones_like(variable))
            raise SHORT
        return step(self, *args)

    monkeypatch.setattr(kind, "step", failing)


def assert_alike(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        # The pool of generated pictures is kept in half precision.
        apart = 1e-4 if array.dtype == np.float32 else 2e-3
        np.testing.assert_allclose(other[name], array, atol=apart, err_msg=name)


def test_a_training_without_memory_goes_on_in_parts_and_learns_the_same(
    config, exact, monkeypatch, tmp_path
):
    expected, none = train(config, tmp_path / "whole")
    short_of_memory(monkeypatch, TrainingStep, 1)
    found, notices = train(config, tmp_path / "parts")
    assert_alike(expected, found)
    assert not any("memory" in text for text in none)
    assert sum("smaller parts" in text for text in notices) == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_with_detail_both_parts_of_a_training_are_divided(config, exact, monkeypatch, tmp_path):
    # Beyond the share of the budget that belongs to the small pictures.
    native = dataclasses.replace(config, octaves=1, scale=1.0, kimg=0.02)
    expected, _ = train(native, tmp_path / "whole")
    short_of_memory(monkeypatch, NativeStep, 2)
    found, notices = train(native, tmp_path / "parts")
    assert any("upsampler_optimizer" in name and np.any(a) for name, a in expected.items())
    assert_alike(expected, found)
    assert sum("smaller parts" in text for text in notices) == 2


def test_where_the_smallest_parts_do_not_fit_it_says_so(config, monkeypatch, tmp_path):
    short_of_memory(monkeypatch, TrainingStep, 99)
    with pytest.raises(WorkerError) as caught:
        train(config, tmp_path)
    assert caught.value.code == "out_of_memory"
    assert "smallest parts" in caught.value.info.message


def test_other_faults_of_a_step_are_no_shortage(config, monkeypatch, tmp_path):
    def broken(self, *args):
        raise tf.errors.InvalidArgumentError(None, None, "shapes do not match")

    monkeypatch.setattr(TrainingStep, "step", broken)
    with pytest.raises(tf.errors.InvalidArgumentError):
        train(config, tmp_path)


def test_only_the_own_part_of_the_pictures_has_a_gradient():
    pictures = tf.random.stateless_normal((6, 2, 2, 1), (0, 1))
    share = PartShare(3, tf.constant(1), pictures)
    own = share.own(pictures)
    with tf.GradientTape() as tape:
        tape.watch(own)
        whole = share.whole(own * 2)
        total = tf.reduce_sum(whole)
    np.testing.assert_array_equal(whole[2:4], 2 * pictures[2:4])
    np.testing.assert_array_equal(whole[:2], pictures[:2])
    np.testing.assert_array_equal(whole[4:], pictures[4:])
    np.testing.assert_array_equal(tape.gradient(total, own), tf.fill(own.shape, 2.0))


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (SHORT, True),
        (MemoryError(), True),
        (tf.errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY"), True),
        (tf.errors.InternalError(None, None, "a kernel failed"), False),
        (ValueError("out of memory.png cannot be read"), False),
    ],
)
def test_what_counts_as_a_shortage(error, short):
    assert ran_out_of_memory(error) == short
