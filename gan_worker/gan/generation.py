"""A trained model: from a seed or a latent to the maps of a seamless material."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gan_worker import __version__, runs
from gan_worker.config import GenerationConfig, NetworkConfig, check_size
from gan_worker.errors import RequestError
from gan_worker.gan import checkpoint
from gan_worker.gan.generator import Generator
from gan_worker.gan.latents import Latents, draw_latents
from gan_worker.gan.metrics import calm_origin, line_steps, rolled, seam_ratio
from gan_worker.gan.statistics import Statistics
from gan_worker.progress import GeneratedMaterial, Recipe

# One picture of 4096² in tiny's networks takes about 6 GiB; larger ones would not fit beside Blender.
LARGEST = 4096 * 4096
# Styles averaged for the mean style that truncation pulls towards.
MEAN_STYLES = 1024

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
    """

    def __init__(self, info: runs.ModelInfo, generator: Generator):
        self.info = info
        self.generator = generator
        self.statistics = Statistics.from_json(info.statistics)
        self.network = network_from_json(info.network)
        self.waves = tuple(tuple(w) for w in info.network["waves"])
        self._synthesis = tf.function(generator.synthesis, reduce_retracing=True)
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
        channels = self._forward(latents, config.truncation_psi)
        forward_seconds = time.perf_counter() - started
        maps, steps = self._finish(channels)
        steps = {name: (np.asarray(x), np.asarray(y)) for name, (x, y) in steps.items()}
        # The border is chosen on all maps the model has, so that asking for fewer maps does not move it.
        origin = config.origin or calm_origin(list(steps.values()))
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
        )
        ratios = {name: seam_ratio(rolled(steps[name], origin)) for name in names}
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

    def _forward(self, latents: Latents, truncation_psi: float) -> tf.Tensor:
        """Standardised channels of one picture, (height, width, channels)."""
        w = self.generator.style(tf.constant(latents.z))
        if truncation_psi != 1.0:
            w_avg = self._mean_style()
            w = w_avg + truncation_psi * (w - w_avg)
        noise = [tf.constant(n) for n in latents.noise]
        return self._synthesis(w, tf.constant(latents.local), noise)[0]

    def _finish_in_graph(
        self, channels: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], dict[str, tuple[tf.Tensor, tf.Tensor]]]:
        maps = self.statistics.restore(channels)
        return maps, {name: line_steps(picture) for name, picture in maps.items()}

    def _mean_style(self) -> tf.Tensor:
        z = np.random.default_rng(0).standard_normal((MEAN_STYLES, self.network.z_dim), np.float32)
        return tf.reduce_mean(self.generator.style(tf.constant(z)), axis=0, keepdims=True)

    def _check(self, config: GenerationConfig) -> tuple[str, ...]:
        check_size(config.width, config.height, self.info.stride)
        if config.width * config.height > LARGEST:
            raise RequestError(
                "invalid_size",
                f"A picture may have {LARGEST} pixels at most; received "
                f"{config.width}×{config.height}.",
                "Ask for a smaller one: it tiles.",
            )
        z = np.asarray(config.z, np.float64)
        if len(z) not in (0, self.info.z_dim) or not np.all(np.isfinite(z)) or config.seed < 0:
            raise RequestError(
                "invalid_latent",
                f"A latent of this model is a seed of 0 or more, or {self.info.z_dim} finite numbers; "
                f"received seed {config.seed} and {len(z)} numbers.",
                "Use a seed, or a latent of this very model.",
            )
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


def network_from_json(data: dict) -> NetworkConfig:
    """The network sizes of a model, from `model.json`."""
    fields: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in data["config"].items()
    }
    return NetworkConfig(**fields)


def load_model(folder: Path) -> Model:
    """Read a model's folder.

    Raises:
        StorageError: `checkpoint_corrupt` or `model_format`.
    """
    info, tensors = runs.load_model_files(folder)
    statistics = Statistics.from_json(info.statistics)
    generator = Generator(
        network_from_json(info.network), statistics.channels, len(info.network["waves"])
    )
    checkpoint.assign_arrays({"generator": generator.variables}, tensors)
    return Model(info, generator)
