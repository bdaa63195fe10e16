"""Build the Blender extension: bundle the wheels, write the zips into dist/, validate them."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "blender_addon"

# Blender's name of a platform → what pip calls the machines whose wheels run there.
PLATFORMS = {
    "linux-x64": ["manylinux_2_28_x86_64", "manylinux_2_26_x86_64", "manylinux2014_x86_64"],
    "windows-x64": ["win_amd64"],
    "macos-arm64": ["macosx_11_0_arm64", "macosx_10_15_universal2"],
    "macos-x64": ["macosx_10_15_x86_64", "macosx_10_15_universal2"],
}
# Blender 4.2 to 5.0 carry Python 3.11; one stable-ABI wheel serves every later one.
PYTHONS = {"3.11": "cp311", "3.12": "abi3"}
# Blender reads which Pythons an extension is for from the names of its wheels, and takes one exact
# version for the whole truth: a wheel for 3.11 beside one for any later Python would be refused on
# 3.13. So our own wheel names all of them. A new Python in Blender is added here.
OWN_TAG = "py311.py312.py313.py314"
PYZMQ = "pyzmq>=27,<28"


def main() -> int:
    options = _options()
    platforms = [this_platform()] if options.platform == ["this"] else options.platform
    dist = options.out.resolve()
    dist.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        staged = stage(Path(folder), platforms)
        for zipped in build(staged, dist, options.split):
            print(f"{zipped} ({zipped.stat().st_size / 1e6:.1f} MB)")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/build_extension", description=__doc__)
    parser.add_argument(
        "--platform",
        action="append",
        choices=[*PLATFORMS, "this"],
        help="platform to bundle wheels for, may be repeated (default: all four)",
    )
    parser.add_argument("--split", action="store_true", help="one zip per platform")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist/")
    options = parser.parse_args()
    options.platform = options.platform or list(PLATFORMS)
    return options


def this_platform() -> str:
    """Blender's name of the platform this runs on."""
    system = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}[platform.system()]
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return f"{system}-{'arm64' if arm else 'x64'}"


def stage(folder: Path, platforms: list[str]) -> Path:
    """Copy the add-on and its wheels, and write the manifest that lists them."""
    staged = folder / "tilewright"
    shutil.copytree(SOURCE, staged, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    shutil.copy2(ROOT / "LICENSE", staged)
    wheels = staged / "wheels"
    wheels.mkdir()
    _build_own_wheel(wheels)
    for name in platforms:
        for version, abi in PYTHONS.items():
            _fetch_pyzmq(wheels, PLATFORMS[name], version, abi)
    names = sorted(path.name for path in wheels.glob("*.whl"))
    (staged / "blender_manifest.toml").write_text(_manifest(platforms, names), encoding="utf-8")
    return staged


def _manifest(platforms: list[str], wheels: list[str]) -> str:
    """The source's manifest with version, platforms and wheels filled in."""
    text = (SOURCE / "blender_manifest.toml").read_text(encoding="utf-8")
    text = re.sub(r'^version = ".*"$', f'version = "{_version()}"', text, flags=re.MULTILINE)
    quoted = ", ".join(f'"{name}"' for name in platforms)
    lines = [f"platforms = [{quoted}]", "wheels = ["]
    lines += [*(f'    "./wheels/{name}",' for name in wheels), "]"]
    note = re.compile(r"^# `platforms` and `wheels`.*$", re.MULTILINE)
    return note.sub("\n".join(lines), text, count=1)


def _version() -> str:
    text = (ROOT / "gan_worker" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "([^"]+)"', text)[1]


def _build_own_wheel(wheels: Path) -> None:
    """The wheel with the client; copied first, so that nothing is left in the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tilewright"
        shutil.copytree(
            ROOT / "gan_worker",
            copy / "gan_worker",
            ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
        )
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            if (ROOT / name).exists():
                shutil.copy2(ROOT / name, copy)
        (copy / "setup.cfg").write_text(f"[bdist_wheel]\npython_tag = {OWN_TAG}\n")
        if shutil.which("uv"):
            command = ["uv", "build", "--wheel", "-q", "--out-dir", str(wheels), str(copy)]
        else:
            command = [*_pip(), "wheel", "-q", "--no-deps", "-w", str(wheels), str(copy)]
        _call(command)
    for left in wheels.glob(".gitignore"):
        left.unlink()


def _fetch_pyzmq(wheels: Path, machines: list[str], python: str, abi: str) -> None:
    command = [*_pip(), "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(wheels)]
    command += ["--implementation", "cp", "--python-version", python, "--abi", abi]
    for machine in machines:
        command += ["--platform", machine]
    _call([*command, PYZMQ])


def _pip() -> list[str]:
    """This Python's pip, or one that uv lends: environments made by uv have none."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    return ["uv", "tool", "run", "-q", "pip", "--disable-pip-version-check"]


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def build(staged: Path, dist: Path, split: bool) -> list[Path]:
    """Pack with Blender's own tool, then let it validate what came out."""
    tool = [sys.executable, str(blender_ext())]
    before = {p: p.stat().st_mtime_ns for p in dist.glob("tilewright-*.zip")}
    command = [*tool, "build", "--source-dir", str(staged), "--output-dir", str(dist)]
    _call([*command, "--split-platforms"] if split else command)
    written = [
        p for p in sorted(dist.glob("tilewright-*.zip")) if before.get(p) != p.stat().st_mtime_ns
    ]
    for path in written:
        _call([*tool, "validate", str(path)])
    return written


def blender_ext() -> Path:
    """Blender's command line for extensions, which needs no Blender to run.

    It is looked for in this environment's bpy, or where BLENDER_EXT says.
    """
    if os.environ.get("BLENDER_EXT"):
        return Path(os.environ["BLENDER_EXT"])
    spec = importlib.util.find_spec("bpy")
    folders = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        for found in folder.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return found
    sys.exit("bpy must be installed here (pip install bpy), or BLENDER_EXT name blender_ext.py.")


if __name__ == "__main__":
    sys.exit(main())
