"""Findings of the doctor: one a check, and a report that can be shown to anybody."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["good", "warning", "bad"]
STATES = ("good", "warning", "bad")

# The folder that carries a user's name, on Linux, macOS, Windows and in WSL2; a name may hold spaces.
_PERSONAL = re.compile(r"(?i)([/\\](?:home|users)[/\\])(?:[^/\\'\",\n]+(?=[/\\])|[^/\\\s'\",]+)")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check, such as `TensorFlow`.
        state: `good`; `warning`, where Tilewright works but not at its best; `bad`, where it does not.
        found: one sentence or figure.
        cure: what to do next; empty where nothing needs to be done.
    """

    name: str
    state: State
    found: str
    cure: str = ""


def finding_from_json(data: dict[str, Any]) -> Finding:
    """The finding of a line that `gan-worker doctor --json` wrote.

    Raises:
        KeyError: where a field is missing.
        ValueError: where the state is none.
    """
    if data["state"] not in STATES:
        raise ValueError(f"the state must be one of {', '.join(STATES)}")
    return Finding(str(data["name"]), data["state"], str(data["found"]), str(data.get("cure", "")))


def worst(findings: Iterable[Finding]) -> State:
    """The worst state of all; `good` where there are none."""
    return max((f.state for f in findings), key=STATES.index, default="good")


def report(title: str, findings: Iterable[Finding]) -> str:
    """All findings as plain text, without the user's name."""
    lines = [title, *(line for finding in findings for line in report_lines(finding))]
    return "\n".join(anonymous(line) for line in lines) + "\n"


def report_lines(finding: Finding) -> list[str]:
    """A finding as one line, and its cure as another."""
    lines = [f"{finding.state:<8} {finding.name:<12} {finding.found}"]
    return lines + [f"{'':<21} Cure: {finding.cure}"] * bool(finding.cure)


def anonymous(text: str) -> str:
    """Text in which no folder names the user."""
    try:
        home = Path.home()
    except RuntimeError:  # as in a container, for a user who stands in no list
        home = Path("/")
    # The folder of a user without one of its own is the root of all.
    shown = text if home == home.parent else text.replace(str(home), "~")
    return _PERSONAL.sub(r"\1…", shown)
