"""Maps to the textures of other tools: which channel goes where, and normals that point their way."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gan_worker.materials.maps import MAPS
from gan_worker.materials.pixels import Bits, Picture, as_floats

Maps = Mapping[str, NDArray[np.generic]]

SMOOTHNESS, BLACK = "smoothness", "black"


@dataclass(frozen=True)
class Texture:
    """One picture that a tool takes.

    Attributes:
        word: how its file's name ends.
        channels: the one map of three channels that it shows; or a map of one channel, `smoothness` (one minus
            roughness) or `black` for each of its channels.
        use: what is in it and how to import it, for a person.
        directx: whether green points down, as DirectX has it, for normals.
        inputs: what it feeds in the target's document, as that names it; empty where there is no place for it.
    """

    word: str
    channels: tuple[str, ...]
    use: str
    directx: bool = False
    inputs: tuple[str, ...] = ()

    def into(self, *inputs: str) -> Texture:
        """The same, feeding these."""
        return replace(self, inputs=inputs)

    @property
    def maps(self) -> tuple[str, ...]:
        """The maps it is made of."""
        named = {SMOOTHNESS: "roughness"}
        return tuple(named.get(c, c) for c in self.channels if c != BLACK)

    def fits(self, maps: Container[str]) -> bool:
        """Whether the material has any of its maps."""
        return any(name in maps for name in self.maps)

    def bits(self, chosen: Bits | None) -> Bits:
        """Bits a value: as chosen, or as its maps need."""
        return chosen or (16 if any(MAPS[name].bits == 16 for name in self.maps) else 8)

    def picture(self, maps: Maps) -> Picture:
        """Its pixels, float32 (height, width, channels), 0..1, top row first.

        Args:
            maps: map name → (height, width, channels), floats of 0..1 or whole numbers of 8 or 16 bits; normals are
                OpenGL's.
        """
        if len(self.channels) > 1:
            size = next(iter(maps.values())).shape[:2]
            return np.stack([_channel(c, maps, size) for c in self.channels], axis=-1)
        picture = as_floats(maps[self.channels[0]])
        if self.directx:
            return np.stack([picture[..., 0], 1 - picture[..., 1], picture[..., 2]], axis=-1)
        return picture


def _channel(name: str, maps: Maps, size: tuple[int, ...]) -> Picture:
    if name == SMOOTHNESS:
        return 1 - _channel("roughness", maps, size)
    if name not in maps:
        return np.full(size, 0.0 if name == BLACK else MAPS[name].neutral[0], np.float32)
    return as_floats(maps[name])[..., 0]
