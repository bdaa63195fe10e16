"""File names of texture sets: which material a file belongs to, which map is in it, and what else its name says.

A name is read from its end: what says nothing of the map is taken off (resolution, format, color space, level of
detail, number, `(1)`), until a word of the table of maps stands there. Separators and capitals only divide words, so
`Base Color`, `base-color` and `BaseColor` are one. Where several readings are possible, as of `Old_Metal_Rough`, all
are given, and the files beside it decide.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gan_worker.materials.maps import FILE_KINDS, UNUSED_WORDS

UNUSED = "unused"
# Words of a name that can be one word of the table together.
_JOINED = 6
# Short words, as `bc`, count where a separator divides them from the name, or capitals as in `WallAO`; letters only
# beside other maps.
_SHORT = 2
# Words that are as long stand for a map wherever they are in a name, if other maps lie beside it.
_LONG = 6

# Short words that by themselves are names rather.
_NAMES = ("norm", "met", "op", "em", "dp", "bc", "mt", "nm", "mr", "id")

# Words that may just as well say what a photo shows.
_EVERYDAY = (
    *("metal", "rough", "bump", "arm", "ram", "mar", "rom"),
    *("depth", "glow", "glossy", "gloss", "cutout"),
)

_MEANINGS = {
    **{word: (kind, n) for kind, k in FILE_KINDS.items() for n, word in enumerate(k.words)},
    **{word: (UNUSED, n) for n, word in enumerate(UNUSED_WORDS)},
}
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_SEPARATORS = "_-. "
_BETWEEN = re.compile(r"[_\-. ]{0,3}")
# Bare numbers count only where they are a power of two: `Bricks_008` is a name.
_RESOLUTION = re.compile(
    r"[_\-. ](\d{1,2}k([-_ ]?(jpe?g|png|exr|tiff?))?|\d{3,5}px|256|512|1024|2048|4096|8192)$",
    re.IGNORECASE,
)
# Megascans: `Albedo_4K__vxyz`.
_LEADING = re.compile(r"^\d{1,2}k[_\-. ]+", re.IGNORECASE)
_CONVENTION = re.compile(
    r"[_\-. ]*(?P<convention>open[_\-. ]?gl|ogl|gl|direct[_\-. ]?x|dx|d3d)$", re.IGNORECASE
)
# Arroway: three maps in one.
_THREE_IN_ONE = re.compile(r"[_\-. ]s\d{2,3}-g\d{2,3}-r\d{2,3}$", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """One way to read the name of a file.

    Attributes:
        name: of the material, without all else; empty where the name is but a map's word.
        kind: of file, as in `FILE_KINDS`, or `unused`.
        variation: a number, UDIM tile or word that tells files of one map apart, or empty.
        order: what is preferred of several files for one map: less comes first.
        weak: whether it counts only beside other maps, as a word at the beginning does.
        everyday: whether the word may just as well say what a photo shows.
        letter: whether the word is a single letter, which may number photos.
        told: whether the name tells which way the green of its normals points.
        certain: whether the file itself tells its kind.
    """

    name: str
    kind: str
    variation: str = ""
    order: tuple[int, ...] = ()
    weak: bool = False
    everyday: bool = False
    letter: bool = False
    told: bool = False
    certain: bool = False

    @property
    def maps(self) -> tuple[str, ...]:
        """The maps that such a file gives."""
        return FILE_KINDS[self.kind].maps if self.kind in FILE_KINDS else ()


@dataclass(frozen=True)
class _Rest:
    """A name without some of its end, and what stood there."""

    text: str
    variation: str = ""
    convention: str = ""
    copies: int = 0
    coarse: int = 1
    numbered: bool = False
    percent: bool = False


# Ends that say nothing of the map, or something beside it; of the first that fits, one at a time.
_ENDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"[_\-. ]*\((?P<copy>\d+)\)$",
        r"[_\-. ]+(?P<copy>copy|copia|kopie)([_\-. ]?\d+)?$",
        r"[_\-. ]*lod(?P<lod>\d+)$",
        r"[_\-. ]+\d{1,2}k([-_ ]?(jpe?g|png|exr|tiff?|tga|webp))?$",
        # Poliigon: the workflow that the set is made for.
        r"(?<=\dk)[_\-. ](metalness|metallic|specular|dielectric)$",
        r"[_\-. ]+(\d{3,5}px|\d{3,5}x\d{3,5}|256|512|1024|2048|4096|8192|16384)$",
        r"[_\-. ]*(8|16|32)[-_ ]?bits?$",
        r"(?<=[a-z])(?P<fine>16)$",
        r"[_\-. ]+(jpe?g|png|exr|tiff?|tga|webp|seamless|tile(d|able)|tiling|final|baked)$",
        # Painter: the color space of a channel.
        r"[_\-. ]+(utility[_\-. ]+)?(srgb|linear|raw|aces(cg)?|rec\.?709|non[_\-. ]?colou?r)"
        r"([_\-. ]+(texture|srgb|rec\.?709))*$",
        _CONVENTION.pattern,
        r"[_\-. ]*(maps?|tex(ture)?)$",
        r"[_\-. ]*v(ar(iation|iant)?)?[_\-. ]?(?P<variation>\d{1,3})$",
        # Arroway: the strength of a map in percent.
        r"(?<=[_\-. ][bd])(?P<percent>\d{3})$",
        r"[_\-. ]+(?P<variation>\d{1,4})$",
        r"(?<=[a-z])(?P<variation>\d{1,2})$",
    )
)


def split_file_stem(stem: str) -> tuple[str, str | None]:
    """Split a file stem into the material's name and which map it is, by itself.

    Args:
        stem: file name without extension, such as `Bricks008_1K-JPG_NormalGL` or
            `brick_wall_nor_gl_1k`.

    Returns:
        The material's name without map word and resolution (empty where the stem is but a word),
        and one of `FILE_KINDS`, `unused`, or None where no word is recognised (a plain photo).
    """
    for reading in read_name(stem):
        if not reading.weak:
            return reading.name, reading.kind
    return stem, None


def read_name(stem: str) -> tuple[Reading, ...]:
    """All ways to read a file stem, the likeliest first; none for a plain photo."""
    if three := _THREE_IN_ONE.search(stem):
        return (Reading(stem[: three.start()], UNUSED),)
    found: dict[tuple[str, str], Reading] = {}
    for rest in _rests(stem):
        for reading in _at_the_end(rest):
            if stem.lower().startswith("t_"):
                reading = _as_of_unreal(reading)
            found.setdefault((reading.name, reading.kind), reading)
    return tuple(found.values()) or tuple(_anywhere(_RESOLUTION.sub("", stem)))


def _as_of_unreal(reading: Reading) -> Reading:
    """How a name is meant that begins as Unreal's textures do: letters are words, and normals are DirectX's."""
    turned = reading.kind == "normal" and not reading.told
    return replace(reading, kind="normal_directx" if turned else reading.kind, weak=False)


def _rests(stem: str) -> Iterator[_Rest]:
    """The name, and then without one end after the other."""
    rest: _Rest | None = _Rest(stem)
    while rest:
        yield rest
        rest = _shortened(rest)


def _shortened(rest: _Rest) -> _Rest | None:
    for pattern in _ENDS:
        found = pattern.search(rest.text)
        if found and found.start() > 0:
            said = {name: text for name, text in found.groupdict().items() if text}
            variation = said.get("variation", "")
            return replace(
                rest,
                text=rest.text[: found.start()],
                variation="_".join(filter(None, (variation, rest.variation))),
                convention=rest.convention or said.get("convention", ""),
                copies=rest.copies + ("copy" in said),
                coarse=rest.coarse + ("lod" in said) - ("fine" in said),
                numbered=rest.numbered or bool(variation and found[0][0].isdigit()),
                percent=rest.percent or "percent" in said,
            )
    return None


def _at_the_end(rest: _Rest) -> Iterator[Reading]:
    """What a name can mean by its last words, the most of them first."""
    tokens = list(_TOKEN.finditer(rest.text))
    if not tokens or tokens[-1].end() != len(rest.text):
        return
    for first in range(max(0, len(tokens) - _JOINED), len(tokens)):
        parts = tokens[first:]
        gaps = itertools.pairwise(parts)
        if not all(_BETWEEN.fullmatch(rest.text[a.end() : b.start()]) for a, b in gaps):
            continue
        word = "".join(part[0] for part in parts).lower()
        if word in _MEANINGS and (reading := _reading(rest, parts[0].start(), word)):
            yield reading


def _reading(rest: _Rest, start: int, word: str) -> Reading | None:
    kind, rank = _MEANINGS[word]
    before = rest.text[:start]
    divided = not before or before[-1] in _SEPARATORS
    acronym = len(word) > 1 and rest.text[start:].isupper() and before[-1:].islower()
    if len(word) <= _SHORT and not divided and not acronym:
        return None
    name, convention = _plain(before), rest.convention
    # `Metal049` is a name, and so is what is no color.
    if (not name and rest.numbered) or (word == "color" and name.lower().endswith("non")):
        return None
    said = _CONVENTION.search(name)
    # A name may end so by chance: `Mongl`.
    if kind == "normal" and not convention and said and said[0][0] in _SEPARATORS:
        name, convention = name[: said.start()], said["convention"]
    if convention and kind not in ("normal", UNUSED):
        return None
    if kind == "normal" and convention.lower().startswith("d"):
        kind = "normal_directx"
    # A letter means little by itself, and so does a short word that is all of the name.
    letter = len(word) == 1 and not rest.percent
    return Reading(
        _plain(name),
        kind,
        rest.variation,
        (rest.copies, rest.coarse, rank),
        weak=letter or (not name and word in _NAMES),
        everyday=word in _EVERYDAY,
        letter=letter,
        told=bool(convention),
    )


def _plain(name: str) -> str:
    return _RESOLUTION.sub("", name.strip(_SEPARATORS)).strip(_SEPARATORS)


def _anywhere(stem: str) -> Iterator[Reading]:
    """What a long word at the beginning or in the middle of a name may mean."""
    tokens = list(_TOKEN.finditer(stem))
    for first in range(len(tokens)):
        for last in range(min(len(tokens), first + _JOINED), first, -1):
            start, end = tokens[first].start(), tokens[last - 1].end()
            word = "".join(token[0] for token in tokens[first:last]).lower()
            known = _MEANINGS.get(word)
            divided = len(word) > 1 and stem[end:][:1] in tuple(_SEPARATORS)
            if known and divided and (start == 0 or len(word) >= _LONG):
                before, after = _plain(stem[:start]), _LEADING.sub("", _plain(stem[end:]))
                said = after if before else ""
                yield Reading(before or after, known[0], said, (0, 1, known[1]), weak=True)
                break
