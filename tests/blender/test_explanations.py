"""Every disabled button says why, every error names its cure, and no panel does work while it is drawn."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from blender_addon import state
from blender_addon.generation import requests
from blender_addon.worker import pump, session
from blender_addon.worker.reporting import Action
from gan_worker import errors
from gan_worker.client.events import Connected
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.wire.messages import RunEntry, RunList, WorkerStatus

from .test_panels import addon_classes, draw

ROOT = Path(__file__).resolve().parents[2]
RUN = RunEntry("oak", "2030-01-02T03:04:05+00:00", "tiny", 12.5, 5.0, 23_400_000, True, True)


def situations(worker, plane, maps) -> Iterator[str]:
    """One state of the desk after another, each with other buttons disabled."""
    yield "connected, and nothing was made"
    (job,) = requests.generate_for_objects([plane], GenerationConfig("bricks", 5, 48, 32))
    yield "a material is being made"
    worker.finish(job.id, maps)
    pump.tick()
    pump.finish()
    yield "a material is there"
    worker.events += [Connected("0.1.0", (1, 1), "GPU", "busy"), RunList((RUN,))]
    training = session.current.train(TrainingConfig("oak", ("a.png",)))
    worker.state(training.id, "running")
    pump.tick()
    yield "a training runs"
    worker.state(training.id, "paused")
    worker.events.append(WorkerStatus("off", "", 0.0))
    pump.tick()
    yield "it is paused, and the worker holds nothing"
    bpy.context.scene.tilewright.run = bpy.context.scene.tilewright.model = ""
    yield "names are empty"
    session.current.close()
    yield "the worker was stopped"
    bpy.data.objects.remove(plane)
    yield "nothing is there to work on"


def buttons() -> list[str]:
    return [cls.bl_idname.split(".")[1] for cls in addon_classes(bpy.types.Operator)]


def reason(name: str) -> str:
    """What Blender shows for a button that is disabled."""
    with pytest.raises(RuntimeError) as caught:
        getattr(bpy.ops.tilewright, name)()
    return str(caught.value).partition(".poll() ")[2].strip()


def test_every_button_that_is_ever_disabled_says_why(stand_in, plane, maps):
    """A button with a condition must have been seen disabled here, with a sentence of its own."""
    state.of_blender.drop()
    seen: Counter[str] = Counter()
    silent = []
    for situation in situations(stand_in, plane, maps):
        for name in buttons():
            if not getattr(bpy.ops.tilewright, name).poll():
                seen[name] += 1
                if not reason(name)[:1].isupper() or "context is incorrect" in reason(name):
                    silent.append((situation, name, reason(name)))
    assert not silent
    conditional = {
        c.bl_idname.split(".")[1]
        for c in addon_classes(bpy.types.Operator)
        if c.obstacle.__func__ is not Action.obstacle.__func__
    }
    never = conditional - set(seen) - {"run_doctor"}  # disabled only while it runs: `test_doctor`
    assert not never


def test_no_control_but_a_button_is_disabled_without_a_sentence_beside_it():
    """`enabled` and `active` grey out what has no tooltip for it: the panel must draw the reason itself."""
    for file in (ROOT / "blender_addon").rglob("*.py"):
        for function in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            greys = [
                node
                for node in ast.walk(function)
                if isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Attribute)
                and node.targets[0].attr in ("enabled", "active")
                and "layout" in ast.unparse(function)
                and "draw" in function.name
            ]
            assert not greys or "paragraph(layout, reason" in ast.unparse(function), (
                file,
                function.name,
            )


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every place where an error is made, with where it stands."""
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)} - {
        "Cancelled",
        "UnexpectedError",
    }
    for folder in ("blender_addon", "gan_worker"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in kinds
                ):
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def constant(node: ast.expr) -> str | None:
    """The text that is written there, the parts that are filled in left out; None where it is a name."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values)
    return None


@pytest.mark.newest_blender
def test_every_error_has_a_known_code_a_sentence_and_a_cure():
    known = errors.BY_CODE.keys()
    found = 0
    for where, call in raised():
        if any(isinstance(a, ast.Starred) for a in call.args) or len(call.args) < 3:
            assert (
                not call.args or any(isinstance(a, ast.Starred) for a in call.args) or call.keywords
            ), where
            continue
        found += 1
        code, message, cure = map(constant, call.args[:3])
        assert code is None or code in known, where
        if code == "cancelled":
            continue  # a wish, which no panel shows
        for text in (message, cure):
            assert text is None or (len(text) > 5), where
        assert cure is None or cure[0].isupper() or cure[0] == "…", where
    assert found > 100


@pytest.mark.newest_blender
def test_every_finding_of_the_doctor_that_is_not_good_has_a_cure():
    for file in (*(ROOT / "gan_worker").rglob("*.py"), *(ROOT / "blender_addon").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
                state = constant(node.args[1]) if len(node.args) > 1 else None
                assert state in (None, "good") or len(node.args) == 4, (file.name, node.lineno)


WORK = (
    "open",
    "os.listdir",
    "os.scandir",
    "os.rename",
    "os.remove",
    "subprocess.Popen",
    "glob.glob",
)
_worked: list[str] | None = None


def _count(event: str, _arguments: object) -> None:
    if _worked is not None and (event in WORK or event.startswith(("socket.", "import"))):
        _worked.append(event)


def test_no_panel_and_no_poll_opens_a_file_a_folder_a_socket_or_a_program(stand_in, plane, maps):
    """Counted by Python itself, in every situation and for every panel there is."""
    global _worked
    sys.addaudithook(_count)
    calls, panels = 0, addon_classes(bpy.types.Panel)
    assert len(panels) > 15
    for _ in situations(stand_in, plane, maps):
        for panel in panels:  # once before, so that Python has loaded what it loads once
            draw(panel)
        _worked = []
        try:
            for panel in panels:
                draw(panel)
                calls += 1
            for name in buttons():
                getattr(bpy.ops.tilewright, name).poll()
            assert _worked == []
        finally:
            _worked = None
    assert calls > 100
    assert stand_in.submitted  # the situations are real ones
