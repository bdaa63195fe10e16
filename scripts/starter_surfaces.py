"""The surfaces of the starter model's materials, one function each: colors, height and roughness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from patterns import (
    Elements,
    Field,
    Torus,
    bevel,
    cells,
    courses,
    gradient,
    herringbone,
    mix,
    pieces,
    smooth,
)


@dataclass(frozen=True)
class Surface:
    """What a material function draws, in samples.

    Attributes:
        color: sRGB, 0..1, (samples, samples, 3).
        height: pixels.
        roughness: 0..1.
    """

    color: Field
    height: Field
    roughness: Field


def red_bricks(t: Torus) -> Surface:
    """Old running bond, every brick of its own firing, in sandy mortar."""
    b = courses(t, 64, 64 / 3, radius=2.2, at=t.bent(0.6, 18))
    rough, grit = t.noise(7, 1.6), t.noise(2, 1.0)
    inset = b.inset - 1.0 + 0.35 * t.noise(5, 1.6)
    brick = smooth(-0.3, 0.5, inset)
    pits = smooth(1.3, 2.2, t.noise(3, 2.0))
    face = 2.4 * bevel(inset, 1.8) + t.each(b, -0.4, 0.4) + 0.16 * rough + 0.05 * grit - 0.7 * pits
    mortar = 0.4 * t.noise(4, 1.5) + 0.10 * grit
    tone = t.each(b) + 0.12 * rough + 0.06 * grit
    clay = gradient(tone, "5c2a22", "8a3b2a", "a44a33", "b4573a", "c0744f")
    clay = mix(clay, clay * 0.55, pits)
    clay = mix(clay, gradient(tone, "8f7f74", "b5a696"), 0.35 * smooth(0.6, 2.2, t.noise(18, 2)))
    sand = gradient(0.5 + 0.2 * grit + 0.15 * rough, "7d766b", "b3aa9a")
    roughness = mix(0.93 + 0.02 * grit, 0.72 + 0.05 * rough + t.each(b, -0.06, 0.06), brick)
    return Surface(mix(sand, clay, brick), mix(mortar, face, brick), roughness)


def stone_blocks(t: Torus) -> Surface:
    """Squared blocks of pale limestone of different lengths."""
    b = courses(t, 25.6, 16, None, 0.5, radius=2.5, at=t.bent(0.6, 16))
    chisel, grit = t.noise(9, 1.7), t.noise(2.5, 1.2)
    inset = b.inset - 1.0 + 0.5 * t.noise(6, 1.6)
    stone = smooth(-0.2, 0.6, inset)
    face = 2.6 * bevel(inset, 3.0) + t.each(b, -0.7, 0.7) + 0.45 * chisel + 0.12 * grit
    face += t.each(b, -0.05, 0.05) * b.u + t.each(b, -0.05, 0.05) * b.v
    tone = 0.25 + 0.5 * t.each(b) + 0.10 * chisel + 0.05 * grit
    warm = gradient(tone, "8d8169", "b8aa8c", "cfc3a8", "ddd5c2")
    cold = gradient(tone, "7f7d76", "a5a299", "bdbab0", "d2d0c8")
    color = mix(warm, cold, smooth(0.3, 0.7, t.each(b)))
    color = mix(
        color, gradient(tone, "5b5640", "787257"), 0.55 * smooth(0.7, 2.0, t.noise(16, 1.8))
    )
    joint = gradient(0.5 + 0.25 * grit, "4d473b", "7a7160")
    height = mix(0.3 * t.noise(4, 1.5), face, stone)
    roughness = mix(0.95 + 0.02 * grit, 0.78 + 0.05 * chisel + t.each(b, -0.05, 0.05), stone)
    return Surface(mix(joint, color, stone), height, roughness)


def ceramic_tiles(t: Torus) -> Surface:
    """Handmade glazed tiles, sea green to blue, in light grout."""
    b = courses(t, 25.6, 25.6, 0.0, radius=2.2, at=t.bent(0.15, 20))
    pool, grit = t.noise(14, 3), t.noise(2, 1.0)
    inset = b.inset - 0.9
    tile = smooth(-0.2, 0.4, inset)
    slant = t.each(b, -0.02, 0.02) * b.u + t.each(b, -0.02, 0.02) * b.v
    face = 1.9 * bevel(inset, 2.4) + slant + 0.10 * pool
    specks = smooth(2.0, 2.6, t.noise(2.2, 2.0))
    tone = t.each(b) + 0.10 * pool - 0.25 * (1 - bevel(inset, 3.5))
    glaze = gradient(tone, "0f3d47", "17616a", "2a8587", "58a79b", "a3cdb9")
    glaze = mix(glaze, gradient(tone, "0a2a36", "1b4a55"), 0.6 * specks)
    grout = gradient(0.55 + 0.2 * grit + 0.15 * t.noise(20, 2), "8f8a80", "cfcabf")
    height = mix(0.12 * grit + 0.2 * t.noise(4, 1.5), face, tile)
    roughness = mix(0.88 + 0.03 * grit, 0.12 + 0.025 * pool + 0.2 * specks, tile)
    return Surface(mix(grout, glaze, tile), height, roughness)


def hexagon_tiles(t: Torus) -> Surface:
    """Cement hexagons in four faded colors, chipped and worn, in dark joints."""
    b = cells(t, 25.6, 64 / 3, jitter=0, stagger=0.5, rounding=0.6, at=t.bent(0.12, 16))
    worn, grit = t.noise(8, 1.7), t.noise(2, 1.1)
    inset = b.inset - 0.9 + 0.2 * t.noise(4, 1.6)
    tile = smooth(-0.2, 0.5, inset)
    slant = t.each(b, -0.025, 0.025) * b.u + t.each(b, -0.025, 0.025) * b.v
    pits = smooth(1.7, 2.4, t.noise(3, 1.8))
    face = 1.8 * bevel(inset, 2.0) + slant + 0.10 * worn + 0.05 * grit - 0.5 * pits
    tone = 0.5 + t.each(b, -0.25, 0.25) + 0.13 * worn + 0.05 * grit
    kind = t.each(b)
    cement = gradient(tone, "a59c8b", "d3cab9", "ece5d8")
    for above, colors in (
        (0.45, ("6f7476", "969b9b", "b9bcb8")),
        (0.68, ("3f566b", "647f95", "93a8b5")),
    ):
        cement = mix(cement, gradient(tone, *colors), kind > above)
    cement = mix(cement, gradient(tone, "2c2d2f", "474849", "6b6a68"), kind > 0.86)
    dull = smooth(0.2, 1.8, t.noise(18, 1.8) + 0.4 * worn)
    cement = mix(cement, gradient(tone, "8a8072", "b8ac9a"), 0.35 * dull)
    cement = mix(cement, cement * 0.6, pits)
    joint = gradient(0.5 + 0.25 * grit, "332d27", "584f45")
    height = mix(0.10 * grit + 0.15 * worn, face, tile)
    roughness = mix(0.92 + 0.02 * grit, 0.38 + 0.28 * dull + 0.04 * worn + 0.2 * pits, tile)
    return Surface(mix(joint, cement, tile), height, roughness)


def _wood(t: Torus, b: Elements, length: float, around: Field | float = 0) -> tuple[Field, Field]:
    """Rings and pores along u, from another part of the tree in every board, going `around` knots."""
    rings = t.noise(length, 2.0, 9) + 0.6 * t.noise(length / 2, 2, 9)
    pores = t.noise(1.6, 1.2, 14)
    x, y = b.u + t.each(b, 0, t.size), b.v + t.each(b, 0, t.size) + around
    return t.taken(rings, x, y), t.taken(pores, x, y)


def oak_herringbone(t: Torus) -> Surface:
    """Oiled oak parquet laid in herringbone."""
    b = herringbone(t, 64 / 6, 3)
    rings, pores = _wood(t, b, 5)
    inset = b.inset - 0.15
    board = smooth(0.0, 0.5, inset)
    deep = smooth(0.6, 1.8, pores)
    tone = 0.2 + 0.55 * t.each(b) + 0.13 * rings - 0.18 * deep
    color = gradient(tone, "4f3218", "7a5128", "9c6d39", "b98a50", "d0a972")
    color = mix(gradient(0.0 * rings, "1e130a"), color, board)
    height = 1.4 * bevel(inset, 1.1) + t.each(b, -0.15, 0.15) + 0.05 * rings - 0.18 * deep
    roughness = mix(
        0.85 + 0 * rings, 0.38 - 0.03 * rings + 0.16 * deep + t.each(b, -0.04, 0.04), board
    )
    return Surface(color, height, roughness)


def weathered_planks(t: Torus) -> Surface:
    """Silver-grey boards with raised grain, knots and splits."""
    b = courses(t, 128, 25.6, None, 0.5, radius=0.6, at=t.bent(0.25, 30))
    knots, knot = pieces(t, 32, (1.6, 3.0), (1.1, 1.5))
    hole = np.where(np.isfinite(knot) & (t.each(knots) < 0.4), 1 - np.hypot(knots.u, knots.v), 0)
    rings, pores = _wood(t, b, 3.2, t.blur(hole, 2.5) * 9)
    shift = t.each(b, 0, t.size)
    split = smooth(1.5, 2.2, t.taken(t.noise(3.5, 2, 16), b.u + shift, b.v + shift))
    inset = b.inset - 0.5 + 0.15 * rings
    board = smooth(-0.1, 0.6, inset)
    cup = t.each(b, -0.010, 0.012) * b.v**2
    eye = smooth(0.0, 0.5, hole)
    height = 2.6 * bevel(inset, 1.4) + t.each(b, -0.6, 0.6) + cup + 0.4 * rings + 0.2 * pores
    height += 0.6 * eye - 1.4 * split
    tone = 0.2 + 0.5 * t.each(b) + 0.17 * rings + 0.10 * pores
    grey = gradient(tone, "3f3b36", "6c665e", "97908a", "bcb6ae")
    brown = gradient(tone, "3a2a1b", "655039", "8d7356", "b09a7e")
    color = mix(grey, brown, np.clip(t.each(b, -0.3, 0.8) + 0.3 * t.noise(24, 2), 0, 0.8))
    color = mix(color, gradient(0.5 + 0.2 * rings, "2b1c10", "5c412a"), 0.8 * eye)
    dark = np.maximum(split, 1 - board)
    color = mix(color, color * 0.25, dark)
    roughness = 0.80 - 0.05 * rings + 0.12 * dark + 0.02 * pores - 0.08 * eye
    return Surface(color, mix(-1.0 + 0 * height, height, board), roughness)


def bark(t: Torus) -> Surface:
    """Furrowed bark: long ridges that part and meet, cracked across, with moss."""
    ridges = np.abs(t.noise(56, 3.2, 0.32) + 0.12 * t.noise(10, 1.5, 0.5))
    fibre, grit = t.noise(16, 1.5, 0.15), t.noise(3, 1.3)
    inset = 9 * ridges - 0.9 + 0.4 * fibre
    plate = smooth(0, 2.2, inset)
    cross = 1 - smooth(0.04, 0.22, np.abs(t.noise(26, 2.6, 1.5) + 0.1 * grit))
    cross = cross * plate * smooth(-0.5, 0.3, t.noise(18, 2))
    layers = np.round(1.5 * t.noise(22, 1.8, 0.5) + 0.15 * fibre) / 1.5
    height = 4.6 * bevel(inset, 6.5) + 0.55 * layers + 0.5 * fibre + 0.2 * grit - 2.2 * cross
    tone = 0.14 + 0.36 * plate + 0.08 * layers + 0.09 * fibre + 0.08 * grit - 0.25 * cross
    color = gradient(tone, "1c140e", "3f3025", "685443", "8f7b69", "b8a998")
    moss = 0.75 * smooth(0.9, 1.8, t.noise(20, 1.6) + 0.3 * grit) * plate
    color = mix(color, gradient(0.5 + 0.2 * grit, "414f26", "7f8b52"), moss)
    roughness = 0.88 - 0.07 * plate + 0.03 * grit + 0.04 * moss
    return Surface(color, height, roughness)


def cobblestone(t: Torus) -> Surface:
    """Rounded granite setts with earth and a little moss between."""
    b = cells(t, 64 / 3, 16, 0.42, 0.5, 1.0, at=t.bent(0.6, 10))
    lumps, grit = t.noise(8, 1.8), t.noise(1.8, 1.0)
    inset = b.inset - 1.0 + 0.25 * t.noise(5, 1.7)
    stone = smooth(-0.3, 0.6, inset)
    dome = 4.2 * bevel(inset, 6.5) + t.each(b, -0.6, 0.6) + 0.22 * lumps + 0.09 * grit
    dome += t.each(b, -0.08, 0.08) * b.u + t.each(b, -0.08, 0.08) * b.v
    tone = 0.15 + 0.6 * t.each(b) + 0.09 * lumps + 0.16 * grit
    cold = gradient(tone, "3c3d40", "606265", "85878a", "a6a8a8")
    warm = gradient(tone, "4a4039", "75685c", "978a7c", "b5aa9c")
    color = mix(cold, warm, t.each(b))
    earth = gradient(0.5 + 0.25 * grit, "2d251b", "54483a")
    green = gradient(0.5 + 0.25 * grit, "36401d", "66703a")
    earth = mix(earth, green, smooth(-0.1, 0.9, t.noise(28, 2)))
    height = mix(0.5 * t.noise(3.5, 1.4) - 0.2, dome, stone)
    roughness = mix(0.94 + 0.02 * grit, 0.60 + 0.06 * lumps + t.each(b, -0.08, 0.08), stone)
    return Surface(mix(earth, color, stone), height, roughness)


def pebbles(t: Torus) -> Surface:
    """River pebbles of many colors, lying over each other."""
    low, ground = pieces(t, 8, (3, 5.5), tilt=2)
    high, top = pieces(t, 128 / 7, (6.5, 9.5), (1, 1.5), tilt=4)
    over = top + 1.0 > ground
    bottom = 0.5 * t.noise(3, 1.3)
    stone = over | np.isfinite(ground)
    lumps, grit = t.noise(7, 2), t.noise(1.8, 1.0)
    height = np.where(over, 0.62 * top + 2.0, np.where(stone, 0.62 * ground + 0.8, bottom - 0.8))
    height = np.maximum(height, bottom - 0.8) + stone * (0.12 * lumps + 0.04 * grit)
    veins = smooth(0.75, 1.0, 1 - np.abs(t.noise(9, 2.5)))
    kind = np.where(over, t.each(high), t.each(low))
    tone = np.where(over, t.each(high), t.each(low)) * 0.6 + 0.2 + 0.07 * lumps + 0.07 * grit
    grey, tan = (
        gradient(tone, "4a4d50", "85888a", "c4c4be"),
        gradient(tone, "6e5a45", "a48c6c", "d8c7a8"),
    )
    red, dark = (
        gradient(tone, "5e3a30", "8d5f4d", "b98f78"),
        gradient(tone, "25282b", "4a4e52", "6d7275"),
    )
    color = np.where((kind < 0.4)[..., None], grey, tan)
    color = np.where((kind > 0.68)[..., None], red, color)
    color = np.where((kind > 0.84)[..., None], dark, color)
    color = mix(color, color * 0.4 + 0.5, 0.35 * veins * (kind % 0.2 > 0.1))
    color = np.where(stone[..., None], color, gradient(0.5 + 0.25 * grit, "3b3226", "6b5d49"))
    roughness = np.where(stone, 0.45 + 0.25 * (kind % 0.1) * 10 + 0.04 * lumps, 0.92)
    return Surface(color, height, roughness)


def cracked_mud(t: Torus) -> Surface:
    """A dried puddle: curled plates, cracks of two widths."""
    b = cells(t, 64 / 3, 64 / 3, 0.95, 0.0, 0.3, at=t.bent(0.9, 8))
    small = cells(t, 32 / 3, 32 / 3, 0.95, 0.0, 0.0, at=t.bent(0.7, 6))
    dust, grit = t.noise(9, 1.6), t.noise(2.2, 1.2)
    inset = b.inset - 0.8 + 0.3 * t.noise(4, 1.5)
    hair = (1 - smooth(0.1, 0.8, small.inset)) * smooth(-0.6, 0.8, t.noise(26, 2))
    plate = smooth(-0.2, 0.6, inset)
    curl = 1.2 * np.exp(-((np.maximum(inset, 0) / 3.5) ** 2))
    height = (
        3.0 * bevel(inset, 1.3)
        + curl
        + t.each(b, -0.4, 0.4)
        + 0.22 * dust
        + 0.09 * grit
        - 0.9 * hair
    )
    tone = 0.3 + 0.3 * t.each(b) + 0.10 * dust + 0.06 * grit + 0.14 * curl - 0.25 * hair
    color = gradient(tone, "6a5540", "927a5e", "b59d7d", "d0bc9e", "e0d2ba")
    crack = gradient(0.4 + 0.25 * grit, "231a12", "453626")
    roughness = mix(0.95 + 0.01 * grit, 0.80 + 0.05 * dust + 0.03 * grit, plate)
    return Surface(mix(crack, color, plate), mix(-0.8 + 0.3 * grit, height, plate), roughness)


def forest_soil(t: Torus) -> Surface:
    """Dark crumbly earth under twigs and fallen leaves, curled and of all ages."""
    crumbs, grit, rot = t.noise(7, 1.5), t.noise(2.5, 1.2), t.noise(5, 1.6)
    clods, clod = pieces(t, 6.4, (1.5, 3.5), tilt=1.5)
    lump = clod > 0
    height = 0.9 * crumbs + 0.25 * grit + np.where(lump, 0.5 * clod, 0)
    tone = 0.35 + 0.12 * crumbs + 0.10 * grit + 0.2 * lump * t.each(clods, -0.5, 0.5)
    color = gradient(tone, "16100a", "33261a", "54412e", "786048")
    roughness = 0.93 + 0.02 * grit
    bed = t.blur(height, 4)
    for level in range(3):
        leaves, leaf = pieces(t, 64 / 3, (4, 7.5), (1.5, 2.2), at=t.bent(1.0, 12))
        u, v = leaves.u, leaves.v * (1 + 0.15 * rot)
        here = np.isfinite(leaf) & (np.abs(v) < 1 - np.abs(u) ** 1.7) & (t.each(leaves) < 0.6)
        rib = np.exp(-((v * 9) ** 2))
        veins = np.sin(14 * (u - 0.8 * np.abs(v))) * (1 - rib)
        curl = t.each(leaves, -1.2, 1.2) * u + t.each(leaves, -0.4, 1.4) * v**2
        lying = bed + 1.0 + 0.9 * level + curl - 0.3 * rib + 0.10 * veins + 0.15 * rot
        tone = t.each(leaves) - 0.25 + 0.18 * level + 0.15 * rib + 0.05 * veins + 0.09 * rot
        dry = gradient(tone, "2e1a0d", "5a3516", "875424", "ad7a3c", "c9a46a")
        height, color = np.where(here, lying, height), np.where(here[..., None], dry, color)
        roughness = np.where(here, 0.66 + 0.05 * rot - 0.05 * veins, roughness)
    twigs, twig = pieces(t, 25.6, (0.7, 1.1), (10, 18), tilt=1, at=t.bent(1.2, 16))
    here = np.isfinite(twig) & (t.each(twigs) < 0.5)
    wood = gradient(t.each(twigs) + 0.1 * grit, "3d2e22", "7d6a57")
    height = np.where(here, np.maximum(bed + 2.5 + 1.2 * twig, height), height)
    color = np.where(here[..., None], wood, color)
    return Surface(color, height, np.where(here, 0.8, roughness))


def grass(t: Torus) -> Surface:
    """Short lawn from above, blades in all directions, some of them dry."""
    grit = t.noise(3, 1.4)
    height, color = (
        0.5 * t.noise(6, 1.6) - 3,
        gradient(0.4 + 0.2 * grit, "141a0a", "2b3315", "4a4228"),
    )
    roughness = 0.9 + 0 * grit
    patch = t.noise(24, 2)
    for level in range(7):
        blades, blade = pieces(t, 64 / 7, (0.7, 1.25), (6, 10), tilt=2, at=t.bent(1.0, 14))
        lift = (
            -2 + 0.75 * level + 1.2 * blade + 1.0 * blades.u * t.each(blades, -1, 1) + 0.4 * patch
        )
        here = np.isfinite(blade) & (lift > height)
        fold = np.exp(-((blades.v * 2.5) ** 2))
        tone = 0.1 + 0.07 * level + 0.40 * t.each(blades) - 0.12 * fold + 0.05 * grit + 0.05 * patch
        green = gradient(tone, "26380f", "43611d", "648a2e", "8bab45", "b3c76b")
        dry = gradient(tone, "5c4a22", "8f7a3f", "bda763", "d6c88c")
        leaf = np.where((t.each(blades) > 0.88)[..., None], dry, green)
        height, color = np.where(here, lift, height), np.where(here[..., None], leaf, color)
        roughness = np.where(here, 0.55 + 0.1 * t.each(blades) + 0.06 * fold, roughness)
    return Surface(color, height, roughness)


def woven_fabric(t: Torus) -> Surface:
    """Coarse linen: threads over and under, of uneven thickness."""
    pitch = 128 / 16
    x, y = t.bent(0.45, 14)
    warp = x + 0.25 * t.noise(30, 2, 0.15), y
    fuzz = t.noise(1.6, 1.0)
    i, j = np.floor(warp[0] / pitch).astype(int), np.floor(y / pitch).astype(int)
    u, v = warp[0] / pitch - i - 0.5, y / pitch - j - 0.5
    count = round(t.size / pitch)
    thick = 0.40 + 0.08 * t.uniform(2, count)
    over = np.where((i + j) % 2 == 0, 1.0, -1.0)
    wave_x, wave_y = over * np.cos(np.pi * v), -over * np.cos(np.pi * u)
    round_x = np.sqrt(np.maximum(1 - (u / thick[0][i % count]) ** 2, 0))
    round_y = np.sqrt(np.maximum(1 - (v / thick[1][j % count]) ** 2, 0))
    up, across = 1.1 * wave_x + 2.0 * round_x, 1.1 * wave_y + 2.0 * round_y
    up, across = np.where(round_x > 0, up, -2.0), np.where(round_y > 0, across, -2.0)
    lengthwise = up > across
    twist = np.where(
        lengthwise, np.sin(2 * np.pi * (y / 3.2 + u)), np.sin(2 * np.pi * (x / 3.2 + v))
    )
    height = np.maximum(up, across)
    thread = smooth(-1.5, 0.5, height)
    own = np.where(lengthwise, t.uniform(count)[i % count], t.uniform(count)[j % count])
    tone = 0.15 + 0.3 * own + 0.12 * height + 0.06 * twist + 0.07 * fuzz + 0.06 * t.noise(26, 2)
    color = gradient(tone, "3d3222", "75654a", "a8977a", "cfc2a7", "e6dcc8")
    roughness = 0.90 - 0.06 * thread + 0.02 * fuzz
    return Surface(color, height + thread * (0.18 * twist + 0.10 * fuzz), roughness)


def leather(t: Torus) -> Surface:
    """Full-grain oxblood leather: pebbled cells, creases, rubbed tops."""
    b = cells(t, 64 / 9, 64 / 9, 0.9, rounding=0.6, at=t.bent(0.8, 8))
    fine, patina = t.noise(2.5, 1.4), t.noise(26, 1.8)
    crease = np.exp(-((t.noise(44, 3, 1.3) / 0.05) ** 2)) * smooth(-0.2, 0.8, t.noise(30, 2.5))
    soft = 0.5 + 0.35 * smooth(-1.2, 1.2, patina)
    pillow = bevel(b.inset + 0.1 * fine, 3.0)
    height = 1.4 * soft * pillow - 1.0 * crease + 0.04 * fine + 0.2 * patina + t.each(b, -0.1, 0.1)
    tone = 0.18 + 0.33 * pillow - 0.16 * crease + 0.08 * patina + 0.02 * fine
    tone += t.each(b, -0.05, 0.05)
    color = gradient(tone, "1a0a0b", "401417", "64201f", "82352f", "a15c4d")
    roughness = 0.64 - 0.18 * pillow + 0.08 * crease - 0.03 * patina + 0.02 * fine
    return Surface(color, height, roughness)


def peeling_paint(t: Torus) -> Surface:
    """Old blue paint that flakes off rusty iron, curling at its edges."""
    rough, grit = t.noise(5, 1.4), t.noise(2, 1.1)
    b = cells(t, 12.8, 12.8, 0.95, at=t.bent(1.0, 8))
    wear = t.noise(30, 2.4) + 0.14 * t.noise(7, 1.8) + t.each(b, -0.45, 0.45)
    cracked = (1 - smooth(0.15, 0.55, b.inset)) * smooth(-0.9, 0.1, wear)
    paint = (1 - smooth(0.52, 0.60, wear)) * (1 - cracked)
    near = smooth(0.15, 0.8, t.blur(1 - paint, 2.0) * 2) * paint
    height = paint * (1.5 + 0.9 * near + 0.06 * t.noise(7, 2))
    height += (1 - paint) * (0.45 * rough + 0.18 * grit)
    rust = gradient(0.45 + 0.17 * rough + 0.10 * grit, "2b140c", "5a2a14", "8a441c", "b5692e")
    coat = gradient(0.5 + 0.12 * t.noise(18, 2) + 0.03 * grit, "274c5e", "3f7186", "76a3ac")
    drip = smooth(0.6, 1.9, t.noise(10, 1.8, 0.35) + 0.4 * wear)
    stained = mix(coat, gradient(0.5 + 0.2 * rough, "5f4530", "9a7048"), 0.8)
    coat = mix(coat, stained, np.maximum(0.6 * near, 0.7 * drip))
    roughness = mix(0.88 + 0.03 * grit, 0.34 + 0.15 * near + 0.20 * drip + 0.02 * rough, paint)
    return Surface(mix(rust, coat, paint), height, roughness)


def rock_face(t: Torus) -> Surface:
    """A weathered cliff: tilted facets, ledges, fissures and lichen."""
    at = t.bent(1.6, 16)
    large = cells(t, 32, 64 / 3, 0.95, 0.5, at=at)
    small = cells(t, 12.8, 8, 0.95, 0.5, at=at)
    rough, grit = t.noise(7, 1.5), t.noise(2, 1.1)
    facet = t.each(large, -0.25, 0.25) * large.u + t.each(large, -0.40, 0.10) * large.v
    chip = t.each(small, -0.30, 0.30) * small.u + t.each(small, -0.45, 0.15) * small.v
    gap = (1 - smooth(0.0, 1.4, large.inset + 0.25 * rough)) * smooth(-0.6, 0.4, t.noise(18, 2))
    height = t.each(large, -1.1, 1.1) + facet + chip + t.each(small, -0.6, 0.6)
    height = 0.62 * t.blur(height, 0.4) + 0.35 * rough + 0.10 * grit - 2.0 * gap
    worn = np.clip((height - t.blur(height, 4)) / 2.5, -1, 1)
    tone = 0.45 + t.each(large, -0.16, 0.16) + t.each(small, -0.10, 0.10) + 0.07 * rough
    tone += 0.06 * grit + 0.22 * worn - 0.2 * gap
    cold = gradient(tone, "2c2e32", "585b61", "888b90", "b8b9b6")
    warm = gradient(tone, "382c22", "735f4a", "a58f74", "cdbfa0")
    color = mix(cold, warm, smooth(-0.2, 1.4, t.noise(22, 1.9) + 0.2 * rough))
    lichen = smooth(1.3, 1.6, t.noise(8, 1.7) + 0.2 * grit + 0.4 * worn)
    color = mix(color, gradient(0.5 + 0.3 * grit, "8f9672", "cfd0b4"), 0.75 * lichen)
    roughness = 0.72 + 0.04 * rough + 0.10 * gap + 0.12 * lichen + t.each(large, -0.06, 0.06)
    return Surface(color, height, roughness)


MATERIALS: dict[str, Callable[[Torus], Surface]] = {
    "RedBricks": red_bricks,
    "StoneBlocks": stone_blocks,
    "CeramicTiles": ceramic_tiles,
    "HexagonTiles": hexagon_tiles,
    "OakHerringbone": oak_herringbone,
    "WeatheredPlanks": weathered_planks,
    "Bark": bark,
    "Cobblestone": cobblestone,
    "Pebbles": pebbles,
    "CrackedMud": cracked_mud,
    "ForestSoil": forest_soil,
    "Grass": grass,
    "WovenFabric": woven_fabric,
    "Leather": leather,
    "PeelingPaint": peeling_paint,
    "RockFace": rock_face,
}
