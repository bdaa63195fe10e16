"""Confinement of a process: what lies below a shared folder is read only where it really lies below one.

Links lead anywhere, and may be changed after they were looked at. So each file is followed to where it is when it is
read, in the process that reads it.
"""

from __future__ import annotations

import os
from collections.abc import Collection

# Shared folders as they may be named, and as they are.
_named: frozenset[str] = frozenset()
_shared: frozenset[str] = frozenset()

# What is said of a file that is not read for that reason.
LED_OUT = "a link, or below one, that leads out of the folder it was shared with"


def confine(folders: Collection[str | os.PathLike[str]]) -> None:
    """From now on, nothing below these folders leads out of them in this process."""
    global _named, _shared
    _shared = frozenset(os.path.realpath(folder) for folder in folders)
    _named = _shared.union(map(os.path.abspath, folders))


def leads_out(path: str | os.PathLike[str]) -> bool:
    """Whether a path begins below a shared folder, and ends below none."""
    if not _shared:
        return False
    begins = os.path.abspath(path)  # noqa: PTH100 — as it is named
    return _is_below(begins, _named) and not _is_below(os.path.realpath(path), _shared)


def _is_below(path: str, folders: Collection[str]) -> bool:
    return any(path == f or path.startswith(f.rstrip(os.sep) + os.sep) for f in folders)
