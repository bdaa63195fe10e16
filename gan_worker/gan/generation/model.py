"""A trained model: from a seed or a latent to the maps of a seamless material."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from gan_worker import __version__
from gan_worker.config import GenerationConfig, Recipe
from gan_worker.errors import Cancelled, StorageError
from gan_worker.gan.data.statistics import Statistics
from gan_worker.gan.data.waves import patterns_from_json, waves_of_levels
from gan_worker.gan.generation import arrays
from gan_worker.gan.generation.latents import Latents, draw_latents
from gan_worker.gan.generation.seams import calm_origin, rolled, seam_ratio
from gan_worker.gan.generation.styles import Styles
from gan_worker.gan.generation.tiles import (
    LONGEST,
    Canvas,
    Samples,
    Tile,
    as_stored,
    cut_latents,
    sample_lines,
    split,
)
from gan_worker.gan.networks.architectures import AnyGenerator, network_from_json, new_generator
from gan_worker.gan.networks.layers import PaintedStyle
from gan_worker.progress import GeneratedMaterial, GenerationProgress
from gan_worker.runs import run
from gan_worker.runs.checkpoints import Arrays, damaged

# Latents and five maps of 8 and 16 bits take about 18 bytes a pixel, so the largest fits into 3 GiB with all else.
LARGEST = 8192 * 8192

# Among a model's tensors the weights are named after this, and each stored style starts with that.
WEIGHTS, STORED = "generator", "styles/"

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


class Model:
    """A generator with all it needs to make materials.

    Args:
        info: what stands in `model.json`.
        generator: the network, with its weights.
        named: training material → its style w, (w_dim,), for each name in `info.styles`.
    """

    def __init__(
        self,
        info: run.ModelInfo,
        generator: AnyGenerator,
        named: Mapping[str, np.ndarray] | None = None,
    ):
        self.info = info
        self.generator = generator
        self.styles = Styles(generator, named or {})
        self.statistics = Statistics.from_json(info.statistics)
        self.network = network_from_json(info.network)
        self.patterns = patterns_from_json(info.network)
        # Nothing in them depends on a tensor; without autograph the first picture comes half a second earlier, and
        # no generated sources stay in the temporary folder.
        self._synthesis = tf.function(generator.synthesis, autograph=False, reduce_retracing=True)
        # Of its own, because one graph cannot take styles of either kind.
        self._painted_synthesis = tf.function(
            generator.synthesis, autograph=False, reduce_retracing=True
        )
        self._finish = tf.function(self._finish_in_graph, autograph=False, reduce_retracing=True)
        self._named = named or {}

    def tensors(self) -> Arrays:
        """All that the file of a model holds: the weights, and the styles of the training materials."""
        weights = arrays.to_arrays({WEIGHTS: self.generator.variables})
        return {**weights, **{STORED + name: w for name, w in self._named.items()}}

    def generate(
        self,
        config: GenerationConfig,
        bits: Mapping[str, int] | None = None,
        report: Callable[[GenerationProgress], None] = lambda progress: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> GeneratedMaterial:
        """Make the maps of one material, large ones in pieces.

        The same config gives the same maps, whatever was made before or beside it, and however it was divided.

        Args:
            config: what to make.
            bits: map name → bits of its whole numbers, 8 or 16; None for float32 in 0..1.
            report: is told after each piece.
            should_stop: is asked before each piece.

        Raises:
            RequestError: `invalid_size`, `invalid_latent`, `invalid_config`.
            Cancelled: `should_stop` said so.
        """
        config.check()
        config.check_for(self.info)
        names = tuple(config.maps) or self.info.maps
        canvas, forward_seconds = self._paint(config, names, bits or {}, report, should_stop)
        steps = canvas.steps()
        # Where pictures lie side by side on a sheet, each stays whole, and a border that closes means nothing.
        sheet = not self.network.seamless
        # The border is chosen on all maps the model has, so that asking for fewer maps does not move it.
        painted = (0, 0) if config.has_map or sheet else None
        origin = config.origin or painted or calm_origin(list(steps.values()))
        shown = {name: canvas.take(name, origin) for name in names}
        ratios = {n: seam_ratio(rolled(steps[n], origin)) for n in (() if sheet else names)}
        return GeneratedMaterial(shown, self._recipe(config, origin), ratios, forward_seconds)

    def _recipe(self, config: GenerationConfig, origin: tuple[int, int]) -> Recipe:
        made = replace(config, model=self.info.name, origin=origin)
        return Recipe(made, self.info.hash, __version__, self.info.credits)

    def _paint(
        self,
        config: GenerationConfig,
        names: tuple[str, ...],
        bits: Mapping[str, int],
        report: Callable[[GenerationProgress], None],
        should_stop: Callable[[], bool],
    ) -> tuple[Canvas, float]:
        """All pieces of a picture, and the seconds that the network took for them."""
        kept = {name: bits.get(name) for name in names}
        canvas = Canvas(config.height, config.width, kept, self.info.maps)
        every, forward_seconds = tf.constant(canvas.every), 0.0
        latents = self.latents(config)
        rows, columns = latents.local.shape[1:3]
        w = self.styles.style(config, rows, columns)
        stride = self.network.stride
        tiles = split(rows, columns, LONGEST // stride)
        for number, tile in enumerate(tiles):
            if should_stop():
                raise Cancelled
            started = time.perf_counter()
            channels = self._forward(w, latents, tile)
            forward_seconds += time.perf_counter() - started
            corner = tile.rows.start * stride, tile.columns.start * stride
            size = tile.rows.length * stride, tile.columns.length * stride
            finished = self._finish(
                channels, tf.constant((corner, size)), every, tuple(kept.items())
            )
            canvas.put(*corner, *finished)
            report(GenerationProgress(number + 1, len(tiles)))
        return canvas, forward_seconds

    def latents(self, config: GenerationConfig) -> Latents:
        stride = self.network.stride
        drawn = draw_latents(
            config.seed,
            config.height // stride,
            config.width // stride,
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
        rows, columns = config.height // self.network.stride, config.width // self.network.stride
        return self.styles.kinship(config, rows, columns)

    def _has_a_choice_of_patterns(self) -> bool:
        return len(self.patterns) > 1 and any(pattern.is_any for pattern in self.patterns)

    def _forward(self, w: tf.Tensor | PaintedStyle, latents: Latents, tile: Tile) -> tf.Tensor:
        """Standardised channels of a piece and of what is left of its halo, (height, width, channels)."""
        synthesis, reach = self._synthesis, self.generator.halos
        if isinstance(w, PaintedStyle):
            shares = tf.constant(tile.cut(w.shares.numpy(), 1, reach[0]))
            synthesis, w = self._painted_synthesis, w._replace(shares=shares)
        cut = cut_latents(latents, tile, reach)
        return synthesis(w, tf.constant(cut.local), [tf.constant(n) for n in cut.noise])[0]

    def _finish_in_graph(
        self,
        channels: tf.Tensor,
        place: tf.Tensor,
        every: tf.Tensor,
        kept: tuple[tuple[str, int | None], ...],
    ) -> tuple[dict[str, tf.Tensor], dict[str, Samples]]:
        """Maps of a piece as they are kept, and its lines on which steps are measured.

        Args:
            channels: as `_forward` gives them.
            place: ((top, left), (height, width)) of the piece in the picture, pixels.
            every: of the canvas.
            kept: names of maps and their bits.
        """
        (top, left), (height, width) = tf.unstack(place[0]), tf.unstack(place[1])
        halo = (tf.shape(channels)[:2] - place[1]) // 2
        maps = self.statistics.restore(
            channels[halo[0] : halo[0] + height, halo[1] : halo[1] + width]
        )
        lines = {name: sample_lines(picture, top, left, every) for name, picture in maps.items()}
        return {name: as_stored(maps[name], bits) for name, bits in kept}, lines


def load_model(folder: Path) -> Model:
    """Read a model's folder.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    info, tensors = run.load_model_files(folder)
    try:
        statistics = Statistics.from_json(info.statistics)
        network = network_from_json(info.network)
        waves = waves_of_levels(patterns_from_json(info.network), network)
        generator = new_generator(network, statistics.channels, waves)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise damaged(f"model.json of {info.name!r} describes no network ({error!r})") from error
    named = _take_named(info, generator.network.w_dim, tensors)
    arrays.assign_arrays({WEIGHTS: generator.variables}, tensors)
    return Model(info, generator, named)


def _take_named(info: run.ModelInfo, w_dim: int, tensors: Arrays) -> Arrays:
    """Take the stored styles out of the tensors; what is left belongs to the network."""
    named = {name: tensors.pop(STORED + name, np.empty(0)) for name in info.styles}
    wrong = [name for name, w in named.items() if w.shape != (w_dim,)]
    if wrong:
        raise StorageError(
            "model_format",
            f"The style of a training material must be stored with {w_dim} numbers; that of "
            f"{wrong[0]!r} is not.",
            "Train the model again.",
        )
    return named
