"""The documents: links lead somewhere, the first page stays short, and pictures and packages are where texts say."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "*.md",
        ".github/**/*.md",
        "blender_addon/**/*.md",
        "gan_worker/**/*.md",
        "scripts/**/*.md",
        "tests/*.md",
    )
    for path in ROOT.glob(pattern)
)
# A line of the table of what must be survived: number, case, tests, date.
CASE = re.compile(r"^\| ([A-Z]\d+b?) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """What a link may name after #, as GitHub makes it from headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def test_all_documents_are_looked_at():
    assert len(DOCUMENTS) > 12
    assert {"README.md", "blender_addon/README.md", ".github/SECURITY.md"} <= set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name):
    file = ROOT / name
    for link in LINK.findall(file.read_text("utf-8")):
        if link.startswith(("https://", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (file.parent / place).resolve() if place else file
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


def test_the_first_page_stays_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_every_picture_is_shown():
    texts = "".join((ROOT / name).read_text("utf-8") for name in DOCUMENTS)
    for picture in (ROOT / ".github/pictures").iterdir():
        assert f".github/pictures/{picture.name}" in texts


@pytest.mark.parametrize("name", [*DOCUMENTS, ".github/workflows/check.yml"])
def test_files_that_texts_name_are_there(name):
    """Words in backticks that are paths from the top, such as `scripts/demo`."""
    text = (ROOT / name).read_text("utf-8")
    for path in re.findall(
        r"`((?:scripts|tests|gan_worker|blender_addon|\.github)/[\w./-]*)`", text
    ):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("package", ["gan_worker", "blender_addon"])
def test_every_package_explains_itself(package):
    for file in (ROOT / package).rglob("__init__.py"):
        assert file.read_text("utf-8").startswith('"""'), file


def cases() -> list[tuple[str, ...]]:
    return CASE.findall((ROOT / "tests/README.md").read_text("utf-8"))


def names_in(file: Path) -> set[str]:
    """Names of all tests in a file, of those in classes with their class."""
    found = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        parts = node.body if isinstance(node, ast.ClassDef) else [node]
        before = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {before + part.name for part in parts if isinstance(part, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: case[0])
def test_every_case_is_shown_by_tests_that_exist(case):
    _, sentence, shown, date = case
    names = re.findall(r"`([\w/]+\.py)::([\w:]+)`", shown)
    assert sentence
    assert names
    assert len(names) == shown.count("`") // 2
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", date)
    for file, name in names:
        assert name.rpartition("::")[2].startswith("test_")
        assert name in names_in(ROOT / "tests" / file), f"{file}::{name}"


def test_no_case_was_forgotten():
    last = {
        "N": 10,
        "W": 7,
        "C": 6,
        "D": 9,
        "K": 5,
        "B": 6,
        "M": 5,
        "H": 16,
        "R": 8,
        "V": 5,
        "E": 11,
    }
    wanted = [f"{letter}{n}" for letter, most in last.items() for n in range(1, most + 1)]
    wanted = [number for number in wanted if number != "H3"]
    numbers = [number for number, *_ in cases()]
    assert sorted(numbers) == sorted([*wanted, "W5b", "W6b"])


def test_nothing_is_installed_from_an_index_that_does_not_have_it():
    command = [
        "git",
        "-C",
        ROOT,
        "grep",
        "-nE",
        r"install.*['\" ]tilewright(\[|$)",
        "--",
        ".",
        ":!tests",
        ":!CHANGELOG.md",
    ]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 1, found.stdout
