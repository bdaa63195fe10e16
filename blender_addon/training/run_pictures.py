"""A small picture of each run in the list, asked for one at a time, and again once a run has learned more."""

from __future__ import annotations

from gan_worker.client.events import RunPreviewReady
from gan_worker.wire.messages import RunEntry

from ..ui.icons import PanelPictures
from ..worker import session

pictures = PanelPictures()
is_there, icon = pictures.is_there, pictures.icon
register, unregister = pictures.open, pictures.close

# Run → what its picture was asked for at; and the run whose picture is on its way.
_seen: dict[str, str] = {}
_asked: list[str] = []


def follow() -> None:
    """Ask for the next picture that is missing or old."""
    now = session.current
    if not (now.connected and now.speaks(1, 2)):
        _asked.clear()
        return
    if _asked:
        return
    for entry in now.runs:
        if _seen.get(entry.name) != _age(entry):
            _seen[entry.name] = _age(entry)
            _asked.append(entry.name)
            now.request_run_preview(entry.name)
            return


def show(event: RunPreviewReady) -> None:
    """Put a picture up; a run that has none keeps what is there."""
    _asked.clear()
    if event.pixels is not None:
        pictures.show(event.run, event.pixels)


def give_up() -> None:
    """A request was refused: that run may be gone; the others come next."""
    _asked.clear()


def clear() -> None:
    """Forget all pictures: another worker has other runs."""
    _seen.clear()
    _asked.clear()
    pictures.clear()


def _age(entry: RunEntry) -> str:
    return f"{entry.created} {entry.kimg}"
