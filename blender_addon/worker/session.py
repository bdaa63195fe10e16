"""The one worker connection of this Blender, the jobs it started, and what panels show of them."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_worker.client.client import Client
from gan_worker.client.events import (
    Connected,
    JobReport,
    LinkLost,
    MapReady,
    MaterialReady,
    ResultLost,
)
from gan_worker.client.launcher import Launcher
from gan_worker.errors import ErrorInfo, TilewrightError, WorkerError, error_from_info
from gan_worker.names import makes_no_pictures, unknown_model
from gan_worker.progress import TrainingProgress
from gan_worker.wire.messages import (
    FINAL_STATES,
    AskStorage,
    EstimatorEntry,
    JobAccepted,
    JobList,
    JobRejected,
    JobState,
    ModelEntry,
    ModelList,
    Request,
    RunEntry,
    RunList,
    StorageSizes,
    Unreadable,
    WorkerFault,
    WorkerStatus,
)

from .jobs import Backlog, earlier_training
from .jobs import Job as Job

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig, RepairConfig, TrainingConfig

log = logging.getLogger(__name__)

NEEDED_PYZMQ = 27
KEPT_JOBS = 100
# Seconds between two questions for the model of a training.
LOOK_AGAIN = 5.0


class Session:
    """One connection to one worker; all of it is called from the main thread and never blocks.

    Only `wait` and `wait_for_job` take their time: scripts call them where no timer fires.

    Attributes:
        state: `stopped`, `starting`, `connecting`, `connected` or `lost`.
        host: of the worker that was connected to by hand; empty for one of ours, None while it is stopped.
        guest: whether Blender was paired with it, and may name pictures by alias alone.
        device: what the worker computes on, once it said so.
        last_error: the newest fault, shown until the next success or until it is dismissed.
        models: what the worker can generate from, as the worker described them.
        models_known: whether it has described them; there may be none.
        estimators: what it can estimate maps with, its own first; none where it is too old to say.
        unreadable: what would be a model if the worker could read it, and why it cannot.
        runs: what was trained, with a model or without.
        storage: how large the worker's folder is, once it said so.
        training: the training that is shown and steered: the newest of this session, or while none of it goes on, one
            that an earlier session began.
        listeners: functions that are given every event, for scripts that print progress.
        crowded: set while results come faster than they are made into materials; no more
            generations are sent then, so that memory stays flat.
    """

    def __init__(self) -> None:
        self.state = "stopped"
        self.host: str | None = None
        self.guest = False
        self.device = ""
        self.compute_state = ""
        self.server_version = ""
        self.memory_mb = 0.0
        self.last_error: ErrorInfo | None = None
        self.models: tuple[ModelEntry, ...] = ()
        self.models_known = False
        self.estimators: tuple[EstimatorEntry, ...] = ()
        self.unreadable: tuple[Unreadable, ...] = ()
        self.runs: tuple[RunEntry, ...] = ()
        self.protocol: tuple[int, ...] = (1, 0)
        self.storage: StorageSizes | None = None
        self.jobs: dict[str, Job] = {}
        self.training: Job | None = None
        self.listeners: list[Callable[[Any], None]] = []
        self.crowded = False
        self._launcher: Launcher | None = None
        self._client: Client | None = None
        self._leaving: list[Launcher] = []
        self._newest: dict[str, str] = {}
        self._backlog = Backlog()
        self._look_again_at = 0.0

    # -- the connection ---------------------------------------------------------------------

    def start_worker(
        self,
        command: Sequence[str],
        home: Path | None,
        log_folder: Path,
        options: Sequence[str] = (),
    ) -> None:
        """Start a worker as a process of its own; `tick` connects to it when it is up.

        Raises:
            WorkerError: `worker_command` when there is no such program.
        """
        self.close()
        check_pyzmq()
        self.last_error = None
        launcher = Launcher(command, home, log_folder, options)
        launcher.start()
        self._launcher, self.host = launcher, ""
        self.state = "starting"

    def connect(self, client: Client, host: str = "", guest: bool = False) -> None:
        """Use a worker that is already running, here or on another computer, of that name or address."""
        self.close()
        self.last_error = None
        self._client, self.host, self.guest = client, host, guest
        self.state = "connecting"

    def stop_worker(self) -> None:
        """Let a worker of ours save and leave; let go of any other."""
        self.close()

    def close(self) -> None:
        """Let go of sockets and process, at once; a worker of ours saves and ends by itself."""
        client, self._client = self._client, None
        launcher, self._launcher = self._launcher, None
        if client:
            client.close()
        if launcher:
            launcher.stop()  # its stdin closes: it saves a checkpoint and leaves
            self._leaving.append(launcher)
        self._forget()

    def _forget(self) -> None:
        self.state, self.device, self.compute_state = "stopped", "", ""
        self.host, self.guest = None, False
        self.models = self.runs = self.unreadable = self.estimators = ()
        self.models_known = False
        self.storage = None
        self._backlog.clear()
        for job in self.jobs.values():
            if not job.done:
                job.state = "interrupted"

    def wait_until_left(self, timeout: float) -> bool:
        """Wait until the workers that were let go have saved and left, for scripts.

        Args:
            timeout: seconds for each.

        Returns:
            Whether they all have.
        """
        return all(launcher.wait(timeout) for launcher in self._leaving)

    @property
    def connected(self) -> bool:
        return self.state == "connected"

    @property
    def owns_worker(self) -> bool:
        """Whether the worker was started by this session."""
        return self._launcher is not None

    @property
    def busy(self) -> bool:
        """Whether something may move soon, so that looking often is worth it."""
        return self.state in ("starting", "connecting") or any(
            job.under_way and job.state != "paused" for job in self.jobs.values()
        )

    @property
    def receiving(self) -> bool:
        """Whether pixels are on their way."""
        return self._client is not None and self._client.receiving

    # -- requests ---------------------------------------------------------------------------

    def train(self, config: TrainingConfig) -> Job:
        """Ask for a training; what becomes of it shows in the job."""
        job_id = self._connected_client().submit(config)
        self.dismiss()
        self.training = self.jobs[job_id] = Job(
            job_id, "train", config.run, purpose="training", config=config
        )
        return self.training

    def generate(
        self,
        config: GenerationConfig,
        target: str = "",
        purpose: str = "",
        receive: Callable[[MaterialReady], None] | None = None,
    ) -> Job:
        """Ask for a material.

        Args:
            config: what to make.
            target: uuid of the material the result is for. A newer request for the same target
                replaces an older one: its result is not wanted any more.
            purpose: as in `Job`.
            receive: as in `Job`.
        """
        self._connected_client()
        job_id = uuid.uuid4().hex
        job = Job(job_id, "generate", config.model, target, purpose, receive, config=config)
        self.jobs[job_id] = job
        if target:
            replaced = self.newest(target)
            if replaced:
                self._backlog.withdraw(replaced)
            self._newest[target] = job.id
        self._backlog.add(job)
        self._send_backlog()
        return job

    def repair(self, config: RepairConfig, receive: Callable[[MaterialReady], None]) -> Job:
        """Ask for a material to be repaired. Only where the worker speaks 1.2."""
        job_id = self._connected_client().submit(config)
        self.dismiss()
        job = self.jobs[job_id] = Job(
            job_id, "repair", config.model, purpose="repair", receive=receive, config=config
        )
        return job

    def _send_backlog(self) -> None:
        if not self.crowded:
            self._backlog.send(self._submit)

    def _submit(self, job: Job) -> None:
        # On one channel a newer request replaces an older one that still waits.
        self._client.submit(job.config, job.id, job.target)

    def _forget_old_jobs(self) -> None:
        """Keep memory flat, however many materials were made."""
        if len(self.jobs) < 2 * KEPT_JOBS + len(self._backlog):
            return
        done = [old.id for old in self.jobs.values() if old.done and old is not self.training]
        for old in done[:-KEPT_JOBS]:
            del self.jobs[old]
        self._newest = {target: kept for target, kept in self._newest.items() if kept in self.jobs}

    def pause(self, job: Job) -> None:
        self._connected_client().pause(job.id)

    def resume(self, job: Job) -> None:
        self._connected_client().resume(job.id)

    def stop(self, job: Job) -> None:
        """End a training and keep what was learned."""
        self._connected_client().stop(job.id)

    def cancel(self, job: Job) -> None:
        """End a job without a result."""
        if not self._backlog.withdraw(job):
            self._connected_client().cancel(job.id)

    def disown(self, job: Job) -> None:
        """Want no result of a job any more, however far it is; the worker is told where that helps."""
        if self.newest(job.target) is job:
            self._newest[job.target] = ""
        if not job.ended and job.state != "interrupted":
            self.cancel(job)

    def refresh(self) -> None:
        """Ask which models, runs and jobs the worker has."""
        client = self._connected_client()
        client.request_jobs()
        self._request_lists(client)

    def _request_lists(self, client: Client) -> None:
        client.request_models()
        if self.speaks(1, 1):
            client.request_runs()
        if self.speaks(1, 4):
            client.ask(AskStorage())

    def speaks(self, major: int, minor: int) -> bool:
        """Whether the worker knows what came with that version of the protocol."""
        return self.protocol >= (major, minor)

    def ask(self, request: Request) -> None:
        """Ask the worker for anything else; the event that follows is as `Client.ask` says."""
        self._connected_client().ask(request)

    def check_connection(self) -> None:
        """Check that something can be asked for.

        Raises:
            WorkerError: `worker_gone`.
        """
        self._connected_client()

    def check_connected(self, what: str) -> None:
        """Check that a worker can make what was to be asked for while one is connected.

        Raises:
            WorkerError: `worker_gone`.
        """
        if not self.connected:
            raise WorkerError(
                "worker_gone",
                f"A worker must be connected to make {what}; none is.",
                "Call bpy.ops.tilewright.start_worker(wait=True) first, then ask for it.",
            )

    def _connected_client(self) -> Client:
        if not self._client or self.state in ("stopped", "starting"):
            raise WorkerError(
                "worker_gone",
                "The worker must be running for this; there is no connection.",
                "Press Start in the Worker panel.",
            )
        return self._client

    # -- what panels ask --------------------------------------------------------------------

    def model_names(self) -> list[str]:
        return [model.name for model in self.models]

    def style_names(self, name: str) -> list[str]:
        """The materials that a model knows by name; none where the worker has no such model."""
        model = self.model(name)
        return list(model.styles) if model else []

    def model(self, name: str) -> ModelEntry | None:
        return next((model for model in self.models if model.name == name), None)

    def known_model(self, name: str) -> ModelEntry:
        """The model of that name.

        Raises:
            RequestError: `unknown_model`, naming those there are and that are offered.
        """
        if name in self.estimator_names():
            raise makes_no_pictures(name)
        model = self.model(name)
        if model is None:
            raise unknown_model(name, (known.name for known in self.models if not known.retired))
        return model

    def estimator_names(self) -> list[str]:
        """Estimators that have learned from somebody's sets."""
        return [estimator.name for estimator in self.estimators if estimator.name]

    def run(self, name: str) -> RunEntry | None:
        return next((entry for entry in self.runs if entry.name == name), None)

    def wanted(self, job_id: str) -> bool:
        """Whether a result of this job is still the newest that was asked for."""
        job = self.jobs.get(job_id)
        return job is not None and self.is_newest(job_id, job.target)

    def is_newest(self, job_id: str, target: str) -> bool:
        """Whether no later job was asked for that target."""
        return self._newest.get(target, job_id) == job_id

    def newest(self, target: str) -> Job | None:
        """The newest job that was asked for that target, if it is still known."""
        return self.jobs.get(self._newest.get(target, ""))

    def expects(self, job_id: str) -> bool:
        """Whether a wanted result of this job may still come."""
        return self.wanted(job_id) and self.jobs[job_id].under_way

    def running(self, kind: str) -> list[Job]:
        """The jobs of a kind that the worker has to do."""
        jobs = (job for job in self.jobs.values() if job.kind == kind)
        return [job for job in jobs if job.under_way and not job.ended]

    def failed_job(self) -> Job | None:
        """The job that the last error is of, if it is of one."""
        failed = (job for job in self.jobs.values() if job.failure)
        return next((job for job in failed if job.failure is self.last_error), None)

    def dismiss(self, job_id: str = "") -> None:
        """Take the error of a job, or else the last one, off the panel."""
        job = self.jobs.get(job_id)
        if job is None or job.error is self.last_error:
            self.last_error = None
        if job is not None:
            job.error = None

    # -- events -----------------------------------------------------------------------------

    def tick(self, budget: float = 0.004, patience: float = 0.0) -> list[Any]:
        """Take what has come in, and bring the state up to date.

        Args:
            budget: seconds after which what else has come is left for the next tick.
            patience: seconds that it waits at most for the pixels of a material, where these are about to come.
        """
        self._forget_old_jobs()  # first, so that what ends now can still be looked up
        try:
            self._watch_launcher()
        except TilewrightError as error:
            self.fail(error)
            self.close()
        events: list[Any] = []
        for event in self._collect(self._client, budget, patience) if self._client else []:
            if self._is_repeated(event):
                continue
            events.append(event)
            self._take(event)
            for listener in self.listeners:
                listener(event)
        if self._backlog and self._client:
            self._send_backlog()
        return [event for event in events if not self._is_late(event)]

    @staticmethod
    def _collect(client: Client, budget: float, patience: float) -> list[Any]:
        end = time.monotonic() + patience
        events = client.collect(budget)
        while not any(isinstance(event, MaterialReady) for event in events):
            left = end - time.monotonic()
            if left <= 0 or not client.wait(left):
                break
            events += client.collect(budget)
        return events

    def _watch_launcher(self) -> None:
        self._leaving = [launcher for launcher in self._leaving if launcher.running]
        if not self._launcher:
            return
        launched = self._launcher.poll()
        if launched and self._client and not self._launcher.running:
            raise WorkerError(
                "worker_gone",
                "The worker must go on running while Blender uses it; it has ended.",
                f"Press Start to start it again. Its log is {self._launcher.log_path}.",
            )
        if launched and not self._client:
            self._client = Client(
                launched.control,
                launched.bulk,
                launched.server_key,
                launched.keys,
                "Blender",
                warm=True,
            )
            self.state = "connecting"

    def _is_repeated(self, event: Any) -> bool:
        """Whether a result came once before: one that is asked for may be on its way already."""
        job = self.jobs.get(getattr(event, "job", ""))
        return bool(job and job.result) and isinstance(event, MapReady | MaterialReady)

    def _is_late(self, event: Any) -> bool:
        return isinstance(event, MapReady | MaterialReady) and not self.wanted(event.job)

    def fail(self, error: TilewrightError | ErrorInfo) -> None:
        """Remember a fault for the panel, until `dismiss`."""
        self.last_error = error.info if isinstance(error, TilewrightError) else error
        log.warning("%s %s [%s]", *self._words(self.last_error))

    @staticmethod
    def _words(info: ErrorInfo) -> tuple[str, str, str]:
        return info.message, info.cure, info.code

    def _take(self, event: Any) -> None:
        match event:
            case Connected():
                self._take_connected(event)
            case LinkLost():
                self.state = "lost" if self.state in ("connected", "lost") else "connecting"
                self.fail(event.error)
            case WorkerStatus():
                self.compute_state, self.memory_mb = event.compute_state, event.memory_mb
                self.device = event.device or self.device
            case WorkerFault():
                self.fail(event.error)
            case ModelList():
                self.models_known = True
                self.models, self.unreadable = tuple(event.models), tuple(event.unreadable)
                self.estimators = tuple(event.estimators)
            case RunList():
                self.runs = tuple(event.runs)
            case StorageSizes():
                self.storage = event
            case JobList():
                # Of several trainings the one that runs is steered, and not one that waits for it.
                for entry in sorted(event.jobs, key=lambda listed: listed.state == "queued"):
                    self._take_listed(entry)
            case _:
                self._take_job_event(event)

    def _take_connected(self, event: Connected) -> None:
        if self.state == "lost":
            self.last_error = None
        self.state = "connected"
        self.server_version, self.compute_state = event.server_version, event.compute_state
        self.device, self.protocol = event.device, tuple(event.protocol)
        self.refresh()

    def _take_listed(self, listed: JobState) -> None:
        """A job the worker knows of: after a reconnect its state may have moved on."""
        job = self.jobs.get(listed.job) or self._adopt(listed)
        if job is None or job.ended:
            return
        self._take_state(job, listed)
        if listed.state == "succeeded" and not job.done and self._client:
            self._client.request_result(job.id)  # a list has none

    def _adopt(self, listed: JobState) -> Job | None:
        """Take up a training that an earlier session began; of other jobs nobody knows what they were for."""
        if listed.kind != "train" or listed.state in FINAL_STATES or not self._client:
            return None
        job = self.jobs[listed.job] = earlier_training(listed.job, listed.name)
        self._client.request_reports()  # what came of it before was nobody's
        return job

    def _take_job_event(self, event: Any) -> None:
        job = self.jobs.get(getattr(event, "job", ""))
        if job is None:
            return
        match event:
            case JobAccepted():
                job.state = "queued" if job.state == "sent" else job.state
            case JobRejected():
                self._take_rejected(job, event.error)
            case JobState():
                self._take_state(job, event)
            case JobReport():
                job.take_report(event.report)
                if isinstance(event.report, TrainingProgress):
                    self._look_for_model(job)
            case MaterialReady():
                job.result = replace(event, maps={})
            case ResultLost() if not job.done:
                self._end_badly(job, event.error)

    def _take_rejected(self, job: Job, error: ErrorInfo) -> None:
        if error.retry_after is not None and job.kind == "generate":
            self._backlog.put_back(job, error.retry_after)
            return
        self._end_badly(job, error)

    def _end_badly(self, job: Job, error: ErrorInfo) -> None:
        """It comes to nothing; that is said unless something newer was asked for instead."""
        job.state, job.error = "failed", error
        if self.wanted(job.id):
            self.fail(error)

    def _take_state(self, job: Job, event: JobState) -> None:
        if (job.state, event.state) == ("paused", "running"):
            self.dismiss(job.id)  # what it waited for is there
        job.state, job.attempt = event.state, event.attempt
        job.error = event.error or job.error
        if event.error and event.state != "cancelled":
            self.fail(event.error)
        if job.kind != "train":
            return
        if job.under_way and not (self.training and self.training.under_way):
            self.training = job
        elif not job.under_way and self._client:
            self._request_lists(self._client)

    def _look_for_model(self, job: Job) -> None:
        """Of a model that is still being trained nobody tells when it can be used first: ask now and then."""
        now = time.monotonic()
        if self._client and not self.model(job.name) and now > self._look_again_at:
            self._look_again_at = now + LOOK_AGAIN
            self._request_lists(self._client)

    # -- for scripts ------------------------------------------------------------------------

    def wait(
        self,
        predicate: Callable[[], bool],
        timeout: float,
        pump: Callable[[], Any] | None = None,
    ) -> None:
        """Pump until the predicate holds, for scripts and `blender -b`, where no timer fires.

        Args:
            predicate: asked after every round.
            timeout: seconds.
            pump: called every round; `tick` where it is not given.

        Raises:
            TilewrightError: what broke the connection, or `worker_silent` after the timeout.
        """
        end = time.monotonic() + timeout
        while not predicate():
            (pump or self.tick)()
            if self.state == "stopped" and self.last_error and not predicate():
                raise error_from_info(self.last_error)
            if time.monotonic() > end:
                raise WorkerError(
                    "worker_silent",
                    f"The worker must answer within {timeout:g} s; nothing came.",
                    "Look at the worker's log, or allow more time.",
                )
            time.sleep(0.002)

    def wait_for_job(
        self, job: Job, timeout: float, pump: Callable[[], Any] | None = None
    ) -> MaterialReady | None:
        """Pump until the job ends.

        Returns:
            The material of a generation, None for a training.

        Raises:
            TilewrightError: why the job failed, or what `wait` raises.
        """
        self.wait(lambda: job.done, timeout, pump)
        if job.state != "succeeded":
            raise error_from_info(job.error or ErrorInfo("cancelled", "", ""))
        return job.result


def check_pyzmq() -> None:
    """Check the pyzmq that is there: another extension may have brought an older one.

    Raises:
        WorkerError: `worker_start`.
    """
    found = metadata.version("pyzmq")
    if int(found.split(".")[0]) < NEEDED_PYZMQ:
        raise WorkerError(
            "worker_start",
            f"pyzmq {NEEDED_PYZMQ} or later must be there; another extension brought {found}.",
            "Disable the other extension, or update it.",
        )


current = Session()


def renew() -> None:
    """Close the connection and begin as when Blender starts."""
    global current
    current.close()
    current = Session()
