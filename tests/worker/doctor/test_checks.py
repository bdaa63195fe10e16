"""The worker doctor: every finding has a state and a cure, and nothing that it examines takes it down."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gan_worker.doctor import checks as doctor
from gan_worker.doctor import tensorflow as acceleration
from gan_worker.doctor import view
from gan_worker.doctor.findings import Finding, anonymous, finding_from_json, report, worst
from gan_worker.doctor.tensorflow import SET_UP, Probe, why_no_gpu
from gan_worker.runs import run as runs
from gan_worker.runs.run import ModelInfo, Run
from gan_worker.wire.keys import open_key_folder

LOADED = 'print(\'{"tensorflow": "2.21", "keras": "3", "seconds": 4.0}\', flush=True)'
NO_GPU = 'print(\'{"gpus": [], "cuda_build": true, "cuda": "12"}\', flush=True)'
CRASH = "import os, signal; os.kill(os.getpid(), signal.{})"


def probed(*lines, patience=20.0):
    probe = Probe((sys.executable, "-c", "\n".join(lines)), patience)
    try:
        outcome = probe.outcome()
    finally:
        probe.close()
    checks = (
        acceleration.check_tensorflow,
        acceleration.check_gpu,
        acceleration.check_learning,
    )
    return [check(outcome) for check in checks]


# ---- TensorFlow that misbehaves


@pytest.mark.parametrize(
    ("lines", "says", "cure"),
    [
        (
            ["raise ModuleNotFoundError(\"No module named 'tensorflow'\")"],
            "No module",
            "Set Up Worker",
        ),
        ([CRASH.format("SIGILL")], "SIGILL", "AVX"),
        ([CRASH.format("SIGSEGV")], "SIGSEGV", "Set Up Worker"),
        (["raise ImportError('DLL load failed while importing _x')"], "DLL", "Visual C++"),
        (["print('not JSON', flush=True)"], "exit code 0", "Set Up Worker"),
    ],
)
def test_tensorflow_that_cannot_be_loaded_is_a_finding_with_its_cure(lines, says, cure):
    tensorflow, gpu, learning = probed(*lines)
    assert tensorflow.state == "bad"
    assert says in tensorflow.found
    assert cure in tensorflow.cure
    assert gpu.state == "warning"
    assert learning.state == "bad"


def test_tensorflow_that_hangs_is_ended():
    tensorflow, _, _ = probed("import time; time.sleep(60)", patience=0.5)
    assert tensorflow.state == "bad"
    assert "0 s" in tensorflow.found
    assert "virus scanner" in tensorflow.cure


def test_what_was_said_before_a_crash_counts(monkeypatch):
    monkeypatch.setattr(acceleration, "_has_driver", lambda: False)
    tensorflow, gpu, learning = probed(LOADED, NO_GPU, CRASH.format("SIGABRT"))
    assert tensorflow.state == "good"
    assert (gpu.state, "driver" in gpu.cure) == ("warning", True)
    assert learning.state == "bad"
    assert "a training step failed: it crashed with SIGABRT" in learning.found


def test_numbers_that_are_not_finite_are_bad():
    step = 'print(\'{"step": 1.0, "finite": false, "bfloat16": false}\')'
    assert probed(LOADED, NO_GPU, step)[2].state == "bad"


@pytest.mark.parametrize(
    ("facts", "why", "cure"),
    [
        (("Windows", False, True, None, ""), "Windows", "WSL2"),
        (("Darwin", False, False, None, ""), "macOS", "NVIDIA"),
        (("Linux", True, True, "-1", ""), "CUDA_VISIBLE_DEVICES", "Unset"),
        (("Linux", True, False, None, ""), "no NVIDIA driver", "driver"),
        (("Linux", False, True, "0", ""), "without CUDA", "and-cuda"),
        (("Linux", True, True, None, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"), "too old", "Update"),
        (("Linux", True, True, None, "Cannot dlopen some GPU libraries"), "missing", "and-cuda"),
    ],
)
def test_why_there_is_no_gpu(facts, why, cure):
    found = why_no_gpu(*facts)
    assert why in found[0]
    assert cure in found[1]


# ---- the rest of the environment


def test_a_python_that_tensorflow_is_not_built_for_is_bad(monkeypatch):
    assert doctor.check_python().state == "good"
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 0))
    assert doctor.check_python().state == "bad"


def test_missing_and_old_packages_are_named(monkeypatch):
    wanted = [
        "numpy>=1.24",
        "pyzmq<2; extra == 'worker'",
        "nowhere; extra == 'worker'",
        "x; extra == 'dev'",
    ]
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: wanted)
    found = doctor.check_packages()
    assert found.state == "bad"
    assert "pyzmq is" in found.found
    assert "nowhere is missing" in found.found
    assert "x is" not in found.found


@pytest.mark.parametrize(("free", "state"), [(0.2, "bad"), (1.5, "warning"), (64, "good")])
def test_little_room_is_a_warning_and_none_is_bad(free, state, tmp_path, monkeypatch):
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=free * doctor.GIB)
    )
    found = doctor.check_disk(tmp_path)
    assert found.state == state
    assert bool(found.cure) == (state != "good")
    assert not list(tmp_path.iterdir())


def test_a_home_folder_that_cannot_be_made_is_bad_and_the_rest_goes_on(tmp_path):
    (tmp_path / "file").write_text("in the way")
    nothing = (sys.executable, "-c", "")
    found = {f.name: f for f in doctor.Doctor(tmp_path / "file" / "home", nothing).examine()}
    assert tuple(found) == doctor.Doctor.names
    assert found["Disk"].state == "bad"
    assert found["Disk"].cure
    assert found["Worker"].state == "good", found["Worker"]
    assert "protocol 1." in found["Worker"].found
    assert found["Port"].state == found["Encryption"].state == found["Pictures"].state == "good"
    assert all(f.cure for f in found.values() if f.state == "bad")


def test_a_key_that_others_can_read_is_bad(tmp_path):
    folder = tmp_path / "keys"
    assert doctor.check_keys(folder).state == "good"
    open_key_folder(folder)
    assert doctor.check_keys(folder).state == "good"
    (folder / "server.key").chmod(0o644)
    found = doctor.check_keys(folder)
    assert (found.state, "server.key" in found.found) == ("bad", True)


def test_a_key_that_is_replaced_meanwhile_is_none_that_others_can_read(tmp_path, monkeypatch):
    open_key_folder(tmp_path / "keys")
    gone = tmp_path / "keys" / "server.key.x.tmp"
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([gone]))
    assert doctor.check_keys(tmp_path / "keys").state == "good"


def test_a_worker_that_does_not_start_is_a_finding(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_worker", lambda: [sys.executable, "-c", "raise SystemExit('oh')"])
    finding = doctor._shielded("Worker", doctor.check_worker)
    assert finding.state == "bad"
    assert "oh" in finding.cure


def test_a_flipped_bit_in_a_model_or_a_checkpoint_is_found(tmp_path):
    info = ModelInfo("oak", "", 8, 16, ("height",), "nano", {}, {}, 1.0, "2030", 1, 0.1)
    assert re.match(r"0 models, .* and 0 checkpoints", doctor.check_models(tmp_path).found)
    run = Run.create(tmp_path, "oak")
    run.save_model(info, {"a": np.arange(8.0)})
    run.save_checkpoint("1", {"a": np.arange(8.0)}, {"step": 1})
    found = doctor.check_models(tmp_path).found
    assert re.match(r"1 model, \d+ that come with Tilewright and 1 checkpoint are sound", found)
    weights = run.path / "checkpoints" / "1" / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    found = doctor.check_models(tmp_path)
    assert (found.state, "oak/checkpoints/1" in found.found) == ("bad", True)


def test_a_model_of_the_program_that_was_damaged_is_found(tmp_path, monkeypatch):
    name = "Starter Red Bricks"
    shutil.copytree(runs.BUNDLED / name, tmp_path / "bundled" / name)
    monkeypatch.setattr(runs, "BUNDLED", tmp_path / "bundled")
    assert "0 models, 1 that come" in doctor.check_models(tmp_path / "runs").found
    (weights,) = (tmp_path / "bundled" / name).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    found = doctor.check_models(tmp_path / "runs")
    assert (found.state, name in found.found, found.cure) == ("bad", True, SET_UP)
    shutil.rmtree(tmp_path / "bundled")
    assert doctor.check_models(tmp_path / "runs").state == "bad"


def test_an_unforeseen_fault_is_a_finding_of_its_check():
    def broken():
        raise ZeroDivisionError("by zero")

    found = doctor._shielded("Port", broken)
    assert (found.name, found.state) == ("Port", "bad")
    assert "by zero" in found.found


# ---- the command and its report


def test_the_report_names_nobody(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/data/ada"))
    places = "/home/ada/x, C:\\Users\\Ada Lovelace\\y, /Users/ada, /mnt/c/Users/ada/y, /data/ada/z"
    text = report("Tilewright", [Finding("Disk", "bad", places, "Look at /home/ada")])
    assert not any(name in text.lower() for name in ("ada", "lovelace"))
    assert "Cure: Look at /home/…\n" in text


def test_the_worst_state_decides():
    assert worst([]) == "good"
    states = [Finding("a", "good", ""), Finding("b", "warning", ""), Finding("c", "good", "")]
    assert worst(states) == "warning"


def test_the_command_tells_each_finding_in_a_line(tmp_path, capsys):
    """The real thing: TensorFlow is loaded, a worker is started and answers."""
    code = view.main(["--json", "--home", str(tmp_path / "home")])
    head, *lines = map(json.loads, capsys.readouterr().out.splitlines())
    found = [finding_from_json(line) for line in lines]
    assert [f.name for f in found] == head["checks"]
    assert code == 0, found
    assert {f.state for f in found} <= {"good", "warning"}
    assert "2.21" in next(f.found for f in found if f.name == "TensorFlow")


def test_something_bad_is_exit_code_1_and_shown_with_its_cure(tmp_path, capsys, monkeypatch):
    broken = [Finding("Disk", "bad", "full", "Free some space.")]
    monkeypatch.setattr(doctor.Doctor, "examine", lambda self: iter(broken))
    assert view.main(["--home", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "bad      Disk         full\n" in shown
    assert "Cure: Free some space." in shown


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has a folder for everybody")
@pytest.mark.parametrize("home", [None, "", "/"])
def test_text_for_others_stays_readable_for_a_user_without_a_home(home, monkeypatch):
    monkeypatch.setattr("pwd.getpwuid", lambda user: {}[user])
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    assert anonymous("1 of 2 in /data/runs, /home/ann/x") == "1 of 2 in /data/runs, /home/…/x"
