"""Preparing: all that a `Preparation` says, done to one photo."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gan_worker.photos.light import balance_pieces, even_out_pieces
from gan_worker.photos.pieces import Pieces, finished
from gan_worker.photos.problems import PhotoProblem as PhotoProblem
from gan_worker.photos.problems import find_problems as find_problems
from gan_worker.photos.straightening import straighten_part as straighten_part
from gan_worker.photos.straightening import straighten_pieces, straightened_size

if TYPE_CHECKING:
    from gan_worker.materials.pixels import Picture
    from gan_worker.preparation import Preparation


def prepare(picture: Picture, preparation: Preparation) -> Picture:
    """Do it: straightened first, then lit evenly, then balanced.

    Args:
        picture: (height, width, channels), sRGB in 0..1, top row first.
        preparation: what to do; an empty one gives the very same picture back.

    Returns:
        float32, (height, width, channels) in 0..1 of `prepared_size`.

    Raises:
        RequestError: `invalid_config`, as `Preparation.check`.
    """
    return finished(prepare_pieces(picture, preparation))


def prepare_pieces(picture: Picture, preparation: Preparation) -> Pieces[Picture]:
    """As `prepare`, some milliseconds at a time: for who has a window to keep alive."""
    preparation.check()
    if preparation.corners:
        picture = yield from straighten_pieces(picture, preparation.corners)
    if preparation.even_light:
        picture = yield from even_out_pieces(picture, preparation.even_light)
    if preparation.white_balance:
        picture = yield from balance_pieces(picture, preparation.white_balance, preparation.neutral)
    return picture


def prepare_and_inspect(
    picture: Picture, preparation: Preparation
) -> tuple[Picture, tuple[PhotoProblem, ...]]:
    """The same, and what is wrong with the part that is used; before its light is changed, which would hide some."""
    straight = prepare(picture, replace(preparation, even_light=0.0, white_balance=0.0))
    problems = find_problems(straight)
    return prepare(straight, replace(preparation, corners=())), problems


def prepared_size(width: int, height: int, preparation: Preparation) -> tuple[int, int]:
    """Width and height in pixels that a photo of this size has afterwards."""
    if not preparation.corners:
        return width, height
    return straightened_size(width, height, preparation.corners)
