"""A windowed Blender with the extension installed, driven by mouse and keys; `scripts/test_gui` provides it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "out" / "gui"
WIDTH, HEIGHT = 1600, 1000
# The tab's panels from the top.
PANELS = (
    *("Worker", "Train", "Photo to Material", "Generate", "Latents", "Looks", "Explore"),
    *("Favorites", "Material", "Motion", "Paint Looks", "Repair", "Scene Recipe"),
)
# Entries that an open list shows at once.
LIST_ROWS = 10
# Nothing here is measured: a slow computer may take its time.
PATIENCE = 600.0


class Window:
    """One Blender on one screen.

    Args:
        debian: folder of the Debian with Blender in it.
        work: folder that both sides see under the same name.
    """

    def __init__(self, debian: Path, work: Path) -> None:
        self.debian, self.work = debian, work
        self.home = work / "home"
        self.home.mkdir()
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "MESA_SHADER_CACHE_DIR": "/var/cache/mesa",
            "TILEWRIGHT_GUI_SOCKET": str(work / "bridge"),
        }
        self.where: dict[str, int] = {}
        self.opened = ExitStack()
        self.processes: list[subprocess.Popen[bytes]] = []

    # -- processes ------------------------------------------------------------------------------

    def command(self, *command: object) -> list[str]:
        """A command as it is run in the folder with Blender."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return ["chroot", str(self.debian), "env", "-i", *variables, *map(str, command)]

    def call(self, *command: object) -> str:
        """Run a command to its end, and return what it printed."""
        done = subprocess.run(self.command(*command), capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def start_screen(self) -> None:
        """A screen in memory; it picks a number that is free."""
        command = self.command("Xvfb", "-displayfd", "1", "-screen", "0", f"{WIDTH}x{HEIGHT}x24")
        with (self.work / "screen.log").open("wb") as log:
            screen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        self.processes.append(screen)
        self.opened.enter_context(screen.stdout)
        number = screen.stdout.readline().decode().strip()
        assert number, (self.work / "screen.log").read_text()
        self.environment["DISPLAY"] = f":{number}"

    def start(self) -> None:
        """Blender with an empty file, as large as the screen."""
        shutil.copy(Path(__file__).with_name("bridge.py"), self.work)
        command = self.command(
            "blender", "--window-geometry", 0, 0, WIDTH, HEIGHT, "--python", self.work / "bridge.py"
        )
        with (self.work / "blender.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.processes.append(self.process)
        self.link = self.opened.enter_context(socket.socket(socket.AF_UNIX))
        self.link.settimeout(PATIENCE)
        end = time.monotonic() + PATIENCE
        while self.link.connect_ex(str(self.work / "bridge")):
            assert self.process.poll() is None and time.monotonic() < end, self.log()
            time.sleep(0.05)
        self.lines = self.opened.enter_context(self.link.makefile("rb"))

    def end(self) -> None:
        """End what still runs; a worker leaves when Blender does."""
        self.opened.close()
        for process in self.processes:
            process.kill()
            process.wait()

    def log(self) -> str:
        """The last that Blender printed."""
        return (self.work / "blender.log").read_text(errors="replace")[-3000:]

    # -- questions ------------------------------------------------------------------------------

    def ask(self, code: str) -> Any:
        """The value of an expression in Blender; statements are run and give None."""
        self.link.sendall(json.dumps(code).encode() + b"\n")
        line = self.lines.readline()
        assert line, f"Blender is gone: {self.log()}"
        answer = json.loads(line)
        assert "error" not in answer, answer.get("error")
        return answer["value"]

    def wait(self, code: str, seconds: float = PATIENCE) -> Any:
        """Ask until the answer is true, and return it."""
        end = time.monotonic() + seconds
        while not (value := self.ask(code)):
            told = self.ask("str(session().last_error)")
            time.sleep(0.05)  # a question that reads pixels would leave Blender no time to work
            assert time.monotonic() < end, f"not within {seconds:g} s: {code}; {told}"
        return value

    def settle(self, turns: int = 3, pause: float = 0.03) -> None:
        """Let Blender handle and draw what was sent before: its main loop goes round."""
        time.sleep(pause)  # the screen hands on mouse and keys in its own time
        for _ in range(turns):
            self.ask("None")

    # -- mouse and keys -------------------------------------------------------------------------

    def move(self, x: int, y: int, pause: float = 0.03) -> None:
        """Go there in two steps: Blender looks at what lies under a pointer that moves."""
        self.call("xdotool", "mousemove", x - 2, y, "mousemove", x, y)
        self.settle(pause=pause)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.call("xdotool", "key", key)
            self.settle()

    def find(self, what: str, column: float = 0.4) -> tuple[int, int]:
        """The place of a button of the sidebar, found by going down one of its columns, which is scrolled if need be.

        Args:
            what: part of the operator call or of the data path.
            column: 0 is the left side of the sidebar, 1 the right one.
        """
        x, seen = 0, ""
        for pause in (0.03, 0.3):  # a busy computer hands mouse moves on late
            for turn in range(4):
                if turn == 1:
                    self.press("Home")  # the first header comes to the top
                elif turn:
                    self.call("xdotool", *("click", 5) * 9)  # panels above have grown
                    self.settle()
                x, y = self.look_for(what, column, pause)
                if y:
                    return x, y
            seen = self.buttons(column)
        state = self.ask("(session().state, str(session().last_error), sorted(drawn))")
        shown = self.photograph("missing")
        raise AssertionError(f"no button {what} at {column}, but {seen}; {state}; see {shown.name}")

    def look_for(self, what: str, column: float, pause: float) -> tuple[int, int]:
        """The place of a button among those that the sidebar shows now; y is 0 where it is not."""
        left, top, width, height = self.ask("sidebar()")
        x, near = left + int(width * column), self.where.get(what, top)
        for y in sorted(range(top + 10, top + height, 16), key=lambda y: abs(y - near)):
            self.move(x, y, pause)
            if what in self.ask("under_pointer()"):
                self.where[what] = y
                return x, y
        return x, 0

    def buttons(self, column: float = 0.4) -> str:
        """Operator calls and data paths of all buttons in a column of the sidebar, from the top."""
        left, top, width, height = self.ask("sidebar()")
        found = []
        for y in range(top + 10, top + height, 16):
            self.move(left + int(width * column), y)
            found.append(self.ask("under_pointer()"))
        return "\n".join(found)

    def click(self, what: str, column: float = 0.4) -> None:
        """Find a button and press it."""
        self.find(what, column)
        self.click_here()

    def click_here(self) -> None:
        self.call("xdotool", "mousedown", 1)
        self.settle(2)
        self.call("xdotool", "mouseup", 1)
        self.settle()

    def hold(self, what: str, column: float = 0.7) -> None:
        """Press the mouse on something and keep it down."""
        self.find(what, column)
        self.call("xdotool", "mousedown", 1)
        self.settle(2)

    def pull(self, pixels: int, seconds: float = 0.02) -> None:
        """Move to the right, or to the left for less than nothing, pixel by pixel."""
        step = ("mousemove_relative", "--", "1" if pixels > 0 else "-1", "0", "sleep", seconds)
        self.call("xdotool", *step * abs(pixels))
        self.settle()

    def release(self) -> None:
        self.call("xdotool", "mouseup", 1)
        self.settle()

    def fold(self, what: str, column: float = 0.4) -> None:
        """Close the panel that something is in; what is in the header of a closed one opens it."""
        self.find(what, column)
        self.press("a")

    def open_only(self, panel: str) -> None:
        """Open a panel of the tab, and close all others."""
        self.move(*self.header(0))
        self.press("Home")  # the first header comes to the top
        opened = self.open_panels()
        # From the top, so that none has been pushed down.
        for name in [*(n for n in PANELS if n in opened), panel]:
            self.toggle(name)
        self.where.clear()

    def toggle(self, panel: str) -> None:
        """Open or close a panel; those above it are closed."""
        was_open = panel in self.open_panels()
        hidden = self.ask("hidden_panels()")
        self.move(*self.header([p for p in PANELS if p not in hidden].index(panel)))
        self.press("a")
        self.settle(20, 1.0)  # panels glide
        assert (panel in self.open_panels()) != was_open, self.photograph("missing")

    def open_part(self, part: str, above: str, closed: int = 0) -> None:
        """Open a part of the panel that is open.

        Args:
            part: its label.
            above: part of the operator call of the last button above it.
            closed: how many parts between that button and it show their headers alone.
        """
        x, y = self.lower_edge(above)
        scale = self.ask("bpy.context.preferences.system.ui_scale")
        self.move(x, y + int(scale * (23 + 26 * closed)))
        self.press("a")
        self.settle(20, 1.0)  # panels glide
        assert part in self.open_panels(), self.photograph("missing")

    def lower_edge(self, what: str, column: float = 0.4) -> tuple[int, int]:
        """The first place below a button; the pointer is there."""
        x, y = self.find(what, column)
        while what in self.ask("under_pointer()"):
            y += 1
            self.move(x, y)
        return x, y

    def header(self, number: int) -> tuple[int, int]:
        """Where the header of a panel is when those above it are closed."""
        left, top, width, _ = self.ask("sidebar()")
        scale = self.ask("bpy.context.preferences.system.ui_scale")
        return left + width // 3, top + int(scale * (15 + 27 * number))

    def open_panels(self) -> list[str]:
        """The panels of the tab that show more than their header."""
        self.ask("forget_panels()")
        self.settle()
        return self.ask("sorted(drawn)")

    def enter(self, what: str, text: str, column: float = 0.7) -> None:
        """Type something into a field, in the place of what it held."""
        self.find(what, column)
        self.press("Return", "ctrl+a")
        self.call("xdotool", "type", "--delay", 30, text)
        self.settle()
        self.press("Return")

    def choose(self, what: str, letter: str, column: float = 0.7) -> None:
        """Open a menu and press the letter that is underlined in it."""
        self.click(what, column)
        self.press(letter)

    def pick(self, what: str, place: int, picture: str = "", column: float = 0.4) -> None:
        """Open the list of a field, and click the entry at that place, 0 and up.

        Args:
            what: part of the field's data path.
            place: of the entry.
            picture: name of a picture of the open list; none without.
            column: as in `find`.
        """
        x, y = self.lower_edge(what, column)  # from which the list hangs
        if y > HEIGHT * 0.6:  # without room below it would stand on the field
            self.call("xdotool", *("click", 5) * 9)
            self.settle()
            self.where.pop(what)
            x, y = self.lower_edge(what, column)
        self.move(x, y - 4)
        self.click_here()
        self.settle(20)
        if picture:
            self.photograph(picture)
        scale = self.ask("bpy.context.preferences.system.ui_scale")
        row = min(place, LIST_ROWS - 1)
        self.move(x, y + int(scale * (10.5 + 21 * (row + 0.5))))
        for _ in range(place - row):  # the wheel goes on to the next entry
            self.call("xdotool", "click", 5)
            self.settle()
        self.click_here()

    def choose_file(self, path: Path) -> None:
        """In the file browser that opens."""
        self.wait(f"browse({str(path)!r})")
        self.settle()
        self.press("Return")
        self.wait("file_browser() is None")

    def drop(self, path: Path, x: int, y: int) -> None:
        """Drag a file from elsewhere on the desktop to a place, and let it go there."""
        self.move(x, y)
        source = Path(__file__).with_name("drag_source.py")
        command = [sys.executable, source, self.environment["DISPLAY"], str(x), str(y), path]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self.settle()

    def hover_view(self) -> None:
        """Go where keys mean the 3D View."""
        self.move(500, 750)

    def photograph(self, name: str) -> Path:
        """What is on the screen now, in out/gui."""
        path = self.work / f"{name}.png"
        self.call("import", "-window", "root", path)
        PICTURES.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(path, PICTURES))

    # -- the worker -----------------------------------------------------------------------------

    def start_worker(self) -> None:
        """The checkout's, by the button in the panel."""
        preferences = "addon('worker.preferences').get()"
        self.ask(f"{preferences}.worker_python = {str(self.worker_python())!r}")
        self.ask(f"{preferences}.home_folder = {str(self.work / 'models')!r}")
        self.click("ops.tilewright.start_worker(", 0.25)
        self.wait("session().connected or session().last_error")
        assert self.ask("session().connected"), self.ask("session().last_error")

    def worker_python(self) -> Path:
        """The checkout's Python, to be started by Blender: it lies outside of Blender's folder."""
        path = self.work / "python"
        path.write_text(
            f'#!/bin/sh\nexec /usr/sbin/chroot /proc/1/root "{ROOT}/.venv/bin/python" "$@"\n'
        )
        path.chmod(0o755)
        return path


def worker_processes() -> list[str]:
    """Command lines of all workers; no process but the test's own is visible here."""
    lines = [_command_line(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    return [line for line in lines if "gan_worker" in line]


def _command_line(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""  # it has just ended


@pytest.fixture
def workers() -> Any:
    return worker_processes


@pytest.fixture(scope="session")
def window() -> Iterator[Window]:
    """Blender with the extension installed from its zip, as a user's first start finds it."""
    if "TILEWRIGHT_GUI_DEBIAN" not in os.environ:
        pytest.skip("scripts/test_gui runs this: it needs a Blender with a window")
    window = Window(
        Path(os.environ["TILEWRIGHT_GUI_DEBIAN"]), Path(os.environ["TILEWRIGHT_GUI_WORK"])
    )
    (package,) = window.work.glob("tilewright-*-4.2-to-5.0.zip")
    window.call(
        *("blender", "--command", "extension", "install-file"),
        *("-r", "user_default", "--enable", package),
    )
    window.start_screen()
    try:
        window.start()
        yield window
    finally:
        window.end()
