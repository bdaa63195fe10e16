"""Previews: the same latents getting better, and what is seen in them: a collapse, or copies of real pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gan_worker.config import GenerationConfig, Network
from gan_worker.gan.training.collapse import CollapseDetector
from gan_worker.gan.training.copies import CopyDetector
from gan_worker.materials.pictures import quantise

if TYPE_CHECKING:
    from gan_worker.gan.generation.model import Model

# Seeds whose pictures stand side by side in every preview.
SEEDS = (1, 2)


class Previews:
    """Makes the previews of one training and looks at them.

    Args:
        network: sizes.
        cells: side of a picture on the latent grid.
        real: one map of the real materials, (height, width, channels), 0..1, at training scale.
        turned: whether they are learned turned and mirrored too.
        copied: what was measured before a resume.

    Attributes:
        collapse: has seen every preview.
        copies: has seen some; None where nothing can be said of copies.
    """

    def __init__(
        self,
        network: Network,
        cells: int,
        real: Sequence[np.ndarray],
        turned: bool,
        copied: float | None,
    ):
        self._side = cells * network.stride
        self.collapse = CollapseDetector(real, self._side, network.stride, lively=network.seamless)
        # Separate small pictures are blank for the most part, and all blank pieces are alike.
        self.copies = CopyDetector(real, turned, copied) if network.seamless else None

    @property
    def copied(self) -> float | None:
        """Share of what was last looked at that is copied, 0..1; None where that is not known."""
        return self.copies.copied if self.copies else None

    def make(
        self, model: Model, step: int, seconds: float, last: bool = False
    ) -> tuple[np.ndarray, dict[str, float]]:
        """A preview of a model's first map.

        Args:
            model: with its weights of now.
            step: that the training has reached.
            seconds: of training so far.
            last: there will be no other.

        Returns:
            uint8 of shape (height, width, 3), and what `CollapseDetector.look` and `CopyDetector.look` say of it.

        Raises:
            TrainingError: as `CollapseDetector.look`.
        """
        pictures: list[np.ndarray] = []
        for seed in SEEDS:
            # A fixed origin: what is seen stays in the same place.
            config = GenerationConfig(
                model.info.name,
                seed,
                self._side,
                self._side,
                maps=model.info.maps[:1],
                mip=model.info.octaves,
                origin=(0, 0),
            )
            pictures += model.generate(config).maps.values()
        figures = self.collapse.look(pictures, step, last)
        if self.copies:
            figures |= self.copies.look(pictures, seconds, last)
        shown = [np.broadcast_to(picture, (self._side, self._side, 3)) for picture in pictures]
        return quantise(np.concatenate(shown, axis=1), 8), figures
