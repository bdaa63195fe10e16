"""Contact sheets: pictures side by side in a grid, each with a label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# Pixels between pictures, height of the letters, and how light the paper and the ink are.
GAP, LETTERS, PAPER, INK = 8, 16, 32, 225


def contact_sheet(pictures: Sequence[Picture], labels: Sequence[str], columns: int) -> Picture:
    """Lay pictures out in a grid, row by row, with a label above each.

    Args:
        pictures: uint8 pictures of one size, (height, width, 3).
        labels: a text for each, cut where it is wider than its picture.
        columns: pictures in a row.

    Returns:
        uint8 of shape (height, width, 3).
    """
    height, width = pictures[0].shape[:2]
    line = LETTERS + GAP
    down, across = line + height + GAP, width + GAP
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * down + GAP, columns * across + GAP, 3), PAPER, np.uint8)
    for number, (picture, text) in enumerate(zip(pictures, labels, strict=True)):
        top, left = GAP + number // columns * down, GAP + number % columns * across
        sheet[top : top + line, left : left + width] = label(text, width, line)
        sheet[top + line : top + line + height, left : left + width] = picture
    return sheet


def label(text: str, width: int, height: int) -> Picture:
    """One line of text, light on dark, uint8 (height, width, 3)."""
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.new("RGB", (width, height), (PAPER,) * 3)
    font = ImageFont.load_default(LETTERS)
    ImageDraw.Draw(canvas).text((0, 0), text, (INK,) * 3, font)
    return np.asarray(canvas)
