"""Large photos: straightened from all their pixels, though no more than a part of them is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gan_worker.materials.pictures import read_layout
from gan_worker.materials.reduction import read_part
from gan_worker.photos.straightening import part_of, straighten, straightened_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gan_worker.materials.pixels import Picture
    from gan_worker.materials.reading import MaterialSet
    from gan_worker.preparation import Corner


def straighten_file(
    photo: MaterialSet, corners: Sequence[Corner], most: int
) -> tuple[Picture, int]:
    """The part of a photo between four corners, however large the photo is.

    The photo is read in bands, and what lies around the corners is held with 16 bits a channel.

    Args:
        photo: a set of a base color alone.
        corners: as `Preparation.corners`, four.
        most: pixels that are left; where there are more, each is the mean of a box of them.

    Returns:
        float32, (height, width, 3) in 0..1, and the side of the boxes, pixels.

    Raises:
        PictureError: as `read_part`.
    """
    width, height = read_layout(photo.files["base_color"]).size
    shrink, (across, down) = 1, straightened_size(width, height, corners)
    while (across // shrink) * (down // shrink) > most:
        shrink *= 2
    box, within = part_of(width, height, corners)
    return straighten(read_part(photo, box), within, shrink), shrink
