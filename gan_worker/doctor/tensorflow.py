"""TensorFlow and the GPU as findings: tried in a child process, whose crash or hang is a finding too."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_worker.client.launcher import own_environment
from gan_worker.doctor.findings import Finding
from gan_worker.errors import install_command

PROBE = (sys.executable, "-m", "gan_worker.gan.probe")
# TensorFlow alone takes 30 s to load from a slow disk.
PATIENCE = 180.0

SET_UP = "Set the worker up again: Set Up Worker in Blender, or in a terminal by its Copy Command."
_WSL = "Run the worker in WSL2, or on a computer with an NVIDIA GPU and Linux."
_DRIVERS = ("/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1")
_DLL_MISSING = 0xC0000135
_ILLEGAL = {-getattr(signal, "SIGILL", 4), 0xC000001D}
_MISMATCH = re.compile(
    r"driver version|version mismatch|DRIVER_MISMATCH|COMPAT_NOT_SUPPORTED", re.I
)


class Probe:
    """TensorFlow, tried in a child process that runs while other checks are made.

    Args:
        command: writes what `gan.probe` writes.
        patience: seconds until it is ended.
    """

    def __init__(self, command: Sequence[str] = PROBE, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 — closed by `close`
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**own_environment(), "TF_CPP_MIN_LOG_LEVEL": "0"},
        )
        self._outcome: Outcome | None = None

    def outcome(self) -> Outcome:
        """Wait for its end, or end it."""
        if self._outcome is None:
            hung = False
            try:
                said, _ = self._process.communicate(timeout=self._patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                said, _ = self._process.communicate()
                hung = True
            self._log.seek(0)
            log = self._log.read().decode("utf-8", "replace")
            end = f"it did not end within {self._patience:.0f} s" if hung else ""
            self._outcome = Outcome(_facts(said), end, self._process.returncode, log)
        return self._outcome

    def close(self) -> None:
        """End it, where it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        self._log.close()


@dataclass(frozen=True)
class Outcome:
    """What the probe said before its end, and how it ended.

    Attributes:
        facts: all that it wrote.
        hung: what to say where it had to be ended; else empty.
        code: exit code; negative for a signal.
        log: what it and TensorFlow wrote on stderr.
    """

    facts: dict[str, Any]
    hung: str
    code: int
    log: str

    @property
    def end(self) -> str:
        """How it ended, in words."""
        if self.hung:
            return self.hung
        if self.code < 0:
            names = {-s.value: s.name for s in signal.Signals}
            return f"it crashed with {names.get(self.code, self.code)}"
        last = self.log.strip().splitlines()[-1:] or [f"exit code {self.code}"]
        return f"it ended with: {last[0][:200]}"


def check_tensorflow(outcome: Outcome) -> Finding:
    """Whether TensorFlow is there and can be loaded."""
    facts = outcome.facts
    if "tensorflow" in facts:
        text = f"{facts['tensorflow']}, Keras {facts['keras']}, loaded in {facts['seconds']:.1f} s"
        return Finding("TensorFlow", "good", text)
    return Finding("TensorFlow", "bad", f"cannot be loaded: {outcome.end}", _load_cure(outcome))


def _load_cure(outcome: Outcome) -> str:
    if "No module named 'tensorflow'" in outcome.log:
        return SET_UP
    if "DLL load failed" in outcome.log or outcome.code == _DLL_MISSING:
        return "Install the Microsoft Visual C++ Redistributable (x64), then check again."
    if outcome.code in _ILLEGAL:
        return "TensorFlow needs a processor with AVX instructions; use another computer."
    if outcome.hung:
        return "Let a virus scanner skip the worker's environment, then check again."
    return SET_UP


def check_gpu(outcome: Outcome) -> Finding:
    """Which GPU is used, or why none is."""
    facts = outcome.facts
    if "gpus" not in facts:
        cure = "Follow what is said of TensorFlow first, then check again."
        return Finding("GPU", "warning", "not known, since TensorFlow did not get so far", cure)
    if facts["gpus"]:
        return Finding("GPU", "good", f"{', '.join(facts['gpus'])}, CUDA {facts['cuda']}")
    why, cure = why_no_gpu(
        platform.system(),
        facts["cuda_build"],
        _has_driver(),
        os.environ.get("CUDA_VISIBLE_DEVICES"),
        outcome.log,
    )
    return Finding("GPU", "warning", f"none is used, training is slow: {why}", cure)


def why_no_gpu(
    system: str, cuda_build: bool, driver: bool, visible: str | None, log: str
) -> tuple[str, str]:
    """Why TensorFlow finds no GPU, and what to do.

    Args:
        system: as `platform.system` says.
        cuda_build: whether this TensorFlow was built for GPUs.
        driver: whether an NVIDIA driver is installed.
        visible: the variable CUDA_VISIBLE_DEVICES; None where it is not set.
        log: what TensorFlow wrote while it looked.
    """
    if system == "Windows":
        return "TensorFlow has no GPU build for native Windows", _WSL
    if system == "Darwin":
        cure = "Nothing can be done here; a worker on a computer with an NVIDIA GPU is faster."
        return "TensorFlow has no GPU build for macOS", cure
    if visible is not None and visible.strip() in ("", "-1"):
        return "the variable CUDA_VISIBLE_DEVICES hides them", "Unset CUDA_VISIBLE_DEVICES."
    if not driver:
        cure = (
            "Install the driver of your NVIDIA GPU, or use the worker of a computer that has one."
        )
        return "no NVIDIA driver was found", cure
    cuda = f"Install it with CUDA's libraries: {install_command('tensorflow[and-cuda]')}"
    if not cuda_build:
        return "this TensorFlow was built without CUDA", cuda
    if _MISMATCH.search(log):
        return "the NVIDIA driver is too old for CUDA", "Update the NVIDIA driver and restart."
    return (
        "CUDA's libraries are missing or do not fit the driver",
        cuda,
    )


def _has_driver() -> bool:
    return shutil.which("nvidia-smi") is not None or any(Path(p).exists() for p in _DRIVERS)


def check_learning(outcome: Outcome) -> Finding:
    """Whether a step of a real generator works, and whether the processor has bfloat16."""
    facts = outcome.facts
    if "step" not in facts:
        stage = "a training step failed" if "gpus" in facts else "was not reached"
        return Finding("Learning", "bad", f"{stage}: {outcome.end}", SET_UP)
    if not facts["finite"]:
        return Finding(
            "Learning", "bad", "a training step gave numbers that are no numbers", SET_UP
        )
    fast = "with" if facts["bfloat16"] else "without"
    text = f"a first step of the smallest generator took {facts['step']:.1f} s, {fast} bfloat16"
    return Finding("Learning", "good", text)


def _facts(said: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for line in said.splitlines():
        try:
            facts.update(json.loads(line))
        except (ValueError, TypeError):
            continue  # something else that was printed while TensorFlow loaded
    return facts
