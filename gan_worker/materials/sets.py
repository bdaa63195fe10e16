"""Material sets: which pictures belong together, as aligned maps, and what is left out and why."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gan_worker.confinement import LED_OUT, leads_out
from gan_worker.errors import PictureError, counted
from gan_worker.files import check_places, shown_name
from gan_worker.materials.content import (
    SURE_TILT,
    green_points_down,
    has_alpha,
    is_grey,
    is_normals,
    is_varied,
)
from gan_worker.materials.file_names import UNUSED, Reading, read_name
from gan_worker.materials.grouping import (
    Found,
    Group,
    Neighbors,
    read_together,
    sort_out,
)
from gan_worker.materials.maps import FILE_KIND_KEY, FILE_KINDS, MAPS
from gan_worker.materials.pictures import PICTURE_EXTENSIONS, check_picture, read_bands, read_header
from gan_worker.materials.reading import MaterialSet as MaterialSet
from gan_worker.materials.reading import check_sizes
from gan_worker.materials.reading import in_channels as in_channels
from gan_worker.materials.reading import read_material as read_material
from gan_worker.progress import SkippedFile

NAMES_SHOWN = 5
# What people call maps that are read as something else than their names say.
_CALLED = {"normal": "normals", "height": "heights"}

# Maps of a photo's files.
PHOTO = ("base_color",)


def find_materials(
    places: Sequence[str | Path],
    alike: bool = True,
    of_photos: Sequence[str] = PHOTO,
    least: int = 1,
) -> tuple[list[MaterialSet], list[SkippedFile], list[str]]:
    """Find the materials in files and folders, sub-folders too.

    A file whose name has a map's word belongs to the set of that name in that folder; any other
    picture is a material of its own, with its base color alone, unless a set lies beside it. What
    normals and heights hold is looked at too. Maps that not every material has are left out, unless
    told otherwise.

    Args:
        places: files and folders.
        alike: whether all materials shall have the same maps; if not, each keeps what it has.
        of_photos: maps that a photo is going to have.
        least: pixels along each side of a material; smaller ones are left out, unless all are.

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
    groups, others = sort_out(read_together(found))
    around = Neighbors(groups)
    photos = [one for one in others if not _joins(one, around, notes)]
    sets = [_settled(group, skipped, notes) for group in groups]
    sets += _photos(photos, around, skipped, notes)
    if not sets:
        raise _nothing(places, skipped)
    sets.sort(key=lambda material: (material.name, str(next(iter(material.files.values())))))
    sizes = {f.file: f.size for f in found}
    sets = _large_enough(sets, sizes, least, skipped)
    sets = _common(sets, notes, of_photos) if alike else sets
    _check_sizes(sets, sizes)
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
) -> list[Found]:
    found = []
    for file in files:
        if file.name == "REUSE.toml" or file.suffix == ".license":
            continue  # what it says of the pictures is read with their provenance
        if file.suffix.lower() not in PICTURE_EXTENSIONS:
            kind = file.suffix.lower() or "no extension"
            skipped.append(_skip(file, f"no picture format that can be read ({kind})"))
            continue
        try:
            size = check_picture(file)
            found.append(Found(file, size, _readings(file)))
        except PictureError as error:
            # Where one picture was asked for, its own error says more than an empty list.
            if len(places) == 1 and Path(places[0]) == file:
                raise
            skipped.append(_skip(file, error.info.message))
    return found


def _readings(file: Path) -> tuple[Reading, ...]:
    """How its name can be read; a file of ours says what is in it, unless a later version knows more kinds."""
    readings = read_name(shown_name(file.stem))
    if readings and (kind := read_header(file)[2].get(FILE_KIND_KEY)) in FILE_KINDS:
        return tuple(replace(r, kind=kind, certain=True, weak=False) for r in readings)
    return readings


def _joins(one: Found, around: Neighbors, notes: list[str]) -> bool:
    """Add a picture to the set it is named like, whose normals it holds by all pixels if by no known word."""
    group = around.named_like(one)
    if not group or one.kind == UNUSED or group.folder != one.file.parent or "normal" in group.maps:
        return False
    if not is_normals(one.sample):
        return False
    group.members.append(replace(one, reading=Reading(group.base, "normal")))
    notes.append(f"{one.file.name} is read as normals, because its pixels are.")
    return True


def _photos(
    photos: Sequence[Found], around: Neighbors, skipped: list[SkippedFile], notes: list[str]
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


def _why_not(one: Found, around: Neighbors) -> str:
    """Why a picture is no photo; empty for one that is."""
    group = around.named_like(one)
    if group and one.plain_stem == group.plain_base:
        return f"taken for a preview of {group.shown}, which has maps"
    beside = one.file.parent in around.full_folders
    if one.kind == UNUSED and (group or beside):
        return "a kind of map that is not learned"
    if group and one.reading.maps and group.maps.issuperset(one.reading.maps):
        return f"named like {group.shown}, which has that map"
    if group:
        return f"named like {group.shown}, whose maps lie there, but none that is known"
    if beside:
        return "it lies among the maps of a set; put photos into a folder of their own"
    return ""


# ---- files of a set


def _settled(group: Group, skipped: list[SkippedFile], notes: list[str]) -> MaterialSet:
    """The one file for each map of a set."""
    skipped += [_skip(one.file, "a kind of map that is not learned") for one in group.extra]
    chosen: dict[str, Found] = {}
    for kind, (first, *others) in group.in_order():
        chosen[kind] = first
        reason = f"{group.shown} has that map: {first.file.name}"
        skipped += [_skip(one.file, reason) for one in others]
    for kind, reason in list(_replaced(chosen)):
        skipped.append(_skip(chosen.pop(kind).file, reason))
    _check_content(group, chosen, skipped, notes)
    return MaterialSet(group.shown, {kind: one.file for kind, one in chosen.items()})


def _replaced(chosen: Mapping[str, Found]) -> Iterator[tuple[str, str]]:
    """Kinds of files of a set that give nothing beside its others, and why."""
    own = {kind for kind in chosen if kind in MAPS}
    if "normal" in own and "normal_directx" in chosen:
        yield "normal_directx", "the set has OpenGL normals too"
    for kind in chosen:
        if kind not in MAPS and kind != "normal_directx" and own.issuperset(FILE_KINDS[kind].maps):
            yield kind, "its maps have files of their own"


def _check_content(
    group: Group, chosen: dict[str, Found], skipped: list[SkippedFile], notes: list[str]
) -> None:
    """Hold names against pixels: what are normals, which way their green points, and what alpha is for."""
    cut = chosen.get("base_color_opacity")
    if cut and not has_alpha(read_bands(cut.file, alpha=True)):
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
    group: Group,
    chosen: dict[str, Found],
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


def _check_green(chosen: dict[str, Found], notes: list[str]) -> None:
    """Read normals as their height says."""
    kinds = [kind for kind in ("normal", "normal_directx") if kind in chosen]
    height = chosen.get("height")
    if not kinds or not height:
        return
    normals = chosen[kinds[0]]
    if normals.reading.certain or height.size != normals.size:
        return
    down = green_points_down(normals.sample, height.sample)
    told = "normal_directx" if down else "normal"
    if down is not None and told not in chosen:
        chosen[told] = chosen.pop(kinds[0])
        way = "down, as DirectX has it" if down else "up, as OpenGL has it"
        notes.append(f"The green of {normals.file.name} points {way}, by its height.")


def _large_enough(
    sets: list[MaterialSet],
    sizes: Mapping[Path, tuple[int, int]],
    least: int,
    skipped: list[SkippedFile],
) -> list[MaterialSet]:
    """Leave out what is too small; where all is, whoever asked for more pixels says what is wrong."""
    large: list[MaterialSet] = []
    small: list[Path] = []
    for one in sets:
        files = one.files.values()
        if any(min(sizes[file]) >= least for file in files):
            large.append(one)
        else:
            small += files
    if not large:
        return sets
    for file in small:
        size = "×".join(map(str, sizes[file]))
        skipped.append(_skip(file, f"it must have {least} pixels along each side, and has {size}"))
    return large


def _nothing(places: Sequence[str | Path], skipped: Sequence[SkippedFile]) -> PictureError:
    looked = ", ".join(shown_name(str(place)) for place in places) or "no place"
    reasons = "; ".join(f"{Path(s.file).name}: {s.reason}" for s in skipped[:3])
    return PictureError(
        "dataset_empty",
        f"There must be one readable picture at least; of {counted(len(skipped), 'file')} in {looked} none is"
        f"{': ' + reasons if reasons else ''}.",
        "Choose pictures, or a folder that holds some.",
    )


def _common(
    sets: list[MaterialSet], notes: list[str], of_photos: Sequence[str]
) -> list[MaterialSet]:
    """Keep the files of the maps that every material has, and say what is left out."""
    made = [set(of_photos if s.maps == PHOTO else s.maps) for s in sets]
    common = set.intersection(*made)
    for name in MAPS:
        having = [s.name for s, maps in zip(sets, made, strict=True) if name in maps]
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
