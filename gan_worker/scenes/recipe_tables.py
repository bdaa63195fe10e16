"""Tables of a recipe, read strictly: what is unknown or wrong is told with its line and the cure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from gan_worker.errors import RequestError

# Told what must hold, and what was received; raises.
Fail = Callable[[str, object], NoReturn]


class Table:
    """A table of TOML from which known keys are taken; what is left then is a mistake.

    Args:
        data: what stands in it.
        label: what to call it in errors.
        line: where a key stands.
        words: the recipe's own; where one of them was mistyped, it is suggested.
        fail: of the value that this table is, where it stands inside another.
    """

    def __init__(
        self,
        data: dict[str, Any],
        label: str,
        line: Callable[[str], int] | None = None,
        words: Collection[str] = (),
        fail: Fail | None = None,
    ) -> None:
        self._data, self._label, self._line = data, label, line
        self._words, self._outer = words, fail
        self._known: list[str] = []

    def take(self, key: str, read: Callable[[Any, Fail], Any], default: Any) -> Any:
        self._known.append(key)
        return read(self._data[key], self._failure(key)) if key in self._data else default

    def refuse_rest(self) -> None:
        for key in self._data:
            if key not in self._known:
                rule = f"has no key {key!r}, only {', '.join(self._known)}"
                hint = suggest(key, self._known)
                if self._outer is not None:
                    self._outer(rule, key)
                fail_at(self._place(key), f"it {rule}", key, hint or f"Remove {key}.")

    def _failure(self, key: str) -> Fail:
        def fail(rule: str, received: object) -> NoReturn:
            if self._outer is not None:
                self._outer(f"{key} {rule}", received)
            cure = suggest(str(received), self._words) or f"Correct {key}."
            fail_at(self._place(key), f"{key} {rule}", received, cure)

        return fail

    def _place(self, key: str) -> str:
        line = f"Line {self._line(key)}" if self._line else ""
        return ", ".join(filter(None, (line, self._label)))


def fail_at(place: str, rule: str, received: object, cure: str) -> NoReturn:
    shown = str(received) if len(str(received)) <= 120 else f"{str(received)[:117]}..."
    raise RequestError("invalid_recipe", f"{place}: {rule}; received {shown}.", cure)


def suggest(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"Did you mean {close[0]!r}?" if close and close[0] != word else ""


_RULE = re.compile(r"\s*\[\[\s*[\"']?rules[\"']?\s*\]\]")
_SUBTABLE = re.compile(r"\s*\[\s*rules\s*\.\s*([\w-]+)")
_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*[=.]")
_LONG_QUOTES = re.compile(r'"""|\'\'\'')


class Lines:
    """Where each rule and its keys stand."""

    def __init__(self, text: str) -> None:
        self._found: dict[tuple[int | None, str], int] = {}
        rule: int | None = None
        inside, closing = False, ""
        for number, line in enumerate(text.split("\n"), 1):
            if not closing:
                if _RULE.match(line):
                    rule, inside = 0 if rule is None else rule + 1, False
                    self._found[rule, ""] = number
                elif found := _SUBTABLE.match(line):
                    inside = True
                    self._found.setdefault((rule, found[1]), number)
                elif not inside and (found := _KEY.match(line)):
                    self._found.setdefault((rule, found[1]), number)
            for quotes in _LONG_QUOTES.findall(line):
                closing = quotes if not closing else "" if closing == quotes else closing

    def of(self, rule: int | None, key: str) -> int:
        """The line of a key, or of the rule that it should stand in; rules count from 0."""
        found = self._found.get((rule, key)) or self._found.get((rule, ""))
        return found or self._found.get((None, "rules"), 1)
