"""Made-up materials whose relief is exact and whose color says little of it, for an estimator to learn from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from starter_materials import occlusion

SIDE = 384
Field = np.ndarray


def draw_pair(seed: int) -> tuple[Field, Field, Field]:
    """One made-up material.

    Returns:
        Color as sRGB 0..1, (SIDE, SIDE, 3), height in pixels, and ambient occlusion 0..1, both (SIDE, SIDE); all tile.
    """
    random = np.random.default_rng([23, seed])
    shape, cells = SHAPES[seed % len(SHAPES)](random)
    shape = _unit(shape)
    shape /= np.hypot(*_slopes(shape)).mean() + 1e-6
    fine = _noise(random, random.uniform(0.8, 1.8))
    fine /= np.hypot(*_slopes(fine)).mean()
    # Mean slopes of 2 to 25 degrees, of which fine grain has up to as much as the shapes.
    height = (shape + fine * random.uniform(0, 1) ** 2) * 10 ** random.uniform(-1.4, -0.4)
    open_sky = occlusion(height)
    return _color(random, height, shape, cells, open_sky), height, open_sky


def _color(
    random: np.random.Generator, height: Field, shape: Field, cells: Field, open_sky: Field
) -> Field:
    """Colors that follow height, cells, cavities and spots of their own, each with a sign and a strength of its own."""
    tones = random.uniform(0.05, 0.9, (4, 3)) * random.uniform(0.3, 1, (4, 1))
    grey = tones.mean(1, keepdims=True)
    tones = grey + (tones - grey) * random.uniform(0, 1)
    color = np.broadcast_to(tones[0], (*height.shape, 3)).copy()
    layers = (
        1 / (1 + np.exp(-random.choice([-1, 1]) * random.uniform(0.5, 5) * _unit(shape))),
        cells,
        np.clip(_unit(_noise(random, random.uniform(1, 2.5))) * 0.5 + 0.5, 0, 1),
    )
    for layer, tone in zip(layers, tones[1:], strict=True):
        if random.random() < 0.6:
            share = (layer * random.uniform(0.2, 1))[..., None]
            color = color * (1 - share) + tone * share
    if random.random() < 0.5:  # dirt or dust in the cavities
        share = np.clip((1 - open_sky) * random.uniform(0.5, 3), 0, 1)[..., None]
        color = color * (1 - share) + random.uniform(0.02, 0.9) * share
    grain = _noise(random, random.uniform(0, 1.2))[..., None] * random.uniform(0, 0.04)
    return np.clip(color + grain / max(float(grain.std()), 1e-6) * random.uniform(0, 0.04), 0, 1)


def _unit(field: Field) -> Field:
    found: Field = (field - field.mean()) / max(float(field.std()), 1e-6)
    return found


def _slopes(height: Field) -> tuple[Field, Field]:
    return (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / 2, (
        np.roll(height, 1, 0) - np.roll(height, -1, 0)
    ) / 2


def _noise(random: np.random.Generator, fall: float, stretch: float = 1.0) -> Field:
    """Noise whose amplitude falls with frequency to that power, stretched along one axis."""
    spectrum = np.fft.rfft2(random.standard_normal((SIDE, SIDE)))
    rows, columns = np.fft.fftfreq(SIDE)[:, None] * stretch, np.fft.rfftfreq(SIDE)[None]
    away = np.hypot(rows, columns) * SIDE
    found: Field = np.fft.irfft2(spectrum / np.maximum(away, 1.5) ** fall, s=(SIDE, SIDE))
    return found


def _bent(random: np.random.Generator, field: Field, strength: float) -> Field:
    """The field with its places moved by smooth noise, pixels."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    moves = [np.rint(_unit(_noise(random, 2.0)) * strength).astype(int) for _ in range(2)]
    found: Field = field[(rows + moves[0]) % SIDE, (columns + moves[1]) % SIDE]
    return found


def _cells(
    random: np.random.Generator, count: int, stretch: float = 1.0
) -> tuple[Field, Field, Field]:
    """Distances to the nearest and the second of many points on a torus, and the number of the nearest."""
    points = random.uniform(0, SIDE, (count, 2))
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    first = np.full((SIDE, SIDE), 1e9, np.float32)
    second, owner = first.copy(), np.zeros((SIDE, SIDE), int)
    for number, (y, x) in enumerate(points):
        dy = np.abs(rows - y)
        dx = np.abs(columns - x)
        away = np.hypot(np.minimum(dy, SIDE - dy), stretch * np.minimum(dx, SIDE - dx))
        nearer = away < first
        second = np.where(nearer, first, np.minimum(second, away))
        owner[nearer] = number
        first = np.where(nearer, away, first)
    return first, second, owner


def _tones(random: np.random.Generator, owner: Field) -> Field:
    found: Field = random.uniform(0, 1, int(owner.max()) + 1)[owner]
    return found


def stones(random: np.random.Generator) -> tuple[Field, Field]:
    """Cells with joints between them."""
    first, second, owner = _cells(
        random, int(10 ** random.uniform(1.3, 2.3)), random.uniform(0.5, 1)
    )
    joint = random.uniform(2, 9)
    edge = np.clip((second - first) / joint, 0, 1)
    dome = random.uniform(0, 0.06) * (second - first)
    height = edge**0.5 + dome + random.uniform(0, 0.6) * _tones(random, owner) * edge
    return _bent(random, height, random.uniform(0, 4)), _tones(random, owner)


def pebbles(random: np.random.Generator) -> tuple[Field, Field]:
    """Domes, the upper over the lower."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    height, tone = np.full((SIDE, SIDE), -9.0), np.zeros((SIDE, SIDE))
    radius = 10 ** random.uniform(0.7, 1.5)
    for _ in range(int(1.6 * (SIDE / radius) ** 2 / 3)):
        y, x = random.uniform(0, SIDE, 2)
        turn, long = random.uniform(0, np.pi), random.uniform(0.6, 1.6)
        dy = (rows - y + SIDE / 2) % SIDE - SIDE / 2
        dx = (columns - x + SIDE / 2) % SIDE - SIDE / 2
        u = (dx * np.cos(turn) + dy * np.sin(turn)) / long
        v = (dy * np.cos(turn) - dx * np.sin(turn)) * long
        inside = 1 - (u * u + v * v) / (radius * random.uniform(0.6, 1.2)) ** 2
        dome = np.sqrt(np.maximum(inside, 0)) + random.uniform(0, 0.8)
        above = (inside > 0) & (dome > height)
        height[above], tone[above] = dome[above], random.uniform()
    return np.maximum(height, -0.2), tone


def bricks(random: np.random.Generator) -> tuple[Field, Field]:
    """Rows of blocks, each raised and tilted by itself."""
    down, across = random.choice([4, 6, 8, 12, 16]), random.choice([2, 3, 4, 6, 8])
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    if random.random() < 0.5:
        rows, columns = columns, rows
    row = rows * down
    shift = random.choice([0, 0.5, 0.33])
    column = columns * across + shift * (np.floor(row) % 2)
    owner = (np.floor(row) % down * across + np.floor(column) % across).astype(int)
    v, u = row % 1, column % 1
    v, u = (np.minimum(v, 1 - v) * SIDE / down, np.minimum(u, 1 - u) * SIDE / across)
    edge = np.clip((np.minimum(u, v) - random.uniform(0, 3)) / random.uniform(1, 6), 0, 1)
    tilt = random.uniform(-0.2, 0.2, (2, owner.max() + 1))
    height = edge * (1 + random.uniform(0, 0.5) * _tones(random, owner))
    height += edge * (tilt[0][owner] * (row % 1) + tilt[1][owner] * (column % 1))
    if random.random() < 0.3:
        height = -height  # raised joints
    return _bent(random, height, random.uniform(0, 2)), _tones(random, owner)


def fibres(random: np.random.Generator) -> tuple[Field, Field]:
    """Grain along one direction: wood, bark, brushed metal."""
    field = _unit(_noise(random, random.uniform(0.8, 1.8), random.uniform(4, 20)))
    field = -np.abs(field) if random.random() < 0.4 else field
    if random.random() < 0.5:
        field = field.T
    return _bent(random, field, random.uniform(0, 6)), np.clip(
        _unit(_noise(random, 1.5, 8)) / 4 + 0.5, 0, 1
    )


def ridges(random: np.random.Generator) -> tuple[Field, Field]:
    """Waves of one profile: corrugated sheets, cord, ribs."""
    count = random.integers(3, 40)
    phase = np.mgrid[:SIDE, :SIDE][random.integers(2)] / SIDE * count
    wave = np.sin(2 * np.pi * phase)
    profile = (wave, np.abs(wave), np.clip(3 * wave, -1, 1), 2 * (phase % 1) - 1)[
        random.integers(4)
    ]
    return _bent(random, profile, random.uniform(0, 3)), _tones(random, np.floor(phase).astype(int))


def weave(random: np.random.Generator) -> tuple[Field, Field]:
    """Threads over and under each other."""
    count = 2 * random.integers(6, 32)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE * count
    over = np.cos(np.pi * x) * np.cos(np.pi * y)
    up = np.abs(np.sin(np.pi * x)) * (1 + over), np.abs(np.sin(np.pi * y)) * (1 - over)
    return _bent(random, np.maximum(*up), random.uniform(0, 2)), (up[0] > up[1]) * random.uniform(
        0.2, 1
    )


def rock(random: np.random.Generator) -> tuple[Field, Field]:
    """Rough ground without cells, ridged or billowed."""
    field = _unit(_noise(random, random.uniform(1.0, 2.0)))
    field = (field, -np.abs(field), np.abs(field), np.tanh(2 * field))[random.integers(4)]
    return field, np.clip(_unit(_noise(random, 1.5)) / 4 + 0.5, 0, 1)


def cracks(random: np.random.Generator) -> tuple[Field, Field]:
    """Plates that a network of cracks divides, curled up or sunk at their rims."""
    first, second, owner = _cells(random, int(10 ** random.uniform(1, 1.9)))
    gap = second - first
    height = -np.exp(-gap / random.uniform(1, 4)) + random.uniform(-0.5, 0.5) * np.exp(-gap / 15)
    return _bent(random, height, random.uniform(2, 8)), _tones(random, owner)


def scratched(random: np.random.Generator) -> tuple[Field, Field]:
    """Nearly flat, painted in spots that have nothing to do with the relief."""
    spots = _bent(random, _tones(random, _cells(random, 60)[2]), 8)
    return _noise(random, random.uniform(0.3, 1.2)), spots


SHAPES: tuple[Callable[[np.random.Generator], tuple[Field, Field]], ...] = (
    stones,
    pebbles,
    bricks,
    fibres,
    ridges,
    weave,
    rock,
    cracks,
    scratched,
)
