"""The command `gan-worker doctor`: shows each finding as it comes; it runs where packages are missing."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gan_worker import __version__
from gan_worker.doctor.checks import Doctor
from gan_worker.doctor.findings import Finding, anonymous, report_lines, worst
from gan_worker.wire.codec import VERSION

COLORS = {"good": "32", "warning": "33", "bad": "31"}


def main(argv: Sequence[str]) -> int:
    """Examine this worker.

    Args:
        argv: what follows `gan-worker doctor`.

    Returns:
        Exit code: 0, or 1 where something is bad, 130 when interrupted.
    """
    options = _parser().parse_args(argv)
    doctor = Doctor(options.home)
    _say(_head_line(doctor) if options.json else title())
    found = []
    try:
        for number, finding in enumerate(doctor.examine(), 1):
            found.append(finding)
            coming = doctor.names[number] if number < len(doctor.names) else ""
            _say(json.dumps(asdict(finding))) if options.json else _show(finding, coming)
    except KeyboardInterrupt:
        return 130
    return 1 if worst(found) == "bad" else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gan-worker doctor", description=__doc__)
    parser.add_argument("--home", type=Path, help="folder of runs and keys")
    text = "one JSON object a line: first version and names of the checks, then each finding"
    parser.add_argument("--json", action="store_true", help=text)
    return parser


def title() -> str:
    """The first line of a report."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"Tilewright {__version__}, protocol {VERSION[0]}.{VERSION[1]}, {system}"


def _head_line(doctor: Doctor) -> str:
    return json.dumps({"title": title(), "protocol": VERSION, "checks": doctor.names})


def _show(finding: Finding, coming: str) -> None:
    """One finding; in a terminal with color, and below it the check that comes next."""
    first, *more = (anonymous(line) for line in report_lines(finding))
    if not sys.stdout.isatty():
        _say("\n".join([first, *more]))
        return
    state = finding.state
    first = f"\x1b[{COLORS[state]}m{state}\x1b[0m{first.removeprefix(state)}"
    _say("\x1b[2K" + "\n".join([first, *more]))
    if coming:
        sys.stdout.write(f"checking {coming} …\r")
        sys.stdout.flush()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
