"""Bakes the motion of a material into image sequences, and shows them on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from gan_worker.errors import RequestError
from gan_worker.materials.sequences import SequenceWriter
from gan_worker.styles import motion

from ..generation import results
from ..shader import images, node_tree
from ..steering import favourites, live, sliders
from ..worker import session
from ..worker.background_task import BackgroundTask, Requests
from . import keyframes

if TYPE_CHECKING:
    from gan_worker.client.events import MaterialReady
    from gan_worker.config import GenerationConfig, Recipe

    from ..steering.properties import TILEWRIGHT_PG_favourite

# Frames on their way at once: the worker never waits, and their pixels are no load.
MOST_SENT = 3


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
    motion.check_moves(path, sway)
    return Plan(
        lambda lengths: motion.loop_frames(path, lengths, count, sway),
        path,
        scene.frame_start,
        closes=True,
    )


def _plan_of_keyframes(scene: bpy.types.Scene, material: bpy.types.Material) -> Plan:
    first, last = scene.frame_start, scene.frame_end
    wanted = keyframes.configs_of(material, first, last + 1)
    *configs, after = (replace(config, steady=True) for config in wanted)
    closes = configs[0] in (configs[-1], after) and len(set(configs)) > 1
    return Plan(lambda _lengths: configs, None, first, closes)


def ticked(scene: bpy.types.Scene, model: str) -> list[TILEWRIGHT_PG_favourite]:
    """The favourites of a model that a loop goes through."""
    return [favourite for favourite in favourites.of_model(scene, model) if favourite.in_loop]


def obstacle(scene: bpy.types.Scene, material: bpy.types.Material | None) -> str:
    """Why nothing can be baked; empty where it can."""
    found = live.obstacle(material)
    if found or material is None:
        return found
    if sliders.is_photo(material):
        return "A photo does not move: train on it, and generate what does"
    chosen, model = scene.tilewright, material.tilewright.latents.model
    found = images.folder_obstacle(chosen.texture_folder)
    if found:
        return found
    if not session.current.speaks(1, 2):
        return "The worker is older than this: update it"
    if chosen.motion.path == "FAVOURITES" and len(ticked(scene, model)) < 2:
        return "Keep two looks of this model as favorites, and tick them"
    if chosen.motion.path == "KEYFRAMES" and not keyframes.is_keyed(material):
        return "Hover a slider of the latents and press I to insert a keyframe first"
    return ""


class MotionBake(BackgroundTask):
    """One bake. Nothing in the file changes before all pictures are on the disk.

    Args:
        target: uuid of the material.
        base: its latents.
        plan: what it goes through.
        folder: that the pictures' own folder lies in.

    Attributes:
        evenness: how even the steps are, once all are there.
    """

    stage = "measuring the path"

    def __init__(self, target: str, base: GenerationConfig, plan: Plan, folder: Path) -> None:
        super().__init__()
        self.evenness: motion.Evenness | None = None
        self._target, self._base, self._plan = target, base, plan
        model, size = bpy.path.clean_name(base.model), f"{base.width}x{base.height}"
        stem = images.whole_name(model, f"_loop_{size}")
        self._writer = SequenceWriter(folder / stem, stem)
        self._requests = Requests("motion is baked", "Bake again.")
        # Hashes of the weights of all pictures, the model's and the estimator's; empty while not known.
        self._made_by: tuple[str, ...] = ("", "")

    def let_go(self) -> None:
        self._requests.drop()
        self._writer.discard()

    def work(self) -> Generator[bool]:
        lengths = (yield from self._measure(self._plan.path)) if self._plan.path else []
        self.stage = "making pictures"
        configs, meter = self._plan.frames(lengths), motion.StepMeter()
        self.expect(len(configs))
        origin = self._base.origin
        if origin is None:  # the border stays where the first frame has it
            for ready in self._made(configs[:1]):
                if ready:
                    origin = ready.recipe.config.origin
                yield ready is None
        for ready in self._made([replace(config, origin=origin) for config in configs]):
            if ready is None:
                yield True
                continue
            meter.add(ready.maps[motion.shown_map(list(ready.maps))])
            for _ in self._writer.write(self.progress.done + 1, ready.maps, ready.recipe):
                yield False
            self.advance()
        self.evenness = meter.evenness(self._plan.closes)
        self._apply(self._writer.publish(), len(configs))

    def _measure(self, path: motion.Path) -> Generator[bool, None, list[float]]:
        model = session.current.model(self._base.model)
        if model is None:
            raise self._requests.model_changed(self._base.model)
        meter, probes = motion.StepMeter(), motion.PROBES
        self.expect(probes)
        places = (path(number / probes) for number in range(probes))
        small = [motion.probe_config(place, model) for place in places]
        for ready in self._made(small):
            if ready:
                meter.add(next(iter(ready.maps.values())))
                self.advance()
            yield ready is None
        return [*meter.steps, meter.closing()]

    # ---- by the worker

    def _made(self, configs: Sequence[GenerationConfig]) -> Iterator[MaterialReady | None]:
        """What the worker makes, in order; None wherever it must be waited for."""
        waiting = list(configs)[::-1]
        while waiting or self._requests.sent:
            while waiting and len(self._requests.sent) < MOST_SENT:
                self._requests.generate(waiting.pop())
            ready = self._requests.take(next(iter(self._requests.sent)))
            if ready is None:
                for _, error in self._requests.take_failed():
                    raise error
                self._requests.check()
            else:
                self._check_weights(ready.recipe)
            yield ready

    def _check_weights(self, made: Recipe) -> None:
        """See that the same weights make all pictures; in those that measure the path, nothing is estimated."""
        pairs = list(zip(self._made_by, (made.model_hash, made.estimator), strict=True))
        if any(known and now and known != now for known, now in pairs):
            raise self._requests.model_changed(self._base.model)
        self._made_by = tuple(known or now for known, now in pairs)

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
        results.add_undo_step("Bake Loop" if self._plan.closes else "Bake Animation")


def _sequence(key: str, map_name: str, first: Path) -> bpy.types.Image:
    image = bpy.data.images.load(str(first))
    model, loop, rest = first.name.rpartition("_loop_")
    image.name = images.whole_name(model, loop + rest)
    image.source = "SEQUENCE"
    images.set_color_space(image, map_name)
    image[images.JOB_KEY], image[images.MAP_KEY] = key, map_name
    image.filepath_raw = images.relative_path(first)
    return image


def start(scene: bpy.types.Scene, material: bpy.types.Material) -> MotionBake:
    """Begin a bake that goes on with every tick.

    Raises:
        RequestError: `wrong_state` where nothing can be baked now, or as `make_plan`.
        StorageError: `file_unwritable` or `disk_full`.
    """
    hindrance = "One bake must end before the next begins" if MotionBake.running() else ""
    hindrance = hindrance or obstacle(scene, material)
    if hindrance:
        raise RequestError("wrong_state", f"Nothing was baked. {hindrance}.", "Then bake again.")
    folder = Path(bpy.path.abspath(scene.tilewright.texture_folder))
    plan = make_plan(scene, material)
    return MotionBake(material.tilewright.uuid, sliders.wanted(material), plan, folder).start()
