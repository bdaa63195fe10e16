"""Lists that are too long for one message: asked for part by part, and told whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from gan_worker.wire.messages import AskModels, AskRuns, ModelList, Request, RunList

# Entries; a worker that goes on and on must not take all memory.
MOST = 10_000
_KINDS = {ModelList: (AskModels, "models"), RunList: (AskRuns, "runs")}


class Listings:
    """The lists that have come in part."""

    def __init__(self) -> None:
        self._begun: dict[type[ModelList | RunList], Any] = {}

    def take(
        self, asked: Request, part: ModelList | RunList
    ) -> Request | ModelList | RunList | None:
        """Take in a part.

        Args:
            asked: the request that it answers.
            part: what came.

        Returns:
            The request for the next part; or the whole list, each name once, where there is none; or None where the
            list was begun anew since that part was asked for.
        """
        ask, entries = _KINDS[type(part)]
        first: int = getattr(asked, "first", 0) if isinstance(asked, ask) else 0
        found, whole = getattr(part, entries), cast(Any, part)
        if first:
            before = self._begun.get(type(part))
            if before is None or before.next != first:
                return None
            found = getattr(before, entries) + found
            # What comes beside the entries came with the first of them.
            whole = replace(before, complete=part.complete, next=part.next)
        if part.next == len(found) > first and len(found) < MOST:
            self._begun[type(part)] = replace(whole, **{entries: found})
            return ask(part.next)
        self._begun.pop(type(part), None)
        # A model that was saved meanwhile has moved to the top, and the last of a part into the next one.
        once = tuple({entry.name: entry for entry in found}.values())
        told: ModelList | RunList = replace(whole, **{entries: once}, next=0)
        return told
