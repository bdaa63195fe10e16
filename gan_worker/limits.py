"""Limits of the numbers that a person chooses: `check()` of a config asks them, and a slider ends where they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Range(Generic[Number]):
    """What a number may be, both ends included; what is no number lies in none.

    Attributes:
        least: the smallest.
        most: the largest.
    """

    least: Number
    most: Number

    def __contains__(self, number: float) -> bool:
        return self.least <= number <= self.most

    def nearest(self, number: Number) -> Number:
        """The number itself, or the end that it lies beyond."""
        return min(self.most, max(self.least, number))

    def __str__(self) -> str:
        least, most = (f"{n:g}" if isinstance(n, float) else n for n in (self.least, self.most))
        return f"from {least} to {most}"


# What fits into an integer property of Blender; a training counts with as many bits.
SEEDS = Range(0, 2**31 - 1)

# Factor on the size of pictures to train on, and of a picture to repair, which may have the least detail there is.
TRAINING_SCALES = Range(0.01, 8.0)
REPAIR_SCALES = Range(0.01, 64.0)
# What a picture shows from left to right, meters: from a weave under a lens to a hillside.
PICTURE_WIDTHS = Range(0.001, 1000.0)
GPUS = Range(1, 64)
# Doublings between the size of what the generator draws and that of the pictures; also levels of detail left out.
OCTAVES = Range(0, 6)
# Levels of detail in a person's words, by mip: each halves the pixels that a piece of the material has across.
DETAILS = ("full", "half", "quarter", "eighth", "16th", "32nd", "64th")

# Pixels. Latents and five maps of 8 and 16 bits take about 18 bytes each, so the largest picture fits into 3 GiB with
# all else.
SIDES = Range(1, 16384)
MOST_PIXELS = 8192 * 8192

# From the mean style to twice the full variety.
TRUNCATIONS = Range(0.0, 2.0)
# Steps of a direction; beyond them no training ever saw a style.
AMOUNTS = Range(-10.0, 10.0)
SWAYS = Range(0.0, 1.0)

# Of what is made of estimated maps: factors on depth and on other strengths, levels that are added, and shares,
# as of what is done to a photo too.
DEPTHS = Range(0.0, 4.0)
STRENGTHS = Range(0.0, 2.0)
LEVELS = Range(-1.0, 1.0)
SHARES = Range(0.0, 1.0)

# Of the search for what fits into a hole.
SEARCH_STEPS = Range(1, 10_000)
