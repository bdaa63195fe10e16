"""A server in a thread, clients with patience, and workers as real processes."""

from __future__ import annotations

import errno
import gc
import importlib.util
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

# Tests run two at a time, each with processes of its own: with more threads they would hold each other up.
for _name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# Graphs are many objects, and there is little garbage among them: looking through them took a twelfth of a training.
gc.set_threshold(200_000, 20, 100)
# What a shell starts in the background ignores Ctrl+C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, str(Path(__file__).parent))  # tables that tests of several packages share

# There is a Blender for some versions of Python only; with the others the worker is tested alone.
collect_ignore = [] if importlib.util.find_spec("bpy") else ["blender"]

STAND_IN = Path(__file__).parent / "worker" / "server" / "stand_in_compute.py"
# Seconds until a wait for an event is given up; long, for computers that are busy with other things.
PATIENCE = 60.0


def pytest_report_header() -> list[str]:
    return [f"left out, for want of bpy: tests/{name}" for name in collect_ignore]


@pytest.fixture
def vanishing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is searched for is gone when it is found, as where another process tidies the same folder."""
    search = Path.glob

    def found(folder: Path, pattern: str) -> Iterator[Path]:
        for path in [*search(folder, pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            yield path

    monkeypatch.setattr(Path, "glob", found)


class Ear:
    """A client and everything it has heard."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.heard: list[Any] = []

    def pump(self) -> None:
        self.heard += self.client.collect()

    def until(self, found: Callable[[list[Any]], Any], seconds: float = PATIENCE) -> Any:
        """Collect until `found(heard)` gives something true, and return that."""
        end = time.monotonic() + seconds
        while not (result := found(self.heard)):
            assert time.monotonic() < end, f"not within {seconds} s; heard {self.heard[-8:]}"
            time.sleep(0.005)
            self.pump()
        return result

    def event(self, kind: type, seconds: float = PATIENCE, **fields: Any) -> Any:
        """The first event of that kind with those fields, waiting for it."""

        def found(heard: list[Any]) -> Any:
            return next(
                (
                    e
                    for e in heard
                    if type(e) is kind and all(getattr(e, k) == v for k, v in fields.items())
                ),
                None,
            )

        return self.until(found, seconds)

    def report(self, job: str, kind: type, seconds: float = PATIENCE) -> Any:
        """The first report of that kind that arrived of a job: the worker sends the latest, and not each one."""
        from gan_worker.client.events import JobReport

        def found(heard: list[Any]) -> Any:
            reports = (e.report for e in heard if type(e) is JobReport and e.job == job)
            return next((report for report in reports if type(report) is kind), None)

        return self.until(found, seconds)

    def state(self, job: str, state: str, seconds: float = PATIENCE) -> Any:
        from gan_worker.wire.messages import JobState

        return self.event(JobState, seconds, job=job, state=state)

    def states(self, job: str) -> list[str]:
        from gan_worker.wire.messages import JobState

        return [e.state for e in self.heard if type(e) is JobState and e.job == job]


@pytest.fixture
def make_ear() -> type[Ear]:
    return Ear


@dataclass
class Served:
    """A server that runs in a thread of the test."""

    server: Any
    keys: Any
    home: Path
    thread: threading.Thread
    ears: list[Ear] = field(default_factory=list)

    def connect(self, keys: Any = None, warm: bool = False) -> Ear:
        from gan_worker.client.client import Client

        where = self.server.announcement
        client = Client(
            where["control"],
            where["bulk"],
            where["server_key"],
            keys or self.keys,
            "test",
            warm,
        )
        self.ears.append(Ear(client))
        return self.ears[-1]

    def end(self) -> None:
        self.server.end()
        self.thread.join(30)
        assert not self.thread.is_alive()


def _run(config: Any, made: queue.Queue[Any]) -> None:
    """Make and run the server in one thread: SQLite does not change threads."""
    from gan_worker.errors import TilewrightError
    from gan_worker.server.server import Server

    try:
        server = Server(config)
    except TilewrightError as error:
        made.put(error)
        return
    made.put(server)
    try:
        server.run()
    finally:
        server.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts a server in a thread, with a stand-in for TensorFlow; takes fields of ServerConfig."""
    from gan_worker.server.server import ServerConfig
    from gan_worker.server.supervisor import Patience
    from gan_worker.wire.keys import new_key_pair

    started: list[Served] = []

    def start(
        keys: Any = None, clients: tuple[Any, ...] = (), server_keys: Any = None, **fields: Any
    ) -> Served:
        keys = keys or new_key_pair()
        config = ServerConfig(
            home=tmp_path / "home",
            keys=server_keys or new_key_pair(),
            clients=(known := frozenset({keys.public, *(c.public for c in clients)})),
            local=known,
            compute_command=(sys.executable, str(STAND_IN)),
            patience=Patience(leave_terminate=2, leave_kill=3),
        )
        made: queue.Queue[Any] = queue.Queue()
        config = replace(config, **fields)
        thread = threading.Thread(target=_run, args=(config, made))
        thread.start()
        server = made.get(timeout=PATIENCE)
        if isinstance(server, Exception):
            thread.join()
            raise server
        started.append(Served(server, keys, config.home, thread))
        return started[-1]

    yield start
    for served in started:
        for ear in served.ears:
            ear.client.close()
        served.end()


class SmallDisk:
    """A disk of its own that can be filled to the last byte.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as error:
                assert error.errno == errno.ENOSPC

    def free(self) -> None:
        """Somebody makes room."""
        self._ballast.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], SmallDisk]]:
    """Mounts disks of so many MiB; only root may, and only Linux has them."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root, on Linux")
    mounted: list[Path] = []

    def mount(size: int) -> SmallDisk:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("this computer mounts no tmpfs, as some containers")
        mounted.append(folder)
        return SmallDisk(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file that is there; the stand-in never reads it."""
    path = tmp_path / "photo.png"
    path.write_bytes(b"not read by the stand-in")
    return path
