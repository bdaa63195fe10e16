"""Ray cluster that makes the work items of a scene recipe: actors draw and encode, this side keeps the files.

Ray is reached with its token authentication on; its traffic is not encrypted unless the cluster was set up with TLS.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import socket
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_worker.errors import (
    EXTRAS,
    ErrorInfo,
    RequestError,
    TilewrightError,
    UnexpectedError,
    WorkerError,
    install_command,
)
from gan_worker.materials.maps import MAPS
from gan_worker.runs import run
from gan_worker.scenes.store import SceneStore

if TYPE_CHECKING:
    from gan_worker.scenes.plan import WorkItem

logger = logging.getLogger(__name__)

LOCAL = "local"
# On for whoever has not decided otherwise; read by Ray when it is loaded.
SETTINGS = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
# What an actor with TensorFlow needs, and what is on its way at once needs.
ACTOR_BYTES, STORE_BYTES = 1536 * 1024**2, 128 * 1024**2
# Times that an item is begun again where its actor dies.
RETRIES = 2
ACTORS_WITHIN = 300.0
# Seconds for an item, and for every million of its pixels more, before its actor counts as hanging. One processor
# takes about two for a million.
ITEM_WITHIN, MEGAPIXEL_WITHIN = 300.0, 60.0
KNOCK_WITHIN = 10.0

Files = dict[str, bytes]


@dataclass(frozen=True)
class MadeFiles:
    """A work item as files, or why there are none; by value, as it comes back from an actor.

    Attributes:
        files: name → content.
        seconds: of the generator's forward pass.
        error: None where the files are there.
    """

    files: Files
    seconds: float = 0.0
    error: ErrorInfo | None = None


class ItemMaker:
    """Makes work items from models that are handed to it: what one actor does."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}
        self._runs = Path(tempfile.mkdtemp(prefix="tilewright-"))
        weakref.finalize(self, shutil.rmtree, self._runs, True)

    def make(self, item: WorkItem, source: Callable[[str], Files]) -> MadeFiles:
        """Make an item's maps and its record, exactly as `SceneStore` writes them.

        Args:
            item: what to make.
            source: gives the files of a run, its model or its estimator; asked once for each.
        """
        try:
            for name in runs_of(item):
                self._fetch(name, source)
            model = self._model(item.config.model)
            bits = {name: kind.bits for name, kind in MAPS.items()}
            material = model.generate(item.config, bits)
            if not item.is_made_as(material.recipe):
                raise _model_changed(item.config.model)
            with tempfile.TemporaryDirectory(prefix="tilewright-") as folder:
                for _ in SceneStore(Path(folder)).write(item, material):
                    pass
                files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
            return MadeFiles(files, material.forward_seconds)
        except TilewrightError as error:
            return MadeFiles({}, error=error.info)
        except Exception as error:  # it must arrive on the other side, whatever it was
            logger.exception("an item cannot be made")
            return MadeFiles({}, error=UnexpectedError(error).info)

    def _fetch(self, name: str, source: Callable[[str], Files]) -> None:
        folder = self._runs / name
        if folder.exists():
            return
        files = source(name)
        folder.mkdir()
        for file, data in files.items():
            (folder / file).write_bytes(data)

    def _model(self, name: str) -> Any:
        from gan_worker.gan.generation import model as generation

        if name not in self._models:
            self._models[name] = generation.load_model(self._runs / name)
        return self._models[name]


def runs_of(item: WorkItem) -> list[str]:
    """Names of the runs that an item is made with: of its model, and of what estimates its maps where one is named."""
    chosen = item.config.estimation
    return [item.config.model, *([chosen.estimator] if chosen and chosen.estimator else [])]


def run_files(runs_folder: Path, name: str) -> Files:
    """What a generator or an estimator is loaded from: what describes it, and the weights that are named there.

    Raises:
        RequestError: `unknown_model`, also for an estimator that is not there any more.
    """
    if run.is_estimator(runs_folder / name):
        weights = run.find_weights(runs_folder, name).file
        return {
            file.name: file.read_bytes() for file in (weights.with_name(run.ESTIMATOR), weights)
        }
    folder = run.open_model(runs_folder, name)
    info = run.read_model_info(folder)
    names = ("model.json", run.weights_name(info.hash))
    return {name: (folder / name).read_bytes() for name in names}


def make_on_ray(
    items: Iterable[WorkItem], runs_folder: Path, address: str
) -> Generator[tuple[WorkItem, MadeFiles], None, None]:
    """Make items on a cluster, each at most once kept, in the order in which they get ready.

    An actor that dies, or is ended because it hangs, is started again and its item begun again. Few items are on their
    way at once, so that memory stays flat however many there are.

    Args:
        items: what to make.
        runs_folder: where the models are; they are sent to the cluster, which needs no shared folder.
        address: of the cluster, as `ray.init` takes it, or `local` for one on this computer.

    Raises:
        RequestError: `ray_missing`, `unknown_model`, `unknown_estimator`.
        WorkerError: `ray_unreachable`.
    """
    waiting = deque(items)
    names = sorted({name for item in waiting for name in runs_of(item)})
    files = {name: run_files(runs_folder, name) for name in names}
    if not waiting:
        return
    with _cluster(address) as ray:
        stored = {name: ray.put(found) for name, found in files.items()}
        yield from _spread(ray, _start_actors(ray, len(waiting)), waiting, stored)


@dataclass
class _Call:
    """What one actor does: come up, or make an item, within a time that begins anew where it is begun again."""

    actor: Any
    item: WorkItem | None = None
    since: float = field(default_factory=time.monotonic)

    @property
    def hangs(self) -> bool:
        if self.item is None:
            return False
        config = self.item.config
        patience = ITEM_WITHIN + MEGAPIXEL_WITHIN * config.width * config.height / 1e6
        return time.monotonic() - self.since > patience


def _spread(
    ray: Any, actors: list[Any], waiting: deque[WorkItem], stored: Mapping[str, Any]
) -> Iterator[tuple[WorkItem, MadeFiles]]:
    """Give every actor that is up an item, and the next one when that is back."""
    under_way = {actor.ready.remote(): _Call(actor) for actor in actors}
    left, heard_at = len(waiting), time.monotonic()
    while left:
        # Its own timeout, or Ctrl+C would not come through.
        ready, _ = ray.wait(list(under_way), num_returns=1, timeout=1.0)
        if not ready and not any(call.item for call in under_way.values()):
            _check_patience(heard_at)
        _end_hanging(ray, under_way.values())
        for ref in ready:
            heard_at = time.monotonic()
            call = under_way.pop(ref)
            actor, item = call.actor, call.item
            made = _fetch(ray, ref, item)
            if waiting:
                following = waiting.popleft()
                # In a dictionary, so that each is fetched once by each actor and not with every item.
                needed = {name: stored[name] for name in runs_of(following)}
                making = actor.make.remote(following, needed)
                under_way[making] = _Call(actor, following)
            if item is not None:
                left -= 1
                yield item, made


def _end_hanging(ray: Any, calls: Iterable[_Call]) -> None:
    """End actors that hang; Ray starts them again and begins their items again, as where they die."""
    for call in calls:
        if call.hangs:
            logger.warning("a Ray actor hangs and is ended")
            ray.kill(call.actor, no_restart=False)
            call.since = time.monotonic()


def _fetch(ray: Any, ref: Any, item: WorkItem | None) -> MadeFiles:
    try:
        made = ray.get(ref, timeout=ITEM_WITHIN)
    except ray.exceptions.RayError as error:
        what = item.key[:8] if item else "nothing yet"
        return MadeFiles({}, error=_actor_died(what, error))
    return made if item is not None else MadeFiles({})


def _check_patience(heard_at: float) -> None:
    silence = time.monotonic() - heard_at
    if silence > ACTORS_WITHIN:
        raise WorkerError(
            "ray_unreachable",
            f"The Ray cluster must have room for one actor at least; none came up within {silence:.0f} s.",
            "Look at `ray status`: free a GPU or a processor and 1.5 GiB, then run it again.",
        )


def _start_actors(ray: Any, most: int) -> list[Any]:
    """One actor for each GPU; without any, one for each processor that has the memory."""
    found = ray.cluster_resources()
    gpus = int(found.get("GPU", 0))
    options: dict[str, Any] = {"max_restarts": -1, "max_task_retries": RETRIES}
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    if gpus:
        count = gpus
        options |= {"num_gpus": 1, "num_cpus": 1}
    else:
        count = min(int(found.get("CPU", 1)), int(found.get("memory", 0) // ACTOR_BYTES))
        options |= {"num_cpus": 1, "memory": ACTOR_BYTES}
        environment |= dict.fromkeys(THREADS, "1")
    options["runtime_env"] = {"env_vars": environment}
    actor = ray.remote(_Actor).options(**options)
    return [actor.remote() for _ in range(max(1, min(count, most)))]


class _Actor:
    """An `ItemMaker` in a process of Ray's, with the models in its object store."""

    def __init__(self) -> None:
        self._maker = ItemMaker()

    def ready(self) -> None:
        """Come back once the process is up."""

    def make(self, item: WorkItem, stored: Mapping[str, Any]) -> MadeFiles:
        import ray

        return self._maker.make(item, lambda name: ray.get(stored[name]))


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Ray, connected; a local cluster ends with it."""
    if importlib.util.find_spec("ray") is None:
        raise RequestError(
            "ray_missing",
            "A batch with --ray needs Ray in the worker's environment; it is not there.",
            f"Install it: {install_command(*EXTRAS['ray'])}",
        )
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray

    ending = signal.getsignal(signal.SIGTERM)
    quiet = {"include_dashboard": False, "object_store_memory": STORE_BYTES}
    options = quiet if address == LOCAL else {}
    try:
        _knock(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise WorkerError(
            "ray_unreachable",
            f"The Ray cluster must be reachable at {address!r}; it is not: {str(error).strip()}",
            "Check the address and the token (`ray get-auth-token`), or use --ray local.",
        ) from error
    signal.signal(signal.SIGTERM, ending)  # Ray has put its own there
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Find out at once that nobody listens there; Ray itself takes minutes.

    Raises:
        OSError: nobody does.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_WITHIN).close()


def _model_changed(model: str) -> RequestError:
    return RequestError(
        "wrong_state",
        f"The model {model!r} and its estimator must stay the same while a recipe runs; one has learned on.",
        "Wait until its training has ended, then run the recipe again.",
    )


def _actor_died(what: str, error: Exception) -> ErrorInfo:
    return ErrorInfo(
        "compute_died",
        f"A Ray actor must stay alive, and not hang, while it makes an item ({what}); it ended {RETRIES + 1} times: "
        f"{str(error).strip().splitlines()[0]}",
        "Look at Ray's logs for why, often memory; then run it again: only what is missing is made.",
    )
