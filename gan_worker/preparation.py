"""Preparation: what is done to a photo before anything is learned from it or made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gan_worker.errors import require
from gan_worker.limits import SHARES

Corner = tuple[float, float]
Color = tuple[float, float, float]

# Share of the picture that corners must span at least: less is a slip of the hand, and shows nothing.
LEAST_AREA = 1e-4


@dataclass(frozen=True)
class Preparation:
    """What to do to a photo, in this order; nothing as it comes.

    Attributes:
        corners: of the part to use, four points (x, y) in 0..1 of the picture's width and height, clockwise from the
            upper left one, y downwards. They become the corners of an upright rectangle; empty for all of the picture.
        even_light: how much of the slow changes of brightness is taken out, 0..1.
        white_balance: how much of the cast of the light is taken out, 0..1.
        neutral: a color of the picture, sRGB in 0..1, that is really gray; None lets the picture tell, which errs
            where a material has one color.
    """

    corners: tuple[Corner, ...] = ()
    even_light: float = 0.0
    white_balance: float = 0.0
    neutral: Color | None = None

    @property
    def is_empty(self) -> bool:
        """Whether a picture stays what it is."""
        return not (self.corners or self.even_light or self.white_balance)

    def check(self) -> None:
        """Check all that can be known of it without a picture.

        Raises:
            RequestError: `invalid_config`.
        """
        for name, strength in (
            ("Even light", self.even_light),
            ("White balance", self.white_balance),
        ):
            require(strength in SHARES, f"{name} must be {SHARES}", strength)
        if self.neutral is not None:
            rule = "The color that is really gray must have three parts above 0, and 1 at most"
            require(all(0 < part <= 1 for part in self.neutral), rule, self.neutral)
        if self.corners:
            _check_corners(self.corners)


# What is done where nothing is asked for.
AS_IT_IS = Preparation()


def _check_corners(corners: tuple[Corner, ...]) -> None:
    cure = "Name them clockwise from the upper left one: x1,y1,x2,y2,x3,y3,x4,y4."
    shown = ", ".join(f"({x:g}, {y:g})" for x, y in corners)
    rule = "A part of a picture must have four corners"
    require(len(corners) == 4, rule, f"{len(corners)}: {shown}", cure)
    rule = "Corners must lie in the picture, from 0 to 1 of its width and height"
    inside = all(math.isfinite(n) and 0 <= n <= 1 for corner in corners for n in corner)
    require(inside, rule, shown, cure)
    rule = "Corners must go around clockwise, with no corner pointing inwards"
    turns = [_turn(*(corners[(i + step) % 4] for step in range(3))) for i in range(4)]
    require(all(turn > LEAST_AREA for turn in turns), rule, shown, cure)


def _turn(before: Corner, at: Corner, after: Corner) -> float:
    """Twice the area of a triangle of three corners; above 0 where they go clockwise, with y downwards."""
    return (at[0] - before[0]) * (after[1] - at[1]) - (at[1] - before[1]) * (after[0] - at[0])
