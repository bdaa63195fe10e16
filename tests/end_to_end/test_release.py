"""A release as people get it: checksums, a whole wheel, and an address from which Blender installs and updates."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="Blender's own tool makes the index")

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
OFFLINE = 75
# Bytes; what comes with it is models and weights.
LARGEST_WHEEL = 40_000_000

INSTALL_AND_UPDATE = """
import runpy, sys, tomllib
from pathlib import Path
import bpy
import addon_utils
if not addon_utils.check("bl_pkg")[1]:
    addon_utils.enable("bl_pkg", default_set=True)
address, next_index = sys.argv[1:]
bpy.context.preferences.system.use_online_access = True
bpy.ops.preferences.extension_repo_add(name="Tilewright", remote_url=address, type="REMOTE")
repositories = bpy.context.preferences.extensions.repos
number = next(n for n, found in enumerate(repositories) if found.remote_url == address)
folder = Path(repositories[number].directory, "tilewright")
def version():
    return tomllib.loads((folder / "blender_manifest.toml").read_text())["version"]
bpy.ops.extensions.repo_sync(repo_index=number)
bpy.ops.extensions.package_install(repo_index=number, pkg_id="tilewright", enable_on_install=True)
import gan_worker
assert Path(gan_worker.__file__).is_relative_to(Path(folder).parents[1]), gan_worker.__file__
assert version() == gan_worker.__version__
assert hasattr(bpy.types.Scene, "tilewright")
assert not (folder / "README.md").exists()
runpy.run_path(next_index)
bpy.ops.extensions.repo_sync(repo_index=number)
bpy.ops.extensions.package_upgrade_all()
assert version() == "99.0.0", version()
print("all well", flush=True)
"""
USE_WHEEL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import gan_worker
from gan_worker.runs.run import list_models
from gan_worker.cli import app
assert gan_worker.__file__.startswith(sys.argv[1]), gan_worker.__file__
assert "Starter Red Bricks" in [model.name for model in list_models(Path("none"))[0]]
"""
# Publishes the same files as a later version.
PUBLISH = """
import re, subprocess, sys, zipfile
from pathlib import Path
folder = Path({folder!r})
for path in folder.glob("*.zip"):
    with zipfile.ZipFile(path) as packed:
        files = {{name: packed.read(name) for name in packed.namelist()}}
    name = "blender_manifest.toml"
    files[name] = re.sub(rb'(?m)^version = ".*"', b'version = "99.0.0"', files[name])
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
subprocess.run([sys.executable, {tool!r}, "server-generate", "--repo-dir", str(folder)], check=True)
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a dry run makes."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, ROOT / "scripts/release.py", "--dry-run", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    if done.returncode == OFFLINE:
        pytest.skip("PyPI cannot be reached, and no earlier build left pyzmq's wheels")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = out.iterdir()
    return folder


def test_the_checksums_are_those_of_all_files(release):
    lines = (release / "SHA256SUMS").read_text("utf-8").splitlines()
    told = dict(reversed(line.split("  ")) for line in lines)
    real = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in release.iterdir()}
    del real["SHA256SUMS"]
    assert told == real
    kinds = sorted(name.rpartition(".")[2] for name in told)
    assert kinds == ["html", "json", "whl", "zip", "zip"]


def test_the_wheel_needs_no_checkout(release, tmp_path):
    (wheel,) = release.glob("*.whl")
    assert wheel.stat().st_size < LARGEST_WHEEL
    packed = zipfile.ZipFile(wheel)
    packed.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-c", USE_WHEEL, tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    weights = {path.name for path in (ROOT / "gan_worker" / "pretrained").iterdir()}
    assert {path.name for path in (tmp_path / "gan_worker" / "pretrained").iterdir()} == weights
    (metadata,) = (n for n in packed.namelist() if n.endswith("dist-info/METADATA"))
    text = packed.read(metadata).decode()
    assert re.search(r"^Description-Content-Type: text/markdown$", text, re.MULTILINE)
    assert (ROOT / "README.md").read_text("utf-8") in text
    assert "Provides-Extra: worker" in text


def test_blender_installs_and_updates_from_its_address(release, tmp_path):
    tool = Path(bpy.utils.system_resource("SCRIPTS"), "addons_core/bl_pkg/cli/blender_ext.py")
    publish = tmp_path / "publish.py"
    publish.write_text(PUBLISH.format(folder=str(release), tool=str(tool)), encoding="utf-8")
    user = tmp_path / "user"
    user.mkdir()
    folders = {"BLENDER_USER_RESOURCES": str(user), "HOME": str(tmp_path), "PYTHONPATH": ""}
    address = (release / "index.json").as_uri()
    done = subprocess.run(
        [sys.executable, "-c", INSTALL_AND_UPDATE, address, publish],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
        env={**os.environ, **folders},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "all well" in done.stdout
