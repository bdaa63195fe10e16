"""The zips that are shipped: what is in each, and one installed into a fresh user folder, used, and removed."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import bpy
import pytest
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

import gan_worker

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = 75
COMPILED = re.compile(r"zmq/backend/cython/_zmq\..*(so|pyd)")
# Blender's platform → what pip calls such a computer, and the first bytes of a module built for it.
PLATFORMS = {
    "linux-x64": "manylinux_2_28_x86_64",
    "windows-x64": "win_amd64",
    "macos-arm64": "macosx_11_0_arm64",
    "macos-x64": "macosx_10_15_x86_64",
}
# Blender's own builds of this series → their Python; Linux distributions take later ones.
PYTHONS = {"4.2-to-5.0": [(3, 11)], "5.1-and-later": [(3, 13), (3, 14)]}
DISTRIBUTIONS = [(3, 12), (3, 13), (3, 14)]

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
assert addon.worker.preferences.get().location == "LOCAL"
assert str(addon.worker.preferences.log_folder()).startswith(user)
assert str(addon.worker.preferences.environment_folder()).startswith(user)
assert addon.worker.setup.bundled_wheel().is_file()
assert addon.worker.setup.PROGRAM.is_file()
timer = addon.worker.pump._timer
assert bpy.app.timers.is_registered(timer)
python = os.environ.get("TILEWRIGHT_WORKER_PYTHON")
if python:
    addon.worker.preferences.get().worker_python = python
    addon.worker.preferences.get().home_folder = os.path.join(user, "home")
    assert bpy.ops.tilewright.start_worker(wait=True) == {"FINISHED"}
    print("connected to", sys.modules[name + ".worker.session"].current.server_version)
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
def extensions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All zips for all platforms, validated by Blender's own tool as they are built."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, ROOT / "scripts/build_extension.py", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    if done.returncode == OFFLINE:
        pytest.skip("PyPI cannot be reached, and no earlier build left pyzmq's wheels")
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.stem.partition("-blender-")[2]: path for path in out.glob("tilewright-*.zip")}


@pytest.fixture(scope="module")
def extension(extensions: dict[str, Path]) -> Path:
    """The zip for this Blender."""
    return extensions["4.2-to-5.0" if bpy.app.version < (5, 1, 0) else "5.1-and-later"]


def manifest(extension: Path) -> dict:
    return tomllib.loads(zipfile.ZipFile(extension).read("blender_manifest.toml").decode())


def wheel_tags(python: tuple[int, int], platform: str) -> set[Tag]:
    """What pip would install with this Python on such a computer."""
    machines = [PLATFORMS[platform]]
    if platform.startswith("macos"):
        machines.append("macosx_10_15_universal2")
    elif platform.startswith("linux"):
        machines.append("manylinux_2_26_x86_64")
    exact = cpython_tags(python, platforms=machines)
    return {*exact, *compatible_tags(python, platforms=machines)}


def machines_of(module: bytes) -> set[str]:
    """For which of Blender's platforms a compiled module is, by its header."""
    if module[:4] == b"\x7fELF" and module[18:20] == b"\x3e\x00":
        return {"linux-x64"}
    if module[:2] == b"MZ":
        start = int.from_bytes(module[60:64], "little")
        return {"windows-x64"} if module[start : start + 6] == b"PE\0\0\x64\x86" else set()
    if module[:4] == b"\xca\xfe\xba\xbe":  # Mach-O for several processors, 20 bytes for each
        kinds = {b"\x01\0\0\x07": "macos-x64", b"\x01\0\0\x0c": "macos-arm64"}
        count = int.from_bytes(module[4:8], "big")
        return {kinds[module[8 + 20 * n : 12 + 20 * n]] for n in range(count)}
    return set()


@pytest.mark.newest_blender
@pytest.mark.parametrize("name", PYTHONS)
def test_each_zip_has_one_pyzmq_for_every_blender_it_claims(extensions, name, tmp_path):
    zipfile.ZipFile(extensions[name]).extractall(tmp_path)
    wheels = {path.name: path for path in (tmp_path / "wheels").iterdir()}
    claimed = manifest(extensions[name])
    assert {f"./wheels/{wheel}" for wheel in wheels} == set(claimed["wheels"])
    assert set(claimed["platforms"]) == set(PLATFORMS)
    used = set()
    for platform in claimed["platforms"]:
        for python in PYTHONS[name] + (DISTRIBUTIONS if platform == "linux-x64" else []):
            fitting = wheel_tags(python, platform)
            fits = [w for w in wheels if parse_wheel_filename(w)[3] & fitting]
            assert sorted(w.split("-")[0] for w in fits) == ["pyzmq", "tilewright"], platform
            used.update(fits)
            (pyzmq,) = (w for w in fits if w.startswith("pyzmq"))
            packed = zipfile.ZipFile(wheels[pyzmq])
            (module,) = (n for n in packed.namelist() if COMPILED.fullmatch(n))
            assert platform in machines_of(packed.read(module))
    assert used == set(wheels), "nothing is bundled in vain"


def test_every_blender_finds_exactly_one_zip(extensions):
    found = {name: manifest(path) for name, path in extensions.items()}
    assert set(found) == set(PYTHONS)
    old, new = (found[name] for name in PYTHONS)
    source = tomllib.loads((ROOT / "blender_addon/blender_manifest.toml").read_text("utf-8"))
    assert old["blender_version_min"] == source["blender_version_min"]
    assert old["blender_version_max"] == new["blender_version_min"] == "5.1.0"  # `max` is excluded
    assert "blender_version_max" not in new


@pytest.mark.parametrize("name", PYTHONS)
def test_blender_reads_the_right_pythons_from_the_wheels(extensions, name):
    """Its installer takes one exact version among the names for the whole truth."""
    scripts = Path(bpy.utils.system_resource("SCRIPTS"))
    path = scripts / "addons_core/bl_pkg/cli/blender_ext.py"
    spec = importlib.util.spec_from_file_location("blender_ext", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    read = tool.python_versions_from_wheels(manifest(extensions[name])["wheels"])
    for python in PYTHONS[name] + DISTRIBUTIONS:
        assert python in read or (3,) in read


def test_zip_holds_the_addon_and_few_wheels(extension):
    names = zipfile.ZipFile(extension).namelist()
    wheels = sorted(Path(n).name.split("-")[0] for n in names if n.endswith(".whl"))
    assert set(wheels) == {"pyzmq", "tilewright"}
    assert "generation/operators.py" in names
    assert "README.md" not in names
    assert not [n for n in names if "__pycache__" in n or n.startswith(".")]


def test_the_manifest_names_what_is_bundled_and_what_will_be_downloaded(extension):
    claimed = manifest(extension)
    for part in ("pyzmq", "libzmq", "libsodium"):
        assert [line for line in claimed["copyright"] if f"({part}," in line], part
    assert "TensorFlow" in claimed["permissions"]["network"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    # No address rather than one where nobody is.
    assert claimed.get("website") == project.get("urls", {}).get("Homepage")
    assert claimed["version"] == gan_worker.__version__


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
        (name,) = [
            n for n in packed.namelist() if "pyzmq" in n and f"-{tag}-" in n and "linux" in n
        ]
        packed.extract(name, tmp_path)
    zipfile.ZipFile(tmp_path / name).extractall(tmp_path / "site")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import zmq; "
    code += "assert zmq.has('curve'); print(zmq.__file__)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert str(tmp_path) in done.stdout, done.stderr
