"""A compute process as the server sees it."""

from pathlib import Path

import pytest

from gan_worker.server.supervisor import ComputeProcess, Patience


@pytest.mark.parametrize(("device", "too_long"), [("CPU", False), ("GPU Fine 3000", True)])
def test_idle_it_may_stay_longer_where_it_holds_no_gpu(device, too_long):
    process = ComputeProcess(
        None, "", "", lambda keys: None, Path("unused"), {}, patience=Patience(idle=-1)
    )
    process.state = "starting"
    process.came_up(b"route", device)
    assert process.idle_too_long() == too_long
