"""Pictures that panels draw as icons, by name."""

from __future__ import annotations

import bpy.utils.previews
import numpy as np

_SWATCH = 32  # side of an icon on a button, pixels


class PanelPictures:
    """One collection of pictures, there between `open` and `close`.

    Attributes:
        collection: Blender's own; None while closed.
    """

    def __init__(self) -> None:
        self.collection: bpy.utils.previews.ImagePreviewCollection | None = None

    def open(self) -> None:
        self.collection = bpy.utils.previews.new()

    def close(self) -> None:
        if self.collection is not None:
            bpy.utils.previews.remove(self.collection)
        self.collection = None

    def show(self, name: str, pixels: np.ndarray) -> None:
        """Put a picture up, or another in its place.

        Args:
            name: what `icon` is asked for.
            pixels: uint8, shape (height, width, 3), top row first.
        """
        if self.collection is None:
            return
        height, width = pixels.shape[:2]
        rgba = np.ones((height, width, 4), np.float32)
        rgba[..., :3] = pixels[::-1] * np.float32(1 / 255)
        picture = self.collection.get(name) or self.collection.new(name)
        picture.image_size = (width, height)
        picture.image_pixels_float.foreach_set(rgba.reshape(-1))

    def show_swatch(self, name: str, color: tuple[float, float, float]) -> None:
        """Put up a plain color, also small enough to stand on a button.

        Args:
            name: what `icon` is asked for.
            color: red, green and blue, 0..1.
        """
        self.show(name, np.full((_SWATCH, _SWATCH, 3), np.array(color) * 255, np.uint8))
        if self.collection is not None:
            picture = self.collection[name]
            picture.icon_size = (_SWATCH, _SWATCH)
            picture.icon_pixels_float.foreach_set(
                np.tile(np.array((*color, 1.0), np.float32), _SWATCH**2)
            )

    def is_there(self, name: str) -> bool:
        """Whether there is a picture of that name."""
        return self.collection is not None and name in self.collection

    def icon(self, name: str) -> int:
        """Number of the icon to draw; 0, which draws nothing, where there is no picture, and in background mode."""
        there = self.collection
        return there[name].icon_id if there is not None and name in there else 0

    def clear(self) -> None:
        """Forget all pictures."""
        if self.collection is not None:
            self.collection.clear()
