"""The loops that run for hours: that they run, and that they see what they look for."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there nothing dies by a signal")


@pytest.fixture
def soak(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import soak

    return soak


@pytest.fixture
def samples(soak):
    """An hour of a server that is well."""
    return [
        soak.Sample(float(n), 50.0 + n % 2, 27, 6, 100, 50 * 2**20, 10 * n) for n in range(3600)
    ]


@pytest.mark.slow
def test_four_deaths_lose_nothing():
    command = [sys.executable, SCRIPTS / "kill_loop.py", "--rounds", "4"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stdout
    assert "nothing lost" in ended.stdout


def test_a_server_that_is_well_passes(soak, samples):
    assert soak.judge(samples) == []


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("memory", lambda n, s: {"memory": s.memory + 6.0 * n / 3600}),
        ("descriptors", lambda n, s: {"descriptors": s.descriptors + n // 1000}),
        ("threads", lambda n, s: {"threads": s.threads + n // 1000}),
        ("bytes of files", lambda n, s: {"size": s.size * n}),
    ],
)
def test_what_grows_is_seen(soak, samples, what, changes):
    growing = [replace(s, **changes(n, s)) for n, s in enumerate(samples)]
    (fault,) = soak.judge(growing)
    assert fault.startswith(what)


def test_what_fills_up_at_first_is_no_growth(soak, samples):
    warming = [replace(s, memory=s.memory - 20 * (n < 600)) for n, s in enumerate(samples)]
    assert soak.judge(warming) == []
