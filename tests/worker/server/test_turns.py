"""Turns: each owner's items in their order, and of no owner two while another waits."""

import itertools
import random

import pytest

from gan_worker.server.turns import FairTurns


def drain(turns):
    found = []
    while turns:
        found.append(turns.next())
    return found


def test_one_of_each_owner_after_the_other():
    turns = FairTurns(100)
    for number in range(5):
        turns.add("greedy", f"g{number}")
    turns.add("modest", "m0")
    assert turns.next() == "g0"
    assert turns.next() == "m0"
    turns.add("late", "l0")
    assert drain(turns) == ["g1", "l0", "g2", "g3", "g4"]


def test_it_is_full_where_one_owner_has_as_much_as_it_may():
    turns = FairTurns(2)
    turns.add("a", 1)
    turns.add("b", 2)
    assert not turns.full
    turns.add("a", 3)
    assert (turns.full, turns.has_room("a"), turns.has_room("b"), turns.has_room("c")) == (
        *(True, False),
        *(True, True),
    )
    turns.next()
    assert not turns.full


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_and_an_owner_waits_for_at_most_one_of_each_other(seed):
    owners = random.Random(seed).choices("abc", (9, 3, 1), k=seed * 3)
    turns = FairTurns(1000)
    for number, owner in enumerate(owners):
        turns.add(owner, (owner, number))
    order = drain(turns)
    assert sorted(order) == sorted((owner, n) for n, owner in enumerate(owners))
    for owner in set(owners):
        own = [n for o, n in order if o == owner]
        assert own == sorted(own)
        places = [place for place, (o, _) in enumerate(order) if o == owner]
        assert all(b - a <= 3 for a, b in itertools.pairwise(places))
