"""Validation of a material: what is wrong with its maps, by the values that real surfaces have and by each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_worker.materials.content import slope_correlations
from gan_worker.materials.maps import MAPS, Kind
from gan_worker.materials.masks import VISIBLE_SEAM
from gan_worker.materials.pixels import Picture, as_floats
from gan_worker.validation.findings import Finding as Finding
from gan_worker.validation.findings import State as State
from gan_worker.validation.seams import LineSteps, line_steps, seam_ratio

# The limits were tuned on 323 CC0 sets; how many of them each lets through is said with it. What it takes for dark,
# bright and metallic are the values of Adobe's PBR Guide (part 2): colors of what is no metal lie within 30 to 240 of
# 255, and raw metals above 180.

# Pixels that are looked at, in all and along the sides of the middle where neighbors count.
LOOKED_AT, MIDDLE = 2**20, 1024
# Luminance of what is no metal, sRGB of 0..1, and which share of it may lie beyond: 14 of 308 have more.
DARK, BRIGHT, MOST_DARK, MOST_BRIGHT = 30 / 255, 240 / 255, 0.4, 0.2
# Share from which on a color is black or burnt all over.
ALL = 0.95
# The same of metals. Few published ones are as bright as raw metal; 9 of 23 are even darker than this.
DARK_METAL, MOST_DARK_METAL = 100 / 255, 0.5
# Metallic values that are neither, and which share may be: edges and dust; 2 of 25 have more.
METAL, NO_METAL, MOST_BETWEEN = 0.9, 0.1, 0.5
# Median length of normals, which shrinking makes shorter (2 of 305 are shorter), and the mean of x and y from which on
# they are no directions of a surface; at .47 and -.57 lie those that an sRGB curve has changed.
SHORT, LONG, TILTED = 0.75, 1.15, 0.3
# Share of normals that may point into the surface.
MOST_INWARD = 0.03
# Least correlation of slopes of a height with normals of the same relief, and of both directions together to tell
# which of them is turned.
RELATED, TURNED = 0.02, 0.1
# Deviation below which a map is the same everywhere, and that of x and y of normals.
CONSTANT, FLAT = 0.002, 0.004
# Share of pixels at an end of the range: 6 of 309 roughnesses and 5 of 176 heights have more.
MOST_AT_END, MOST_CUT = 0.1, 0.2
# Mean of an ambient occlusion that leaves some light; the darkest of 183 has .4.
DARK_OCCLUSION, BLACK_OCCLUSION = 0.3, 0.05
# Seam ratio of a map beside others that close, when nobody has said that they must: maps were shrunk by their
# publishers, which is seen at their borders.
PUBLISHED_SEAM = 2.5
# Values from which on a map of whole numbers is at its end.
LEAST, MOST = 0.5 / 255, 254.5 / 255

Found = Iterator[Finding]
Maps = Mapping[str, Picture]


def validate(maps: Mapping[str, NDArray[Any]], closed: bool | None = None) -> tuple[Finding, ...]:
    """Say what is wrong with a material.

    Args:
        maps: map name → (height, width, channels), floats of 0..1 or whole numbers of 8 or 16 bits, top row first;
            colors as sRGB, normals as OpenGL has them.
        closed: whether it shall tile; None: whether its first map does tells.

    Returns:
        What was found, the worst first, then in the order of `MAPS`; one that is `ok` for each map without others.
    """
    found = [*_sizes(maps)]
    for name, stored in maps.items():
        found += _broken(name, stored)
    sound = {n: p for n, p in maps.items() if n not in {f.map for f in found}}
    sampled = {name: as_floats(_sample(picture)) for name, picture in sound.items()}
    for name, check in _CHECKS.items():
        if name in sampled:
            found += check(sampled)
    found += _normal_against_height(sound)
    found += _seams(sound, closed)
    spoken = {finding.map for finding in found}
    found += [Finding(n, State.ok, "Nothing is wrong with it.") for n in maps if n not in spoken]
    states, names = list(State)[::-1], ["", *MAPS]
    return tuple(sorted(found, key=lambda f: (states.index(f.state), names.index(f.map))))


def _sizes(maps: Mapping[str, NDArray[Any]]) -> Found:
    sizes = {name: picture.shape[1::-1] for name, picture in maps.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{_called(n)} {w}×{h}" for n, (w, h) in sizes.items())
        message = f"The maps have different sizes: {told}."
        yield Finding("", State.bad, message, "Scale them to one size.")


def _broken(name: str, picture: NDArray[Any]) -> Found:
    """What makes a map no map at all."""
    if np.issubdtype(picture.dtype, np.integer):
        return
    if not np.isfinite(picture).all():
        message = f"{_called(name)} has values that are no numbers."
        yield Finding(name, State.bad, message, "Export it again, or paint over these places.")
    elif picture.min() < -0.001 or picture.max() > 1.001:
        message = f"{_called(name)} goes beyond 0 to 1: {picture.min():.2f} to {picture.max():.2f}."
        yield Finding(name, State.bad, message, "Bring its values into that range.")


# ---- one map


def _base_color(maps: Maps) -> Found:
    color = maps["base_color"][..., :3]
    luminance = color @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    metallic = maps.get("metallic")
    fits = metallic is not None and metallic.shape[:2] == luminance.shape
    metal = metallic[..., 0] if metallic is not None and fits else np.zeros_like(luminance)
    plain, raw = luminance[metal < NO_METAL], luminance[metal > METAL]
    for values, dark, most, what in (
        (plain, DARK, MOST_DARK, "darker than 30 of 255, as hardly any surface is"),
        (
            raw,
            DARK_METAL,
            MOST_DARK_METAL,
            "metal darker than 100 of 255; raw metals lie above 180",
        ),
    ):
        share = _share(values < dark, luminance)
        if values.size and share > most * values.size / luminance.size:
            state = State.bad if values is plain and share > ALL else State.warn
            cure = "Brighten it, or look whether light was learned as color or a metal is none."
            yield Finding("base_color", state, f"{share:.0%} of the base color is {what}.", cure)
    share = _share(plain > BRIGHT, luminance)
    if plain.size and share > MOST_BRIGHT * plain.size / luminance.size:
        message = f"{share:.0%} of the base color is brighter than 240 of 255, as fresh snow is."
        cure = "Darken it, or it will look burned out in bright light."
        yield Finding("base_color", State.bad if share > ALL else State.warn, message, cure)


def _metallic(maps: Maps) -> Found:
    values = maps["metallic"]
    share = _share((values > NO_METAL) & (values < METAL), values)
    if share > MOST_BETWEEN:
        message = f"{share:.0%} of the metallic map is neither metal nor none."
        cure = "Make it 0 or 1 but for edges and dust; gloss belongs into the roughness."
        yield Finding("metallic", State.warn, message, cure)


def _normal(maps: Maps) -> Found:
    vectors = 2 * maps["normal"][..., :3] - 1
    means, lengths = vectors.mean(axis=(0, 1)), np.linalg.norm(vectors, axis=-1)
    median, inward = float(np.median(lengths)), _share(vectors[..., 2] <= 0, lengths)
    if min(means[:2]) > TILTED or max(means[:2]) < -TILTED:
        message = "The normals were changed by an sRGB curve: their middle is not at half."
        cure = (
            "Export them as data without a color space; in Blender, set Color Space to Non-Color."
        )
        yield Finding("normal", State.bad, message, cure)
    elif inward > MOST_INWARD:
        message = f"{inward:.0%} of the normals point into the surface."
        cure = "Look whether it is a normal map in tangent space, with blue for up."
        yield Finding("normal", State.bad, message, cure)
    elif np.abs(means[:2]).max() > TILTED:
        message = "The normals lean to one side, all together."
        yield Finding("normal", State.warn, message, "Make them anew from a level height.")
    elif not SHORT < median < LONG:
        message = f"The normals have a length of {median:.2f} instead of 1."
        yield Finding("normal", State.warn, message, "Normalize them; some engines do not.")
    elif vectors[..., :2].std(axis=(0, 1)).max() < FLAT:
        cure = "Leave it out, or make one from the height."
        yield Finding("normal", State.warn, "The normals are flat, so they do nothing.", cure)


def _roughness(maps: Maps) -> Found:
    yield from _constant("roughness", maps["roughness"], "A number does as well.")
    for is_end, what in (
        (maps["roughness"] < LEAST, "a mirror"),
        (maps["roughness"] > MOST, "chalk"),
    ):
        share = _share(is_end, is_end)
        if share > MOST_AT_END:
            message = f"{share:.0%} of the roughness is at the end of its range, like {what}."
            yield Finding("roughness", State.warn, message, "Move its range inwards.")


def _height(maps: Maps) -> Found:
    height = maps["height"]
    yield from _constant("height", height, "Leave it out: it moves nothing.")
    for is_end, what in ((height < LEAST, "lowest"), (height > MOST, "highest")):
        share = _share(is_end, is_end)
        if share > MOST_CUT and float(height.std()) >= CONSTANT:
            message = f"{share:.0%} of the height is cut off at its {what} value."
            yield Finding("height", State.warn, message, "Bring all of it into the range.")


def _ambient_occlusion(maps: Maps) -> Found:
    values = maps["ambient_occlusion"]
    mean = float(values.mean())
    if mean < DARK_OCCLUSION:
        state = State.bad if mean < BLACK_OCCLUSION else State.warn
        message = f"The ambient occlusion is nearly black: {mean:.2f} in the mean."
        cure = "Look whether it is inverted: white is what light reaches."
        yield Finding("ambient_occlusion", state, message, cure)
    else:
        yield from _constant("ambient_occlusion", values, "Leave it out: it shades nothing.")


def _constant(name: str, values: Picture, cure: str) -> Found:
    if float(values.std()) < CONSTANT:
        message = f"{_called(name)} is {float(values.mean()):.2f} everywhere."
        yield Finding(name, State.warn, message, cure)


# In the order of `MAPS`; what has no row has nothing that could be wrong by itself.
_CHECKS: dict[str, Callable[[Maps], Found]] = {
    "base_color": _base_color,
    "roughness": _roughness,
    "metallic": _metallic,
    "normal": _normal,
    "height": _height,
    "ambient_occlusion": _ambient_occlusion,
}


# ---- maps together


def _normal_against_height(maps: Mapping[str, NDArray[Any]]) -> Found:
    if not {"normal", "height"} <= maps.keys():
        return
    normals, height = (as_floats(_middle(maps[name])) for name in ("normal", "height"))
    varied = height.std() >= CONSTANT and normals[..., :2].std(axis=(0, 1)).max() >= FLAT / 2
    if normals.shape[:2] != height.shape[:2] or min(height.shape[:2]) < 2 or not varied:
        return
    across, down = slope_correlations(normals, height)
    if max(abs(across), abs(down)) < RELATED:
        message = "Normals and height have nothing in common."
        cure = "Look whether they belong to one material and have not been turned apart."
        yield Finding("normal", State.warn, message, cure)
    elif min(abs(across), abs(down)) >= TURNED and min(across, down) < 0:
        yield _turned(across > 0, down > 0)


def _turned(right: bool, up: bool) -> Finding:
    """What is wrong where the slopes of a height say the opposite of the normals in one direction or in both."""
    if right:
        message = "The green of the normals points down, as DirectX has it, by the height."
        return Finding("normal", State.bad, message, "Invert the green channel.")
    if up:
        message = "The red of the normals points left, by the height."
        return Finding("normal", State.bad, message, "Invert the red channel.")
    message = "The height is inverted, by the normals: what is high is dark."
    return Finding("height", State.bad, message, "Invert it.")


def _seams(maps: Mapping[str, NDArray[Any]], closed: bool | None) -> Found:
    steps = {n: line_steps(p) for n, p in maps.items() if min(p.shape[:2]) > 2}
    tiles = bool(steps) and _closes(next(iter(steps.values()))) if closed is None else closed
    if not tiles:
        return
    most = VISIBLE_SEAM if closed else PUBLISHED_SEAM
    for name, lines in steps.items():
        ratio = seam_ratio(lines)
        if ratio > most and not _closes(lines):
            message = f"{_called(name)} has a seam: the step at its border is {ratio:.1f} times that inside."
            state = State.bad if ratio > 2 * most else State.warn
            yield Finding(name, state, message, "Make it tileable together with the other maps.")


def _closes(steps: LineSteps) -> bool:
    """Whether the border is no worse than the lines inside, as `masks.looks_seamless` has it."""
    return all(line[0] <= min(VISIBLE_SEAM * line[1:].mean(), line[1:].max()) for line in steps)


def _sample(picture: NDArray[Any]) -> NDArray[Any]:
    """Every so many pixels, where there are more than enough."""
    step = max(1, int((picture.shape[0] * picture.shape[1] / LOOKED_AT) ** 0.5))
    return picture[::step, ::step]


def _middle(picture: NDArray[Any]) -> NDArray[Any]:
    top, left = ((n - min(n, MIDDLE)) // 2 for n in picture.shape[:2])
    return picture[top : top + MIDDLE, left : left + MIDDLE]


def _share(which: NDArray[np.bool_], of: NDArray[Any]) -> float:
    return float(which.sum()) / max(1, of.size)


def _called(name: str) -> str:
    return MAPS[name].label if MAPS[name].kind is not Kind.direction else "The normal map"
