"""Channel packing: maps to the textures of other tools, which channel goes where, and normals that point their way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_worker.materials.maps import FILE_KIND_KEY, FILE_KINDS, MAPS
from gan_worker.materials.maps import SMOOTHNESS as SMOOTHNESS
from gan_worker.materials.pixels import Bits, Picture, as_floats

Maps = Mapping[str, NDArray[np.generic]]

BLACK = ""


@dataclass(frozen=True)
class Texture:
    """One picture that a tool takes.

    Attributes:
        word: how its file's name ends.
        channels: as in `FileKind`; what is not used is black.
        use: what is in it and how to import it, for a person.
        directx: whether green points down, as DirectX has it, for normals.
        only_with: a map without which another texture of the same word is written in its place.
        inputs: what it feeds in the target's document, as that names it; empty where there is no place for it.
        beside: other inputs and the values they must have for it to show.
    """

    word: str
    channels: tuple[str, ...]
    use: str
    directx: bool = False
    only_with: str = ""
    inputs: tuple[str, ...] = ()
    beside: tuple[tuple[str, Any], ...] = ()

    def into(self, *inputs: str, **beside: Any) -> Texture:
        """The same, feeding these; values beside them must be hashable."""
        return replace(self, inputs=inputs, beside=tuple(beside.items()))

    @property
    def maps(self) -> tuple[str, ...]:
        """The maps it is made of."""
        named = {SMOOTHNESS: "roughness"}
        return tuple(named.get(c, c) for c in self.channels if c != BLACK)

    def fits(self, maps: Collection[str]) -> bool:
        """Whether the material has any of its maps, and the one it is only with."""
        return any(name in maps for name in self.maps) and self.only_with in ("", *maps)

    @property
    def metadata(self) -> dict[str, str]:
        """What its file says of what is in it, so that it is read back as it was meant."""
        holds = (self.channels, self.directx)
        kinds = (name for name, k in FILE_KINDS.items() if (k.channels, k.directx) == holds)
        return {FILE_KIND_KEY: next(kinds)}

    @property
    def depth(self) -> int:
        """How many channels its picture has."""
        return sum(MAPS[c].channels if c in MAPS else 1 for c in self.channels)

    def bits(self, chosen: Bits | None) -> Bits:
        """Bits a value: as chosen, or as its maps need."""
        return chosen or (16 if any(MAPS[name].bits == 16 for name in self.maps) else 8)

    def picture(self, maps: Maps) -> Picture:
        """Its pixels, float32 (height, width, channels), 0..1, top row first.

        Args:
            maps: map name → (height, width, channels), floats of 0..1 or whole numbers of 8 or 16 bits; normals are
                OpenGL's.
        """
        size = next(iter(maps.values())).shape[:2]
        parts = [_part(c, maps, size) for c in self.channels]
        picture = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
        if self.directx:
            return np.stack([picture[..., 0], 1 - picture[..., 1], picture[..., 2]], axis=-1)
        return picture


def _part(name: str, maps: Maps, size: tuple[int, ...]) -> Picture:
    if name == SMOOTHNESS:
        return 1 - _part("roughness", maps, size)
    if name in maps:
        return as_floats(maps[name])
    neutral = (0.0,) if name == BLACK else MAPS[name].neutral
    return np.broadcast_to(np.array(neutral, np.float32), (*size, len(neutral)))
