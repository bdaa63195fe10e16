"""The scripts' environment: what was interrupted is made anew, what is finished is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Stands in for uv: it makes an environment that holds nothing, installs a file, and fails where it is told to.
UV = """#!/bin/sh
for last; do :; done
case "$1" in
venv) mkdir -p "$last/bin"; ln -sf "$REAL_PYTHON" "$last/bin/python" ;;
pip) echo installed >>log; touch env/$$; [ ! -e broken ] ;;
esac
"""

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


@pytest.fixture
def set_up(tmp_path):
    """A function that sets up `env` in a checkout of its own; gives the exit status."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text(UV)
    (tools / "uv").chmod(0o755)
    (tmp_path / "pyproject.toml").write_text("")
    # Its own Python, whatever others there are.
    places = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "REAL_PYTHON": sys.executable,
        "TILEWRIGHT_PYTHON": sys.executable,
    }

    def run(*packages: str) -> int:
        script = 'source "$0"; tilewright_environment "$@"'
        command = ["bash", "-c", script, ROOT / "scripts/environment.sh", "env", *packages]
        return subprocess.run(command, cwd=tmp_path, env=os.environ | places).returncode

    return run


def installed(folder: Path) -> tuple[int, int]:
    """How often it was installed, and how many of these are still in the environment."""
    there = [file for file in (folder / "env").iterdir() if file.name.isdigit()]
    return len((folder / "log").read_text().splitlines()), len(there)


def test_finished_environment_is_left_alone_until_other_packages_are_wanted(set_up, tmp_path):
    assert set_up("numpy") == 0
    assert set_up("numpy") == 0
    assert installed(tmp_path) == (1, 1)
    assert set_up("numpy", "pyzmq") == 0
    assert installed(tmp_path) == (2, 2)


def test_environment_whose_installation_failed_is_made_anew(set_up, tmp_path):
    (tmp_path / "broken").touch()
    assert set_up("numpy") != 0
    assert installed(tmp_path) == (1, 1)
    (tmp_path / "broken").unlink()
    assert set_up("numpy") == 0
    assert installed(tmp_path) == (2, 1)
    assert set_up("numpy") == 0
    assert installed(tmp_path) == (2, 1)
