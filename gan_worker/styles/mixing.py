"""Style mixing: everything but where things lie, as weighted sums of looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gan_worker.errors import require
from gan_worker.estimation import weighted
from gan_worker.limits import AMOUNTS, TRUNCATIONS
from gan_worker.style import STYLES_LIMIT, CellMap, LookMap, Mix, Seed, Style, as_mix

if TYPE_CHECKING:
    from gan_worker.config import GenerationConfig

# Digits that are kept of weights, so that requests are short and the last bit changes no recipe.
DIGITS = 6


def blended(
    base: GenerationConfig, looks: Sequence[tuple[GenerationConfig, float]]
) -> GenerationConfig:
    """A look between others; where things lie, size and maps stay as in the base.

    Styles are mixed in w, as their weighted mean.

    Args:
        base: says all that is no look.
        looks: of the base's model, each with its weight. They add up to 1; what lies beyond the looks has some
            below 0.

    Raises:
        RequestError: `invalid_config` where they cannot be mixed.
    """
    _check(base, [look for look, _ in looks])
    weights: dict[Style, float] = {}
    amounts: dict[str, float] = {}
    for look, share in looks:
        for style, weight in parts(look):
            weights[style] = weights.get(style, 0.0) + weight * share
        for name, amount in look.directions:
            amounts[name] = amounts.get(name, 0.0) + amount * share
    mix = tuple((s, round(w, DIGITS)) for s, w in weights.items() if round(w, DIGITS) != 0)
    require(
        len(mix) <= STYLES_LIMIT,
        f"A mix may have {STYLES_LIMIT} styles at most",
        f"looks that have {len(mix)} together",
        "Mix favorites that are mixtures of fewer.",
    )
    truncation_psi = sum(look.truncation_psi * share for look, share in looks)
    relief = [(look.estimation, share) for look, share in looks if look.estimation]
    return replace(
        base,
        style=mix,
        truncation_psi=round(TRUNCATIONS.nearest(truncation_psi), DIGITS),
        directions=tuple((name, within_limit(amount)) for name, amount in amounts.items()),
        origin=None,
        estimation=weighted(relief) if len(relief) == len(looks) else base.estimation,
    )


def within_limit(amount: float) -> float:
    """An amount of a direction that a request may have."""
    return round(AMOUNTS.nearest(amount), DIGITS)


def _check(base: GenerationConfig, looks: Sequence[GenerationConfig]) -> None:
    others = {look.model for look in looks} - {base.model}
    require(
        not others,
        "Looks must be of one model to be mixed",
        " and ".join([base.model, *sorted(others)[:1]]),
        "Choose favorites of the same model.",
    )
    require(
        not any(look.has_map for look in looks),
        "Looks must have one style everywhere to be mixed",
        "one that is painted",
        "Choose favorites that are not painted.",
    )


def parts(config: GenerationConfig) -> Mix:
    """The styles of a config that has one style everywhere, with weights that add up to 1."""
    chosen = config.style or Seed(config.seed)
    assert not isinstance(chosen, CellMap | LookMap)
    mix = as_mix(chosen)
    total = sum(weight for _, weight in mix)
    return tuple((style, weight / total) for style, weight in mix)


def with_style(config: GenerationConfig, style: Style) -> GenerationConfig:
    """The config with one style in place of its own; a seed also says where things lie."""
    if isinstance(style, Seed):
        return replace(config, seed=style.number, style=None)
    return replace(config, style=style)
