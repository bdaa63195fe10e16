"""How much memory is left, to the computer, to a container and to a process."""

import subprocess
import sys

import psutil
import pytest

from gan_worker.memory import memory_left_mb

MIB = 2**20
LIMITED = """
import resource
import psutil
from gan_worker import memory
limit = psutil.Process().memory_info().vms + 64 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(memory.memory_left_mb())
"""


@pytest.mark.parametrize(
    ("folder", "limit", "used", "reclaimable"),
    [
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
    ids=["version 2", "version 1"],
)
def test_a_container_has_what_its_group_leaves(tmp_path, folder, limit, used, reclaimable):
    group = tmp_path / folder
    group.mkdir(exist_ok=True)
    (group / limit).write_text(f"{512 * MIB}\n")
    (group / used).write_text(f"{500 * MIB}\n")
    (group / "memory.stat").write_text(f"anon 7\n{reclaimable} {8 * MIB}\n")
    assert memory_left_mb(tmp_path) == pytest.approx(20)


@pytest.mark.parametrize("text", ["max\n", "", "\x00"])
def test_a_group_without_a_limit_leaves_all_there_is(tmp_path, text):
    (tmp_path / "memory.max").write_text(text)
    (tmp_path / "memory.current").write_text("0\n")
    (tmp_path / "memory.stat").write_text("")
    assert memory_left_mb(tmp_path) > 64


@pytest.mark.skipif(sys.platform == "win32", reason="there no address space is limited")
def test_a_limited_address_space_counts():
    told = subprocess.run([sys.executable, "-c", LIMITED], stdout=subprocess.PIPE, check=True)
    assert 32 < float(told.stdout) <= 64


@pytest.mark.parametrize(
    "error", [RuntimeError("Performance counters may be disabled."), OSError()]
)
def test_where_nobody_counts_the_swap_there_is_none(tmp_path, monkeypatch, error):
    def uncounted():
        raise error

    monkeypatch.setattr(psutil, "swap_memory", uncounted)
    memory = psutil.virtual_memory()._replace(available=300 * MIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert memory_left_mb(tmp_path) == pytest.approx(300)
