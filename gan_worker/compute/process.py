"""Compute process: runs a training and, between its steps, repairs and generate jobs; reports and obeys."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import zmq

from gan_worker.compute.guard import start_guard
from gan_worker.compute.jobs import GanProgram, Program
from gan_worker.config import GenerationConfig, RepairConfig, TrainingConfig
from gan_worker.confinement import confine
from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import (
    Cancelled,
    ErrorInfo,
    StorageError,
    TilewrightError,
    UnexpectedError,
    WorkerError,
)
from gan_worker.memory import (
    LEAST_LEFT,
    memory_left_mb,
    ran_out_of_memory,
    resident_memory_mb,
)
from gan_worker.printable import LINE, start_logging
from gan_worker.progress import (
    DataReport,
    GeneratedMaterial,
    LiveModel,
    Preview,
    Report,
    Waiting,
)
from gan_worker.server.blobs import BlobStore
from gan_worker.streams import first_line, take_stdin, wait_for_end
from gan_worker.wire import messages
from gan_worker.wire.codec import Message, decode, encode
from gan_worker.wire.keys import KeyPair
from gan_worker.wire.sockets import connect_dealer, receive, send

logger = logging.getLogger(__name__)

BEAT_EVERY = 0.5
PAUSED_POLL_MS = 50
IDLE_POLL_MS = 500
SEND_PATIENCE_MS = 10_000
ORPHAN_SEND_PATIENCE_MS = 200
ORPHAN_PATIENCE = 25.0
ENTRIES_SHOWN = 60


class Compute:
    """The loop of the compute process.

    Args:
        program: what it runs.
        socket: to the server.
        store: where previews and results go.
        orphaned: set when the server is gone.
    """

    def __init__(
        self,
        program: Program,
        socket: zmq.Socket[bytes],
        store: BlobStore,
        orphaned: threading.Event,
    ) -> None:
        self._program = program
        self._socket = socket
        self._store = store
        self._orphaned = orphaned
        self._trainings: deque[messages.RunJob] = deque()
        self._repairs: deque[messages.RunJob] = deque()
        self._generates: deque[messages.RunJob] = deque()
        self._queues: dict[messages.JobKind, deque[messages.RunJob]] = {
            "train": self._trainings,
            "repair": self._repairs,
            "generate": self._generates,
        }
        self._cancelled: set[str] = set()
        self._paused: set[str] = set()
        self._stopped: set[str] = set()
        self._live: LiveModel | None = None
        # The hash and the file let go of the interpreter, so maps are written side by side.
        self._writers = ThreadPoolExecutor()
        self._work = self._heard = self._short = 0
        self._beat_at = 0.0

    def run(self) -> None:
        """Serve until the server says leave or is gone."""
        self._send(messages.ComputeReady(self._program.device_name()))
        while not self._orphaned.is_set():
            self._take_messages(IDLE_POLL_MS)
            self._serve_generates()
            self._serve_repairs()
            if self._trainings and not self._orphaned.is_set():
                self._serve_training(self._trainings.popleft())

    # ---- the jobs

    def _serve_training(self, run: messages.RunJob) -> None:
        def work() -> messages.Finished:
            config = from_json(TrainingConfig, run.config)
            try:
                self._program.train(config, report, should_stop)
            except Cancelled:
                if self._gives_way:
                    raise no_memory_left("Resume it once there is more.") from None
                raise
            if self._gives_way:
                raise no_memory_left("It was saved; resume it once there is more.")
            return messages.Finished(run.job)

        def report(news: Report) -> None:
            self._report(run.job, news)

        def should_stop() -> bool:
            return self._between_steps(run.job)

        self._send(self._ended(run.job, work))
        self._live = None

    def _serve_generates(self) -> None:
        while self._generates:
            run = self._generates.popleft()
            self._send(self._ended(run.job, lambda run=run: self._generate(run)))  # type: ignore[misc]

    def _serve_repairs(self) -> None:
        while self._repairs:
            run = self._repairs.popleft()
            self._send(self._ended(run.job, lambda run=run: self._repair(run)))  # type: ignore[misc]

    def _repair(self, run: messages.RunJob) -> messages.Finished:
        def should_stop() -> bool:
            self._between_pieces(run.job)
            self._serve_generates()  # they take moments, a repair a minute
            return False

        def report(news: Report) -> None:
            self._report(run.job, news)

        should_stop()
        config = from_json(RepairConfig, run.config)
        material = self._program.repair(config, report, should_stop)
        should_stop()
        return messages.Finished(run.job, result=self._write(run.job, material))

    def _generate(self, run: messages.RunJob) -> messages.Finished:
        config = from_json(GenerationConfig, run.config)
        live = self._live if self._live and self._live.name == config.model else None

        def should_stop() -> bool:
            return self._between_pieces(run.job)

        def report(news: Report) -> None:
            self._report(run.job, news)

        should_stop()
        model = live.model if live else None
        material = self._program.generate(config, model, report, should_stop)
        should_stop()
        return messages.Finished(run.job, result=self._write(run.job, material))

    def _write(self, job: str, material: GeneratedMaterial) -> messages.Result:
        def write(name: str) -> messages.Blob:
            return self._store.write(job, name, material.maps[name])

        blobs = dict(zip(material.maps, self._writers.map(write, material.maps), strict=True))
        return messages.Result(
            material.recipe, blobs, material.seam_ratios, material.forward_seconds
        )

    def _ended(self, job: str, work: Callable[[], messages.Finished]) -> messages.Finished:
        """Do the work and turn whatever happens into how the job ended."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 — a job may fail in any way, the process goes on
            return messages.Finished(job, _info(error))
        finally:
            for marks in (self._cancelled, self._paused, self._stopped):
                marks.discard(job)

    # ---- between two steps and two pieces

    def _between_steps(self, job: str) -> bool:
        self._between(job)
        self._serve_generates()
        self._serve_repairs()
        while job in self._paused and not self._leaving(job):
            self._take_messages(PAUSED_POLL_MS)
            self._between(job)
            self._serve_generates()
            self._serve_repairs()
        return self._leaving(job)

    def _between_pieces(self, job: str) -> bool:
        self._between(job)
        if self._orphaned.is_set():
            raise Cancelled
        if self._gives_way:
            raise no_memory_left("Choose a smaller size.")
        return False

    def _between(self, job: str) -> None:
        self._work += 1
        self._take_messages(0)
        self._beat()
        if job in self._cancelled:
            raise Cancelled

    def _leaving(self, job: str) -> bool:
        return job in self._stopped or self._orphaned.is_set() or self._gives_way

    @property
    def _gives_way(self) -> bool:
        """Whether there was too little memory left twice: before and after all was freed that is not needed."""
        return self._short > 1

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beat_at >= BEAT_EVERY:
            self._beat_at = now
            self._watch_memory()
            beat = messages.Beat(self._work, resident_memory_mb(), self._heard)
            send(self._socket, encode(Message(beat)))

    def _watch_memory(self) -> None:
        """Give way to other programs before the system ends one of them, or this."""
        left = memory_left_mb()
        if left >= LEAST_LEFT:
            self._short = 0
            return
        self._short += 1
        logger.warning("%.0f MiB of memory are left", left)
        if self._short == 1:
            self._program.free_memory()

    # ---- what the server says

    def _take_messages(self, wait_ms: int) -> None:
        if not self._socket.poll(wait_ms):
            return
        while (frames := receive(self._socket, 2)) is not None:
            body = decode([frame.buffer for frame in frames]).body
            if isinstance(body, messages.RunJob):
                self._queues[body.kind].append(body)
            elif isinstance(body, messages.Command):
                self._obey(body)
            elif isinstance(body, messages.Leave):
                self._orphaned.set()

    def _obey(self, command: messages.Command) -> None:
        self._heard += 1
        self._beat_at = 0.0  # so that the server hears of it at once
        marks = {"cancel": self._cancelled, "stop": self._stopped, "pause": self._paused}
        if command.action == "resume":
            self._paused.discard(command.job)
        else:
            marks[command.action].add(command.job)

    # ---- what the server is told

    def _report(self, job: str, news: Report) -> None:
        if isinstance(news, LiveModel):
            self._live = news
        elif isinstance(news, Waiting):
            state: messages.State = "running" if news.error is None else "paused"
            self._send(messages.JobState(job, "train", "", state, news.error))
        elif isinstance(news, Preview):
            self._show(job, news)
        else:
            kind = type(news).__name__
            shown = _shortened(news) if isinstance(news, DataReport) else news
            self._send(messages.ReportEvent(job, kind, to_json(shown)))  # type: ignore[arg-type]

    def _show(self, job: str, news: Preview) -> None:
        try:
            blob = self._store.write(job, f"preview_{news.step}", news.pixels)
        except StorageError as error:
            logger.warning("a preview is not shown: %s", error)
        else:
            self._send(messages.PreviewEvent(job, news.step, blob))

    def _send(self, body: Any) -> None:
        """Send with patience, but where the server is gone, or goes meanwhile, no second is lost to saving."""
        waited = 0
        while not self._socket.poll(ORPHAN_SEND_PATIENCE_MS, zmq.POLLOUT):
            waited += ORPHAN_SEND_PATIENCE_MS
            if self._orphaned.is_set() or waited >= SEND_PATIENCE_MS:
                logger.error("the server takes no messages")
                return
        send(self._socket, encode(Message(body)))


def no_memory_left(advice: str) -> WorkerError:
    """What a job ends with that gives way to other programs."""
    return WorkerError(
        "out_of_memory",
        f"At least {LEAST_LEFT:.0f} MiB of memory must be left to the computer while a job runs; there were less, so "
        "it was ended before the system ends something.",
        f"End other programs that need much memory. {advice}",
    )


def _shortened(report: DataReport) -> DataReport:
    """A report that fits one message, however many files there were."""
    hidden = [
        f"{len(entries) - ENTRIES_SHOWN} more {what} are not listed here."
        for entries, what in ((report.materials, "materials"), (report.skipped, "skipped files"))
        if len(entries) > ENTRIES_SHOWN
    ]
    return dataclasses.replace(
        report,
        materials=report.materials[:ENTRIES_SHOWN],
        skipped=report.skipped[:ENTRIES_SHOWN],
        notes=(*report.notes[:ENTRIES_SHOWN], *hidden),
    )


def _info(error: Exception) -> ErrorInfo:
    if isinstance(error, TilewrightError):
        return error.info
    logger.exception("a job failed", exc_info=error)
    if ran_out_of_memory(error):
        return ErrorInfo(
            "out_of_memory",
            "The computer or its GPU must have room for the job; it ran out of memory.",
            "Choose a smaller size or preset, or end other programs that use the GPU.",
        )
    return UnexpectedError(error).info


# ---- the process


def main(make_program: Callable[[Path], Program] = GanProgram) -> int:
    """Read address and keys from stdin, then run until the server is gone.

    Args:
        make_program: makes the program from the home folder.
    """
    start_logging(logging.INFO, LINE)
    _be_modest()
    pipe = take_stdin()
    told = json.loads(_first_line(pipe))
    guard = start_guard(pipe)
    logger.info("guarded by process %d", guard.pid)
    confine(told["roots"])
    orphaned = threading.Event()
    threading.Thread(target=_watch_server, args=(pipe, guard, orphaned), daemon=True).start()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    keys = KeyPair(told["public"], told["secret"])
    socket = connect_dealer(context, keys, told["server_key"], told["address"], bulk=False)
    socket.setsockopt(zmq.LINGER, 2000)
    program = make_program(Path(told["home"]))
    Compute(program, socket, BlobStore(Path(told["results"])), orphaned).run()
    socket.close()
    context.term()
    return 0


def _be_modest() -> None:
    """Leave the end to the server, and the processor first to whoever works at this computer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(5)


def _first_line(pipe: int) -> bytes:
    line = first_line(pipe)
    if not line.endswith(b"\n"):
        raise SystemExit("compute processes are started by the server")
    return line


def _watch_server(pipe: int, guard: subprocess.Popen[bytes], orphaned: threading.Event) -> None:
    """At the end of the pipe the server is gone: save, and leave in any case after a while."""
    assert guard.stdout is not None
    with guard.stdout as told:
        # On Windows a Python does not start while somebody reads from its stdin, and the guard has the same pipe.
        told.read(1)
    wait_for_end(pipe)
    orphaned.set()
    time.sleep(ORPHAN_PATIENCE)
    logger.error("saving took too long")
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main())
