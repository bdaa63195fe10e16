"""Make a release: see that it may be made, build all of it into dist/tilewright-VERSION/, and tag it."""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import build_extension
from build_extension import ROOT, call

SUMS = "SHA256SUMS"


def main() -> int:
    options = _options()
    version = build_extension.version()
    missing = list(what_is_missing(version))
    for sentence in missing:
        print(f"Not ready: {sentence}", file=sys.stderr)
    if missing and not options.dry_run:
        return 1
    folder = options.out.resolve() / f"tilewright-{version}"
    build(folder)
    for path in sorted(folder.iterdir()):
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    if options.dry_run:
        print("A dry run: nothing was tagged.")
    else:
        _tag(version)
        print(
            f"Tagged v{version}. Give it away with: git push origin v{version}, and put the folder online."
        )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/release", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="build all of it, tag nothing")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist/")
    return parser.parse_args()


def what_is_missing(version: str) -> Iterator[str]:
    """Sentences on what must hold before this version can be released, and does not."""
    if changed := _git("status", "--porcelain"):
        names = ", ".join(line[3:] for line in changed.splitlines()[:5])
        yield f"all files must be committed; these are not: {names}. Commit or remove them."
    if _git("tag", "--list", f"v{version}"):
        yield (
            f"the version must be new; v{version} was released already. "
            "Write the next one into gan_worker/__init__.py."
        )
    if not changes(version):
        yield (
            f"CHANGELOG.md must tell what changed under '## [{version}] - YYYY-MM-DD'; it does not. "
            "Date what stands under Unreleased."
        )
    if not build_extension.homepage():
        yield (
            "people must find the project at its homepage; pyproject.toml names none. "
            "Write the address there, as Homepage under [project.urls]."
        )


def changes(version: str) -> str:
    """What the changelog says of a version; empty where it has no dated entry with text."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    entry = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$(.*?)(?=^## |\Z)"
    found = re.search(entry, text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def build(folder: Path) -> None:
    """Make the folder anew, with all that is given away.

    The folder is a repository of Blender's as it is: put online, the address of its `index.json` is what goes into
    Get Extensions > Repositories.
    """
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary)
        *_, newest = build_extension.build_zips(made, list(build_extension.PLATFORMS))
        _take_wheel(newest, made)
        index = (str(build_extension.blender_ext()), "server-generate", "--html")
        call(sys.executable, *index, "--repo-dir", str(made))
        sums = [f"{_sha256(path)}  {path.name}\n" for path in sorted(made.iterdir())]
        (made / SUMS).write_text("".join(sums), encoding="utf-8", newline="\n")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)


def _take_wheel(zipped: Path, folder: Path) -> None:
    """Give the wheel that lies in a zip away by itself too."""
    with zipfile.ZipFile(zipped) as packed:
        (name,) = (n for n in packed.namelist() if n.startswith("wheels/tilewright-"))
        (folder / Path(name).name).write_bytes(packed.read(name))


def _tag(version: str) -> None:
    message = f"Tilewright {version}\n\n{changes(version)}\n"
    _git("tag", "--annotate", "--cleanup=whitespace", "--message", message, f"v{version}")


def _git(*arguments: str) -> str:
    return call("git", "-C", str(ROOT), *arguments)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
