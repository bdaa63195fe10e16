"""The server's service: sockets in front; queue, journal, results and compute processes behind."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import zmq

from gan_worker import __version__
from gan_worker.dataclass_json import with_texts
from gan_worker.errors import StorageError, WorkerError
from gan_worker.files import make_private
from gan_worker.server import storage
from gan_worker.server.allowed_folders import AllowedFolders
from gan_worker.server.blobs import BlobStore
from gan_worker.server.handlers import RequestHandlers
from gan_worker.server.journal import JobRecord, Journal
from gan_worker.server.queue import JobQueue
from gan_worker.server.run_catalogue import RunCatalogue
from gan_worker.server.scheduler import ComputePool, Scheduler, environments
from gan_worker.server.state_folder import JOURNAL, RESULTS, take_over, take_slot
from gan_worker.server.subscriptions import Key, Subscriptions, report_key
from gan_worker.server.supervisor import COMMAND, ComputeProcess, Patience
from gan_worker.server.turns import FairTurns
from gan_worker.server.validation import Validation
from gan_worker.wire import messages
from gan_worker.wire.authentication import Authenticator
from gan_worker.wire.backlog import BacklogLimit
from gan_worker.wire.codec import VERSION, BadMessage, Message, bad_message, decode, encode
from gan_worker.wire.keys import KeyPair, new_key_pair
from gan_worker.wire.pairing import Offer
from gan_worker.wire.sockets import bind_router, receive, send

logger = logging.getLogger(__name__)

POLL_MS = 100
MESSAGES_PER_TURN = 64
# Seconds of a turn for the messages of clients, of each for the lists that they ask for, and messages of one that wait.
TURN, LIST_TURN, WAITING_PER_OWNER = 0.05, 0.02, 64
STATUS_EVERY = 1.0
SWEEP_EVERY = 60.0
RETRY_EVERY = 1.0
TIDY_EVERY = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class ServerConfig:
    """How a server is run.

    Attributes:
        home: folder of runs and of the server's own state.
        keys: the server's key pair.
        clients: public keys that may connect.
        listen: address to listen on.
        control_port: 0 for any.
        bulk_port: 0 for any.
        roots: alias → folder of pictures clients may name.
        local: those of the same user on the same computer, who may name any file and end the server.
        patience: how long the compute process is waited for.
        compute_command: how it is started; tests give another.
        admit: is given the public key and the name of a client that knew the pairing code; None pairs nobody.
        pair_port: 0 for any.
        processes: compute processes at most.
    """

    home: Path
    keys: KeyPair
    clients: frozenset[str]
    listen: str = "127.0.0.1"
    control_port: int = 0
    bulk_port: int = 0
    roots: Mapping[str, Path] = field(default_factory=dict)
    local: frozenset[str] = frozenset()
    patience: Patience = field(default_factory=Patience)
    compute_command: Sequence[str] = COMMAND
    admit: Callable[[str, str], None] | None = None
    pair_port: int = 0
    processes: int = 1


class Server:
    """Everything between the sockets.

    `run` serves until `end` was called and the compute processes are gone.

    Args:
        config: how it is run.

    Raises:
        WorkerError: `port_in_use`.
        StorageError: `disk_full` or `file_unwritable`, where its folder cannot be written.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        make_private(config.home)
        self._folder, self._lock = take_slot(config.home / "server")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator = Authenticator(self._context)
        self._bind_sockets()
        self._pairing = self._offer_pairing()
        self._journal = Journal(self._folder / JOURNAL)
        self._store = BlobStore(self._folder / RESULTS)
        adopted = take_over(self._folder, self._journal, self._store)
        self._subscriptions = Subscriptions(self._journal, self._send)
        self._folders = folders = AllowedFolders(config.roots, config.local, config.home)
        self._runs = RunCatalogue(config.home / "runs", folders)
        validation = Validation(config.home / "runs", folders, self._runs.check_change)
        self._jobs = JobQueue(self._journal, validation, self._job_changed)
        self._scheduler = Scheduler(self._jobs, self._compute)
        self._handlers = RequestHandlers(
            self._jobs,
            self._journal,
            self._scheduler,
            self._runs,
            self._store,
            self._subscriptions,
            folders.is_local,
            self.end,
            partial(storage.sizes, config.home, self._runs),
            self._tidy,
        )
        self._turns: FairTurns[Callable[[], None]] = FairTurns(WAITING_PER_OWNER)
        self._dropped = self._faults = 0
        self._status: tuple[Any, ...] = ()
        self._status_at = self._swept_at = self._retried_at = self._tidied_at = 0.0
        self._ending = threading.Event()
        self._jobs.replay(config.clients)
        self._backlog = BacklogLimit(self._context, [self._control, self._bulk])
        # What every client is told once it is there.
        self._damaged = [*self._journal.damaged, *self._store.damaged, *adopted]
        self._warned: StorageError | None = None

    def _bind_sockets(self) -> None:
        config = self._config
        self._clients = set(config.clients)
        self._authenticator.allow("control", self._clients)
        self._authenticator.allow("bulk", self._clients)
        self._control = self._bind("control", config.keys, config.listen, config.control_port)
        self._bulk = self._bind("bulk", config.keys, config.listen, config.bulk_port)
        self._compute_sockets: list[zmq.Socket[bytes]] = []
        found = environments(config.processes)
        self._compute = ComputePool([self._new_compute(*numbered) for numbered in enumerate(found)])

    def _new_compute(self, place: int, environment: dict[str, str]) -> ComputeProcess:
        """A compute process with a socket of its own, so that what comes in there comes from it."""
        config, domain = self._config, f"compute {place}"
        keys = new_key_pair()
        socket = self._bind(domain, keys, "127.0.0.1", 0)
        self._compute_sockets.append(socket)
        return ComputeProcess(
            socket,
            _address(socket),
            keys.public,
            lambda allowed: self._authenticator.allow(domain, allowed),
            self._folder / (f"compute-{place + 1}.log" if place else "compute.log"),
            {
                "home": str(config.home),
                "results": str(self._folder / RESULTS),
                "roots": [str(folder.resolve()) for folder in config.roots.values()],
            },
            config.compute_command,
            config.patience,
            environment,
        )

    def _offer_pairing(self) -> Offer | None:
        config = self._config
        if config.admit is None:
            return None
        control, bulk = (_address(s).rpartition(":")[2] for s in (self._control, self._bulk))
        told = {"server_key": config.keys.public, "control": control, "bulk": bulk}
        where = config.listen, config.pair_port
        try:
            return Offer(self._context, self._authenticator, *where, told, self._admit)
        except zmq.ZMQError as error:
            raise self._cannot_listen("pairing", config.pair_port, error) from error

    def _admit(self, key: str, name: str) -> None:
        """Let a client in that knew the pairing code, now and later."""
        assert self._config.admit is not None
        self._config.admit(key, name)
        self._clients.add(key)
        logger.info("paired with %s", name[:40])

    def _bind(self, domain: str, keys: KeyPair, listen: str, port: int) -> zmq.Socket[bytes]:
        address = f"tcp://{listen}:{port or '*'}"
        try:
            return bind_router(self._context, keys, domain, address, bulk=domain == "bulk")
        except zmq.ZMQError as error:
            raise self._cannot_listen(domain, port, error) from error

    def _cannot_listen(self, domain: str, port: int, error: zmq.ZMQError) -> WorkerError:
        self._authenticator.close()
        self._context.destroy(0)
        return WorkerError(
            "port_in_use",
            f"The worker must be able to listen on port {port} of {self._config.listen} for {domain}; "
            f"it cannot ({error.strerror}).",
            "End the other program that uses the port, or choose another port.",
        )

    @property
    def pairing(self) -> tuple[int, str] | None:
        """Port and code by which a client can be paired now, for the console alone."""
        offer = self._pairing
        return (
            (offer.port, offer.code)
            if offer is not None and offer.open and not offer.used
            else None
        )

    @property
    def announcement(self) -> dict[str, Any]:
        """What a client needs to reach this server, and who it is."""
        return {
            "control": _address(self._control),
            "bulk": _address(self._bulk),
            "server_key": self._config.keys.public,
            "version": __version__,
            "protocol": list(VERSION),
            "pid": os.getpid(),
        }

    # ---- the loop

    def end(self) -> None:
        """Stop what trains with a checkpoint, then leave; may be called from a signal handler."""
        self._ending.set()

    def run(self) -> None:
        """Serve until the end."""
        sources: list[tuple[zmq.Socket[bytes], Callable[[], bool]]] = [
            (self._control, self._take_control),
            (self._bulk, self._take_bulk),
            *(
                (socket, partial(self._take_compute, place))
                for place, socket in enumerate(self._compute_sockets)
            ),
        ]
        poller = zmq.Poller()
        for socket in (self._authenticator.socket, *(s for s, _ in sources)):
            poller.register(socket, zmq.POLLIN)
        while not self._done():
            at_once = bool(self._turns) or self._runs.busy
            ready = dict(poller.poll(0 if at_once else POLL_MS))
            if self._authenticator.socket in ready:
                self._authenticator.answer()
            for socket, take in sources:
                if socket in ready:
                    self._take_some(take)
            self._give_turns()
            self._shielded(lambda: self._runs.tend(time.monotonic() + LIST_TURN))
            self._shielded(self._tend)

    def close(self) -> None:
        """Leave nothing behind: no process, no lock, no socket."""
        self._compute.kill()
        self._jobs.ending = True
        self._jobs.interrupt_all()
        self._subscriptions.deliver()
        self._backlog.close()
        for socket in (self._control, self._bulk, *self._compute_sockets):
            socket.close(500)
        if self._pairing is not None:
            self._pairing.close()
        self._authenticator.close()
        self._context.term()
        self._journal.close()
        self._lock.release()

    def _done(self) -> bool:
        if not self._ending.is_set():
            return False
        if not self._jobs.ending:
            logger.info("the worker ends")
            self._jobs.ending = True
            self._compute.leave(messages.Leave())
        return not self._compute.alive

    def _take_some(self, take: Callable[[], bool]) -> None:
        for _ in range(MESSAGES_PER_TURN):
            if self._shielded(take) is False:
                return

    def _give_turns(self) -> None:
        """Carry out what clients asked for, one message of each owner after the other, for a short time."""
        end = time.monotonic() + TURN
        while self._turns and time.monotonic() < end:
            self._shielded(self._turns.next())

    def _shielded(self, work: Callable[[], T]) -> T | None:
        """Do something of which no fault may end the jobs of everybody."""
        try:
            return work()
        except Exception:
            self._faults += 1
            if _is_power_of_two(self._faults):
                logger.exception("fault %d of the server", self._faults)
            return None

    def _tend(self) -> None:
        self._scheduler.tend()
        if self._pairing is not None and self._pairing.open:
            self._pairing.tend()
        self._tell_status()
        self._keep()
        self._subscriptions.deliver()

    def _tell_status(self) -> None:
        compute, now = self._compute, time.monotonic()
        status = (compute.state, compute.device, round(compute.memory_mb))
        urgent = status[:2] != self._status[:2]
        if status != self._status and (urgent or now - self._status_at > STATUS_EVERY):
            self._status, self._status_at = status, now
            body = messages.WorkerStatus(compute.state, compute.device, compute.memory_mb)
            self._subscriptions.offer_all(("status",), body)

    def _keep(self) -> None:
        """Write what the disk did not take, and remove what is not needed any more."""
        now = time.monotonic()
        if now - self._retried_at > RETRY_EVERY:
            self._retried_at = now
            self._journal.retry()
            self._warn()
            self._shielded(lambda: self._store.expire(self._jobs.active))
        if not self._swept_at or now - self._swept_at > SWEEP_EVERY:
            self._swept_at = now
            # One after the other: what a full disk refuses keeps nothing else from being removed.
            self._shielded(self._shorten_logs)
            self._shielded(self._runs.sweep)
            self._shielded(lambda: self._store.sweep(self._journal.owners(), self._jobs.active))
            self._shielded(lambda: self._journal.prune(self._clients))

    def _tidy(self) -> None:
        """Remove what nobody needs any more, when a person asks for it."""
        now = time.monotonic()
        if self._tidied_at and now - self._tidied_at < TIDY_EVERY:
            return  # it takes long enough to hold others up, and there is nothing new
        self._tidied_at = now
        owners, busy = self._clients, self._jobs.active
        storage.tidy_slot(
            self._folder, self._journal, self._store, owners, busy, self._written_logs
        )
        storage.tidy_home(self._config.home)
        self._runs.sweep()

    def _shorten_logs(self) -> None:
        storage.shorten_stderr()
        storage.shorten_logs([process.log_path for process in self._compute], self._written_logs)

    @property
    def _written_logs(self) -> list[Path]:
        return [process.log_path for process in self._compute if process.alive]

    def _warn(self) -> None:
        """Tell everybody, once, that the journal takes nothing now."""
        failure = self._journal.failure
        if failure is not None and self._warned is None:
            self._subscriptions.tell_all(messages.WorkerFault(failure.info))
        self._warned = failure

    def _job_changed(self, job: JobRecord) -> None:
        logger.info("job %s (%s %s) is %s", job.job, job.kind, job.name, job.state)
        if job.final:
            self._subscriptions.forget_reports(job.job)
        if job.final and job.kind == "train":
            self._runs.note_trainer(job.name, job.owner)
        self._scheduler.note_wishes()

    # ---- from clients, on control

    def _take_control(self) -> bool:
        # Where one has as many messages waiting as it may, libzmq holds the rest up, and nothing is lost.
        frames = None if self._turns.full else receive(self._control, 3)
        if frames is None:
            return False
        self._backlog.took(frames[-1])
        self._turns.add(_owner(frames), partial(self._carry_out, frames))
        return True

    def _carry_out(self, frames: Sequence[zmq.Frame]) -> None:
        route, owner = frames[0].bytes, _owner(frames)
        try:
            message = _read(frames, messages.Request)
        except BadMessage as error:
            self._refuse(self._control, route, error)
            return
        subscriber = self._subscriptions.get(route)
        if isinstance(message.body, messages.Hello):
            self._welcome(route, owner, message)
        elif subscriber is None or message.session != subscriber.session:
            self._send(route, Message(messages.UnknownSession(), session=message.session))
        else:
            session = subscriber.session
            self._handlers.answer(
                subscriber,
                message,
                lambda body: self._reply(route, Message(body, re=message.id, session=session)),
            )

    def _welcome(self, route: bytes, owner: str, message: Message) -> None:
        subscriber = self._subscriptions.welcome(route, owner)
        logger.info("%s %s connected", message.body.client[:40], message.body.version[:20])
        body = messages.Welcome(
            __version__, self._compute.device, self._compute.state, subscriber.session, VERSION
        )
        self._send(route, Message(body, re=message.id, session=subscriber.session))
        for error in (*self._damaged, *filter(None, [self._warned])):
            fault = messages.WorkerFault(error.info)
            self._send(route, Message(fault, session=subscriber.session))
        if message.body.warm:
            self._scheduler.warm_up()

    # ---- from clients, on bulk

    def _take_bulk(self) -> bool:
        frames = None if self._turns.full else receive(self._bulk, 3)
        if frames is None:
            return False
        self._backlog.took(frames[-1])
        self._turns.add(_owner(frames), partial(self._give_chunk, frames))
        return True

    def _give_chunk(self, frames: Sequence[zmq.Frame]) -> None:
        route, owner = frames[0].bytes, _owner(frames)
        try:
            message = _read(frames, messages.Fetch)
        except BadMessage as error:
            self._refuse(self._bulk, route, error)
            return
        self._send_on(self._bulk, route, self._told(owner, self._handlers.chunk(owner, message)))

    # ---- from the compute processes

    def _take_compute(self, place: int) -> bool:
        frames = receive(self._compute_sockets[place], 3)
        if frames is None:
            return False
        body = _read(frames, messages.Body).body
        self._compute[place].sign()
        if isinstance(body, messages.ComputeReady):
            self._compute.came_up(place, frames[0].bytes, body.device)
        elif isinstance(body, messages.Beat):
            self._compute[place].sign(body.memory_mb, body.heard)
        elif isinstance(body, messages.ReportEvent):
            self._offer(body.job, report_key(body), body)
        elif isinstance(body, messages.PreviewEvent):
            self._store.keep_newest_previews(body.job)
            self._offer(body.job, (body.job, "preview"), body)
        elif isinstance(body, messages.JobState):
            self._jobs.wait_for_room(body.job, body.error)
        elif isinstance(body, messages.Finished):
            self._scheduler.finish(place, body)
        return True

    def _offer(self, job: str, key: Key, body: Any) -> None:
        owner = self._jobs.owner_of(job)
        if owner is not None:
            self._subscriptions.offer_report(owner, job, key, body)

    # ---- sending

    def _send(self, route: bytes, message: Message) -> bool:
        subscriber = self._subscriptions.get(route)
        owner = subscriber.owner if subscriber is not None else ""
        return self._send_on(self._control, route, self._told(owner, message))

    def _told(self, owner: str, message: Message) -> Message:
        """A message as the client with this key may read it."""
        if self._folders.tells_all(owner):
            return message
        return replace(message, body=with_texts(message.body, partial(self._folders.told, owner)))

    def _reply(self, route: bytes, message: Message) -> None:
        """Answer a request; where no message can carry the answer, say so: who gets none asks for ever."""
        try:
            self._send(route, message)
        except BadMessage as error:
            logger.warning("no message can carry an answer: %s", error)
            self._send(route, replace(message, body=messages.Error(error.info.clipped())))

    def _send_on(self, socket: zmq.Socket[bytes], route: bytes, message: Message) -> bool:
        try:
            return send(socket, [route, *encode(message)])
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._subscriptions.forget(route)
            return False

    def _refuse(self, socket: zmq.Socket[bytes], route: bytes, error: BadMessage) -> None:
        """Answer what can be answered; drop and count the rest."""
        self._dropped += 1
        if _is_power_of_two(self._dropped):
            logger.warning("%d bad messages so far; the last: %s", self._dropped, error)
        if error.message_id is not None:
            self._send_on(socket, route, Message(messages.Error(error.info), re=error.message_id))


def _address(socket: zmq.Socket[bytes]) -> str:
    endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    return endpoint.rstrip(b"\0").decode("ascii")


def _read(frames: Sequence[zmq.Frame], kind: type[messages.Body]) -> Message:
    """Read what came after a route.

    Raises:
        BadMessage: also for a message that does not belong on this socket.
    """
    message = decode([frame.buffer for frame in frames[1:]])
    if not isinstance(message.body, kind):
        raise bad_message(f"{message.body.wire_type} is not sent here", message.id)
    return message


def _owner(frames: Sequence[zmq.Frame]) -> str:
    """The public key a peer proved."""
    return str(frames[-1].get("User-Id"))


def _is_power_of_two(count: int) -> bool:
    """For counts of what may come in floods: logging only these, no flood fills the log."""
    return count & (count - 1) == 0
