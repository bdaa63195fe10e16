"""When a link counts as lost, with a clock the test turns."""

import itertools

import pytest

from gan_worker.client.heartbeat import FIRST_MISSES, LONGEST_WAIT, MISSES, SILENCE, Heartbeat


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def heartbeat(clock):
    return Heartbeat(clock)


def ticks(heartbeat, clock, seconds, step=0.1):
    found = []
    for _ in range(round(seconds / step)):
        clock.now += step
        found += [(clock.now, due)] if (due := heartbeat.tick()) else []
    return found


def test_it_asks_at_once_and_gives_up_after_three_tries(heartbeat, clock):
    found = [due for _, due in ticks(heartbeat, clock, 6)]
    assert found[: FIRST_MISSES + 1] == ["ask"] * FIRST_MISSES + ["lost"]


def test_after_being_heard_it_is_quiet_then_lost_within_five_misses(heartbeat, clock):
    heartbeat.heard()
    assert ticks(heartbeat, clock, SILENCE - 0.2) == []
    found = ticks(heartbeat, clock, 20)
    assert [due for _, due in found].index("lost") == MISSES
    assert next(t for t, due in found if due == "lost") <= 10


def test_lost_is_said_once_and_questions_become_rare(heartbeat, clock):
    found = ticks(heartbeat, clock, 300)
    assert sum(due == "lost" for _, due in found) == 1
    waits = [b[0] - a[0] for a, b in itertools.pairwise(found[4:])]
    assert max(waits) == pytest.approx(LONGEST_WAIT, abs=0.3)
    heartbeat.heard()
    assert not heartbeat.lost


def test_a_main_thread_that_stood_still_for_minutes_has_not_lost_the_link(heartbeat, clock):
    heartbeat.heard()
    clock.now += 300
    assert heartbeat.tick() == "ask"
    assert not heartbeat.lost
