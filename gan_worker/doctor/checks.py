"""The worker doctor: tries all that the worker needs, and says for each what is wrong and the cure."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from gan_worker.client.launcher import Launcher, own_environment
from gan_worker.doctor import tensorflow
from gan_worker.doctor.findings import Finding, State
from gan_worker.doctor.tensorflow import SET_UP
from gan_worker.errors import (
    TilewrightError,
    UnexpectedError,
    WorkerError,
    counted,
    install_command,
)

PYTHONS = ((3, 11), (3, 13))
GIB = 2**30
# (below this it is bad, below this it is a warning), GiB.
MEMORY = (0.7, 2.0)
DISK = (0.5, 5.0)
PATIENCE = 60.0

_PYTHON = "Set the worker up in an environment of its own with Python 3.11, 3.12 or 3.13."
_TRY_PICTURES = """
import sys, numpy as np
from pathlib import Path
from gan_worker.materials.pictures import read_picture, write_picture
made = np.linspace(0, 1, 8 * 8 * 3, dtype=np.float32).reshape(8, 8, 3)
for name in ("try.png", "try.exr"):
    file = Path(sys.argv[1], name)
    write_picture(file, made)
    assert np.abs(read_picture(file) - made).max() < 0.01, f"{name} is not what was written"
"""


class Doctor:
    """All checks of one worker, each of which ends in a finding whatever happens.

    Args:
        home: folder of runs and keys; None for the worker's own default.
        probe: the command that tries TensorFlow.
        patience: seconds until it is given up.
    """

    def __init__(
        self,
        home: Path | None,
        probe: Sequence[str] = tensorflow.PROBE,
        patience: float = tensorflow.PATIENCE,
    ) -> None:
        self._home = home
        self._command, self._patience = probe, patience

    # TensorFlow is loaded in the background from the start; what waits for it comes last.
    names = (
        *("Python", "Packages", "Memory", "Disk", "Keys", "Encryption", "Port", "Worker"),
        *("Pictures", "Models", "TensorFlow", "GPU", "Learning"),
    )

    def examine(self) -> Iterator[Finding]:
        """Make the checks in the order of `names`, and give each finding as soon as it is there."""
        probe = tensorflow.Probe(self._command, self._patience)
        checks: Sequence[Callable[[], Finding]] = (
            *(check_python, check_packages, check_memory),
            lambda: check_disk(self._folder()),
            lambda: check_keys(self._folder() / "keys"),
            *(check_encryption, check_port, check_worker, check_pictures),
            lambda: check_models(self._folder() / "runs"),
            lambda: tensorflow.check_tensorflow(probe.outcome()),
            lambda: tensorflow.check_gpu(probe.outcome()),
            lambda: tensorflow.check_learning(probe.outcome()),
        )
        try:
            for name, check in zip(self.names, checks, strict=True):
                yield _shielded(name, check)
        finally:
            probe.close()

    def _folder(self) -> Path:
        if self._home is not None:
            return self._home
        from gan_worker.runs.run import home_folder

        return home_folder()


def _shielded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except TilewrightError as error:
        return Finding(name, "bad", error.info.message, error.info.cure)
    except ImportError as error:
        return Finding(name, "bad", f"cannot be checked: {error}", SET_UP)
    except Exception as error:  # noqa: BLE001 — the other checks must go on, whatever one meets
        info = UnexpectedError(error).info
        return Finding(name, "bad", info.message, info.cure)


# ---- the environment


def check_python() -> Finding:
    """Whether this Python is one that TensorFlow is built for."""
    bits = 8 * struct.calcsize("P")
    found = f"{platform.python_version()}, {bits} bit, {platform.system()} {platform.machine()}"
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1] and bits == 64:
        return Finding("Python", "good", found)
    return Finding("Python", "bad", f"must be 3.11 to 3.13 with 64 bit; it is {found}", _PYTHON)


def check_packages() -> Finding:
    """Whether everything the worker needs is installed, in versions that fit."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("tilewright") or []
    except metadata.PackageNotFoundError:
        return Finding("Packages", "warning", "Tilewright itself is not installed here", SET_UP)
    wrong = []
    wanted = [Requirement(line) for line in lines]
    wanted = [w for w in wanted if w.marker is None or w.marker.evaluate({"extra": "worker"})]
    for requirement in wanted:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, not {requirement.specifier}")
    if wrong:
        return Finding("Packages", "bad", "; ".join(wrong), SET_UP)
    return Finding("Packages", "good", f"all {len(wanted)} are there")


def check_memory() -> Finding:
    """How much memory there is, and how much of it is free."""
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB are free"
    return _measured("Memory", memory.available / GIB, MEMORY, found, "Close other programs.")


def check_disk(home: Path) -> Finding:
    """Whether the home folder can be written to and has room."""
    from gan_worker.files import make_private, storage_errors, write_synced

    with storage_errors(home):
        make_private(home)
        with tempfile.TemporaryDirectory(dir=home, prefix=".doctor-") as folder:
            write_synced(Path(folder) / "try", b"written")
    free = shutil.disk_usage(home).free / GIB
    cure = "Free some space, or choose a models folder on another disk."
    return _measured("Disk", free, DISK, f"{free:.1f} GiB are free in {home}", cure)


def _measured(
    name: str, value: float, bounds: tuple[float, float], found: str, cure: str
) -> Finding:
    bad, warning = bounds
    state: State = "bad" if value < bad else "warning" if value < warning else "good"
    return Finding(name, state, found, "" if state == "good" else cure)


def check_keys(folder: Path) -> Finding:
    """Whether nobody else can read the key folder."""
    if not folder.is_dir():
        return Finding("Keys", "good", "none yet; gan-worker serve makes them")
    if os.name == "posix":
        loose = [path for path in (folder, *folder.iterdir()) if _is_open(path)]
        if loose:
            return Finding(
                "Keys",
                "bad",
                f"others may read {loose[0]}",
                "Delete the folder of keys: gan-worker serve makes new ones that are private.",
            )
    return Finding("Keys", "good", f"private, in {folder}")


def _is_open(path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:  # a draft, which has got its name meanwhile
        return False
    others = stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    return bool(others) or found.st_uid != os.getuid()


# ---- the wire


def check_encryption() -> Finding:
    """Whether ZeroMQ is there with CURVE."""
    import zmq

    found = f"pyzmq {zmq.__version__}, ZeroMQ {zmq.zmq_version()}"
    if int(zmq.__version__.split(".")[0]) < 27:
        return Finding("Encryption", "bad", f"pyzmq must be 27 or later; it is {found}", SET_UP)
    if not zmq.has("curve"):
        wheel = ("--force-reinstall", "--only-binary", ":all:", "pyzmq")
        cure = f"Install pyzmq from its wheel: {install_command(*wheel)}"
        return Finding("Encryption", "bad", f"{found} was built without CURVE", cure)
    return Finding("Encryption", "good", f"{found}, with CURVE")


def check_port() -> Finding:
    """Whether a program can listen on this computer and another one reach it."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)
            with socket.create_connection(server.getsockname(), 5) as client:
                answered, _ = server.accept()
                with answered:
                    client.sendall(b"x")
                    answered.settimeout(5)
                    through = answered.recv(1) == b"x"
    except OSError as error:
        through, why = False, str(error)
    else:
        why = "nothing came through"
    if through:
        return Finding("Port", "good", "programs on this computer can reach each other")
    cure = "Allow this Python to listen on 127.0.0.1 in the firewall or virus scanner."
    return Finding("Port", "bad", f"127.0.0.1 does not work: {why}", cure)


def check_worker() -> Finding:
    """Whether a worker starts, is found, and answers."""
    from gan_worker.client.client import Client
    from gan_worker.client.events import Connected
    from gan_worker.wire.messages import WorkerFault

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tilewright-doctor-") as folder:
        launcher = Launcher(_worker(), Path(folder) / "home", Path(folder) / "logs")
        launcher.start()
        try:
            launched = _until(launcher.poll, "start")
            client = Client(launched.control, launched.bulk, launched.server_key, launched.keys)
            try:
                heard = _until(lambda: next(iter(client.collect()), None), "answer")
            finally:
                client.close()
        finally:
            launcher.stop()
            if not launcher.wait(15):
                launcher.kill()
    if isinstance(heard, WorkerFault):
        return Finding("Worker", "bad", heard.error.message, heard.error.cure)
    assert isinstance(heard, Connected)
    seconds = time.monotonic() - began
    version = ".".join(map(str, heard.protocol))
    found = f"answered in {seconds:.1f} s, version {heard.server_version}, protocol {version}"
    return Finding("Worker", "good", found)


def _worker() -> list[str]:
    return [sys.executable, "-m", "gan_worker"]


def _until(ask: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while (found := ask()) is None:
        if time.monotonic() > end:
            raise WorkerError(
                "worker_silent",
                f"The worker must {what} within {PATIENCE:.0f} s; it does not.",
                "Let a firewall or virus scanner allow this Python, then check again.",
            )
        time.sleep(0.01)
    return found


# ---- files


def check_pictures() -> Finding:
    """Whether OpenImageIO writes and reads what the worker writes and reads; in a child process."""
    with tempfile.TemporaryDirectory(prefix="tilewright-doctor-") as folder:
        command = [sys.executable, "-c", _TRY_PICTURES, folder]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=PATIENCE, env=own_environment()
            )
        except subprocess.TimeoutExpired:
            return Finding("Pictures", "bad", "OpenImageIO does not come to an end", SET_UP)
    if done.returncode == 0:
        return Finding("Pictures", "good", "PNG and EXR are written and read")
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    why = last[0] if last else f"exit code {done.returncode}"
    return Finding("Pictures", "bad", f"OpenImageIO does not work: {why}", SET_UP)


def check_models(folder: Path) -> Finding:
    """Whether all models and checkpoints are what was written, and the models that come with the program too."""
    from gan_worker.runs import run as runs
    from gan_worker.runs.checkpoints import read_checkpoint

    own, checkpoints = [], []
    for name in runs.list_runs(folder):
        run = runs.Run(folder / name)
        checkpoints += [run.path / "checkpoints" / label for label in run.checkpoints()]
        own += [run.path] * (run.path / "model.json").exists()
    bundled = [runs.BUNDLED / name for name in runs.list_runs(runs.BUNDLED)]
    damaged = _damaged(folder, runs.load_model_files, own)
    damaged += _damaged(folder, read_checkpoint, checkpoints)
    if damaged:
        cure = "Bring the run back from a copy, or resume it: a good older checkpoint is used."
        return _damage(damaged, cure)
    lost = _damaged(runs.BUNDLED, runs.load_model_files, bundled)
    if lost or not bundled:
        return _damage(lost or ["the models that come with Tilewright are not there"], SET_UP)
    come = "comes" if len(bundled) == 1 else "come"
    return Finding(
        "Models",
        "good",
        f"{counted(len(own), 'model')}, {len(bundled)} that {come} with Tilewright and "
        f"{counted(len(checkpoints), 'checkpoint')} are sound",
    )


def _damaged(folder: Path, read: Callable[[Path], object], places: Sequence[Path]) -> list[str]:
    """What is wrong with those that cannot be read."""
    found = []
    for place in places:
        try:
            read(place)
        except TilewrightError as error:
            found.append(f"{place.relative_to(folder)}: {error.info.message}")
    return found


def _damage(damaged: Sequence[str], cure: str) -> Finding:
    more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
    return Finding("Models", "bad", damaged[0] + more, cure)
