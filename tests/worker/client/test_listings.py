"""Lists that come in parts are told once, whole; what has changed in between, or is older, does no harm."""

from __future__ import annotations

import pytest

from gan_worker.client import listings
from gan_worker.client.listings import Listings
from gan_worker.wire.messages import (
    AskModels,
    AskRuns,
    ModelEntry,
    ModelList,
    Ping,
    RunEntry,
    RunList,
    Unreadable,
)

BROKEN = (Unreadable("pine", "It is broken."),)


def models(*numbers, **fields):
    entries = (ModelEntry(f"oak {number}", "0" * 64, 8, 16, ("height",)) for number in numbers)
    return ModelList(tuple(entries), **fields)


@pytest.fixture
def lists() -> Listings:
    return Listings()


def test_a_list_in_one_part_is_told_as_it_came(lists):
    assert lists.take(AskModels(), models(1, 2)) == models(1, 2)


def test_parts_are_asked_for_one_after_the_other_and_told_whole(lists):
    first = models(1, 2, complete=False, next=2, unreadable=BROKEN)
    assert lists.take(AskModels(), first) == AskModels(2)
    assert lists.take(AskModels(2), models(3, complete=False, next=3)) == AskModels(3)
    assert lists.take(AskModels(3), models(4)) == models(1, 2, 3, 4, unreadable=BROKEN)


def test_runs_come_in_parts_too(lists):
    one, two = (RunEntry(n, "2030", "nano", 0.5, 1.0, 9, True, False) for n in ("a", "b"))
    assert lists.take(AskModels(), models(1, complete=False, next=1)) == AskModels(1)
    assert lists.take(AskRuns(), RunList((one,), False, 1)) == AskRuns(1)
    assert lists.take(AskRuns(1), RunList((two,))) == RunList((one, two))


def test_an_older_worker_that_cuts_its_list_is_asked_no_further(lists):
    assert lists.take(AskModels(), models(1, complete=False)) == models(1, complete=False)


def test_a_part_of_a_list_that_was_asked_for_anew_meanwhile_is_dropped(lists):
    lists.take(AskModels(), models(1, 2, complete=False, next=2))
    assert lists.take(AskModels(), models(0, 1, 2, complete=False, next=3)) == AskModels(3)
    assert lists.take(AskModels(2), models(3)) is None
    assert lists.take(AskModels(3), models(3)) == models(0, 1, 2, 3)
    assert lists.take(AskModels(3), models(3)) is None


def test_what_has_moved_from_part_to_part_is_told_once(lists):
    lists.take(AskModels(), models(1, 2, complete=False, next=2))
    assert lists.take(AskModels(2), models(2, 3)) == models(1, 2, 3)


@pytest.mark.parametrize("wrong", [-1, 0, 1, 3, 2**53])
def test_a_worker_that_counts_wrongly_is_asked_no_further(lists, wrong):
    found = lists.take(AskModels(), models(1, 2, complete=False, next=wrong))
    assert (len(found.models), found.complete) == (2, False)
    lists.take(AskModels(), models(1, 2, complete=False, next=2))
    found = lists.take(AskModels(2), models(complete=False, next=2))
    assert (len(found.models), found.complete) == (2, False)


def test_a_list_that_answers_another_question_is_told_as_it_came(lists):
    assert lists.take(Ping(), models(1)) == models(1)
    assert lists.take(AskRuns(1), models(1)) == models(1)


def test_a_list_without_an_end_is_cut(lists, monkeypatch):
    monkeypatch.setattr(listings, "MOST", 3)
    lists.take(AskModels(), models(1, 2, complete=False, next=2))
    found = lists.take(AskModels(2), models(3, 4, complete=False, next=4))
    assert (len(found.models), found.complete) == (4, False)
