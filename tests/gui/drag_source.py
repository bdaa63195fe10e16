"""Drag source: drops a file onto the window under a place of an X screen, as a file manager would (XDND, version 4).

python drag_source.py DISPLAY X Y FILE
"""

import sys
import time
from pathlib import Path

from Xlib import X, display
from Xlib.protocol.event import ClientMessage, SelectionNotify
from Xlib.xobject.drawable import Window

VERSION = 4  # what later ones answer beside "finished" Blender does not say
PATIENCE = 120.0  # seconds until the window has answered


class DragSource:
    """A window of no size that files are dragged from.

    Args:
        name: of the display.
        place: where to, pixels from the screen's upper left corner.
    """

    def __init__(self, name: str, place: tuple[int, int]) -> None:
        self.display = display.Display(name)
        self.atom = self.display.intern_atom
        self.root = self.display.screen().root
        self.own = self.root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        self.place = place
        self.target = self.window_below()

    def window_below(self) -> Window:
        """The one that files can be dropped onto."""
        aware, below = self.atom("XdndAware"), self.root
        while below:
            if below.get_full_property(aware, X.AnyPropertyType):
                return below
            below = below.translate_coords(self.root, *self.place).child
        raise LookupError(f"nothing takes files at {self.place}")

    def drop(self, file: Path) -> bool:
        """Drag a file there and let it go; whether it may be dropped there."""
        self.own.set_selection_owner(self.atom("XdndSelection"), X.CurrentTime)
        x, y = self.place
        self.tell("XdndEnter", VERSION << 24, self.atom("text/uri-list"))
        self.tell("XdndPosition", 0, x << 16 | y, X.CurrentTime, self.atom("XdndActionCopy"))
        if not self.answer("XdndStatus", file)[1] & 1:
            self.tell("XdndLeave")
            return False
        self.tell("XdndDrop", 0, X.CurrentTime)
        self.answer("XdndFinished", file)
        return True

    def tell(self, name: str, *numbers: int) -> None:
        data = [self.own.id, *numbers, *(0,) * (4 - len(numbers))]
        message = ClientMessage(window=self.target, client_type=self.atom(name), data=(32, data))
        self.target.send_event(message)
        self.display.flush()

    def answer(self, name: str, file: Path) -> list[int]:
        """What the window says next by that name; meanwhile it is told of the file, if it asks."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if not self.display.pending_events():
                time.sleep(0.01)
                continue
            event = self.display.next_event()
            if event.type == X.SelectionRequest:
                self.hand_over(event, file)
            elif event.type == X.ClientMessage and event.client_type == self.atom(name):
                return list(event.data[1])
        raise TimeoutError(f"the window does not say {name}")

    def hand_over(self, request: object, file: Path) -> None:
        uri = f"{file.as_uri()}\r\n".encode()
        request.requestor.change_property(request.property, request.target, 8, uri)
        told = {
            name: getattr(request, name) for name in ("time", "requestor", "selection", "target")
        }
        request.requestor.send_event(SelectionNotify(property=request.property, **told))
        self.display.flush()


if __name__ == "__main__":
    screen, left, top, dragged = sys.argv[1:]
    if not DragSource(screen, (int(left), int(top))).drop(Path(dragged)):
        sys.exit("the window refuses it")
