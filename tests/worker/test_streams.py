"""Standard streams: no encoding and no name ends a command, and a parent is heard on stdin."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_worker.runs.run import Run
from gan_worker.streams import write_any_letter

# What Windows, DOS and old farms have.
ENCODINGS = ("ascii", "latin-1", "cp1252", "cp850", "cp932", "koi8-r", "utf-8")


def written(text, encoding):
    """What comes out of a stdout of that encoding."""
    raw = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, newline="\n"))
        write_any_letter()
        sys.stdout.write(text)
        sys.stdout.flush()
        return raw.getvalue().decode(encoding)


@given(st.text(st.characters()), st.sampled_from(ENCODINGS))
def test_every_text_can_be_written(text, encoding):
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        assert written(text, encoding)
    else:
        assert written(text, encoding) == text


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "木材 2² · 4×4 …"),
        ("cp932", "木材 2\\xb2 - 4×4 …"),
        ("cp1252", "\\u6728\\u6750 2² · 4×4 …"),
        ("ascii", "\\u6728\\u6750 22 - 4x4 ..."),
    ],
)
def test_signs_are_written_plainly_and_names_as_escapes(encoding, shown):
    assert written("木材 2² · 4×4 …", encoding) == shown.replace("\\xb2", "2")


def test_a_stream_of_another_kind_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    write_any_letter()
    assert sys.stdout.write("…") == 1


@pytest.mark.parametrize(("command", "encoding"), [("runs", "ascii"), ("--help", "cp850")])
def test_a_command_comes_to_its_end(command, encoding, tmp_path):
    Run.create(tmp_path / "runs", "木材")
    variables = os.environ | {"PYTHONIOENCODING": encoding, "TILEWRIGHT_HOME": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-m", "gan_worker", command], env=variables, capture_output=True
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout


# Hears its parent on stdin, and starts somebody who reads that too.
CHILD = """
import os, stat, subprocess, sys, threading
from gan_worker.streams import first_line, take_stdin, wait_for_end

pipe = take_stdin()
print(first_line(pipe), os.get_inheritable(pipe), flush=True)
ended = threading.Event()

def watch():
    wait_for_end(pipe)
    ended.set()

threading.Thread(target=watch, daemon=True).start()
print(stat.S_ISFIFO(os.fstat(0).st_mode), flush=True)
child = "import sys; print(len(sys.stdin.read()), flush=True)"
subprocess.run([sys.executable, "-c", child], check=True, timeout=20)
print(ended.wait(60), flush=True)
"""


@pytest.fixture
def child():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", CHILD], text=True, **pipes) as process:
        yield process
        process.kill()


def test_stdin_is_empty_while_the_parent_is_waited_for(child):
    child.stdin.write("keys\nand more")
    child.stdin.flush()
    said = [child.stdout.readline().split() for _ in range(3)]
    assert said == [["b'keys\\n'", "False"], ["False"], ["0"]]
    child.stdin.close()
    assert child.stdout.read() == "True\n"


def test_a_parent_that_goes_before_it_has_said_a_line_is_heard_as_far_as_it_came(child):
    child.stdin.write("ke")
    child.stdin.close()
    assert child.stdout.readline() == "b'ke' False\n"
