"""Memory that this process holds."""

from __future__ import annotations

import psutil


def resident_memory_mb() -> float:
    """Resident memory of this process, MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20
