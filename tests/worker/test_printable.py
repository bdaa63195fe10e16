"""What others wrote reaches logs and terminals as letters alone."""

import io
import logging
from dataclasses import replace

import pytest

from gan_worker.cli import terminal
from gan_worker.errors import ErrorInfo
from gan_worker.files import shown_name
from gan_worker.printable import LineFormatter, printable, printable_lines
from gan_worker.progress import DataReport, MaterialEntry, Notice, SkippedFile
from gan_worker.runs.run import ModelInfo

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m"
MODEL = ModelInfo("oak", "", 8, 8, ("height",), "nano", {}, {}, 1.0, "", 1, 1.0)
FORGED = "oak.png\n2026-01-01 00:00:00 INFO gan_worker.server: all is well"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Eiche rustikal ß 木目.png", None),
        ("a\N{NO-BREAK SPACE}b 👩\N{ZERO WIDTH JOINER}🎨", None),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\r\nb\tc\0", r"a\r\nb\tc\x00"),
        ("\x9b31m", r"\x9b31m"),
        ("gnp.\N{RIGHT-TO-LEFT OVERRIDE}exe", r"gnp.\u202eexe"),
        ("a\N{LINE SEPARATOR}b\x85c", r"a\u2028b\x85c"),
        ("\udcff", r"\udcff"),
        ("\N{LEFT-TO-RIGHT ISOLATE}\N{ZERO WIDTH SPACE}", r"\u2066\u200b"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_is_no_letter_is_spelled_out(text, shown):
    assert printable(text) == (text if shown is None else shown)
    assert printable(printable(text)) == printable(text)


def test_lines_that_are_meant_stay_lines():
    assert printable_lines("a\nb\x1b") == "a\nb\\x1b"


@pytest.fixture
def logged():
    """A logger as the worker's, and what it wrote."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LineFormatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("test of lines")
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, out
    logger.removeHandler(handler)


def test_a_message_in_the_log_is_one_line(logged):
    logger, out = logged
    logger.warning("paired with %s", FORGED)
    logger.warning("%s is odd", ESCAPES)
    first, second = out.getvalue().splitlines()
    assert first.startswith(r"WARNING test of lines: paired with oak.png\n2026")
    assert "\x1b" not in second


def test_no_line_of_a_traceback_looks_like_a_message(logged):
    logger, out = logged
    try:
        raise ValueError(FORGED + ESCAPES)
    except ValueError:
        logger.exception("a fault")
    logger.info("not told")
    lines = out.getvalue().splitlines()
    assert lines[0] == "ERROR test of lines: a fault"
    assert all(line.startswith("  | ") for line in lines[1:])
    assert "\x1b" not in out.getvalue()


@pytest.fixture
def shown(monkeypatch):
    """Everything that the command line prints, as for a terminal."""
    out = io.StringIO()
    for name in ("output", "messages"):
        console = terminal.Terminal(file=out, force_terminal=True, width=200, color_system=None)
        monkeypatch.setattr(terminal, name, console)
    return out


def test_a_terminal_obeys_nothing_in_names_and_texts_of_others(shown):
    name = shown_name(f"{FORGED}{ESCAPES}")
    entry = MaterialEntry(name, 8, 8, (f"height{ESCAPES}",))
    report = DataReport((entry,), (SkippedFile(name, ESCAPES),), (ESCAPES,), 1.0, (ESCAPES,))
    terminal.show_data_report(report)
    terminal.show_error(ErrorInfo("busy", ESCAPES, ESCAPES))
    terminal.TrainingView().report(Notice(ESCAPES))
    styles = {"styles": (name, f"a{FORGED}"), "created": ESCAPES, "preset": ESCAPES, "copied": 0.5}
    terminal.show_models([replace(MODEL, name=FORGED, **styles)], {name: ESCAPES, FORGED: FORGED})
    terminal.output.print(f"[link=https://example.org]{ESCAPES}[/link]")
    text = shown.getvalue()
    assert "\x07" not in text
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "\x9b" not in text
    assert "[link=https://example.org]" in text, "nor is it markup"
    assert not [line for line in text.splitlines() if line.startswith("2026-01-01")]
