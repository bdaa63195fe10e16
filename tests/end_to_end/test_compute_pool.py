"""Two real compute processes behind one server: the bytes of one, although one of them is killed."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from gan_worker.client.events import MaterialReady
from gan_worker.config import GenerationConfig
from gan_worker.materials.maps import MAPS
from gan_worker.runs import run
from gan_worker.server.supervisor import COMMAND

PATIENCE = 150.0
MODEL = "Starter Red Bricks"

pytestmark = pytest.mark.slow


def test_two_processes_of_which_one_dies_give_the_bytes_of_one(serve, tmp_path):
    configs = [GenerationConfig(MODEL, seed, 128, 64) for seed in range(8)]
    served = serve(processes=2, compute_command=COMMAND)
    ear = served.connect()
    jobs = [ear.client.submit(config) for config in configs[:2]]
    pool = served.server._compute
    # All at once could be made by the process that is there first.
    ear.until(lambda heard: pool.ready == [0, 1], PATIENCE)
    jobs += [ear.client.submit(config) for config in configs[2:]]
    held = ear.until(lambda heard: served.server._jobs.running_at(1), PATIENCE)
    os.kill(pool[1]._process.pid, signal.SIGKILL)
    ear.state(held[0].job, "interrupted", PATIENCE)
    found = [ear.event(MaterialReady, PATIENCE, job=job).maps for job in jobs]

    from gan_worker.gan.generation import model as generation

    model = generation.load_model(run.open_model(tmp_path / "none", MODEL))
    for config, maps in zip(configs, found, strict=True):
        expected = model.generate(config, {name: MAPS[name].bits for name in maps}).maps
        assert expected.keys() == maps.keys()
        for name in maps:
            np.testing.assert_array_equal(maps[name], expected[name])
