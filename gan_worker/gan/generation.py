"""A trained model: from a seed or a latent to the maps of a seamless material."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gan_worker import __version__, runs
from gan_worker.checkpoints import Arrays
from gan_worker.config import ClassicConfig, GenerationConfig, Network, NetworkConfig, check_size
from gan_worker.errors import RequestError, StorageError
from gan_worker.gan import checkpoint
from gan_worker.gan.classic import ClassicGenerator
from gan_worker.gan.generator import Generator
from gan_worker.gan.latents import Latents, draw_latents
from gan_worker.gan.metrics import calm_origin, line_steps, rolled, seam_ratio
from gan_worker.gan.statistics import Statistics
from gan_worker.gan.styles import STORED, Styles
from gan_worker.progress import GeneratedMaterial, Recipe

# One picture of 4096² in tiny's networks takes about 6 GiB; larger ones would not fit beside Blender.
LARGEST = 4096 * 4096

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
        info: runs.ModelInfo,
        generator: Generator | ClassicGenerator,
        named: Mapping[str, np.ndarray] | None = None,
    ):
        self.info = info
        self.generator = generator
        self.styles = Styles(generator, named or {})
        self.statistics = Statistics.from_json(info.statistics)
        self.network = network_from_json(info.network)
        self.waves = tuple(tuple(w) for w in info.network["waves"])
        self._synthesis = tf.function(generator.synthesis, reduce_retracing=True)
        # Of its own, because one graph cannot take styles of either rank.
        self._painted_synthesis = tf.function(generator.synthesis, reduce_retracing=True)
        self._finish = tf.function(self._finish_in_graph, reduce_retracing=True)

    def generate(self, config: GenerationConfig) -> GeneratedMaterial:
        """Make the maps of one material.

        The same config gives the same maps, whatever was made before or beside it.

        Raises:
            RequestError: `invalid_size`, `invalid_latent`, `invalid_config`.
        """
        names = self._check(config)
        latents = self.latents(config)
        started = time.perf_counter()
        channels = self._forward(latents, config)
        forward_seconds = time.perf_counter() - started
        maps, steps = self._finish(channels)
        steps = {name: (np.asarray(x), np.asarray(y)) for name, (x, y) in steps.items()}
        # Where pictures lie side by side on a sheet, each stays whole, and a border that closes means nothing.
        sheet = isinstance(self.network, ClassicConfig)
        # The border is chosen on all maps the model has, so that asking for fewer maps does not move it.
        painted = (0, 0) if config.style_map or sheet else None
        origin = config.origin or painted or calm_origin(list(steps.values()))
        shown = {n: np.roll(maps[n].numpy(), (-origin[1], -origin[0]), (0, 1)) for n in names}
        recipe = Recipe(
            model=self.info.name,
            model_hash=self.info.hash,
            seed=config.seed,
            z=tuple(config.z),
            width=config.width,
            height=config.height,
            truncation_psi=config.truncation_psi,
            origin=origin,
            version=__version__,
            material=config.material,
            mix=config.mix,
            style_map=config.style_map,
            directions=config.directions,
        )
        ratios = {n: seam_ratio(rolled(steps[n], origin)) for n in (() if sheet else names)}
        return GeneratedMaterial(shown, recipe, ratios, forward_seconds)

    def latents(self, config: GenerationConfig) -> Latents:
        stride = self.network.stride
        return draw_latents(
            config.seed,
            config.height // stride,
            config.width // stride,
            self.network,
            self.waves,
            config.z,
        )

    def _forward(self, latents: Latents, config: GenerationConfig) -> tf.Tensor:
        """Standardised channels of one picture, (height, width, channels)."""
        w = self.styles.style(config, *latents.local.shape[1:3])
        synthesis = self._painted_synthesis if w.shape.rank == 4 else self._synthesis
        noise = [tf.constant(n) for n in latents.noise]
        # Without a style there is nothing else that could be drawn to the mean.
        psi = config.truncation_psi if isinstance(self.network, ClassicConfig) else 1.0
        return synthesis(w, tf.constant(np.float32(psi) * latents.local), noise)[0]

    def _finish_in_graph(
        self, channels: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], dict[str, tuple[tf.Tensor, tf.Tensor]]]:
        maps = self.statistics.restore(channels)
        return maps, {name: line_steps(picture) for name, picture in maps.items()}

    def _check(self, config: GenerationConfig) -> tuple[str, ...]:
        check_size(config.width, config.height, self.info.stride)
        if config.width * config.height > LARGEST:
            raise RequestError(
                "invalid_size",
                f"A picture may have {LARGEST} pixels at most; received "
                f"{config.width}×{config.height}.",
                "Ask for a smaller one: it tiles.",
            )
        if config.seed < 0:
            raise RequestError(
                "invalid_latent",
                f"A seed must be 0 or more; received {config.seed}.",
                "Use another seed.",
            )
        self.styles.check(config)
        if not 0 <= config.truncation_psi <= 2:
            raise RequestError(
                "invalid_config",
                f"Truncation must lie between 0 and 2; received {config.truncation_psi}.",
                "Use 1 for the full variety, less for safer materials.",
            )
        unknown = [name for name in config.maps if name not in self.info.maps]
        if unknown:
            raise RequestError(
                "invalid_config",
                f"This model makes {', '.join(self.info.maps)}; asked for {', '.join(unknown)}.",
                "Ask for maps that were among the training pictures.",
            )
        return tuple(config.maps) or self.info.maps


def network_from_json(data: dict) -> Network:
    """The network sizes of a model, from `model.json`."""
    fields: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in data["config"].items()
    }
    return ClassicConfig(**fields) if "side" in fields else NetworkConfig(**fields)


def load_model(folder: Path) -> Model:
    """Read a model's folder.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    info, tensors = runs.load_model_files(folder)
    statistics = Statistics.from_json(info.statistics)
    network = network_from_json(info.network)
    if isinstance(network, ClassicConfig):
        generator: Generator | ClassicGenerator = ClassicGenerator(network)
    else:
        generator = Generator(network, statistics.channels, len(info.network["waves"]))
    named = _take_named(info, generator.network.w_dim, tensors)
    checkpoint.assign_arrays({"generator": generator.variables}, tensors)
    return Model(info, generator, named)


def _take_named(info: runs.ModelInfo, w_dim: int, tensors: Arrays) -> Arrays:
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
