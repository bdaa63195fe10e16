"""Errors by value: each code belongs to one class, and comes back as an error of that class."""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_worker import errors
from gan_worker.errors import (
    BY_CODE,
    EXTRAS,
    TRANSIENT,
    Cancelled,
    ErrorInfo,
    RequestError,
    TilewrightError,
    UnexpectedError,
    WorkerError,
    error_from_info,
    install_command,
)

ROOT = Path(__file__).resolve().parents[2]


def sources() -> Iterator[tuple[str, str]]:
    """Each module of the program and its text."""
    for package in ("gan_worker", "blender_addon"):
        for file in (ROOT / package).rglob("*.py"):
            yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")


def raised() -> Iterator[tuple[str, str, str]]:
    """Every error that the program makes with a code in its source: where, its class, its code."""
    kinds = {kind.__name__ for kind in TilewrightError.__subclasses__()} | {"ErrorInfo"}
    for file, text in sources():
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]) if (
                    name in kinds
                ):
                    yield f"{file}:{node.lineno}", name, code


def test_every_code_in_the_source_is_one_of_its_class():
    found = list(raised())
    assert len(found) > 100
    for place, name, code in found:
        known = BY_CODE if name == "ErrorInfo" else getattr(errors, name).codes
        assert code in known, f"{place}: {name} has no {code}"


def test_no_code_is_left_over():
    lists = ("gan_worker/errors.py", "blender_addon/worker/reporting.py")
    texts = [text for file, text in sources() if file not in lists]
    made_by_their_classes = {"unexpected", "cancelled"}
    for code in BY_CODE.keys() - made_by_their_classes:
        assert any(f'"{code}"' in text for text in texts), code


def test_no_code_belongs_to_two_classes():
    assert len(BY_CODE) == sum(len(kind.codes) for kind in TilewrightError.__subclasses__())
    assert BY_CODE.keys() >= TRANSIENT


@pytest.mark.parametrize("code", sorted(BY_CODE))  # in one order in every process
def test_an_error_comes_back_as_what_it_was(code):
    info = ErrorInfo(code, "Something must hold; it does not.", "Do this.", 2.0)
    again = error_from_info(info)
    assert type(again) is BY_CODE[code]
    assert isinstance(again, Cancelled) or again.info == info


def test_a_missing_ray_is_the_fault_of_the_request():
    assert type(error_from_info(ErrorInfo("ray_missing", "", ""))) is RequestError


def test_a_fault_of_the_program_keeps_its_words():
    told = UnexpectedError(ValueError("odd")).info
    assert error_from_info(told).info == told


def test_the_code_of_a_later_worker_is_the_workers_fault():
    assert type(error_from_info(ErrorInfo("of_a_later_worker", "a", "b"))) is WorkerError


def test_what_a_cure_installs_is_what_the_extra_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for extra, packages in EXTRAS.items():
        assert list(packages) == project["optional-dependencies"][extra]


@pytest.mark.skipif(os.name == "nt", reason="the command is read by a POSIX shell here")
def test_the_command_installs_into_this_environment(monkeypatch, tmp_path):
    program = tmp_path / "a folder" / "python"
    program.parent.mkdir()
    program.symlink_to("/bin/echo")
    monkeypatch.setattr(sys, "executable", str(program))
    command = install_command(*EXTRAS["ray"], "tensorflow[and-cuda]")
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["-m", "pip", "install", *EXTRAS["ray"], "tensorflow[and-cuda]"]
    assert shlex.split(command)[0] == str(program)


def test_windows_shells_take_no_bound_for_a_file(monkeypatch):
    monkeypatch.setattr(os, "name", "nt")
    monkeypatch.setattr(sys, "executable", r"C:\Users\Ann Bee\python.exe")
    command = install_command("ray>=2.54", "pyzmq")
    assert command == '"C:\\Users\\Ann Bee\\python.exe" -m pip install "ray>=2.54" pyzmq'


@pytest.mark.parametrize(
    ("number", "noun", "told"),
    [(0, "slot", "0 slots"), (1, "slot", "1 slot"), (2, "more model", "2 more models")],
)
def test_a_count_goes_with_its_noun(number, noun, told):
    assert errors.counted(number, noun) == told
