"""The zip that is shipped: built, installed into a fresh user folder, used, and removed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

USE = """
import os, sys
import bpy, addon_utils
if not addon_utils.check("bl_pkg")[1]:
    addon_utils.enable("bl_pkg", default_set=True)
bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True
)
import gan_worker
user = os.environ["BLENDER_USER_RESOURCES"]
assert gan_worker.__file__.startswith(user), gan_worker.__file__
name = "bl_ext.user_default.tilewright"
addon = sys.modules[name]
assert addon.preferences.get().location == "LOCAL"
assert str(addon.preferences.log_folder()).startswith(user)
assert str(addon.preferences.environment_folder()).startswith(user)
assert addon.installation.bundled_wheel().is_file()
assert addon.installation.PROGRAM.is_file()
timer = addon.event_timer._timer
assert bpy.app.timers.is_registered(timer)
python = os.environ.get("TILEWRIGHT_WORKER_PYTHON")
if python:
    addon.preferences.get().worker_python = python
    addon.preferences.get().home_folder = os.path.join(user, "home")
    assert bpy.ops.tilewright.start_worker(wait=True) == {"FINISHED"}
    print("connected to", sys.modules[name + ".session"].current.server_version)
    bpy.ops.tilewright.stop_worker()
addon_utils.disable(name, default_set=True)
assert not hasattr(bpy.types.Scene, "tilewright")
assert not bpy.app.timers.is_registered(timer)
bpy.ops.extensions.package_uninstall(repo_index=1, pkg_id="tilewright")
assert not os.path.exists(os.path.join(user, "extensions", "user_default", "tilewright"))
print("all well", flush=True)
if bpy.app.version < (4, 3, 0):
    os._exit(0)  # the bpy 4.2 module crashes in Python's end once a property has a callback
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for this platform, validated by Blender's own tool as it is built."""
    out = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        ROOT / "scripts/build_extension.py",
        "--platform",
        "this",
        "--out",
        out,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.glob("tilewright-*.zip")
    return made


def test_zip_holds_the_addon_and_few_wheels(extension):
    names = zipfile.ZipFile(extension).namelist()
    wheels = sorted(Path(n).name.split("-")[0] for n in names if n.endswith(".whl"))
    assert wheels == ["pyzmq", "pyzmq", "tilewright"]
    assert "operators/generation.py" in names
    assert not [n for n in names if "__pycache__" in n or n.startswith(".")]


def test_zip_installs_works_and_leaves_in_a_fresh_blender(extension, tmp_path):
    folders = {"BLENDER_USER_RESOURCES": str(tmp_path / "user"), "HOME": str(tmp_path)}
    (tmp_path / "user").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", USE, extension],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
        env={**os.environ, **folders, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all well" in done.stdout


def test_bundled_pyzmq_works_without_any_other(extension, tmp_path):
    """The wheel for this Python, alone on the path, opens a CURVE socket."""
    tag = "cp311" if sys.version_info[:2] == (3, 11) else "abi3"
    with zipfile.ZipFile(extension) as packed:
        (name,) = [n for n in packed.namelist() if "pyzmq" in n and f"-{tag}-" in n]
        packed.extract(name, tmp_path)
    zipfile.ZipFile(tmp_path / name).extractall(tmp_path / "site")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import zmq; "
    code += "assert zmq.has('curve'); print(zmq.__file__)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert str(tmp_path) in done.stdout, done.stderr
