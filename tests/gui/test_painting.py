"""A stroke of a brush that is held while a result is due: Blender's Python module has no strokes."""

from __future__ import annotations

from typing import Any

import pytest

# Every wait has its own limit.
pytestmark = pytest.mark.timeout(1800)


def test_an_undo_step_that_is_due_under_a_stroke_waits_for_its_end(window: Any) -> None:
    window.ask("show_view()")
    window.settle(20)
    window.ask("ready_to_paint()")
    window.move(*window.ask("middle()"))
    window.call("xdotool", "mousedown", 1)
    window.pull(10)
    window.wait("'PAINT_OT_image_paint' in modal_operators()")
    window.ask("addon('generation.results').add_undo_step('Mark')")
    window.ask("addon('worker.pump').wake()")
    window.pull(10)
    window.settle(20)
    assert window.ask("modal_operators()"), "the stroke is held still"
    window.release()  # here Blender crashed
    window.wait("not modal_operators()")
    window.ask("bpy.ops.object.mode_set(mode='OBJECT') and None")
