"""Whose a training picture is: files beside it by REUSE's rules, and its own metadata."""

import re

import numpy as np
import pytest
from PIL import Image

from gan_worker.materials.pictures import read_header, write_picture
from gan_worker.runs.licenses import Attribution, AttributionFinder

REUSE = """
version = 1
SPDX-PackageDownloadLocation = "https://example.org/set"

[[annotations]]
path = "**"
SPDX-FileCopyrightText = ["2019-2021 Jürgen Müller", "© 2020 Zoë"]
SPDX-License-Identifier = "CC0-1.0"

[[annotations]]
path = ["deep/*.png", "odd [1].png"]
SPDX-FileCopyrightText = "Copyright (c) 2024 Ann"
SPDX-License-Identifier = ["CC-BY-4.0", "MIT"]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set" / "deep" / "deeper").mkdir(parents=True)
    return tmp_path / "set"


def find(file, *places, texts=None):
    finder = AttributionFinder(places)
    return finder.find(file, texts or {}), finder.problems


def test_a_file_beside_it_names_author_license_and_source(folder):
    (folder / "oak.png.license").write_text(
        "SPDX-FileCopyrightText: © 2024, Jane Doe <jane@example.org>\n"
        "SPDX-FileCopyrightText: 2024 Jane Doe <jane@example.org>\n"
        "\nSPDX-License-Identifier: CC-BY-4.0\nSPDX-PackageDownloadLocation: https://a.org\n"
    )
    wanted = Attribution("Jane Doe <jane@example.org>", "CC-BY-4.0", "https://a.org")
    assert find(folder / "oak.png", folder / "oak.png") == (wanted, [])


@pytest.mark.parametrize(
    ("name", "author", "license"),
    [
        ("oak.png", "Jürgen Müller, Zoë", "CC0-1.0"),
        ("deep/oak.png", "Ann", "CC-BY-4.0 AND MIT"),
        ("deep/deeper/oak.png", "Jürgen Müller, Zoë", "CC0-1.0"),
        ("deep/oak.jpg", "Jürgen Müller, Zoë", "CC0-1.0"),
        ("odd [1].png", "Ann", "CC-BY-4.0 AND MIT"),
    ],
)
def test_the_last_entry_of_a_reuse_file_that_fits_counts(name, author, license, folder):
    (folder / "REUSE.toml").write_text(REUSE, "utf-8")
    wanted = Attribution(author, license, "https://example.org/set")
    assert find(folder / name, folder) == (wanted, [])


def test_a_file_that_names_each_picture_is_not_searched_through_for_each(folder, monkeypatch):
    entry = '[[annotations]]\npath = "{}"\nSPDX-FileCopyrightText = "{}"\n'
    names = [f"{number}.png" for number in range(50)]
    text = entry.format("*.png", "all") + "".join(entry.format(name, name) for name in names)
    (folder / "REUSE.toml").write_text(text + entry.format("4?.png", "x") + entry.format("4*", "y"))
    tried, compiled = [], re.compile

    class Pattern:
        def __init__(self, *args):
            self._pattern = compiled(*args)

        def __getattr__(self, name):
            return getattr(self._pattern, name)

        def fullmatch(self, text):
            tried.append(text)
            return self._pattern.fullmatch(text)

    monkeypatch.setattr(re, "compile", Pattern)
    finder = AttributionFinder([folder])
    found = [finder.find(folder / name, {}).author for name in (*names, "other.png")]
    assert found == [*names[:4], "y", *names[5:40], *["y"] * 10, "all"]
    assert len(tried) < 3 * len(found)


def test_the_nearer_and_the_clearer_counts_field_by_field(folder):
    (folder / "REUSE.toml").write_text(REUSE, "utf-8")
    near = '[[annotations]]\npath = "oak.png"\nSPDX-License-Identifier = "MIT"\n'
    (folder / "deep" / "deeper" / "REUSE.toml").write_text(near)
    file = folder / "deep" / "deeper" / "oak.png"
    file.with_name("oak.png.license").write_text("SPDX-FileCopyrightText: Ann\n")
    assert find(file, folder)[0] == Attribution("Ann", "MIT", "https://example.org/set")


def test_nothing_is_looked_for_above_what_was_named(folder):
    (folder / "REUSE.toml").write_text(REUSE, "utf-8")
    assert find(folder / "deep" / "oak.png", folder / "deep") == (Attribution(), [])
    assert find(folder / "deep" / "oak.png", folder / "deep" / "oak.png") == (Attribution(), [])


@pytest.mark.parametrize(
    "text", ["[[annotations]", "annotations = 3", "[[annotations]]\nother = 1", "\xff\xfe\x00"]
)
def test_a_broken_reuse_file_is_named_once_and_stops_nothing(text, folder):
    (folder / "REUSE.toml").write_bytes(text.encode("latin-1"))
    finder = AttributionFinder([folder])
    for name in ("a.png", "b.png"):
        assert finder.find(folder / name, {"Artist": "Ann"}) == Attribution(author="Ann")
    (problem,) = finder.problems
    assert "REUSE.toml" in problem


def test_a_picture_tells_by_its_exif(folder):
    file = folder / "oak.jpg"
    exif = Image.Exif()
    exif[0x13B], exif[0x8298] = "Jane", "2024 Jane, CC BY 4.0"
    Image.new("RGB", (8, 8)).save(file, exif=exif)
    found, _ = find(file, file, texts=read_header(file)[2])
    assert found == Attribution("Jane", "2024 Jane, CC BY 4.0")


def test_a_picture_tells_by_its_xmp(folder):
    xmp = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
      xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
      xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/">
      <dc:creator><rdf:Seq><rdf:li>Zoë</rdf:li></rdf:Seq></dc:creator>
      <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© Zoë</rdf:li></rdf:Alt></dc:rights>
      <xmpRights:UsageTerms><rdf:Alt><rdf:li xml:lang="x-default">CC0</rdf:li></rdf:Alt></xmpRights:UsageTerms>
      <dc:source>https://a.org</dc:source></rdf:Description></rdf:RDF></x:xmpmeta>"""
    jpg, png = folder / "oak.jpg", folder / "oak.png"
    Image.new("RGB", (8, 8)).save(jpg, xmp=xmp.encode())
    write_picture(png, np.zeros((8, 8, 3)), metadata={"xmp": xmp})
    for file in (jpg, png):
        found, _ = find(file, file, texts=read_header(file)[2])
        assert found == Attribution("Zoë", "CC0", "https://a.org")


def test_odd_letters_and_endless_texts_are_tamed(folder):
    found, _ = find(folder / "a.png", texts={"Artist": "A\x00b\n\tc " + "x" * 999})
    assert found.author.startswith("A b c xx")
    assert len(found.author) == 120
