"""Subscriptions: which clients are known, and that none of an owner pushes out another owner's."""

from dataclasses import replace

import pytest

from gan_worker.config import GenerationConfig, Recipe
from gan_worker.server.journal import JobRecord, Journal
from gan_worker.server.subscriptions import CLIENTS_KEPT, OF_ONE_OWNER, Subscriptions
from gan_worker.wire.codec import encode
from gan_worker.wire.messages import ReportEvent, Result


@pytest.fixture
def subscriptions():
    journal = Journal(":memory:")
    yield Subscriptions(journal, lambda route, message: True)
    journal.close()


def test_an_owner_with_many_clients_loses_its_own(subscriptions):
    subscriptions.welcome(b"modest", "modest")
    for number in range(2 * CLIENTS_KEPT):
        subscriptions.welcome(b"greedy %d" % number, "greedy")
    assert len(subscriptions) == OF_ONE_OWNER + 1
    assert subscriptions.get(b"modest")
    assert subscriptions.get(b"greedy %d" % (2 * CLIENTS_KEPT - 1))
    assert not subscriptions.get(b"greedy 0")


def test_where_there_are_too_many_in_all_the_owner_with_most_loses_one(subscriptions):
    for owner in range(CLIENTS_KEPT // OF_ONE_OWNER):
        for number in range(OF_ONE_OWNER - (owner == 3)):
            subscriptions.welcome(b"%d/%d" % (owner, number), str(owner))
    subscriptions.welcome(b"last", "last")
    subscriptions.welcome(b"one more", "one more")
    assert len(subscriptions) == CLIENTS_KEPT
    kept = [subscriptions.get(b"3/%d" % number) for number in range(OF_ONE_OWNER - 1)]
    assert all(kept)
    assert not subscriptions.get(b"0/0")


def test_who_says_hello_again_counts_once(subscriptions):
    for _ in range(2 * OF_ONE_OWNER):
        subscriptions.welcome(b"me", "me")
    assert len(subscriptions) == 1


def test_an_event_that_no_message_can_carry_holds_up_no_other():
    journal, sent = Journal(":memory:"), []

    def send(route, message):
        encode(message)
        sent.append(message.body)
        return True

    subscriptions = Subscriptions(journal, send)
    me = subscriptions.welcome(b"me", "me")
    subscriptions.subscribe(me, 0, ())
    huge = Result(Recipe(GenerationConfig("x" * 70_000), "a" * 64, "0.1.0"), {})
    job = JobRecord("0" * 32, "me", "generate", "oak", {})
    journal.add(job)
    journal.change(replace(job, state="succeeded", result=huge))
    journal.add(replace(job, job="1" * 32))
    long = ReportEvent("1" * 32, "Notice", {"text": "x" * 70_000})
    subscriptions.offer_report("me", "1" * 32, ("a",), long)
    subscriptions.offer_report("me", "1" * 32, ("b",), replace(long, report={"text": "short"}))
    subscriptions.deliver()
    told = [(e.job[0], e.state, e.result) for e in sent[:3]]
    assert told == [("0", "queued", None), ("0", "succeeded", None), ("1", "queued", None)]
    assert [e.report for e in sent[3:]] == [{"text": "short"}]
    journal.close()
