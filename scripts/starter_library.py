"""The starter model that knows many materials by name: which they are, and how they are laid out to be learned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from weights_sources import describe_sets

from gan_worker.config import MATERIAL_PRESETS
from gan_worker.gan.data.dataset import read_pictures
from gan_worker.gan.detail.bank import PICTURE
from gan_worker.gan.generation.building import STORED, WEIGHTS
from gan_worker.materials.pictures import quantise, write_picture

if TYPE_CHECKING:
    from gan_worker.runs.checkpoints import Arrays
    from gan_worker.runs.run import ModelInfo


@dataclass(frozen=True)
class Library:
    """One model of many materials.

    Attributes:
        name: of the model.
        minutes: of its training, of two processor cores.
        octaves: of detail.
        side: pixels of each material's real picture that the model keeps, from side to side.
        materials: name that an artist reads → folder of the set.
        left_out: names of those that it has learned too badly to be offered.
        folders: of folders of sets, with tables of their licenses as `describe_sets` reads them.
    """

    name: str
    minutes: float
    octaves: int
    side: int
    materials: Mapping[str, str]
    left_out: Sequence[str]
    folders: Sequence[Path]

    # Its materials differ in size.
    meters = 0.0

    @property
    def options(self) -> tuple[str, ...]:
        """What a training that begins is told besides; whose the pictures are, files beside them tell."""
        return "--scale", "1", "--octaves", str(self.octaves)

    def lay_out(self, into: Path) -> list[Path]:
        """Write each set into a folder of the name that an artist reads, with a file that tells whose all of it is.

        All materials of a training have one scale, and these show from a hand's breadth to a wall: each is made so
        large that its own shapes fit. A model of several materials has the maps that all of them have: what is no
        metal is given a map that says so.

        Args:
            into: is made anew.

        Raises:
            ValueError: a set is in none of the folders, or has no license.
        """
        shutil.rmtree(into, ignore_errors=True)
        for (name, told), kept in zip(self._told().items(), self.materials.values(), strict=True):
            source = next(folder / kept for folder in self.folders if (folder / kept).is_dir())
            crop = MATERIAL_PRESETS["tiny"].crop
            read = read_pictures([str(source)], crop, None, octaves=self.octaves)
            (given,) = read.natives or read.materials
            height, width, _ = given["base_color"].shape
            maps = {"metallic": np.zeros((height, width, 1), np.float32), **given}
            (into / name).mkdir(parents=True)
            for map_, picture in maps.items():
                file = into / name / f"{map_}.png"
                if map_ == "height":
                    write_picture(file, quantise(picture, 16), 16)
                else:
                    write_picture(file, quantise(picture, 8))
            (into / name / "REUSE.toml").write_text(_reuse(*told), "utf-8")
        return [into / name for name in self.materials]

    def offered(self, info: ModelInfo, tensors: Arrays) -> tuple[ModelInfo, Arrays]:
        """A trained model and all its arrays without the materials that are left out."""
        kept = [i for i, name in enumerate(info.styles) if name not in self.left_out]
        found = {name: x for name, x in tensors.items() if not name.startswith((STORED, PICTURE))}
        for place, index in enumerate(kept):
            found[f"{PICTURE}{place:03d}"] = tensors[f"{PICTURE}{index:03d}"]
            found[STORED + info.styles[index]] = tensors[STORED + info.styles[index]]
        # Of the generator, the last three are those of its tone: a row for each material.
        for name in sorted(name for name in tensors if name.startswith(f"{WEIGHTS}/"))[-3:]:
            found[name] = tensors[name][kept]
        patterns = [info.network["patterns"][index] for index in kept]
        styles = tuple(info.styles[index] for index in kept)
        return replace(info, styles=styles, network={**info.network, "patterns": patterns}), found

    @property
    def license_text(self) -> str:
        """What lies beside the model."""
        lines = [
            f"{name}: {self.materials[name]} by {author}, {source}"
            for name, (author, _, source) in self._told().items()
        ]
        return (
            "This model was trained on these materials, and may hold pieces of them.\n\n"
            + "\n".join(lines)
            + "\n\nThe materials and this model are dedicated to the public domain: CC0 1.0,\n"
            "https://creativecommons.org/publicdomain/zero/1.0/\n"
        )

    def _told(self) -> dict[str, tuple[str, str, str]]:
        """Author, license and source of each material by its name."""
        found = {p.file: p for p in describe_sets(self.folders, [*self.materials.values()])}
        pictures = {name: found[kept] for name, kept in self.materials.items()}
        return {name: (p.author, p.license, p.source) for name, p in pictures.items()}


def _reuse(author: str, license: str, source: str) -> str:
    """A REUSE.toml that says the same of all files beside it."""
    return (
        f"version = 1\nSPDX-PackageDownloadLocation = {json.dumps(source)}\n\n"
        f'[[annotations]]\npath = "**"\nSPDX-FileCopyrightText = {json.dumps(author)}\n'
        f"SPDX-License-Identifier = {json.dumps(license)}\n"
    )
