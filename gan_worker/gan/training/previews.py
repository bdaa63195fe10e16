"""Previews: the same latents getting better, and what is seen in them: a collapse, a plateau, copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gan_worker.config import GenerationConfig, Network
from gan_worker.gan.metrics.plateau import PlateauDetector
from gan_worker.gan.training.collapse import CollapseDetector, DetailCollapseDetector
from gan_worker.gan.training.copies import CopyDetector
from gan_worker.materials.pictures import quantise

if TYPE_CHECKING:
    from gan_worker.gan.generation.model import Model

# Seeds whose pictures stand side by side in every preview; the first one's native crop stands to the right.
SEEDS = (1, 2)


class Previews:
    """Makes the previews of one training and looks at them.

    Args:
        network: sizes.
        cells: side of a picture on the latent grid.
        real: one map of the real materials, (height, width, channels), 0..1, at the size that the generator learns.
        natives: the same at their own size; none where there is no stage of detail.
        turned: whether they are learned turned and mirrored too.
        copied: what was measured before a resume.
        alive: whether there was a good preview before it.

    Attributes:
        collapse: has seen every preview.
        copies: has seen some, native ones where there are any; None where nothing can be said of copies.
        plateau: has seen all that show everything the model will have.
    """

    def __init__(
        self,
        network: Network,
        cells: int,
        real: Sequence[np.ndarray],
        natives: Sequence[np.ndarray],
        turned: bool,
        copied: float | None,
        alive: bool,
    ):
        self._cells, self._side = cells, cells * network.stride
        self.collapse = CollapseDetector(real, self._side, network.stride, network.seamless, alive)
        self._detail = DetailCollapseDetector(natives, self._side) if natives else None
        # Separate small pictures are blank for the most part, and all blank pieces are alike.
        found = CopyDetector(natives or real, turned, copied)
        self.copies = found if network.seamless else None
        self.plateau = PlateauDetector()

    @property
    def copied(self) -> float | None:
        """Share of what was last looked at that is copied, 0..1; None where that is not known."""
        return self.copies.copied if self.copies else None

    @property
    def calm(self) -> bool:
        """Whether there is no reason to worry."""
        return self.collapse.calm and (self._detail is None or self._detail.calm)

    def forget(self) -> None:
        """Start anew after the training went back."""
        self.collapse.forget()
        self.plateau.forget()
        if self._detail:
            self._detail.forget()

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
            uint8 of shape (height, width, 3): two small pictures and, once there is a stage of detail that has
            learned, a native one of the same size; and what the detectors say of them.

        Raises:
            TrainingError: as `CollapseDetector.look` and `DetailCollapseDetector.look`.
        """
        octaves = model.info.octaves
        pictures = [self._picture(model, seed, self._cells, octaves) for seed in SEEDS]
        figures = self.collapse.look(pictures, step, last)
        natives: list[np.ndarray] = []
        if self._detail and model.detail and (last or model.detail.has_learned):
            natives = [self._picture(model, SEEDS[0], -(-self._cells >> octaves), 0)]
            figures |= self._detail.look(natives[0], step, last)
        if natives or not self._detail:
            self.plateau.look(seconds, figures)
        if self.copies and (natives or not self._detail):
            figures |= self.copies.look(natives or pictures, seconds, last)
        side = self._side
        shown = [np.broadcast_to(p[:side, :side], (side, side, 3)) for p in (*pictures, *natives)]
        return quantise(np.concatenate(shown, axis=1), 8), figures

    def _picture(self, model: Model, seed: int, cells: int, mip: int) -> np.ndarray:
        """The first map of a square of so many cells at a level of detail, 0..1."""
        side = cells * model.info.stride >> mip
        # A fixed origin: what is seen stays in the same place.
        maps = model.info.maps[:1]
        config = GenerationConfig(model.info.name, seed, side, side, maps, mip=mip, origin=(0, 0))
        return model.generate(config).maps[maps[0]]
