"""The release script: what it refuses and what it tags. What it builds is tried in tests/end_to_end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("scripts/release.py", "scripts/build_extension.py", "pyproject.toml")
CHANGES = "# Changelog\n\n## [1.2.3] - 2026-11-28\n\n### Added\n\n- A door.\n\n## [1.2.2] - 2026-01-01\n\n- A wall.\n"
# What takes half a minute is left out: it would write the files.
RELEASE = (
    "import sys, release; release.build = lambda folder: folder.mkdir(parents=True); "
    "sys.exit(release.main())"
)


class Checkout:
    """A repository with just what the script reads, ready for a release of 1.2.3."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        self.write("gan_worker/__init__.py", '__version__ = "1.2.3"\n')
        self.write("CHANGELOG.md", CHANGES)
        self.write("pyproject.toml", '[project.urls]\nHomepage = "https://a.org"\n')
        self.git("init", "--quiet")
        self.git("config", "user.name", "Ann")
        self.git("config", "user.email", "ann@example.org")
        self.commit()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Next")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", self.folder, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def release(self, *options: str) -> tuple[int, str]:
        out = ("--out", str(self.folder.with_name("out")))
        done = subprocess.run(
            [sys.executable, "-B", "-c", RELEASE, *options, *out],
            cwd=self.folder / "scripts",
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def built(self) -> bool:
        return self.folder.with_name("out").exists()


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "checkout")


def test_a_release_is_tagged_with_what_changed(checkout):
    status, said = checkout.release()
    assert status == 0, said
    assert checkout.built
    message = checkout.git("tag", "--list", "--format=%(contents)", "v1.2.3").strip()
    assert message == "Tilewright 1.2.3\n\n### Added\n\n- A door."
    assert "git push origin v1.2.3" in said


def test_a_version_is_released_once(checkout):
    assert checkout.release()[0] == 0
    status, said = checkout.release()
    assert status == 1
    assert "v1.2.3 was released already" in said


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("CHANGELOG.md", "# Changelog\n", "## [1.2.3] - YYYY-MM-DD"),
        ("CHANGELOG.md", CHANGES.replace(" - 2026-11-28", ""), "## [1.2.3] - YYYY-MM-DD"),
        ("CHANGELOG.md", CHANGES.replace("### Added\n\n- A door.", ""), "must tell what changed"),
        ("pyproject.toml", '[project.urls]\nIssues = "https://a.org"\n', "names none"),
        ("pyproject.toml", '[project]\nname = "tilewright"\n', "names none"),
    ],
)
def test_what_is_not_ready_is_refused(checkout, file, text, says):
    checkout.write(file, text)
    checkout.commit()
    status, said = checkout.release()
    assert status == 1
    assert says in said
    assert "committed" not in said
    assert not checkout.built
    assert not checkout.git("tag")


@pytest.mark.parametrize("file", ["CHANGELOG.md", "a new file.txt"])
def test_files_that_are_not_committed_are_named(checkout, file):
    checkout.write(file, CHANGES + "More.\n")
    status, said = checkout.release()
    assert status == 1
    assert file in said
    assert not checkout.built


def test_a_dry_run_says_what_is_missing_and_builds_without_a_tag(checkout):
    checkout.write("CHANGELOG.md", "# Changelog\n")
    status, said = checkout.release("--dry-run")
    assert status == 0
    assert "must be committed" in said
    assert "must tell what changed" in said
    assert checkout.built
    assert not checkout.git("tag")
