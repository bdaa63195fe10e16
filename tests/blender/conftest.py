"""Blender in this process: the add-on from its source folder, an empty file for every test."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import own_blender

os.environ.pop("BLENDER_USER_RESOURCES", None)  # no test touches a folder that somebody set
own_blender.use_own_folder()

from dataclasses import replace

import bpy
import numpy as np
import pytest

from gan_worker.client.events import MapReady, MaterialReady
from gan_worker.config import Recipe
from gan_worker.errors import ErrorInfo
from gan_worker.materials.maps import MAPS
from gan_worker.wire.messages import JobState, ModelEntry, ModelList

ADDON = "blender_addon"


@pytest.fixture(scope="session", autouse=True)
def addon() -> Iterator[Any]:
    """The add-on, enabled once: Blender's registers are global to the process."""
    import addon_utils  # there only once bpy has been imported

    module = addon_utils.enable(ADDON, default_set=True)
    assert module is not None
    yield module
    addon_utils.disable(ADDON, default_set=True)


@pytest.fixture(autouse=True)
def empty_file(addon: Any) -> Iterator[None]:
    """No datablocks and no connection, before and after."""
    from blender_addon.worker import pump

    new_file()
    yield
    pump.give_up()
    if not _kept:
        _end_session()
    preferences = bpy.context.preferences.addons[ADDON].preferences
    for name in ("location", "worker_python", "home_folder", "key_folder", "remote_address"):
        preferences.property_unset(name)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave at once where Python's own end would crash.

    The bpy 4.2 module frees property callbacks after Python is gone: three lines that register one
    property with `update=` are enough. Blender 4.2 itself ends in the right order.
    """
    if bpy.app.version < (4, 3, 0):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash.get(_STATUS, 1))


_STATUS = pytest.StashKey[int]()
_kept: list[str] = []


@pytest.fixture(scope="module")
def keep_session() -> Iterator[None]:
    """Let the tests of a module share one connection."""
    _kept.append("kept")
    yield
    _kept.clear()
    _end_session()


def _end_session() -> None:
    from blender_addon.worker import pump, session

    session.current.close()
    assert session.current.wait_until_left(30), "the worker must leave when its stdin closes"
    session.renew()
    pump.tick()  # what moved with the old connection does not


def new_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True)


class StandInClient:
    """A client whose worker does what a test wants: late, in the wrong order, or not at all."""

    def __init__(self) -> None:
        self.models = (MODEL,)
        self.estimators: tuple[Any, ...] = ()
        self.events: list[Any] = [ModelList(self.models)]
        self.submitted: dict[str, Any] = {}
        self.calls: list[tuple[str, str]] = []
        self.closed = False

    def submit(self, config: Any, job: str | None = None, channel: str = "") -> str:
        job = job or uuid.uuid4().hex
        self.submitted[job] = config
        return job

    receiving = False

    def collect(self, budget: float = 0.004) -> list[Any]:
        found, self.events = self.events, []
        return found

    def request_models(self) -> None:
        self.calls.append(("request_models", ""))
        self.events.append(ModelList(self.models, estimators=self.estimators))

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, name: str) -> Any:
        return lambda job="", *more: self.calls.append((name, job, *more))

    def finish(self, job: str, maps: dict[str, np.ndarray]) -> None:
        """Let the result of a job come in, as the real client would tell it."""
        config = self.submitted[job]
        height, width = next(iter(maps.values())).shape[:2]
        made = replace(config, width=width, height=height, origin=config.origin or (16, 32))
        estimated = config.estimation.maps(("base_color",)) if config.estimation else ()
        errors = {name: 14.2 if name == "normal" else 0.15 for name in estimated if name in maps}
        hashes = {one.name: one.hash for one in self.estimators}
        by = hashes.get(made.estimation.estimator, "") if made.estimation else ""
        recipe = Recipe(made, "a" * 64, "0.1", estimated=errors, estimator=by)
        self.state(job, "succeeded")
        self.events += [MapReady(job, name, pixels) for name, pixels in maps.items()]
        self.events.append(MaterialReady(job, recipe, maps, dict.fromkeys(maps, 1.0), 0.1))

    def state(self, job: str, state: str, error: ErrorInfo | None = None) -> None:
        kind = "generate" if hasattr(self.submitted[job], "model") else "train"
        self.events.append(JobState(job, kind, "bricks", state, error))


MODEL = ModelEntry(
    "bricks",
    "a" * 64,
    16,
    64,
    ("base_color", "roughness"),
    styles=("old wall", "new wall"),
    directions=("pca 1", "pca 2", "factor 1"),
)


@pytest.fixture
def stand_in() -> StandInClient:
    """A connected session whose other side is played by the test."""
    from blender_addon.worker import pump, session

    client = StandInClient()
    session.current.connect(client)
    session.current.state = "connected"
    pump.tick()
    bpy.context.scene.tilewright.model = MODEL.name
    return client


def answer_all(client: StandInClient) -> None:
    """Let the worker answer until nothing more is asked: pictures as bright as their seeds say."""
    from blender_addon.steering import live
    from blender_addon.worker import pump, session

    for _ in range(20):
        live.let_rest()
        pump.tick()
        pump.finish()
        for job, config in client.submitted.items():
            if not session.current.jobs[job].done:
                pixels = np.full((config.height, config.width, 3), config.seed, np.uint8)
                client.finish(job, {"base_color": pixels})


@contextmanager
def as_in_another_window() -> Iterator[None]:
    """What timers see where the first window shows an empty scene, and the test's own is in the second."""
    empty = bpy.data.scenes.new("Empty")
    with bpy.context.temp_override(scene=empty, view_layer=empty.view_layers[0]):
        yield


@pytest.fixture
def maps() -> dict[str, np.ndarray]:
    """All maps, with a different value at every pixel and not square."""
    return make_maps(48, 32)


@pytest.fixture
def make() -> Any:
    """The function that makes maps of a size, with a seed."""
    return make_maps


def make_maps(width: int, height: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        name: random.integers(
            0,
            1 << kind.bits,
            (height, width, kind.channels),
            np.uint8 if kind.bits == 8 else np.uint16,
        )
        for name, kind in MAPS.items()
    }


@pytest.fixture
def plane() -> bpy.types.Object:
    return add_plane()


def add_lightmap(mesh: bpy.types.Mesh) -> bpy.types.MeshUVLoopLayer:
    """A second UV map a tenth as large, which is selected for editing and not rendered."""
    rendered = mesh.uv_layers[0]
    made = mesh.uv_layers.new(name="Lightmap")
    for corner, small in zip(rendered.uv, made.uv, strict=True):
        small.vector = corner.vector * 0.1
    mesh.uv_layers[0].active_render = True
    mesh.uv_layers.active = mesh.uv_layers["Lightmap"]
    return mesh.uv_layers["Lightmap"]


def put_into_group(material: bpy.types.Material) -> None:
    """What Ctrl+G makes of all nodes of ours but the output, as far as they can be told by their names."""
    from blender_addon.shader import node_tree

    nodes = material.node_tree.nodes
    group = bpy.data.node_groups.new("NodeGroup", "ShaderNodeTree")
    group.interface.new_socket("BSDF", in_out="OUTPUT", socket_type="NodeSocketShader")
    for node in [n for n in nodes if n.name != node_tree.OUTPUT]:
        inner = group.nodes.new(node.bl_idname)
        inner.name = node.name
        if node.type == "TEX_IMAGE":
            inner.image = node.image
        nodes.remove(node)
    end = group.nodes.new("NodeGroupOutput")
    group.links.new(group.nodes[node_tree.SHADER].outputs[0], end.inputs[0])
    outer = nodes.new("ShaderNodeGroup")
    outer.node_tree = group
    material.node_tree.links.new(outer.outputs[0], nodes[node_tree.OUTPUT].inputs["Surface"])


@pytest.fixture
def planes() -> list[bpy.types.Object]:
    """Three selected planes; the last one is active."""
    made = [add_plane() for _ in range(3)]
    for obj in made:
        obj.select_set(True)
    return made


def add_plane() -> bpy.types.Object:
    bpy.ops.mesh.primitive_plane_add()
    return bpy.context.object


@pytest.fixture
def asked_places(monkeypatch: pytest.MonkeyPatch) -> list[list[bpy.types.Object]]:
    """The objects whose places were asked for, a list for each time: in a large scene, once takes long."""
    from blender_addon.shader import places

    asked: list[list[bpy.types.Object]] = []
    find = places.world_matrices

    def count(scene: Any, layer: Any, objects: Any) -> Any:
        asked.append(list(objects))
        return find(scene, layer, objects)

    monkeypatch.setattr(places, "world_matrices", count)
    return asked


@pytest.fixture(scope="session")
def worker_python() -> str:
    """The Python of an environment with the worker in it."""
    found = os.environ.get("TILEWRIGHT_WORKER_PYTHON")
    if not found:
        pytest.skip("TILEWRIGHT_WORKER_PYTHON does not name a Python that has the worker")
    return found


def write_png(path: Path, pixels: np.ndarray) -> Path:
    from blender_addon.shader import images

    path.write_bytes(images.encode_png(pixels))
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small picture of something that repeats."""
    y, x = np.mgrid[0:160, 0:160]
    wave = ((np.sin(x / 5) * np.cos(y / 7) + 1) * 100).astype(np.uint8)
    return write_png(tmp_path / "waves.png", np.stack([wave, wave // 2, 255 - wave], -1))


class _Watched:
    """One of Blender's collections, and what of it was looked at by going through it."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.looked: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        for one in getattr(bpy.data, self._kind):
            self.looked.append(one)
            yield one

    def __len__(self) -> int:
        return len(getattr(bpy.data, self._kind))

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(bpy.data, self._kind), name)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, str], list[Any]]:
    """Lets a module see one of Blender's collections, such as `images`; gives what it looks at by going through it."""

    def start(module: ModuleType, kind: str) -> list[Any]:
        watched = _Watched(kind)
        data = SimpleNamespace(**{kind: watched})
        seen = SimpleNamespace(app=bpy.app, context=bpy.context, data=data)
        monkeypatch.setattr(module, "bpy", seen)
        return watched.looked

    return start
