"""Grouping of map files: which files lie together and have one name, and which of them are maps, not photos."""

from __future__ import annotations

import heapq
import unicodedata
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, takewhile
from pathlib import Path

import numpy as np

from gan_worker.errors import PictureError
from gan_worker.files import shown_name
from gan_worker.materials.content import has_color, is_normals, is_varied, may_be_value
from gan_worker.materials.file_names import UNUSED, Reading
from gan_worker.materials.pictures import Picture, read_bands

# Rows of a file that are looked at, as many as are read at once or fewer, and columns.
ROWS, COLUMNS = 128, 512
# How the name of a picture is read in which no word stands.
_PHOTO = Reading("", "")

_Key = tuple[Path, str]


@dataclass(frozen=True)
class Found:
    """A readable picture, its size in pixels, and how its name was read; of no kind where it has no word."""

    file: Path
    size: tuple[int, int]
    readings: tuple[Reading, ...] = ()
    reading: Reading = _PHOTO

    @property
    def stem(self) -> str:
        """Its name without the extension, as it can be shown."""
        return shown_name(self.file.stem)

    @cached_property
    def plain_stem(self) -> str:
        """The same for comparisons, of which there are many."""
        return plain_name(self.stem)

    @property
    def kind(self) -> str:
        """Of file, as in `FILE_KINDS`, `unused`, or empty."""
        return self.reading.kind

    @property
    def sample(self) -> Picture:
        """Its beginning, without alpha; of what cannot be read, which is refused when all of it is, a single pixel."""
        try:
            beginning = next(read_bands(self.file))[:ROWS, :COLUMNS]
            return np.nan_to_num(beginning, posinf=1.0, neginf=0.0)
        except PictureError:
            return np.zeros((1, 1, 1), np.float32)

    @property
    def order(self) -> tuple[int, ...]:
        """Less of it comes first, of several files for one map."""
        return self.reading.order


class Group:
    """Files that lie together and whose names begin alike.

    Args:
        members: of kinds that are maps, one at least.
        variation: what tells them from others of that name.
        extra: of kinds that are not learned.
    """

    def __init__(self, members: Sequence[Found], variation: str, extra: Sequence[Found] = ()):
        first = (*members, *extra)[0]
        self.members, self.extra = list(members), list(extra)
        self.folder = first.file.parent
        # Without the variation, with it, and as people read it.
        self.base = first.reading.name
        self.plain_base = plain_name(self.base or self.folder.name)
        self.name = "_".join(filter(None, (self.base, variation)))
        self.shown = self.name or shown_name(self.folder.name)

    @property
    def key(self) -> _Key:
        """The same for all files of it."""
        return _key(self.folder, self.name)

    @property
    def maps(self) -> set[str]:
        """The maps that its files give."""
        return {name for one in self.members for name in one.reading.maps}

    @property
    def has_normals(self) -> bool:
        """Whether it has normals that no photo is taken for."""
        normals = (one for one in self.members if "normal" in one.reading.maps)
        return any(is_normals(one.sample) for one in normals)

    def is_named_like(self, one: Found) -> bool:
        """Whether a file's name begins as those of the group."""
        length = len(self.plain_base)
        if not one.plain_stem.startswith(self.plain_base):
            return False
        following = one.stem[length:][:1]
        return not following.isalnum() or (following.isupper() and one.stem[length - 1].islower())

    def in_order(self) -> Iterator[tuple[str, list[Found]]]:
        """Files by kind, the first of which counts: of the size that most maps have, rather than another copy."""
        kinds: dict[str, list[Found]] = defaultdict(list)
        for one in self.members:
            kinds[one.kind].append(one)
        sizes = Counter(size for files in kinds.values() for size in {one.size for one in files})
        best = max(sizes, key=lambda size: (sizes[size], size))
        for kind, files in kinds.items():
            yield kind, sorted(files, key=lambda one: (one.size != best, one.order, one.file.name))


class _Named:
    """Sets by what their files' names begin with, in the order in which they came."""

    def __init__(self) -> None:
        self._groups: dict[str, list[tuple[int, Group]]] = defaultdict(list)
        self._count = 0

    def add(self, group: Group) -> None:
        self._groups[group.plain_base].append((self._count, group))
        self._count += 1

    def named_like(self, one: Found) -> Iterator[Group]:
        """Those that a picture is named like."""
        stem = one.plain_stem
        near = (self._groups.get(stem[:length], ()) for length in range(len(stem) + 1))
        return (group for _, group in heapq.merge(*filter(None, near)) if group.is_named_like(one))


class Neighbors:
    """Sets by where they lie and how they are named, so that those around a picture are found among many."""

    def __init__(self, groups: Iterable[Group]):
        self._groups = list(groups)
        self._here: dict[Path, _Named] = defaultdict(_Named)
        self._below: dict[Path, _Named] = defaultdict(_Named)
        self._same: dict[_Key, list[Group]] = defaultdict(list)
        self.any = bool(self._groups)
        for group in self._groups:
            self._here[group.folder].add(group)
            if group.base:
                self._same[group.key].append(group)
            for above in group.folder.parents:
                self._below[above].add(group)

    @cached_property
    def full_folders(self) -> set[Path]:
        """Folders with a set of several maps in them; to be asked once all that joins a set has."""
        return {group.folder for group in self._groups if len(group.maps) > 1}

    def has_larger(self, group: Group) -> bool:
        """Whether a set of that name lies above it, with all of its maps in more pixels."""
        name = plain_name(group.name)
        above = (g for f in group.folder.parents for g in self._same.get((f, name), ()))
        return any(
            other.maps >= group.maps and other.members[0].size > group.members[0].size
            for other in above
        )

    def named_like(self, one: Found) -> Group | None:
        """The set that a picture is named like, in its folder, above or below it."""
        folder = one.file.parent
        places = [self._here.get(f) for f in (folder, *folder.parents)]
        near = (place.named_like(one) for place in (*places, self._below.get(folder)) if place)
        return next((g for g in chain.from_iterable(near) if one not in g.members), None)


class _Photos:
    """Pictures that are no maps, of which those that begin alike are found among many of a folder."""

    def __init__(self, photos: Iterable[Found]):
        self._found: dict[Path, dict[tuple[str, str], Found]] = defaultdict(dict)
        for one in photos:
            self._found[one.file.parent][_place(one)] = one
        self._sorted = {folder: sorted(found) for folder, found in self._found.items()}

    def __iter__(self) -> Iterator[Found]:
        return (one for found in self._found.values() for one in found.values())

    def add(self, one: Found) -> None:
        self._found[one.file.parent][_place(one)] = one
        insort(self._sorted.setdefault(one.file.parent, []), _place(one))

    def remove(self, one: Found) -> None:
        del self._found[one.file.parent][_place(one)]
        places = self._sorted[one.file.parent]
        del places[bisect_left(places, _place(one))]

    def beginning(self, folder: Path, start: str) -> Iterator[Found]:
        """Those of a folder whose plain names begin so."""
        places = self._sorted.get(folder, [])
        for number in range(bisect_left(places, (start, "")), len(places)):
            if not places[number][0].startswith(start):
                return
            yield self._found[folder][places[number]]


def _place(one: Found) -> tuple[str, str]:
    return one.plain_stem, one.file.name


def plain_name(name: str) -> str:
    """Equal for names that are one; systems differ in case and in how they store umlauts."""
    return unicodedata.normalize("NFC", name).casefold()


def _key(folder: Path, name: str) -> _Key:
    return folder, plain_name(name or folder.name)


def read_together(found: Sequence[Found]) -> list[Found]:
    """Read each name so that as many other files as can be have the same material's."""
    votes = Counter(
        key for one in found for key in {_key(one.file.parent, r.name) for r in one.readings}
    )

    def read(one: Found) -> Found:
        ways = sorted(one.readings, key=lambda r: -votes[_key(one.file.parent, r.name)])
        return replace(one, reading=ways[0]) if ways else one

    return [read(one) for one in found]


def sort_out(found: Sequence[Found]) -> tuple[list[Group], list[Found]]:
    """Divide what was found into sets of maps and plain photos."""
    named: dict[_Key, list[Found]] = defaultdict(list)
    for one in found:
        if one.kind:
            named[_key(one.file.parent, one.reading.name)].append(one)
    photos = _Photos(one for one in found if not one.kind)
    groups = [group for files in named.values() for group in _varied(files)]
    sets = []
    # Single files first, because one of them may be the base color of another group.
    for group in sorted(
        groups, key=lambda g: (len(g.members), len(g.members) == 1 and g.has_normals)
    ):
        _complete(group, photos)
        if _is_set(group):
            sets.append(group)
        else:
            for one in group.members + group.extra:
                photos.add(one)
    kept, stray = _without_stray(sets)
    return kept, sorted([*stray, *photos], key=lambda p: p.file)


def _varied(files: Sequence[Found]) -> list[Group]:
    """One set, or one for each number where all maps have numbers and some have the same map."""
    variations: dict[str, list[Found]] = defaultdict(list)
    maps = [one for one in files if one.kind != UNUSED]
    for one in maps:
        variations[one.reading.variation].append(one)
    kinds = {one.kind for one in maps}
    apart = "" not in variations and len(kinds) < len(maps)
    if not apart and len(kinds) > 1:
        same = next(iter(variations)) if len(variations) == 1 else ""
        variations = {same: maps}
    extra = [one for one in files if one.kind == UNUSED]
    first, *others = sorted(variations.items()) or [("", [])]
    return [Group(first[1], first[0], extra), *(Group(part, said) for said, part in others)]


def _complete(group: Group, photos: _Photos) -> None:
    """Take a picture of just the set's name for its base color, where that is missing: `brick`, `brick_normal`.

    And so the only one in color whose name begins like that, as `brick_texture`.
    """
    if "base_color" in group.maps or not _holds_maps(group):
        return
    sizes = {one.size for one in group.members}
    _, name = group.key
    same = takewhile(lambda one: one.plain_stem == name, photos.beginning(group.folder, name))
    colors = [one for one in same if one.size in sizes]
    if not colors and group.base:
        begun = photos.beginning(group.folder, group.plain_base)
        near = (one for one in begun if one.kind != UNUSED and group.is_named_like(one))
        colors = [one for one in near if one.size in sizes and _is_color(one)]
    if len(colors) == 1:
        (color,) = colors
        photos.remove(color)
        group.members.append(replace(color, reading=Reading(group.base, "base_color")))


def _is_color(one: Found) -> bool:
    sample = one.sample
    return has_color(sample) and not is_normals(sample)


def _is_set(group: Group) -> bool:
    """Whether the files are maps indeed, and not photos such as `old_metal` and `left_arm`."""
    readings = [one.reading for one in group.members]
    if any(r.certain for r in readings):
        return True
    certain = not all(r.weak for r in readings) or group.has_normals
    several = len(group.members) > 1
    if "base_color" in group.maps:
        return certain or (several and not all(r.letter for r in readings))
    return several and certain and bool(group.name) and _holds_maps(group)


def _holds_maps(group: Group) -> bool:
    """Whether a word says so that nobody would use of a photo, or no pixels speak against it."""
    words = any(not (r.everyday or r.weak) for r in (one.reading for one in group.members))
    return words or all(map(_may_be_map, group.members))


def _may_be_map(one: Found) -> bool:
    """Whether no pixels say that a file is a photo of what its name has a map's word for."""
    sample = one.sample
    if "normal" in one.reading.maps:
        return is_normals(sample) or not is_varied(sample)
    return len(one.reading.maps) > 1 or may_be_value(sample)


def _without_stray(groups: Sequence[Group]) -> tuple[list[Group], list[Found]]:
    """Tell what only repeats a set from the sets: single colors named like one, and smaller copies below it."""
    whole = Neighbors(group for group in groups if len(group.maps) > 1)
    kept, stray = [], []
    for group in groups:
        alone = group.maps == {"base_color"} and whole.named_like(group.members[0])
        if alone or whole.has_larger(group):
            stray += group.members + group.extra
        else:
            kept.append(group)
    return kept, stray
