"""Client of a worker: sends requests, collects events, blocks only in `wait`, uses no Python thread."""

from __future__ import annotations

import base64
import logging
import time
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import zmq
from numpy.typing import NDArray

from gan_worker import __version__
from gan_worker.client import events
from gan_worker.client.downloads import Downloads
from gan_worker.client.heartbeat import Heartbeat
from gan_worker.client.listings import Listings
from gan_worker.client.requests import RESEND, PendingRequests
from gan_worker.config import GenerationConfig, JobConfig, RepairConfig, TrainingConfig
from gan_worker.dataclass_json import InvalidJson, from_json, to_json
from gan_worker.errors import ErrorInfo
from gan_worker.wire import codec, messages
from gan_worker.wire.codec import BadMessage, Message
from gan_worker.wire.sockets import connect_dealer, receive, send

if TYPE_CHECKING:
    from gan_worker.client.events import Event
    from gan_worker.wire.keys import KeyPair

logger = logging.getLogger(__name__)

_KINDS: dict[type[JobConfig], messages.JobKind] = {
    TrainingConfig: "train",
    GenerationConfig: "generate",
    RepairConfig: "repair",
}


class Client:
    """One connection to one worker.

    Every method but `wait` returns at once. `collect` must be called again and again, about 60 times
    a second while something is shown; in between, libzmq's own thread keeps the connection alive,
    however long that takes.

    Args:
        control: address such as `tcp://127.0.0.1:5555`.
        bulk: address of the second socket.
        server_key: the worker's public key, 40 characters of Z85.
        keys: this client's key pair; jobs belong to it.
        name: what the worker's log calls this client.
        warm: whether it is here to work, so that the worker gets ready for the first job when it connects; not
            again where the connection was lost in between.
    """

    def __init__(
        self,
        control: str,
        bulk: str,
        server_key: str,
        keys: KeyPair,
        name: str = "client",
        warm: bool = False,
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._control = connect_dealer(self._context, keys, server_key, control, bulk=False)
        self._bulk = connect_dealer(self._context, keys, server_key, bulk, bulk=True)
        self._poller = zmq.Poller()
        for socket in (self._control, self._bulk):
            self._poller.register(socket, zmq.POLLIN)
        self._heartbeat = Heartbeat()
        self._session = ""
        self._hello = Message(messages.Hello(name, __version__, warm))
        self._greeted = self._refused = False
        self._last: int | None = None
        self._pending = PendingRequests()
        self._unseen = 0
        self._events: list[Event] = []
        self._downloads = Downloads(self._tell)
        self._listings = Listings()

    @property
    def receiving(self) -> bool:
        """Whether pixels are on their way, so that collecting at once is worth it."""
        return self._downloads.going_on

    # ---- requests

    def submit(
        self,
        config: JobConfig,
        job: str | None = None,
        channel: str = "",
    ) -> str:
        """Ask for a job; submitted twice with the same id, it runs once.

        Args:
            config: what to do; its type says which kind of job.
            job: id of the job, 32 hex digits; made here when None.
            channel: a newer generate job on the same channel replaces older ones that still wait.

        Returns:
            The job's id. `JobAccepted` or `JobRejected` follows.

        Raises:
            ProtocolError: `invalid_message` for a config that cannot travel, such as one with a
                NaN.
        """
        job = codec.check_job(job or codec.new_id())
        body = messages.Submit(job, _KINDS[type(config)], to_json(config), channel)
        if self._pending.full:
            self._tell(messages.JobRejected(job, _silent(self._heartbeat.silence)))
        else:
            self.ask(body)
        return job

    def pause(self, job: str) -> None:
        """Stop between two steps and wait; the weights stay in memory."""
        self.ask(messages.Command(job, "pause"))

    def resume(self, job: str) -> None:
        """Go on with a paused or an interrupted job."""
        self.ask(messages.Command(job, "resume"))

    def stop(self, job: str) -> None:
        """End a training now, keeping checkpoint and model."""
        self.ask(messages.Command(job, "stop"))

    def cancel(self, job: str) -> None:
        """End a job within 15 s, keeping nothing new."""
        self.ask(messages.Command(job, "cancel"))

    def ask(self, request: messages.Request) -> None:
        """Ask for anything of the protocol; its reply follows as it came, or `WorkerFault`.

        `AskRunPreview` is followed by `RunPreviewReady`, `RenameRun` by `RunRenamed`, and after runs were changed
        the new lists follow. Of what came with a later protocol than 1.0 the worker must speak it.

        Raises:
            ProtocolError: `invalid_message` for what cannot travel.
        """
        self._pending.add(request)
        if self._session:
            self._send_requests()  # until Blender calls `collect` next it may draw its whole window

    def request_models(self) -> None:
        """Ask for the models; one `ModelList` with all of them follows."""
        self.ask(messages.AskModels())

    def request_runs(self) -> None:
        """Ask for the runs; one `RunList` with all of them follows. Only where the worker speaks 1.1."""
        self.ask(messages.AskRuns())

    def request_jobs(self) -> None:
        """Ask for the jobs of this client's key; `JobList` follows."""
        self.ask(messages.AskJobs())

    def request_reports(self) -> None:
        """Ask for the newest reports and previews of this client's jobs once more; they follow as at first."""
        self.ask(messages.Subscribe(self._last))

    def request_result(self, job: str) -> None:
        """Fetch the result of a finished generate job (again); `MaterialReady` follows, or `ResultLost`."""
        self.ask(messages.AskResult(job))

    def shutdown_worker(self) -> None:
        """Let the worker save a checkpoint of what is training, then end."""
        self.ask(messages.Shutdown())

    def _tell(self, event: Event) -> None:
        self._events.append(event)

    # ---- the pump

    def collect(self, budget: float = 0.004) -> list[Event]:
        """Take in what came, send what is due, and return at once.

        Args:
            budget: seconds after which what else has come is left for the next call.

        Returns:
            Events in the order they came.
        """
        end = time.monotonic() + budget
        chunks = busy = True
        while busy:
            chunks = self._take_bulk()
            busy = self._take_control() or chunks
            if time.monotonic() > end:
                break
        if not chunks:
            self._downloads.forget_lost()
        self._tend()
        found, self._events = self._events, []
        return found

    def wait(self, seconds: float) -> bool:
        """Wait until something comes, but no longer than so many seconds; whether something came."""
        return bool(self._poller.poll(int(seconds * 1000)))

    def close(self) -> None:
        """Leave. Jobs go on."""
        if self._session:
            self._send(Message(messages.Goodbye(), session=self._session))
        self._session = ""
        self._control.close(50)
        self._bulk.close(0)
        self._context.term()

    def _tend(self) -> None:
        due = self._heartbeat.tick()
        if due == "lost":
            self._session = ""
            silence = self._heartbeat.silence
            self._tell(events.LinkLost(silence, _silent(silence)))
        elif due == "ask" and self._session:
            self._send(Message(messages.Ping(), session=self._session))
        elif due == "ask":
            self._greeted = False
        if not self._session and not self._greeted and not self._refused:
            # Tried in every call: it goes out in the moment the connection is there.
            self._greeted = self._send(self._hello)
        if self._session:
            self._send_requests()
            self._send_fetches()
            self._send_seen()

    def _send(self, message: Message) -> bool:
        return send(self._control, codec.encode(message))

    def _send_requests(self) -> None:
        self._pending.send(self._session, self._send)

    def _send_fetches(self) -> None:
        self._downloads.request(lambda message: send(self._bulk, codec.encode(message)))

    def _send_seen(self) -> None:
        if self._unseen and self._send(Message(messages.Seen(self._unseen), session=self._session)):
            self._unseen = 0

    # ---- what comes on control

    def _take_control(self) -> bool:
        frames = receive(self._control, 2)
        if frames is None:
            return False
        try:
            message = codec.decode([f.buffer for f in frames])
        except BadMessage as error:
            logger.warning("a message from the worker was dropped: %s", error)
            if error.code == "protocol_version":
                self._refuse(error.info)
            return True
        self._heartbeat.heard()
        body = message.body
        if isinstance(body, messages.Reply) and (message.session == self._session or _opens(body)):
            self._unseen += isinstance(body, messages.LatestReply)
            getattr(self, f"_on_{body.wire_type}", self._hand_on)(message)
        return True

    def _hand_on(self, message: Message) -> None:
        """Tell as it came what answers a request that still waits, or comes unasked."""
        if message.re is None or self._pending.answer(message) is not None:
            self._tell(message.body)

    def _refuse(self, error: ErrorInfo) -> None:
        if not self._refused:
            self._refused = True
            self._tell(messages.WorkerFault(error))

    def _on_welcome(self, message: Message) -> None:
        if message.re != self._hello.id or message.body.session == self._session:
            return
        body = message.body
        self._session, self._unseen = body.session, 0
        self._hello = Message(replace(self._hello.body, warm=False))
        self._pending.begin_anew(self._last)
        self._tell(
            events.Connected(body.server_version, body.protocol, body.device, body.compute_state)
        )

    def _on_unknown_session(self, message: Message) -> None:
        if message.session in ("", self._session):
            self._session = ""
            self._greeted = False

    def _on_error(self, message: Message) -> None:
        error = message.body.error
        if error.code == "protocol_version":
            self._refuse(error)
        elif (asked := self._pending.answer(message)) is not None:
            self._tell(_refusal(asked, error))
            self._look_again_after(asked)

    def _on_subscribed(self, message: Message) -> None:
        if self._pending.answer(message) is not None:
            self._last = message.body.after
            if message.body.missed:
                self.request_jobs()

    def _on_done(self, message: Message) -> None:
        asked = self._pending.answer(message)
        if isinstance(asked, messages.RenameRun):
            self._tell(events.RunRenamed(asked.run, asked.name))
        self._look_again_after(asked)

    def _look_again_after(self, asked: Any) -> None:
        """Ask what there is, once runs were changed, or could not be because they had changed."""
        if isinstance(asked, messages.RenameRun | messages.DeleteRun):
            self.request_runs()
            self.request_models()

    def _on_state(self, message: Message) -> None:
        body: messages.JobState = message.body
        if message.re is not None:
            if self._pending.answer(message) is not None:
                self._downloads.add_result(body.job, body.result)
            return
        number = message.sequence or 0
        if self._last is None or number <= self._last:
            return
        if number > self._last + 1:
            self.ask(messages.Subscribe(self._last))
            return
        self._last = number
        self._tell(body)
        if body.state in messages.FINAL_STATES:
            self._downloads.forget_preview(body.job)
        if body.result is not None:
            self._downloads.add_result(body.job, body.result)
        elif body.state == "succeeded" and body.kind != "train":
            # No event could carry it; the answer may, or says why there is none.
            self.request_result(body.job)

    def _on_report(self, message: Message) -> None:
        kind = messages.REPORTS[message.body.kind]
        try:
            report = from_json(kind, message.body.report)
        except InvalidJson as error:
            logger.warning("a report was dropped: %s", error)
            return
        self._tell(events.JobReport(message.body.job, report))

    def _on_preview(self, message: Message) -> None:
        self._downloads.add_preview(message.body)

    def _on_model_list(self, message: Message) -> None:
        asked = self._pending.answer(message)
        if asked is None:
            return
        found = self._listings.take(asked, message.body)
        if isinstance(found, messages.Request):
            self.ask(found)
        elif found is not None:
            self._tell(found)

    _on_run_list = _on_model_list

    def _on_run_picture(self, message: Message) -> None:
        if self._pending.answer(message) is not None:
            body = message.body
            self._tell(events.RunPreviewReady(body.run, _thumbnail(body)))

    # ---- what comes on bulk

    def _take_bulk(self) -> bool:
        frames = receive(self._bulk, 3)
        if frames is None:
            return False
        try:
            message = codec.decode([f.buffer for f in frames])
        except BadMessage as error:
            logger.warning("a chunk was dropped: %s", error)
            return True
        self._heartbeat.heard()
        self._downloads.take(message)
        self._send_fetches()
        return True


def _opens(body: messages.Reply) -> bool:
    """Whether a reply counts before there is a session, or after the server forgot it."""
    return isinstance(body, (messages.Welcome, messages.Error, messages.UnknownSession))


def _refusal(asked: messages.Request, error: ErrorInfo) -> Event:
    """What is told where a request was refused, with the job that it was about where that ends with it."""
    if isinstance(asked, messages.Submit):
        return messages.JobRejected(asked.job, error)
    if isinstance(asked, messages.AskResult):
        return events.ResultLost(asked.job, error)
    return messages.WorkerFault(error)


def _thumbnail(body: messages.RunPicture) -> NDArray[Any] | None:
    """The pixels of a small picture; None where there are none, or not as many as its size says."""
    if not all(0 < side <= messages.THUMBNAIL_SIDE for side in (body.height, body.width)):
        return None
    size = body.height * body.width * 3
    try:
        packed = base64.b64decode(body.pixels, validate=True)
        data = zlib.decompressobj().decompress(packed, size)
        return np.frombuffer(data, np.uint8).reshape(body.height, body.width, 3)
    except (ValueError, zlib.error):
        return None


def _silent(seconds: float) -> ErrorInfo:
    return ErrorInfo(
        "worker_silent",
        f"The worker must answer; nothing was heard from it for {seconds:.0f} s.",
        "Tilewright keeps trying. If it stays silent, start the worker again.",
        retry_after=RESEND,
    )
