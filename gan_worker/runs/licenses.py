"""Licenses of training pictures: whose each is and under which terms, as a file beside it or the picture itself says.

A file beside it follows REUSE (https://reuse.software/spec-3.3): `photo.jpg.license`, or a `REUSE.toml` in its folder
or above it, up to the folder that was named. Of these and the picture's own EXIF, IPTC and XMP, the first that gives
a field counts for it.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gan_worker.confinement import LED_OUT, leads_out
from gan_worker.files import shown_name

LONGEST = 120
# Metadata by OpenImageIO's names. A statement of copyright is often all that tells the terms.
_METADATA = {
    "author": ("Artist", "Author", "IPTC:Creator"),
    "license": ("cc:license", "IPTC:RightsUsageTerms", "IPTC:CopyrightInfoURL", "Copyright"),
    "source": ("IPTC:Source", "dc:source"),
}
# Tags of REUSE by which each field is given.
_TAGS = {
    "author": "SPDX-FileCopyrightText",
    "license": "SPDX-License-Identifier",
    "source": "SPDX-PackageDownloadLocation",
}
# What stands before the name in a line of copyright.
_BEFORE_NAME = re.compile(
    r"^(?:(?:©|\(c\)|copyright)\s*)*(?:\d{4}(?:\s*[-–,]\s*\d{4})*[\s,]+)?(?:by\s+)?", re.I
)


@dataclass(frozen=True)
class Attribution:
    """Who made a picture, under which license it is given, and where it comes from; empty where not known."""

    author: str = ""
    license: str = ""
    source: str = ""

    def over(self, other: Attribution) -> Attribution:
        """These, and the other's where these are empty."""
        return Attribution(
            *(getattr(self, f.name) or getattr(other, f.name) for f in fields(Attribution))
        )


class _Annotations:
    """The paths of a REUSE.toml and what it says of each: most name one picture, and are looked up by that."""

    def __init__(self, entries: Iterable[tuple[str, Attribution]]) -> None:
        self._named: dict[str, tuple[int, Attribution]] = {}
        self._patterns: list[tuple[int, re.Pattern[str], Attribution]] = []
        for number, (path, attribution) in enumerate(entries):
            if "*" in path:
                self._patterns.append((number, _pattern(path), attribution))
            else:
                self._named[path] = (number, attribution)

    def find(self, name: str) -> Attribution:
        """Of several that fit, REUSE takes the last."""
        last, attribution = self._named.get(name, (-1, Attribution()))
        for number, pattern, other in reversed(self._patterns):
            if number < last:
                break
            if pattern.fullmatch(name):
                return other
        return attribution


class AttributionFinder:
    """Finds the attribution of pictures, reading each file beside them once.

    Args:
        places: the files and folders that were named; nothing is looked for above them.

    Attributes:
        problems: sentences about files beside the pictures that could not be read.
    """

    def __init__(self, places: Sequence[str | Path]) -> None:
        self.problems: list[str] = []
        self._roots = [Path(place) for place in places if Path(place).is_dir()]
        self._parsed: dict[Path, _Annotations] = {}

    def find(self, picture: Path, texts: Mapping[str, str]) -> Attribution:
        """The attribution of one picture.

        Args:
            picture: its file.
            texts: its metadata, of `pictures.read_header`.
        """
        attribution = self._of_license_file(picture)
        for folder in self._folders(picture):
            attribution = attribution.over(self._of_reuse_file(folder / "REUSE.toml", picture))
        return attribution.over(_of_metadata(texts))

    def _folders(self, picture: Path) -> Iterator[Path]:
        """The picture's folder, and those above it up to the one that was named."""
        yield picture.parent
        if any(root in picture.parent.parents for root in self._roots):
            for folder in picture.parent.parents:
                yield folder
                if folder in self._roots:
                    return

    def _of_license_file(self, picture: Path) -> Attribution:
        text = self._read(picture.with_name(picture.name + ".license"))
        found = {
            field: [m[1] for m in re.finditer(rf"{tag}:[ \t]*(.+)", text)]
            for field, tag in _TAGS.items()
        }
        return _attribution(found)

    def _of_reuse_file(self, file: Path, picture: Path) -> Attribution:
        if file not in self._parsed:
            self._parsed[file] = self._parse(file)
        return self._parsed[file].find(picture.relative_to(file.parent).as_posix())

    def _parse(self, file: Path) -> _Annotations:
        try:
            data = tomllib.loads(self._read(file))
            source = str(data.get(_TAGS["source"], ""))
            return _Annotations(
                (path, _annotated(entry).over(Attribution(source=_cleaned(source))))
                for entry in data.get("annotations", [])
                for path in _as_list(entry["path"])
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self.problems.append(f"{shown_name(str(file))} says nothing: {error}.")
            return _Annotations(())

    def _read(self, file: Path) -> str:
        if not os.path.lexists(file):
            return ""
        if leads_out(file):
            self.problems.append(f"{shown_name(str(file))} is {LED_OUT}; it is not read.")
            return ""
        try:
            return file.read_text("utf-8")
        except (OSError, ValueError) as error:
            self.problems.append(f"{shown_name(str(file))} cannot be read: {error}.")
            return ""


def _annotated(entry: Mapping[str, Any]) -> Attribution:
    return _attribution({field: _as_list(entry.get(tag, [])) for field, tag in _TAGS.items()})


def _attribution(found: Mapping[str, Sequence[str]]) -> Attribution:
    values = {field: list(map(_cleaned, values)) for field, values in found.items()}
    values["author"] = [_BEFORE_NAME.sub("", author) for author in values["author"]]
    joined = {"author": ", ", "license": " AND ", "source": ", "}
    return Attribution(**{f: joined[f].join(dict.fromkeys(v))[:LONGEST] for f, v in values.items()})


def _of_metadata(texts: Mapping[str, str]) -> Attribution:
    found = {
        field: next((texts[key] for key in keys if _cleaned(texts.get(key, ""))), "")
        for field, keys in _METADATA.items()
    }
    return Attribution(**{field: _cleaned(value)[:LONGEST] for field, value in found.items()})


def _cleaned(text: str) -> str:
    """One line of printable letters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _as_list(value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(v, str) for v in values):
        raise ValueError(f"texts were expected, received {str(value)[:60]}")
    return values


def _pattern(path: str) -> re.Pattern[str]:
    """A path of REUSE.toml: one star stands for anything but a slash, two for anything."""
    parts = re.split(r"(\*\*|\*)", path)
    stars = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(stars.get(part) or re.escape(part) for part in parts))
