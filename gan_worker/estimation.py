"""Estimation: how maps that nobody gave are estimated from the color, and how the estimates are to look."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from gan_worker.dataclass_json import absent, sparse
from gan_worker.errors import require
from gan_worker.limits import DEPTHS, LEVELS, SHARES, STRENGTHS, Range

# Maps that can be estimated from the color, in the order of `materials.maps.MAPS`.
ESTIMATED_MAPS = ("base_color", "roughness", "metallic", "normal", "height", "ambient_occlusion")

# Of how maps are made of estimates; see `Estimation.version`.
VERSIONS = (1, 2)

# What each number of an `Estimation` may be.
LIMITS: dict[str, Range[float]] = {
    "depth": DEPTHS,
    "coarse": STRENGTHS,
    "fine": STRENGTHS,
    "roughness": LEVELS,
    "roughness_range": STRENGTHS,
    "occlusion": STRENGTHS,
    "metallic": SHARES,
    "light": SHARES,
}


@dataclass(frozen=True)
class Estimation:
    """What is made of the estimates of a material's maps; all but another estimator needs no new estimate.

    Attributes:
        surface: name of the kind of surface these were chosen for, one of `SURFACES`.
        depth: factor on all slopes, and so on height and normals together.
        invert: whether what was taken for high is low.
        coarse: factor on the slopes of shapes, from about 16 pixels of the coarse view up.
        fine: factor on the slopes of what is finer.
        roughness: added to it, -1..1.
        roughness_range: factor on how far roughness lies from its mean.
        occlusion: exponent of the ambient occlusion: 0 has none, 1 is as estimated.
        metallic: of all of it, 0..1; such a map is only made above 0.
        light: share of the light on the picture that is taken out of the base color, 0..1.
        version: of how maps are made of estimates, one of `VERSIONS`. In 1, which is that of recipes that name none,
            each picture's own deepest place sets the scale of its heights. In 2 it is the depth of the model or photo,
            at all sizes, in all frames and tiles.
        estimator: name of the run that learned to estimate; empty for the estimator that comes with the program, and
            of a photo that is its own model for the one that its maps were made by.
    """

    surface: str = "general"
    depth: float = 1.0
    invert: bool = False
    coarse: float = 1.0
    fine: float = 1.0
    roughness: float = 0.0
    roughness_range: float = 1.0
    occlusion: float = 1.0
    metallic: float = 0.0
    light: float = 1.0
    version: int = field(default=VERSIONS[-1], metadata=absent(1))
    estimator: str = field(default="", metadata=sparse())

    def check(self) -> None:
        """Check all numbers.

        Raises:
            RequestError: `invalid_config`.
        """
        require(
            self.surface in SURFACES,
            f"The surface must be one of {', '.join(SURFACES)}",
            repr(self.surface),
            "Choose one of these.",
        )
        require(
            self.version in VERSIONS,
            f"The version of estimated maps must be one of {', '.join(map(str, VERSIONS))}",
            self.version,
            "Update the worker, which knows no newer one.",
        )
        for name, limits in LIMITS.items():
            value = getattr(self, name)
            require(
                value in limits, f"{name.replace('_', ' ').capitalize()} must be {limits}", value
            )

    def maps(self, learned: Collection[str]) -> tuple[str, ...]:
        """Maps that are estimated for a material that has some already.

        Args:
            learned: what it has; its base color, if nothing else.
        """
        wanted = (n for n in ESTIMATED_MAPS if n != "base_color" and n not in learned)
        return tuple(n for n in wanted if n != "metallic" or self.metallic > 0)


def adjusted(surface: str, changes: Mapping[str, float | None]) -> Estimation:
    """What a kind of surface sets, and what was chosen beside it.

    Args:
        surface: one of `SURFACES`.
        changes: field → its value; None for what the kind sets.

    Raises:
        RequestError: `invalid_config`.
    """
    Estimation(surface).check()
    given = {name: value for name, value in changes.items() if value is not None}
    chosen = replace(SURFACES[surface], **given)  # type: ignore[arg-type]
    chosen.check()
    return chosen


# Kinds of surface an artist chooses among: what her eyes know and no estimate does.
SURFACES: dict[str, Estimation] = {
    e.surface: e
    for e in (
        Estimation("general"),
        Estimation("stone", roughness=0.05),
        Estimation("wood", roughness=-0.05, fine=1.2),
        Estimation("fabric", roughness=0.2, roughness_range=0.6, fine=1.2),
        Estimation("metal", roughness=-0.25, metallic=1.0),
        Estimation("wet", roughness=-0.45, roughness_range=1.3, depth=0.8),
    )
}

# Mean errors on held-back materials of what knows nothing of the picture: flat normals, and each map's mean.
_NOTHING_KNOWN = {"normal": 16.8, "roughness": 0.173, "ambient_occlusion": 0.118}
# What has more than this share of such an error is a guess.
_GUESSED = 0.8


def certainty(name: str, error: float) -> str:
    """How sure an estimated map is, in words.

    Args:
        name: of the map.
        error: the mean error that is expected, in degrees for normals and the height of their slopes, else of values
            0..1.
    """
    if name == "metallic":
        return "as chosen"
    name = "normal" if name == "height" else name
    kind = "a guess" if error > _GUESSED * _NOTHING_KNOWN.get(name, math.inf) else "estimated"
    return (
        f"{kind}, within {error:.0f}° on average"
        if name == "normal"
        else f"{kind}, within {error:.2f} on average"
    )


def weighted(shares: Sequence[tuple[Estimation, float]]) -> Estimation:
    """What lies between several: numbers are their weighted mean, the rest is as in the one of most weight.

    Args:
        shares: each with its weight, which add up to 1; some may lie below 0.
    """
    heaviest = max(shares, key=lambda pair: pair[1])[0]
    means = {
        name: limits.nearest(round(sum(getattr(one, name) * share for one, share in shares), 6))
        for name, limits in LIMITS.items()
    }
    return Estimation(**{**asdict(heaviest), **means})
