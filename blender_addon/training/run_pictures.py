"""A small picture of each run in the list, asked for one at a time, and again once a run has learned more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gan_worker.wire.messages import AskRunPreview

from .. import state
from ..ui.icons import PanelPictures
from ..worker import session

if TYPE_CHECKING:
    from gan_worker.client.events import RunPreviewReady
    from gan_worker.wire.messages import RunEntry

pictures = PanelPictures()
is_there, icon = pictures.is_there, pictures.icon
register, unregister = pictures.open, pictures.close


@dataclass
class _Requests(state.Part):
    """What the worker was asked for.

    Attributes:
        seen: run → what its picture was asked for at.
        asked: the run whose picture is on its way; empty for none.
    """

    seen: dict[str, str] = field(default_factory=dict)
    asked: str = ""


def _here() -> _Requests:
    return state.of_blender.get(_Requests)


def follow() -> None:
    """Ask for the next picture that is missing or old."""
    now, here = session.current, _here()
    if not (now.connected and now.speaks(1, 2)):
        here.asked = ""
        return
    if here.asked:
        return
    for entry in now.runs:
        if here.seen.get(entry.name) != _age(entry):
            here.seen[entry.name] = _age(entry)
            here.asked = entry.name
            now.ask(AskRunPreview(entry.name))
            return


def show(event: RunPreviewReady) -> None:
    """Put a picture up; a run that has none keeps what is there."""
    _here().asked = ""
    if event.pixels is not None:
        pictures.show(event.run, event.pixels)


def give_up() -> None:
    """A request was refused: that run may be gone; the others come next."""
    _here().asked = ""


def clear() -> None:
    """Forget all pictures: another worker has other runs."""
    _here().seen.clear()
    _here().asked = ""
    pictures.clear()


def _age(entry: RunEntry) -> str:
    return f"{entry.created} {entry.kimg}"
