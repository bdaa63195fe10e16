"""Findings: what a check of a material says of one of its maps, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How good something is.

    Attributes:
        ok: nothing is wrong.
        warn: worth a look; it may be meant.
        bad: it will look wrong wherever the material is used.
    """

    ok = "ok"
    warn = "warn"
    bad = "bad"


@dataclass(frozen=True)
class Finding:
    """One of them.

    Attributes:
        map: name of the map, as in `MAPS`; empty where it is about all of them.
        state: how good it is.
        message: what was found, a sentence for a person.
        cure: what to do, another; empty where nothing is wrong.
    """

    map: str
    state: State
    message: str
    cure: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether there is nothing to do."""
        return self.state is State.ok
