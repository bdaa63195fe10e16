"""Categories of material sets, told by their names: what is held back of one is held back of all sets alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from gan_worker.files import read_json

# Each category with other words for it, all in the singular. Of a name that says several the first counts: what covers
# a material before what it is made of (snow on asphalt is snow), and a pattern of parts before their substance (a wall
# of bricks under plaster or moss is brick).
CATEGORIES = {
    "snow": "",
    "ice": "",
    "leaf": "leaves foliage",
    "bark": "",
    "roof": "roofing shingle thatch",
    "paving": "paver pavement cobblestone cobble sett footway",
    "brick": "brickwork",
    "wood": "wooden plank timber parquet veneer oak",
    "tile": "tiled slate",
    "plate": "walkway",
    "corrugated": "",
    "rust": "rusty rusted",
    "metal": "metallic steel iron copper aluminum",
    "carpet": "rug",
    "leather": "",
    "fabric": "cloth textile canvas hessian denim wool linen",
    "wallpaper": "",
    "cardboard": "",
    "paper": "",
    "plastic": "",
    "plaster": "plastered stucco",
    "concrete": "cement",
    "asphalt": "road tarmac",
    "marble": "onyx",
    "coral": "",
    "stone": "sandstone masonry gabion",
    "gravel": "pebble",
    "mud": "muddy",
    "grass": "lawn",
    "ground": "soil dirt forest",
    "rock": "rocky boulder cliff",
    "sand": "sandy",
    "moss": "mossy",
}


def category(name: str) -> str:
    """Kind of material that the name of a set tells, such as `brick` for `Bricks008` and for `old_brick_wall_01`.

    Args:
        name: with its words apart by capitals, underscores or digits.

    Returns:
        One of `CATEGORIES`; of a name with none of their words its last word, which in English says what a thing is.
    """
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]{2,}", name)] or [name]
    told = {*words, *map(_singular, words)}
    found = (known for known, others in CATEGORIES.items() if told & {known, *others.split()})
    return next(found, _singular(words[-1]))


def held_back_by(weights: Path) -> list[str]:
    """Categories that pre-trained weights have not learned from, as the file beside them says.

    Args:
        weights: their `.safetensors`.
    """
    (session, *_) = read_json(weights.with_suffix(".json"))["sessions"]
    return list(session["settings"]["held_back"])


def check_held_back(held_back: Collection[str], names: Iterable[str]) -> None:
    """Refuse categories that no set is of: they would hold nothing back.

    Args:
        held_back: categories.
        names: of all sets.

    Raises:
        ValueError: naming those there are.
    """
    known = {category(name) for name in names}
    if unknown := set(held_back) - known:
        raise ValueError(
            f"What is held back must be categories of the sets; received {', '.join(sorted(unknown))}. "
            f"Choose among {', '.join(sorted(known))}."
        )


def _singular(word: str) -> str:
    return word if word.endswith("ss") else word.removesuffix("s")
