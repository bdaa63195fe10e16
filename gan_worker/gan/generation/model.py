"""A trained model: from a seed or a latent to the maps of a seamless material."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from gan_worker import __version__
from gan_worker.config import GenerationConfig, Recipe
from gan_worker.gan.data.statistics import Statistics
from gan_worker.gan.data.waves import patterns_from_json
from gan_worker.gan.detail.bank import KeptPictures
from gan_worker.gan.detail.stage import DetailStage
from gan_worker.gan.generation import arrays
from gan_worker.gan.generation.building import (
    STORED,
    check_model_shapes,
    groups_of,
    new_networks,
)
from gan_worker.gan.generation.estimated import (
    DEPTH_CELLS,
    DrawnPictures,
    adjusted_maps,
    draw_and_estimate,
    maps_of_color,
    measured_depth,
    octaves_of_shapes,
)
from gan_worker.gan.generation.latents import Latents, draw_latents
from gan_worker.gan.generation.photo import PhotoModel, photo_shapes
from gan_worker.gan.generation.rendering import Graphs, Request, render
from gan_worker.gan.generation.seams import rolled, seam_ratio
from gan_worker.gan.generation.styles import Styles
from gan_worker.progress import GeneratedMaterial, GenerationProgress, Notice
from gan_worker.runs import run

if TYPE_CHECKING:
    from gan_worker.estimation import Estimation
    from gan_worker.gan.networks.architectures import AnyGenerator
    from gan_worker.runs.checkpoints import Arrays, Shapes

# Among a model's tensors those of its real pictures start with this.
BANK = "bank/"

# Take GPU memory as it is needed: Blender renders on the same card.
for _gpu in tf.config.list_physical_devices("GPU"):
    tf.config.experimental.set_memory_growth(_gpu, True)


def device_name() -> str:
    """What TensorFlow computes on: `CPU` or `GPU <name>`."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    details = tf.config.experimental.get_device_details(gpus[0])
    return f"GPU {details.get('device_name', '')}".strip()


def computed_on() -> str:
    """What the last bits of a training depend on beside its seed: the device, and the versions of the programs."""
    return f"{device_name()}, TensorFlow {tf.__version__}, Tilewright {__version__}"


class Model:
    """A generator with all it needs to make materials.

    Args:
        info: what stands in `model.json`.
        generator: the network, with its weights.
        named: training material → its style w, (w_dim,), for each name in `info.styles`.
        detail: what draws the octaves above the generator's own pictures; None where there are none.
        runs: folder of the runs among which estimators are.
    """

    def __init__(
        self,
        info: run.ModelInfo,
        generator: AnyGenerator,
        named: Mapping[str, np.ndarray] | None = None,
        detail: DetailStage | None = None,
        runs: Path = run.BUNDLED,
    ):
        self.info = info
        self.generator = generator
        self.detail = detail
        self.styles = Styles(generator, named or {})
        self.statistics = Statistics.from_json(info.statistics)
        self.network = generator.network
        self.patterns = patterns_from_json(info.network)
        self.graphs = Graphs(generator, self.statistics, detail)
        self._named, self._runs = named or {}, runs
        self._drawn = DrawnPictures()
        # How deep its relief is with all detail, pixels, by estimator.
        self._depths: dict[str, float] = {}

    def tensors(self) -> Arrays:
        """All that the file of a model holds: the weights, and the styles of the training materials."""
        upsampler = self.detail.upsampler if self.detail else None
        found: Arrays = arrays.to_arrays(groups_of(self.generator, upsampler))
        if self.detail:
            found |= self.detail.kept.to_arrays()
        return {**found, **{STORED + name: w for name, w in self._named.items()}}

    def generate(
        self,
        config: GenerationConfig,
        bits: Mapping[str, int] | None = None,
        report: Callable[[GenerationProgress | Notice], None] = lambda news: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> GeneratedMaterial:
        """Make the maps of one material, large ones in pieces.

        The same config gives the same maps, whatever was made before or beside it, and however it was divided.

        Args:
            config: what to make.
            bits: map name → bits of its whole numbers, 8 or 16; None for float32 in 0..1.
            report: is told after each piece, and where pieces had to be made smaller.
            should_stop: is asked before each piece.

        Raises:
            RequestError: `invalid_size`, `invalid_latent`, `invalid_config`.
            WorkerError: `out_of_memory`.
            Cancelled: `should_stop` said so.
        """
        config.check()
        config.check_for(self.info)
        if config.estimation:
            return self._with_estimates(config, config.estimation, bits or {}, report, should_stop)
        names = tuple(config.maps) or self.info.maps
        request = self._request(config, names, bits or {})
        done = render(self.graphs, request, report, should_stop)
        steps, origin = done.canvas.steps(), done.origin
        shown = {name: done.canvas.take(name, origin) for name in names}
        measured = names if self.network.seamless else ()
        ratios = {name: seam_ratio(rolled(steps[name], origin)) for name in measured}
        return GeneratedMaterial(shown, self._recipe(config, origin), ratios, done.seconds)

    def _with_estimates(
        self,
        config: GenerationConfig,
        chosen: Estimation,
        bits: Mapping[str, int],
        report: Callable[[GenerationProgress | Notice], None],
        should_stop: Callable[[], bool],
    ) -> GeneratedMaterial:
        """`generate` with maps that are estimated from the base color."""
        estimated = chosen.maps(self.info.maps)
        names = config.maps or (*self.info.maps, *estimated)
        own = [name for name in self.info.maps if name in names or name == "base_color"]
        weights = run.find_weights(self._runs, chosen.estimator)
        drawn = self._drawn.find(config, bits, own, weights.hash)
        if drawn is None:
            drawn = draw_and_estimate(
                lambda tell: render(
                    self.graphs, self._request(config, tuple(own), bits), tell, should_stop
                ),
                octaves_of_shapes(self.info.octaves, config.mip),
                self.network.seamless,
                (config.height, config.width),
                weights,
                report,
                should_stop,
            )
            # A model in training, which has no hash yet, draws another picture after the next step.
            if self.info.hash:
                self._drawn.keep(config, bits, drawn)
        if "height" in names and "height" in estimated:
            found = replace(drawn.found, depth=self._depth(config.mip, weights))
            drawn = replace(drawn, found=found)
        maps, steps = adjusted_maps(drawn, chosen, names, bits)
        measured = names if self.network.seamless else ()
        ratios = {name: seam_ratio(steps[name]) for name in measured}
        recipe = replace(
            self._recipe(config, drawn.origin),
            estimated=drawn.found.expected(estimated),
            estimator=drawn.estimator,
        )
        return GeneratedMaterial(maps, recipe, ratios, drawn.seconds)

    def estimate(
        self,
        color: np.ndarray,
        closed: bool,
        chosen: Estimation,
        names: Sequence[str],
        mip: int,
        should_stop: Callable[[], bool],
    ) -> dict[str, np.ndarray]:
        """Estimate maps of a picture of its own, as those are estimated of what it generates.

        Args:
            color: sRGB, (height, width, 3), 0..1.
            closed: whether its sides meet.
            chosen: what is made of its estimates.
            names: of the maps.
            mip: its level of detail.
            should_stop: is asked before each piece.

        Returns:
            Map name → (height, width, channels), 0..1.

        Raises:
            RequestError: `unknown_estimator`.
            Cancelled: `should_stop` said so.
        """
        weights = run.find_weights(self._runs, chosen.estimator)
        octaves = octaves_of_shapes(self.info.octaves, mip)
        depth = self._depth(mip, weights) if "height" in names else None
        return maps_of_color(color, closed, octaves, depth, chosen, names, weights, should_stop)

    def _depth(self, mip: int, weights: run.Weights) -> float | None:
        """How deep its relief is at a level of detail, pixels; None of a model in training, which is soon another."""
        if not self.info.hash:
            return None
        if weights.hash not in self._depths:
            self._depths[weights.hash] = self._measure_depth(weights)
        return self._depths[weights.hash] / 2**mip

    def _measure_depth(self, weights: run.Weights) -> float:
        """With all detail; it is measured on what the generator draws alone."""
        octaves = self.info.octaves
        side = DEPTH_CELLS * self.info.stride >> octaves

        def draw(seed: int) -> np.ndarray:
            config = GenerationConfig(
                self.info.name, seed, side, side, ("base_color",), mip=octaves, origin=(0, 0)
            )
            return self.generate(config).maps["base_color"]

        return measured_depth(draw, self.network.seamless, weights) * 2**octaves

    def _request(
        self, config: GenerationConfig, names: tuple[str, ...], bits: Mapping[str, int]
    ) -> Request:
        octaves = self.info.octaves - config.mip
        return Request(
            config,
            names,
            bits,
            self.info.maps,
            self.latents(config),
            self.styles.style(config, *self.cells(config)),
            self._kin(config),
            octaves,
            self._request(config.still, names, bits) if config.steady and octaves else None,
        )

    def _recipe(self, config: GenerationConfig, origin: tuple[int, int]) -> Recipe:
        made = replace(config, model=self.info.name, origin=origin)
        return Recipe.of_now(made, self.info.hash, self.info.credits)

    def cells(self, config: GenerationConfig) -> tuple[int, int]:
        """Rows and columns of the latent grid of a request."""
        stride = self.info.stride >> config.mip
        return config.height // stride, config.width // stride

    def latents(self, config: GenerationConfig) -> Latents:
        """All that is drawn for a request but the noise of the octaves of detail."""
        drawn = draw_latents(
            config.seed,
            *self.cells(config),
            self.network,
            self.patterns,
            config.z,
            self._pattern_shares(config),
            config.sway,
        )
        if not self.network.has_styles:
            # Without a style there is nothing else that could be drawn to the mean.
            return replace(drawn, local=np.float32(config.truncation_psi) * drawn.local)
        return drawn

    def seed_pattern(self, seed: int) -> np.ndarray | None:
        """How much a seed's style has of each material's pattern, (materials,); None where there is one at most."""
        if not self._has_a_choice_of_patterns():
            return None
        return self.styles.kinship(GenerationConfig(self.info.name, seed), 1, 1)

    def _pattern_shares(self, config: GenerationConfig) -> np.ndarray | None:
        """How much of each material's pattern there is, or None where there is nothing to choose."""
        if not self._has_a_choice_of_patterns():
            return None
        return self.styles.kinship(config, *self.cells(config))

    def _kin(self, config: GenerationConfig) -> np.ndarray:
        """Share of each training material there is, as the detail of the most alike is moved."""
        if self.detail is None or len(self._named) < 2:
            return np.ones(1, np.float32)
        return self.styles.kinship(config, *self.cells(config))

    def _has_a_choice_of_patterns(self) -> bool:
        return len(self.patterns) > 1 and any(pattern.is_any for pattern in self.patterns)


def load_model(folder: Path, runs: Path | None = None) -> Any:
    """Read a model's folder.

    Args:
        folder: of the model.
        runs: folder of the runs among which estimators are; None for that which the model's lies in.

    Returns:
        A `Model`, or a `PhotoModel` for a photo that is its own.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    info, tensors = run.load_model_files(folder, _check_shapes)
    runs = folder.parent if runs is None else runs
    if info.tile:
        return PhotoModel(info, tensors, partial(run.find_weights, runs))
    generator, upsampler = new_networks(info)
    named = {name: tensors.pop(STORED + name) for name in info.styles}
    detail = None
    if upsampler:
        bank = {name: tensors.pop(name) for name in list(tensors) if name.startswith(BANK)}
        detail = DetailStage(upsampler, KeptPictures.from_arrays(bank, info.octaves))
    arrays.assign_arrays(groups_of(generator, upsampler), tensors)
    return Model(info, generator, named, detail, runs)


def _check_shapes(info: run.ModelInfo, stored: Shapes) -> None:
    if info.tile:
        arrays.check_shapes(photo_shapes(info), stored)
    else:
        check_model_shapes(info, stored)
