"""What a model's file says of itself is compared with what it holds before memory is taken for either."""

import resource
from dataclasses import replace

import numpy as np
import pytest

from gan_worker.config import GenerationConfig
from gan_worker.errors import StorageError
from gan_worker.gan.generation import model as generation
from gan_worker.runs.run import Run

WANTED = GenerationConfig("native", 1, 64, 64)


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path, "native")


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def sizes(info, **changes):
    return replace(info, network={**info.network, "config": {**info.network["config"], **changes}})


def refused(run, info, tensors):
    run.save_model(info, tensors)
    with pytest.raises(StorageError) as caught:
        generation.load_model(run.path)
    return caught.value


def test_a_model_with_octaves_comes_back_as_it_was(run, native_model):
    run.save_model(native_model.info, native_model.tensors())
    again = generation.load_model(run.path)
    first, second = native_model.generate(WANTED).maps, again.generate(WANTED).maps
    for name in first:
        # Graphs that were made for other sizes too may round the last bit otherwise.
        np.testing.assert_allclose(first[name], second[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"generator_channels": [9000, 9000, 9000, 9000]},
        {"generator_channels": [16] * 100_000},
        {"generator_channels": [24, 16, 16, -3]},
        {"w_dim": 30_000},
        {"z_dim": 10**12},
        {"local_channels": 10**9},
        {"local_channels": True},
        {"detail": {"width": 12_000}},
        {"detail": {"blocks": 10**9}},
        {"detail": {"blocks": 30}},
        {"detail": {"width": "wide"}},
        {"side": 10**6, "generator_widths": [10**9]},
    ],
)
def test_sizes_that_the_weights_do_not_have_are_refused_before_memory_is_taken(
    run, native_model, changes
):
    before = peak_mb()
    error = refused(run, sizes(native_model.info, **changes), native_model.tensors())
    assert error.code in ("model_format", "checkpoint_corrupt")
    assert peak_mb() - before < 100


@pytest.mark.parametrize("octaves", [0, 1, 6])
def test_octaves_that_the_weights_do_not_have_are_refused(run, native_model, octaves):
    error = refused(run, replace(native_model.info, octaves=octaves), native_model.tensors())
    assert error.code == "model_format"


@pytest.mark.parametrize(
    "changes",
    [
        {"bank/picture/000": np.zeros((256, 256, 1), np.uint8)},
        {"bank/picture/000": np.zeros((256, 256), np.uint8)},
        {"bank/picture/000": np.zeros((8, 256, 4), np.uint8)},
        {"bank/picture/001": np.zeros((256, 256, 4), np.uint8)},
        {"bank/kernel/0": np.zeros((6, 6, 4, 4096), np.float32)},
        {"bank/bias/1": np.zeros((3,), np.float32)},
        {"bank/scales": np.zeros((2, 400), np.float32)},
        {"bank/more": np.zeros(1, np.float32)},
        {"upsampler/000": np.zeros(1, np.float32)},
    ],
)
def test_real_pictures_that_do_not_fit_the_networks_are_refused(run, native_model, changes):
    error = refused(run, native_model.info, {**native_model.tensors(), **changes})
    assert error.code == "model_format"
    assert next(iter(changes)) in str(error)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "name", ["generator/005", "upsampler/000", "bank/kernel/1", "bank/scales", "bank/bias/0"]
)
def test_one_number_that_is_not_finite_is_enough(run, native_model, name, value):
    tensors = {n: np.array(array) for n, array in native_model.tensors().items()}
    tensors[name].flat[-1] = value
    error = refused(run, native_model.info, tensors)
    assert (error.code, name in str(error)) == ("checkpoint_corrupt", True)


@pytest.mark.parametrize(
    ("field", "value"), [("mean", [float("nan")]), ("spread", [float("inf")]), ("axes", [[1.0, 2]])]
)
def test_statistics_are_finite_and_fit_together(run, native_model, field, value):
    info, statistics = native_model.info, native_model.info.statistics
    odd = {**statistics, "height": {**statistics["height"], field: value}}
    error = refused(run, replace(info, statistics=odd), native_model.tensors())
    assert (error.code, "height" in str(error)) == ("checkpoint_corrupt", True)


def test_weights_that_make_what_is_not_finite_make_no_picture(run, native_model):
    """Finite weights may be as large as to overflow in the first picture."""
    tensors = {n: np.array(array) for n, array in native_model.tensors().items()}
    for name in (n for n in tensors if n.startswith(("generator/", "upsampler/"))):
        tensors[name] = np.full_like(tensors[name], 1e30)
    run.save_model(native_model.info, tensors)
    with pytest.raises(StorageError, match="finite") as caught:
        generation.load_model(run.path).generate(WANTED, {"base_color": 8})
    assert caught.value.code == "checkpoint_corrupt"
