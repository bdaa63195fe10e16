"""Bakes the motion of a material into image sequences, and shows them on it."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from gan_worker.client.events import MaterialReady
from gan_worker.config import GenerationConfig
from gan_worker.errors import (
    Cancelled,
    ErrorInfo,
    RequestError,
    TilewrightError,
    UnexpectedError,
    WorkerError,
    error_from_info,
)
from gan_worker.materials.maps import MAPS
from gan_worker.materials.sequences import SequenceWriter
from gan_worker.progress import BatchProgress
from gan_worker.styles import motion

from ..generation import results
from ..shader import images, node_tree
from ..steering import favourites, live, sliders
from ..worker import pump, session
from ..worker.background_task import FileBound
from . import keyframes

log = logging.getLogger(__name__)

# Frames on their way at once: the worker never waits, and their pixels are no load.
MOST_SENT = 3
# Seconds without a link, or without the pixels of a finished frame, until the worker is given up.
PATIENCE = 60.0


@dataclass(frozen=True)
class Plan:
    """What a material is to go through.

    Attributes:
        frames: makes what is to be generated for each frame of the lengths of the path.
        path: that lengths are measured on; None where every frame is known.
        start: frame of the scene that shows the first picture.
        closes: whether the first picture follows the last one.
    """

    frames: Callable[[Sequence[float]], list[GenerationConfig]]
    path: motion.Path | None
    start: int
    closes: bool


def make_plan(scene: bpy.types.Scene, material: bpy.types.Material) -> Plan:
    """What the Motion panel says of a material.

    Raises:
        RequestError: `invalid_config` where that is no path.
    """
    chosen = scene.tilewright.motion
    if chosen.path == "KEYFRAMES":
        return _plan_of_keyframes(scene, material)
    base = sliders.wanted(material)
    if chosen.path == "FAVOURITES":
        looks = [favourites.config_of(f) for f in ticked(scene, base.model)]
        path = motion.path_through(base, looks)
    else:
        path = motion.path_around(base, chosen.first, chosen.second, chosen.radius)
    count, sway = chosen.frames, round(chosen.sway, 4)
    return Plan(
        lambda lengths: motion.loop_frames(path, lengths, count, sway),
        path,
        scene.frame_start,
        closes=True,
    )


def _plan_of_keyframes(scene: bpy.types.Scene, material: bpy.types.Material) -> Plan:
    first, last = scene.frame_start, scene.frame_end
    *configs, after = keyframes.configs_of(material, first, last + 1)
    closes = configs[0] in (configs[-1], after) and len(set(configs)) > 1
    return Plan(lambda _lengths: configs, None, first, closes)


def ticked(scene: bpy.types.Scene, model: str) -> list[bpy.types.PropertyGroup]:
    """The favourites of a model that a loop goes through."""
    return [favourite for favourite in favourites.of_model(scene, model) if favourite.in_loop]


def reason(scene: bpy.types.Scene, material: bpy.types.Material | None) -> str:
    """Why nothing can be baked; empty where it can."""
    found = live.reason(material)
    if found:
        return found
    chosen, model = scene.tilewright, material.tilewright.latents.model
    if chosen.texture_folder.startswith("//") and not bpy.data.filepath:
        return "Save the file first: the pictures are kept beside it"
    if not session.current.speaks(1, 2):
        return "The worker is older than this: update it"
    if chosen.motion.path == "FAVOURITES" and len(ticked(scene, model)) < 2:
        return "Keep two looks of this model as favorites, and tick them"
    if chosen.motion.path == "KEYFRAMES" and not keyframes.is_keyed(material):
        return "Hover a slider of the latents and press I to insert a keyframe first"
    return ""


class MotionBake:
    """One bake. Nothing in the file changes before all pictures are on the disk.

    Args:
        target: uuid of the material.
        base: its latents.
        plan: what it goes through.
        folder: that the pictures' own folder lies in.

    Attributes:
        state: `running`, `succeeded`, `failed` or `cancelled`.
        stage: what it is busy with, in words.
        progress: how far it is with that.
        error: why it failed.
        evenness: how even the steps are, once all are there.
        waiting: whether it waits for the worker.
    """

    def __init__(self, target: str, base: GenerationConfig, plan: Plan, folder: Path) -> None:
        self.state, self.stage = "running", "measuring the path"
        self.progress = BatchProgress(0, 0)
        self.error: TilewrightError | None = None
        self.evenness: motion.Evenness | None = None
        self.waiting = False
        self._target, self._base, self._plan = target, base, plan
        stem = f"{bpy.path.clean_name(base.model)}_loop_{base.width}x{base.height}"
        self._writer = SequenceWriter(folder / stem, stem)
        self._wish_to_end = False
        self._sent: list[session.Job] = []
        self._arrived: dict[str, MaterialReady] = {}
        self._hash = ""
        self._began = self._heard_at = 0.0

    def cancel(self) -> None:
        """End soon, and leave everything as it was."""
        self._wish_to_end = True

    def steps(self) -> Iterator[bool]:
        """All of the work, in pieces of a few milliseconds; True where it waits for the worker."""
        try:
            for waits in self._work():
                self.waiting = waits
                yield waits
            self.state = "succeeded"
        except Cancelled as error:
            self.state, self.error = "cancelled", error
        except TilewrightError as error:
            self.state, self.error = "failed", error
        except Exception as error:
            log.exception("baking motion")
            self.state, self.error = "failed", UnexpectedError(error)
        finally:
            self.waiting = False
            self._let_go()
            self._writer.discard()

    def _work(self) -> Iterator[bool]:
        lengths = (yield from self._measure(self._plan.path)) if self._plan.path else []
        self.stage = "making pictures"
        configs, meter = self._plan.frames(lengths), motion.StepMeter()
        self._begin(len(configs))
        origin = self._base.origin
        if origin is None:  # the border stays where the first frame has it
            for ready in self._made(configs[:1]):
                if ready:
                    origin = ready.recipe.origin
                yield ready is None
        for ready in self._made([replace(config, origin=origin) for config in configs]):
            if ready is None:
                yield True
                continue
            meter.add(ready.maps[motion.shown_map(list(ready.maps))])
            for _ in self._writer.write(self.progress.done + 1, ready.maps, ready.recipe):
                yield False
            self._advance()
        self._check_wish()
        self.evenness = meter.evenness(self._plan.closes)
        self._apply(self._writer.publish(), len(configs))

    def _measure(self, path: motion.Path) -> Iterator[bool]:
        model = session.current.model(self._base.model)
        if model is None:
            raise _model_changed(self._base.model)
        meter, probes = motion.StepMeter(), motion.PROBES
        self._begin(probes)
        places = (path(number / probes) for number in range(probes))
        small = [motion.probe_config(place, model.stride, model.maps) for place in places]
        for ready in self._made(small):
            if ready:
                meter.add(next(iter(ready.maps.values())))
                self._advance()
            yield ready is None
        return [*meter.steps, meter.closing()]

    def _begin(self, total: int) -> None:
        self.progress, self._began = BatchProgress(0, total), time.monotonic()

    def _advance(self) -> None:
        done, total = self.progress.done + 1, self.progress.total
        eta = (time.monotonic() - self._began) / done * (total - done)
        self.progress = BatchProgress(done, total, eta=eta)

    # ---- by the worker

    def _made(self, configs: Sequence[GenerationConfig]) -> Iterator[MaterialReady | None]:
        """What the worker makes, in order; None wherever it must be waited for."""
        self._heard_at = time.monotonic()
        waiting = list(configs)[::-1]
        while waiting or self._sent:
            self._check_wish()
            while waiting and len(self._sent) < MOST_SENT:
                self._send(waiting.pop())
            ready = self._arrived.pop(self._sent[0].id, None)
            if ready is None:
                self._check_worker()
                yield None
                continue
            del self._sent[0]
            self._heard_at = time.monotonic()
            if ready.recipe.model_hash != (self._hash or ready.recipe.model_hash):
                raise _model_changed(self._base.model)
            self._hash = ready.recipe.model_hash
            yield ready

    def _send(self, config: GenerationConfig) -> None:
        job = session.current.generate(
            config, receive=lambda ready: self._arrived.update({ready.job: ready})
        )
        self._sent.append(job)

    def _check_worker(self) -> None:
        """See whether what is waited for can still come."""
        now = session.current
        if now.state == "stopped":
            raise error_from_info(now.last_error or _gone())
        for job in self._sent:
            if job.ended and job.state != "succeeded":
                raise error_from_info(job.error) if job.error else Cancelled()
        lost = self._sent[0].state == "succeeded" and not now.receiving
        if now.connected and not lost:
            self._heard_at = time.monotonic()
        elif time.monotonic() - self._heard_at > PATIENCE:
            raise WorkerError(
                "worker_silent",
                f"The worker must answer and send its pictures; nothing came for {PATIENCE:.0f} s.",
                "Bake again, or start the worker anew.",
            )

    def _check_wish(self) -> None:
        if self._wish_to_end:
            raise Cancelled

    def _let_go(self) -> None:
        """Ask the worker to forget what was sent and is not wanted any more."""
        for job in self._sent:
            job.receive = lambda ready: None
            if session.current.state != "stopped" and not job.ended:
                session.current.cancel(job)
        self._sent.clear()
        self._arrived.clear()

    # ---- in the file

    def _apply(self, first: dict[str, Path], count: int) -> None:
        material = node_tree.find_material(self._target)
        if material is None:
            raise RequestError(
                "wrong_state",
                "The material must still be there when its motion is baked; it was deleted. The "
                f"pictures are in {self._writer.folder}.",
                "Undo the deletion and bake again, or open them as image sequences.",
            )
        live.forget(self._target)
        key = uuid.uuid4().hex
        shown = {name: _sequence(key, name, file) for name, file in first.items()}
        node_tree.show_sequence(material, shown, count, self._plan.start, self._plan.closes)
        results.push_undo("Bake Loop" if self._plan.closes else "Bake Animation")


def _sequence(key: str, map_name: str, first: Path) -> bpy.types.Image:
    image = bpy.data.images.load(str(first))
    image.source = "SEQUENCE"
    image.colorspace_settings.name = MAPS[map_name].color_space
    image[images.JOB_KEY], image[images.MAP_KEY] = key, map_name
    if bpy.data.filepath:
        try:
            image.filepath_raw = bpy.path.relpath(str(first))
        except ValueError:  # on another drive
            image.filepath_raw = str(first)
    return image


def _model_changed(model: str) -> RequestError:
    return RequestError(
        "wrong_state",
        f"The model {model!r} must stay the same while motion is baked; it was trained further.",
        "Wait until its training has ended, then bake again.",
    )


def _gone() -> ErrorInfo:
    return ErrorInfo(
        "worker_gone",
        "The worker must run while motion is baked; it was stopped.",
        "Start it and bake again.",
    )


# ---- the bake that panels show

current: MotionBake | None = None


def start(scene: bpy.types.Scene, material: bpy.types.Material) -> MotionBake:
    """Begin a bake that goes on with every tick.

    Raises:
        RequestError: `wrong_state` where nothing can be baked now, or as `make_plan`.
        StorageError: `file_unwritable` or `disk_full`.
    """
    global current
    hindrance = "One bake must end before the next begins" if is_running() else ""
    hindrance = hindrance or reason(scene, material)
    if hindrance:
        raise RequestError("wrong_state", f"Nothing was baked. {hindrance}.", "Then bake again.")
    folder = Path(bpy.path.abspath(scene.tilewright.texture_folder))
    plan = make_plan(scene, material)
    current = MotionBake(material.tilewright.uuid, sliders.wanted(material), plan, folder)
    pump.run_along(current.steps())
    pump.wake()
    return current


def is_running() -> bool:
    """Whether a bake runs."""
    return current is not None and current.state == "running"


def _forget() -> None:
    global current
    if current is not None:
        current.cancel()
        current = None


_bound = FileBound(_forget)
register, unregister = _bound.register, _bound.unregister
