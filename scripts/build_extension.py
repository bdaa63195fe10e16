"""Build the Blender extension: a zip for each generation of Blender's Python, with its wheels, validated, in dist/."""

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
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
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
PYZMQ = "27.1.0"
# What pip calls the wheels: for Python 3.11 alone, or by the stable ABI for every later one.
PYTHONS = {"cp311": "3.11", "abi3": "3.12"}
WHEELS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tilewright" / "wheels"
TRY_AGAIN = 75  # as sysexits.h has it


@dataclass(frozen=True)
class Generation:
    """Blenders that can share a zip, because they carry the same Python.

    Attributes:
        name: for the zip.
        first: the lowest Blender it is for.
        end: the lowest Blender that it is not for any more; empty for all to come.
        abis: of the pyzmq wheels for each platform.
        python_tag: of our own wheel. Blender reads from the names of the wheels which Pythons an
            extension is for, and takes one exact version for the whole truth: a wheel for 3.11 beside
            one for later Pythons would be refused by these, so that ours has to name them all.
    """

    name: str
    first: str
    end: str
    abis: dict[str, tuple[str, ...]]
    python_tag: str


GENERATIONS = (
    Generation(
        name="4.2-to-5.0",
        first="4.2.0",
        end="5.1.0",
        # Blender's own builds carry 3.11; those of Linux distributions take whatever Python the system has.
        abis=dict.fromkeys(PLATFORMS, ("cp311",)) | {"linux-x64": ("cp311", "abi3")},
        python_tag="py311.py312.py313.py314",
    ),
    Generation(
        name="5.1-and-later",
        first="5.1.0",
        end="",
        abis=dict.fromkeys(PLATFORMS, ("abi3",)),
        python_tag="py3",
    ),
)


def main() -> int:
    options = _options()
    platforms = [this_platform()] if options.platform == ["this"] else options.platform
    dist = options.out.resolve()
    dist.mkdir(parents=True, exist_ok=True)
    for zipped in build_zips(dist, platforms):
        print(f"{zipped} ({zipped.stat().st_size / 1e6:.1f} MB)")
    return 0


def build_zips(dist: Path, platforms: list[str]) -> Iterator[Path]:
    """A zip for each generation of Blender's Python, with the wheels for these platforms."""
    for generation in GENERATIONS:
        with tempfile.TemporaryDirectory() as folder:
            yield build(stage(Path(folder), generation, platforms), dist, generation)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/build_extension", description=__doc__)
    parser.add_argument(
        "--platform",
        action="append",
        choices=[*PLATFORMS, "this"],
        help="platform to bundle wheels for, may be repeated (default: all four)",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist/")
    options = parser.parse_args()
    options.platform = options.platform or list(PLATFORMS)
    return options


def this_platform() -> str:
    """Blender's name of the platform this runs on."""
    system = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}[platform.system()]
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return f"{system}-{'arm64' if arm else 'x64'}"


def stage(folder: Path, generation: Generation, platforms: list[str]) -> Path:
    """Copy the add-on and its wheels, and write the manifest that lists them."""
    staged = folder / "tilewright"
    shutil.copytree(SOURCE, staged, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    shutil.copy2(ROOT / "LICENSE", staged)
    wheels = staged / "wheels"
    wheels.mkdir()
    _build_own_wheel(wheels, generation.python_tag)
    for name in platforms:
        for abi in generation.abis[name]:
            shutil.copy2(_pyzmq(PLATFORMS[name], abi), wheels)
    names = sorted(path.name for path in wheels.glob("*.whl"))
    manifest = _manifest(generation, platforms, names)
    (staged / "blender_manifest.toml").write_text(manifest, encoding="utf-8")
    return staged


def _manifest(generation: Generation, platforms: list[str], wheels: list[str]) -> str:
    """The source's manifest with versions, platforms and wheels filled in."""
    text = (SOURCE / "blender_manifest.toml").read_text(encoding="utf-8")
    blenders = f'blender_version_min = "{generation.first}"'
    if generation.end:
        blenders += f'\nblender_version_max = "{generation.end}"'
    text = re.sub(r'^blender_version_min = ".*"$', blenders, text, flags=re.MULTILINE)
    quoted = ", ".join(f'"{name}"' for name in platforms)
    lines = [f'version = "{version()}"']
    lines += [f'website = "{address}"' for address in [homepage()] if address]
    lines += [f"platforms = [{quoted}]", "wheels = ["]
    lines += [*(f'    "./wheels/{name}",' for name in wheels), "]"]
    note = re.compile(r"^# `version`.*$", re.MULTILINE)
    return note.sub("\n".join(lines), text, count=1)


def version() -> str:
    """The version of all that is built, which stands in `gan_worker/__init__.py`."""
    text = (ROOT / "gan_worker" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    assert found
    return found[1]


def homepage() -> str:
    """Where the project lives, as `pyproject.toml` tells; empty while it has no public place."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project.get("urls", {}).get("Homepage", ""))


def _build_own_wheel(wheels: Path, python_tag: str) -> None:
    """The wheel with client and worker; copied first, so that nothing is left in the checkout."""
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
        (copy / "setup.cfg").write_text(f"[bdist_wheel]\npython_tag = {python_tag}\n")
        if shutil.which("uv"):
            command = ["uv", "build", "--wheel", "-q", "--out-dir", str(wheels), str(copy)]
        else:
            command = [*_pip(), "wheel", "-q", "--no-deps", "-w", str(wheels), str(copy)]
        call(*command)
    for left in wheels.glob(".gitignore"):
        left.unlink()


def _pyzmq(machines: list[str], abi: str) -> Path:
    """The wheel for these machines, downloaded when it is not there from a build before."""
    if not (found := _cached(machines, abi)):
        _download(machines, abi)
        found = _cached(machines, abi)
    return found[0]


def _cached(machines: list[str], abi: str) -> list[Path]:
    named = [p for p in WHEELS.glob(f"pyzmq-{PYZMQ}-*.whl") if p.stem.split("-")[3] == abi]
    return [p for p in named if set(p.stem.split("-")[4].split(".")) & set(machines)]


def _download(machines: list[str], abi: str) -> None:
    command = [*_pip(), "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(WHEELS)]
    command += ["--implementation", "cp", "--python-version", PYTHONS[abi], "--abi", abi]
    for machine in machines:
        command += ["--platform", machine]
    done = subprocess.run([*command, f"pyzmq=={PYZMQ}"], capture_output=True, text=True)
    if done.returncode:
        print(f"{' '.join(command)}\n{done.stdout}{done.stderr}", file=sys.stderr)
        # pip ends with 1 either way; only its warnings tell whether it could ask anybody.
        sys.exit(TRY_AGAIN if "onnection" in done.stderr else 1)


def _pip() -> list[str]:
    """This Python's pip, or one that uv lends: environments made by uv have none."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    return ["uv", "tool", "run", "-q", "pip", "--disable-pip-version-check"]


def call(*command: str) -> str:
    """What a program says; where it fails, this ends with what it said."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout.rstrip()


def build(staged: Path, dist: Path, generation: Generation) -> Path:
    """Pack with Blender's own tool, then let it validate what came out."""
    tool = [sys.executable, str(blender_ext())]
    zipped = dist / f"tilewright-{version()}-blender-{generation.name}.zip"
    call(*tool, "build", "--source-dir", str(staged), "--output-filepath", str(zipped))
    call(*tool, "validate", str(zipped))
    return zipped


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
