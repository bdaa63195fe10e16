"""How much of what a model makes may be copied from its training pictures, and what to say above that."""

from __future__ import annotations

# A model that copies more than this share of its pieces has learned its pictures by heart.
MOST_COPIED = 0.05


def copy_warning(share: float | None, picture: str = "") -> str:
    """What a person should know of a model that copies, and what to do about it; empty for one that does not.

    Args:
        share: of its pieces that are copies, 0..1; None where that was not measured.
        picture: the one that most were copied from, where it is known.
    """
    if share is None or share <= MOST_COPIED:
        return ""
    most = f", mostly from {picture}" if picture else ""
    return (
        f"{share:.0%} of what this model makes is copied from its training pictures{most}, so it may fall under "
        "their rights. Train on more or larger pictures, or for a shorter time."
    )
