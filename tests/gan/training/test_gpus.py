"""One training on several devices."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gan_worker.config import TrainingConfig
from gan_worker.errors import RequestError
from gan_worker.gan.training import gpus

PROGRAM = Path(__file__).with_name("gpus_training.py")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_devices_learn_what_one_learns(striped_file, tmp_path):
    command = [sys.executable, PROGRAM, tmp_path, striped_file]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["gradients_apart"] < 1e-5
    # Adam makes up to a step, 1e-3, of any gradient, so of one near 0 that was rounded otherwise a part of a step.
    assert told["apart"] < 1e-4
    assert told["moved"] > 1e-4, "or nothing was learned"
    assert any("2 of 2 GPUs" in text for text in told["notices"])


@pytest.mark.parametrize(
    ("here", "wanted", "batch", "taken"),
    [(4, 1, 8, 1), (4, 3, 8, 2), (2, 8, 8, 2), (0, 2, 8, 1), (3, 3, 9, 3), (8, 8, 4, 4)],
)
def test_as_many_gpus_as_divide_the_batch(monkeypatch, here, wanted, batch, taken):
    monkeypatch.setattr(gpus, "_devices", lambda: [f"GPU:{n}" for n in range(here)])
    monkeypatch.setattr(gpus.tf.distribute, "MirroredStrategy", list)
    notices = []
    found = gpus.divide_training(wanted, batch, notices.append)
    assert (len(found) if found else 1) == taken
    assert len(notices) == (wanted > 1)


@pytest.mark.parametrize("changes", [{"gpus": 0}, {"gpus": 2, "preset": "classic"}])
def test_a_number_of_gpus_that_cannot_be(changes):
    config = TrainingConfig(**{"run": "r", "pictures": ("p",), **changes})
    with pytest.raises(RequestError, match="GPU"):
        config.check()
