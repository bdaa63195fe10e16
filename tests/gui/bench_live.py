"""Measures in a Blender window how fast a material follows a slider that is dragged, and what that costs."""

from __future__ import annotations

import os
import platform
import statistics
from datetime import date
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "scripts" / "bench_live.md"
MODEL, FULL, PREVIEW = "Starter Mossy Cobblestone", 512, 256
SINGLES, WARM_UP, EVENTS, PACE = 12, 3, 1000, 0.008
EDITORS = {"VIEW_3D": "3D View", "IMAGE_EDITOR": "Image Editor"}
CHOSEN = "bpy.context.scene.tilewright"
LIMIT = """
Blender runs add-ons only between two drawings of its window, and a moved slider has it drawn at once. A preview that is
ready meanwhile waits for the end of that drawing, which here is done by the processors that compute the preview too.
"""
AMOUNT = "latents.directions[0].amount"
pytestmark = pytest.mark.timeout(3600)

# Runs in Blender: notes when a slider was moved, when its pixels were in the images, and how long each took; and how
# long ticks were kept waiting meanwhile, which is how long Blender drew.
PROBE = """
import gc, os, time

class Probe:
    def __init__(self):
        self.timer, self.live = addon("worker.pump"), addon("steering.live")
        self.show, self.tick = self.live.show, self.timer.tick
        self.timer.tick = self.ticked
        self.live.part.results[self.live.PREVIEW] = self.timer.Results(self.shown, small=True)
        addon("steering.changes").listeners.insert(0, self.moved)
        addon("steering.changes").listeners.append(self.followed)
        self.clear()

    def clear(self):
        self.moves, self.waits, self.forward, self.draws, self.held = 0, [], [], [], 0.0
        self.began = self.free = self.drawn = 0.0
        self.timer.statistics.__init__()

    def moved(self, owner, name):
        self.moves += 1
        self.began = self.free = time.perf_counter()
        self.drawn = 0.0

    def ticked(self):
        self.drawn = max(self.drawn, time.perf_counter() - self.free)
        interval = self.tick()
        self.free = time.perf_counter()
        return interval

    def followed(self, owner, name):
        self.held = max(self.held, time.perf_counter() - self.began)

    def shown(self, event, job):
        yield from self.show(event, job)
        self.waits.append(time.perf_counter() - self.began)
        self.forward.append(event.forward_seconds)
        self.draws.append(self.drawn)

    def left_over(self):
        return len(session().running("generate")) + self.timer.pending()

def memory():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

def view():
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda area: area.width * area.height)
    return window, area, next(region for region in area.regions if region.type == "UI")

def put(editor):
    area = view()[1]
    area.type = editor
    area.spaces.active.show_region_ui = True
    if editor == "IMAGE_EDITOR":
        material = bpy.context.view_layer.objects.active.active_material
        area.spaces.active.image = addon("shader.node_tree").images_of(material)["base_color"]

probe = Probe()
"""


@pytest.fixture(scope="module")
def desk(window: Any) -> Any:
    """A window with a generated material."""
    window.hover_view()
    window.press("n")
    window.wait("open_tab('Tilewright')")
    preferences = "addon('worker.preferences').get()"
    window.ask(f"{preferences}.worker_python = {str(window.worker_python())!r}")
    window.ask(f"{preferences}.home_folder = {str(window.work / 'models')!r}")
    window.ask("bpy.ops.tilewright.start_worker() and None")
    window.wait(f"{MODEL!r} in session().model_names()")
    for name, value in (("model", MODEL), ("width", FULL), ("height", FULL)):
        window.ask(f"{CHOSEN}.{name} = {value!r}")
    window.ask(f"{CHOSEN}.preview_size = {PREVIEW}")
    window.ask("bpy.ops.tilewright.generate_material() and None")
    window.wait("is_quiet() and look()")
    window.fold("add_pictures")
    window.ask(PROBE)
    return window


def test_table(desk: Any) -> None:
    columns = [measure(desk, editor) for editor in EDITORS]
    lines = [f"| measured | {' | '.join(f'beside {a}' for a in EDITORS.values())} | wanted |"]
    lines += ["|---" * (len(EDITORS) + 2) + "|"]
    for rows in zip(*columns, strict=True):
        lines += [f"| {rows[0][0]} | {' | '.join(row[1] for row in rows)} | {rows[0][2]} |"]
    head = f"{date.today()}, {platform.machine()}, {os.cpu_count()} processors, {window_of(desk)}, {MODEL}"
    TABLE.write_text(f"{head}\n\n" + "\n".join(lines) + "\n" + LIMIT, encoding="utf-8")


def window_of(window: Any) -> str:
    return "Blender " + window.ask("bpy.app.version_string")


def measure(window: Any, editor: str) -> list[tuple[str, str, str]]:
    """Everything with the slider in the sidebar of this editor, the mouse pressed on it."""
    window.ask(f"put({editor!r})")
    window.wait("open_tab('Tilewright')")
    window.where.clear()
    window.hold(AMOUNT)
    window.pull(10)  # a press becomes a drag only after some pixels
    window.wait("probe.moves and is_quiet()")
    window.ask("probe.clear()")
    rows = [*measure_singles(window), *measure_drag(window)]
    window.release()
    return rows


def measure_singles(window: Any) -> list[tuple[str, str, str]]:
    """One move of the mouse after the other, each waited for."""
    for number in range(SINGLES + WARM_UP):
        shown = window.ask("len(probe.waits)")
        window.pull(1 if number % 2 else -1, 0)
        window.wait(f"len(probe.waits) > {shown}")
        window.wait("is_quiet()")
    waits, forward, draws = (
        window.ask(f"probe.{n}")[WARM_UP:] for n in ("waits", "forward", "draws")
    )
    beyond = [wait - own for wait, own in zip(waits, forward, strict=True)]
    return [
        (f"slider to changed pixels at {PREVIEW}², median", _ms(waits), ""),
        ("of that the generator's forward pass, median", _ms(forward), ""),
        ("the rest, median", _ms(beyond), "< 20 ms"),
        ("meanwhile Blender draws its window, median", _ms(draws), ""),
    ]


def measure_drag(window: Any) -> list[tuple[str, str, str]]:
    """A thousand moves without a pause, there and back, then the mouse rests."""
    window.ask("probe.clear()")
    images, memory = window.ask("len(bpy.data.images)"), window.ask("memory()")
    for _ in range(EVENTS // 100):
        window.pull(50, PACE)
        window.pull(-50, PACE)
    window.wait("is_quiet()")
    moves, shown = window.ask("probe.moves"), window.ask("len(probe.waits)")
    left = window.ask("probe.left_over()") + window.ask("len(bpy.data.images)") - images
    counted = "probe.timer.statistics"
    return [
        (f"moves in {EVENTS} events of the mouse, previews shown", f"{moves}, {shown}", ""),
        ("requests, work and images left over", str(left), "0"),
        ("memory left over", f"{window.ask('memory()') - memory:+.1f} MiB", "0"),
        ("longest tick, by the clock", _one(window.ask(f"{counted}.longest")), "< 20 ms"),
        ("longest tick, computing", _one(window.ask(f"{counted}.longest_cpu")), "< 20 ms"),
        ("longest that a move itself takes", _one(window.ask("probe.held")), "< 20 ms"),
    ]


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f} ms"


def _one(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
