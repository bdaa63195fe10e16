"""Material sets: which pictures belong together, as aligned maps, and what is left out and why."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from gan_worker.confinement import LED_OUT, leads_out
from gan_worker.errors import PictureError
from gan_worker.files import check_places, shown_name
from gan_worker.materials.content import (
    SURE_TILT,
    green_points_down,
    has_alpha,
    is_grey,
    is_normals,
    is_varied,
    may_be_value,
    read_sample,
)
from gan_worker.materials.file_names import UNUSED, Reading, read_name
from gan_worker.materials.maps import FILE_KINDS, MAPS
from gan_worker.materials.metadata import read_file_kind
from gan_worker.materials.pictures import EXTENSIONS, Picture, check_picture, read_header
from gan_worker.materials.reading import MaterialSet as MaterialSet
from gan_worker.materials.reading import check_sizes
from gan_worker.materials.reading import read_material as read_material
from gan_worker.progress import SkippedFile

NAMES_SHOWN = 5
# What people call maps that are read as something else than their names say.
_CALLED = {"normal": "normals", "height": "heights"}

# How the name of a picture is read in which no word stands.
_PHOTO = Reading("", "")

_Key = tuple[Path, str]


@dataclass(frozen=True)
class _Found:
    """A readable picture, its size in pixels, and how its name was read; of no kind where it has no word."""

    file: Path
    size: tuple[int, int]
    readings: tuple[Reading, ...] = ()
    reading: Reading = _PHOTO

    @property
    def stem(self) -> str:
        return shown_name(self.file.stem)

    @property
    def kind(self) -> str:
        return self.reading.kind

    @property
    def sample(self) -> Picture:
        """Its first rows; of what cannot be read, which is refused when all of it is, a single pixel."""
        try:
            return read_sample(self.file)
        except PictureError:
            return np.zeros((1, 1, 1), np.float32)

    @property
    def order(self) -> tuple[int, ...]:
        return self.reading.order


class _Group:
    """Files that lie together and whose names begin alike.

    Args:
        members: of kinds that are maps, one at least.
        variation: what tells them from others of that name.
        extra: of kinds that are not learned.
    """

    def __init__(self, members: Sequence[_Found], variation: str, extra: Sequence[_Found] = ()):
        first = (*members, *extra)[0]
        self.members, self.extra = list(members), list(extra)
        self.folder = first.file.parent
        # Without the variation, with it, and as people read it.
        self.base = first.reading.name
        self.name = "_".join(filter(None, (self.base, variation)))
        self.shown = self.name or shown_name(self.folder.name)

    @property
    def key(self) -> _Key:
        return _key(self.folder, self.name)

    @property
    def maps(self) -> set[str]:
        return {name for one in self.members for name in FILE_KINDS[one.kind].maps}

    @property
    def has_normals(self) -> bool:
        """Whether it has normals that no photo is taken for."""
        normals = (one for one in self.members if "normal" in FILE_KINDS[one.kind].maps)
        return any(is_normals(one.sample) for one in normals)

    def is_named_like(self, one: _Found) -> bool:
        """Whether a file's name begins as those of the group."""
        base = _plain(self.base or self.folder.name)
        rest = _plain(one.stem)
        if not rest.startswith(base):
            return False
        following = one.stem[len(base) :][:1]
        return not following.isalnum() or (
            following.isupper() and one.stem[len(base) - 1].islower()
        )

    def in_order(self) -> Iterator[tuple[str, list[_Found]]]:
        """Files by kind, the first of which counts: of the size that most maps have, rather than another copy."""
        kinds: dict[str, list[_Found]] = defaultdict(list)
        for one in self.members:
            kinds[one.kind].append(one)
        sizes = Counter(size for files in kinds.values() for size in {one.size for one in files})
        best = max(sizes, key=lambda size: (sizes[size], size))
        for kind, files in kinds.items():
            yield kind, sorted(files, key=lambda one: (one.size != best, one.order, one.file.name))


class _Neighbors:
    """Sets by where they lie, so that those around a picture are found among many."""

    def __init__(self, groups: Iterable[_Group]):
        self._here: dict[Path, list[_Group]] = defaultdict(list)
        self._below: dict[Path, list[_Group]] = defaultdict(list)
        self.any = False
        for group in groups:
            self.any = True
            self._here[group.folder].append(group)
            for above in group.folder.parents:
                self._below[above].append(group)

    def in_folder(self, one: _Found) -> list[_Group]:
        return self._here.get(one.file.parent, [])

    def named_like(self, one: _Found) -> _Group | None:
        """The set that a picture is named like, in its folder, above or below it."""
        folder = one.file.parent
        above = (group for f in (folder, *folder.parents) for group in self._here.get(f, ()))
        near = chain(above, self._below.get(folder, ()))
        return next((g for g in near if one not in g.members and g.is_named_like(one)), None)


def find_materials(
    places: Sequence[str | Path], alike: bool = True
) -> tuple[list[MaterialSet], list[SkippedFile], list[str]]:
    """Find the materials in files and folders, sub-folders too.

    A file whose name has a map's word belongs to the set of that name in that folder; any other
    picture is a material of its own, with its base color alone, unless a set lies beside it. What
    normals and heights hold is looked at too. Maps that not every material has are left out, unless
    told otherwise.

    Args:
        places: files and folders.
        alike: whether all materials shall have the same maps; if not, each keeps what it has.

    Returns:
        The sets sorted by name, the files left out with their reasons, and sentences a person
        should read.

    Raises:
        PictureError: `picture_missing` for a place that is not there; `dataset_empty` when nothing
            can be used, or `picture_unreadable` when that one picture was all; `map_size_mismatch`.
    """
    skipped: list[SkippedFile] = []
    notes: list[str] = []
    found = _readable(list(_all_files(places, skipped)), places, skipped)
    groups, others = _sorted_out(_read_together(found))
    around = _Neighbors(groups)
    photos = [one for one in others if not _joins(one, around, notes)]
    sets = [_settled(group, skipped, notes) for group in groups]
    sets += _photos(photos, around, skipped, notes)
    if not sets:
        raise _nothing(places, skipped)
    sets.sort(key=lambda material: (material.name, str(next(iter(material.files.values())))))
    sets = _common(sets, notes) if alike else sets
    _check_sizes(sets, {f.file: f.size for f in found})
    return sets, skipped, notes


def _all_files(places: Sequence[str | Path], skipped: list[SkippedFile]) -> Iterator[Path]:
    """Every file once, in a fixed order; links that lead in circles are walked once."""
    seen: set[str] = set()
    folders: set[str] = set()
    for place in map(Path, places):
        check_places([place])
        alone = iter([(place, os.path.realpath(place))])
        files = _walk(place, folders, skipped) if place.is_dir() else alone
        for file, real in files:
            if real not in seen:
                seen.add(real)
                yield file


def _walk(
    folder: Path, visited: set[str], skipped: list[SkippedFile]
) -> Iterator[tuple[Path, str]]:
    """All files below a folder, each with its real path, which tells links to one file apart."""

    def closed(error: OSError) -> None:
        skipped.append(_skip(Path(error.filename), f"cannot be opened: {error.strerror}"))

    for parent, folders, files in os.walk(folder, onerror=closed, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        if leads_out(parent):
            skipped.append(_skip(Path(parent), LED_OUT))
            folders.clear()
            continue
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                file = Path(parent, name)
                if leads_out(file):
                    skipped.append(_skip(file, LED_OUT))
                    continue
                yield file, os.path.realpath(file) if file.is_symlink() else f"{real}{os.sep}{name}"


def _skip(file: Path, reason: str) -> SkippedFile:
    return SkippedFile(shown_name(str(file)), reason)


def _readable(
    files: Sequence[Path], places: Sequence[str | Path], skipped: list[SkippedFile]
) -> list[_Found]:
    found = []
    for file in files:
        if file.name == "REUSE.toml" or file.suffix == ".license":
            continue  # what it says of the pictures is read with their provenance
        if file.suffix.lower() not in EXTENSIONS:
            kind = file.suffix.lower() or "no extension"
            skipped.append(_skip(file, f"no picture format that can be read ({kind})"))
            continue
        try:
            size = check_picture(file)
            found.append(_Found(file, size, _readings(file)))
        except PictureError as error:
            # Where one picture was asked for, its own error says more than an empty list.
            if len(places) == 1 and Path(places[0]) == file:
                raise
            skipped.append(_skip(file, error.info.message))
    return found


def _readings(file: Path) -> tuple[Reading, ...]:
    """How its name can be read; a file of ours says what is in it."""
    readings = read_name(shown_name(file.stem))
    if readings and (kind := read_file_kind(read_header(file)[2])):
        return tuple(replace(r, kind=kind, certain=True, weak=False) for r in readings)
    return readings


# ---- names that lie together


def _plain(name: str) -> str:
    """Equal for names that are one; systems differ in case and in how they store umlauts."""
    return unicodedata.normalize("NFC", name).casefold()


def _key(folder: Path, name: str) -> _Key:
    return folder, _plain(name or folder.name)


def _read_together(found: Sequence[_Found]) -> list[_Found]:
    """Read each name so that as many other files as can be have the same material's."""
    votes = Counter(
        key for one in found for key in {_key(one.file.parent, r.name) for r in one.readings}
    )

    def read(one: _Found) -> _Found:
        ways = sorted(one.readings, key=lambda r: -votes[_key(one.file.parent, r.name)])
        return replace(one, reading=ways[0]) if ways else one

    return [read(one) for one in found]


def _sorted_out(found: Sequence[_Found]) -> tuple[list[_Group], list[_Found]]:
    """Divide what was found into sets of maps and plain photos."""
    named: dict[_Key, list[_Found]] = defaultdict(list)
    photos: dict[_Key, list[_Found]] = defaultdict(list)
    for one in found:
        if one.kind:
            named[_key(one.file.parent, one.reading.name)].append(one)
        else:
            photos[_key(one.file.parent, one.stem)].append(one)
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
                photos[_key(one.file.parent, one.stem)].append(one)
    kept, stray = _without_stray(sets)
    return kept, sorted(stray + [p for some in photos.values() for p in some], key=lambda p: p.file)


def _varied(files: Sequence[_Found]) -> list[_Group]:
    """One set, or one for each number where all maps have numbers and some have the same map."""
    variations: dict[str, list[_Found]] = defaultdict(list)
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
    return [_Group(first[1], first[0], extra), *(_Group(part, said) for said, part in others)]


def _complete(group: _Group, photos: dict[_Key, list[_Found]]) -> None:
    """Take a picture of just the set's name for its base color, where that is missing: `brick`, `brick_normal`."""
    plain = photos.get(group.key)
    if not plain or "base_color" in group.maps or not _holds_maps(group):
        return
    if plain[0].size in {one.size for one in group.members}:
        color = plain.pop(0)
        group.members.append(replace(color, reading=Reading(group.base, "base_color")))


def _is_set(group: _Group) -> bool:
    """Whether the files are maps indeed, and not photos such as `old_metal` and `left_arm`."""
    readings = [one.reading for one in group.members]
    certain = not all(r.weak for r in readings) or group.has_normals
    several = len(group.members) > 1
    if "base_color" in group.maps:
        return certain or (several and not all(r.letter for r in readings))
    return several and certain and bool(group.name) and _holds_maps(group)


def _holds_maps(group: _Group) -> bool:
    """Whether a word says so that nobody would use of a photo, or no pixels speak against it."""
    words = any(not (r.everyday or r.weak) for r in (one.reading for one in group.members))
    return words or all(map(_may_be_map, group.members))


def _may_be_map(one: _Found) -> bool:
    """Whether no pixels say that a file is a photo of what its name has a map's word for."""
    sample = one.sample
    if "normal" in FILE_KINDS[one.kind].maps:
        return is_normals(sample) or not is_varied(sample)
    return len(FILE_KINDS[one.kind].maps) > 1 or may_be_value(sample)


def _without_stray(groups: Sequence[_Group]) -> tuple[list[_Group], list[_Found]]:
    """Tell single colors that are named like a set beside them, such as another variation, from the sets."""
    whole = _Neighbors(group for group in groups if len(group.maps) > 1)
    kept, stray = [], []
    for group in groups:
        if group.maps == {"base_color"} and whole.named_like(group.members[0]):
            stray += group.members + group.extra
        else:
            kept.append(group)
    return kept, stray


def _joins(one: _Found, around: _Neighbors, notes: list[str]) -> bool:
    """Add a picture to the set it is named like, whose normals it holds by all pixels if by no known word."""
    group = around.named_like(one)
    if not group or one.kind or group not in around.in_folder(one) or "normal" in group.maps:
        return False
    if not is_normals(one.sample, SURE_TILT):
        return False
    group.members.append(replace(one, reading=Reading(group.base, "normal")))
    notes.append(f"{one.file.name} is read as normals, because its pixels are.")
    return True


def _photos(
    photos: Sequence[_Found], around: _Neighbors, skipped: list[SkippedFile], notes: list[str]
) -> list[MaterialSet]:
    """What is a material of its own; beside a set no picture is one."""
    kept, normals = [], []
    for one in photos:
        reason = _why_not(one, around)
        if reason:
            skipped.append(_skip(one.file, reason))
        elif is_normals(one.sample, SURE_TILT):
            normals.append(one)
        else:
            kept.append(one)
    if not around.any and not kept:
        return [MaterialSet(one.stem, {"normal": one.file}) for one in normals]
    for one in normals:
        reason = "it holds normals, and no base color of that name lies beside it"
        skipped.append(_skip(one.file, reason))
    if named := [one.file.name for one in kept if one.kind not in ("", UNUSED)]:
        why = "because no base color of that name is there"
        notes.append(f"Taken for photos, {why}: {_listed(named)}.")
    return [MaterialSet(one.stem, {"base_color": one.file}) for one in kept]


def _why_not(one: _Found, around: _Neighbors) -> str:
    """Why a picture is no photo; empty for one that is."""
    group = around.named_like(one)
    if group and _plain(one.stem) == _plain(group.base or group.folder.name):
        return f"taken for a preview of {group.shown}, which has maps"
    beside = any(len(other.maps) > 1 for other in around.in_folder(one))
    if one.kind == UNUSED and (group or beside):
        return "a kind of map that is not learned"
    if group:
        return f"named like {group.shown}, whose maps lie there, but none that is known"
    if beside:
        return "it lies among the maps of a set; put photos into a folder of their own"
    return ""


# ---- files of a set


def _settled(group: _Group, skipped: list[SkippedFile], notes: list[str]) -> MaterialSet:
    """The one file for each map of a set."""
    skipped += [_skip(one.file, "a kind of map that is not learned") for one in group.extra]
    chosen: dict[str, _Found] = {}
    for kind, (first, *others) in group.in_order():
        chosen[kind] = first
        reason = f"{group.shown} has that map: {first.file.name}"
        skipped += [_skip(one.file, reason) for one in others]
    for kind, reason in list(_replaced(chosen)):
        skipped.append(_skip(chosen.pop(kind).file, reason))
    _check_content(group, chosen, skipped, notes)
    return MaterialSet(group.shown, {kind: one.file for kind, one in chosen.items()})


def _replaced(chosen: Mapping[str, _Found]) -> Iterator[tuple[str, str]]:
    """Kinds of files of a set that give nothing beside its others, and why."""
    own = {kind for kind in chosen if kind in MAPS}
    if "normal" in own and "normal_directx" in chosen:
        yield "normal_directx", "the set has OpenGL normals too"
    for kind in chosen:
        if kind not in MAPS and kind != "normal_directx" and own.issuperset(FILE_KINDS[kind].maps):
            yield kind, "its maps have files of their own"


def _check_content(
    group: _Group, chosen: dict[str, _Found], skipped: list[SkippedFile], notes: list[str]
) -> None:
    """Hold names against pixels: what are normals, which way their green points, and what alpha is for."""
    cut = chosen.get("base_color_opacity")
    if cut and not has_alpha(cut.file):
        chosen.setdefault("base_color", chosen.pop("base_color_opacity"))
    height = chosen.get("height")
    if height and is_normals(height.sample, SURE_TILT):
        _rename(group, chosen, "height", "normal", skipped, notes)
    for kind in ("normal", "normal_directx"):
        sample = chosen[kind].sample if kind in chosen else None
        if sample is not None and is_grey(sample) and is_varied(sample):
            _rename(group, chosen, kind, "height", skipped, notes)
    _check_green(chosen, notes)


def _rename(
    group: _Group,
    chosen: dict[str, _Found],
    kind: str,
    other: str,
    skipped: list[SkippedFile],
    notes: list[str],
) -> None:
    one = chosen.pop(kind)
    said = f"its pixels are {_CALLED[other]}, not {_CALLED[FILE_KINDS[kind].maps[0]]}"
    if {other, f"{other}_directx"} & set(chosen):
        skipped.append(_skip(one.file, f"{said}, and {group.shown} has them already"))
    else:
        chosen[other] = one
        notes.append(f"{one.file.name} is read as {_CALLED[other]}: {said}.")


def _check_green(chosen: dict[str, _Found], notes: list[str]) -> None:
    """Read normals as their height says, and as Unreal has them where nothing else tells."""
    normals, height = chosen.get("normal") or chosen.get("normal_directx"), chosen.get("height")
    if normals is None or normals.reading.certain:
        return
    down = None
    if height and height.size == normals.size:
        down = green_points_down(normals.sample, height.sample)
    by = "by its height"
    if down is None:
        if not normals.reading.unreal or normals.reading.told:
            return
        down, by = True, "as in textures of Unreal"
    told = "normal_directx" if down else "normal"
    if told not in chosen:
        chosen[told] = chosen.pop("normal" if down else "normal_directx")
        way = "down, as DirectX has it" if down else "up, as OpenGL has it"
        notes.append(f"The green of {normals.file.name} points {way}, {by}.")


def _nothing(places: Sequence[str | Path], skipped: Sequence[SkippedFile]) -> PictureError:
    looked = ", ".join(shown_name(str(place)) for place in places) or "no place"
    reasons = "; ".join(f"{Path(s.file).name}: {s.reason}" for s in skipped[:3])
    return PictureError(
        "dataset_empty",
        f"There must be one readable picture at least; {len(skipped)} files were looked at in "
        f"{looked}{': ' + reasons if reasons else ''}.",
        "Choose pictures, or a folder that holds some.",
    )


def _common(sets: list[MaterialSet], notes: list[str]) -> list[MaterialSet]:
    """Keep the files of the maps that every material has, and say what is left out."""
    common = set.intersection(*(set(s.maps) for s in sets))
    for name in MAPS:
        having = [s.name for s in sets if name in s.maps]
        if having and name not in common:
            verb = "has" if len(having) == 1 else "have"
            share = f"{len(having)} of {len(sets)} materials {verb} it ({_listed(having)})"
            notes.append(f"{name} is left out: only {share}.")
    turned = [s.name for s in sets if "normal_directx" in s.files]
    if turned and "normal" in common:
        notes.append(f"Normals were turned from DirectX to OpenGL: {_listed(turned)}.")
    if not common:
        return sets
    return [
        replace(
            s, files={k: f for k, f in s.files.items() if common.intersection(FILE_KINDS[k].maps)}
        )
        for s in sets
    ]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(map(shown_name, names[:NAMES_SHOWN]))
    return f"{shown} and {more} more" if more > 0 else shown


def _check_sizes(sets: Sequence[MaterialSet], sizes: dict[Path, tuple[int, int]]) -> None:
    for material in sets:
        check_sizes(material.name, {file: sizes[file] for file in material.files.values()})
