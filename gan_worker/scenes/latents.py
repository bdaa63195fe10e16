"""Latents of objects: by seed, name, place, property, between two looks, or a favorite."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gan_worker.errors import RequestError
from gan_worker.limits import SEEDS
from gan_worker.scenes.recipe import (
    BetweenLatent,
    FavouriteLatent,
    NameLatent,
    NeighbourhoodLatent,
    PropertyLatent,
    Rule,
    SeedLatent,
)
from gan_worker.style import Latent
from gan_worker.styles.mixing import blended, with_style

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig
    from gan_worker.scenes.description import Point, Scene, SceneObject
    from gan_worker.style import Style
    from gan_worker.wire.messages import ModelEntry

# Waves of the smooth field; enough that no direction of space shows.
WAVES = 64
# Digits that are kept of latents and weights, so that the last bit of a sine changes no hash.
DIGITS = 4


class RuleLatents:
    """How a rule chooses latents, with what must be known of all its objects for that.

    Args:
        rule: whose latents.
        objects: all that it selects, at least one.
        scene: where its curves are.
        favourites: those that it names, by name.

    Raises:
        RequestError: `unknown_object` for a curve that is not there, `invalid_recipe` for one that is nowhere.
    """

    def __init__(
        self,
        rule: Rule,
        objects: list[SceneObject],
        scene: Scene,
        favourites: Mapping[str, GenerationConfig],
    ) -> None:
        self._rule, self._latent, self._favourites = rule, rule.latent, favourites
        self._low = self._high = 0.0
        self._curve: NDArray[np.float64] | None = None
        if isinstance(self._latent, BetweenLatent):
            if self._latent.axis:
                along = [_along(o, self._latent.axis) for o in objects]
                self._low, self._high = min(along), max(along)
            if self._latent.curve:
                self._curve = self._find_curve(self._latent.curve, scene)

    @property
    def are_shared(self) -> bool:
        """Whether all objects get the same."""
        return isinstance(self._latent, SeedLatent | FavouriteLatent)

    def apply(
        self, config: GenerationConfig, obj: SceneObject, model: ModelEntry
    ) -> GenerationConfig:
        """The config with this object's latent.

        Raises:
            RequestError: `invalid_recipe` for a property that is no latent, or looks that cannot be mixed.
        """
        latent = self._latent
        match latent:
            case SeedLatent():
                return replace(config, seed=latent.seed)
            case NameLatent():
                number = _hashed(f"{latent.seed} {obj.name}")
                return replace(config, seed=1 + number % (latent.variants or SEEDS.most))
            case PropertyLatent():
                return replace(config, seed=self._property_seed(latent.property, obj))
            case NeighbourhoodLatent():
                field = _smooth_field(latent.seed, model.z_dim, latent.distance)
                return replace(config, seed=latent.seed, style=Latent(field.at(obj.location)))
            case BetweenLatent():
                t = round(self._between(latent, obj), DIGITS)
                first, second = (self._look(e, config) for e in (latent.first, latent.second))
                return replace(self._mixed(first, second, t), seed=latent.seed)
            case FavouriteLatent():
                return self._look(latent, config)

    def _look(self, look: Style | FavouriteLatent, config: GenerationConfig) -> GenerationConfig:
        """A look at the size, with the detail and the maps of a config, estimated ones too where it has them."""
        if not isinstance(look, FavouriteLatent):
            return with_style(config, look)
        kept = self._favourites[look.favourite]
        return replace(
            kept,
            width=config.width,
            height=config.height,
            mip=config.mip,
            maps=config.maps,
            estimation=config.estimation or kept.estimation,
            truncation_psi=kept.truncation_psi * config.truncation_psi,
            origin=None,
        )

    def _mixed(
        self, first: GenerationConfig, second: GenerationConfig, share: float
    ) -> GenerationConfig:
        try:
            made = blended(first, ((first, 1.0 - share), (second, share)))
        except RequestError as error:
            message = f"{self._rule.place}: {error.info.message}"
            raise RequestError("invalid_recipe", message, error.info.cure) from None
        assert isinstance(made.style, tuple)
        mix = tuple((style, round(weight, DIGITS)) for style, weight in made.style)
        return replace(made, style=mix)

    def _property_seed(self, name: str, obj: SceneObject) -> int:
        value = obj.properties.get(name)
        if isinstance(value, str):
            return 1 + _hashed(value) % SEEDS.most
        if isinstance(value, int) and not isinstance(value, bool) and value in SEEDS:
            return value
        raise self._refusal(obj, name, f"a text or a whole number {SEEDS}", value)

    def _between(self, latent: BetweenLatent, obj: SceneObject) -> float:
        """Where between the two styles an object is, 0..1."""
        if latent.axis:
            span = self._high - self._low
            return (_along(obj, latent.axis) - self._low) / span if span > 0 else 0.0
        if latent.property:
            value = obj.properties.get(latent.property)
            if isinstance(value, int | float) and 0 <= value <= 1:
                return float(value)
            raise self._refusal(obj, latent.property, "a number between 0 and 1", value)
        if self._curve is not None:
            return _fraction_along(self._curve, np.array(obj.location))
        return _hashed(f"{latent.seed} {obj.name}") / 2**32

    def _find_curve(self, name: str, scene: Scene) -> NDArray[np.float64]:
        points = scene.curves.get(name, ())
        if len(points) < 2:
            raise RequestError(
                "unknown_object",
                f"{self._rule.place}: the scene must have a curve {name!r} with two points or "
                f"more; it has {'none' if name not in scene.curves else len(points)}.",
                "Correct the name, or draw the curve.",
            )
        line = np.array(points, np.float64)
        if not np.isfinite(line).all():
            raise RequestError(
                "invalid_recipe",
                f"{self._rule.place}: the points of the curve {name!r} must have locations of finite numbers; some "
                "have not.",
                "Correct the curve's location and its points, or its parent's location.",
            )
        return line

    def _refusal(self, obj: SceneObject, name: str, wanted: str, value: object) -> RequestError:
        return RequestError(
            "invalid_recipe",
            f"{self._rule.place}: the property {name!r} of {obj.name!r} must be {wanted}; "
            f"received {'none' if value is None else repr(value)}.",
            f"Set it, or select only objects that have it: property = {{ {name} = ... }}.",
        )


def _along(obj: SceneObject, axis: str) -> float:
    return obj.location["xyz".index(axis)]


def _hashed(text: str) -> int:
    """32 bits, the same everywhere, unlike Python's own hash."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4], "big")


def _fraction_along(points: NDArray[np.float64], place: NDArray[np.float64]) -> float:
    """How far along a line of points the nearest place on it lies, 0..1 of its length."""
    starts, steps = points[:-1], np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    shares = ((place - starts) * steps).sum(1) / np.maximum(lengths**2, 1e-12)
    shares = np.clip(shares, 0.0, 1.0)
    away = np.linalg.norm(starts + shares[:, None] * steps - place, axis=1)
    nearest = int(away.argmin())
    total = float(lengths.sum())
    passed = float(lengths[:nearest].sum() + shares[nearest] * lengths[nearest])
    return passed / total if total > 0 else 0.0


class _Field:
    """A smooth random vector field over space, a normal variable of variance 1 at every place.

    Random Fourier features (Rahimi and Recht 2007): values at two places correlate as
    exp(-d² / (2 distance²)).
    """

    def __init__(self, seed: int, size: int, distance: float) -> None:
        random = np.random.default_rng(seed)
        self._waves = random.normal(size=(WAVES, 3)) / distance
        self._phases = random.uniform(0, 2 * np.pi, WAVES)
        self._weights = random.normal(size=(size, WAVES)) * np.sqrt(2 / WAVES)

    def at(self, place: Point) -> tuple[float, ...]:
        """The latent of a place."""
        values = self._weights @ np.cos(self._waves @ np.array(place) + self._phases)
        return tuple(float(v) for v in (values + 0.0).round(DIGITS))


@functools.lru_cache(maxsize=64)
def _smooth_field(seed: int, size: int, distance: float) -> _Field:
    return _Field(seed, size, distance)
