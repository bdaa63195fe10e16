"""What waits for an answer is asked once, sent again in time, and in order after a new session."""

from __future__ import annotations

import time

import pytest

from gan_worker.client import requests
from gan_worker.client.requests import PendingRequests
from gan_worker.wire import messages
from gan_worker.wire.codec import Message

JOB = "0" * 32


class Line:
    """A connection that takes so many messages."""

    def __init__(self, room: int = 100) -> None:
        self.room, self.sent = room, []

    def send(self, message: Message) -> bool:
        if len(self.sent) >= self.room:
            return False
        self.sent.append(message)
        return True

    @property
    def bodies(self) -> list:
        return [message.body for message in self.sent]


@pytest.fixture
def asked() -> PendingRequests:
    return PendingRequests()


def test_the_same_is_not_asked_twice(asked):
    asked.add(messages.Command(JOB, "pause"))
    asked.add(messages.Command(JOB, "pause"))
    assert len(asked) == 1


def test_a_question_asked_while_it_is_answered_is_asked_again(asked):
    line = Line()
    asked.add(messages.AskModels())
    asked.send("s", line.send)
    asked.add(messages.AskModels())
    answer = Message(messages.ModelList((), True), re=line.sent[0].id)
    assert asked.answer(answer) == messages.AskModels()
    assert asked.answer(answer) is None
    asked.send("s", line.send)
    assert line.bodies == [messages.AskModels()] * 2


def test_what_is_not_answered_is_sent_again_under_the_same_id(asked, monkeypatch):
    line, clock = Line(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    asked.add(messages.AskRuns())
    for clock[0] in (0.0, requests.RESEND, 1.1 * requests.RESEND):
        asked.send("s", line.send)
    assert len(line.sent) == 2
    assert line.sent[0].id == line.sent[1].id


def test_what_found_no_room_is_sent_the_next_time(asked):
    narrow, wide = Line(1), Line()
    asked.add(messages.AskModels())
    asked.add(messages.AskRuns())
    asked.send("s", narrow.send)
    asked.send("s", wide.send)
    assert narrow.bodies + wide.bodies == [messages.AskModels(), messages.AskRuns()]


def test_a_new_session_is_subscribed_first_and_asked_everything_again(asked):
    before, after = Line(), Line()
    asked.begin_anew(None)
    asked.add(messages.Command(JOB, "pause"))
    asked.send("one", before.send)
    asked.begin_anew(7)
    asked.send("two", after.send)
    assert after.bodies == [messages.Subscribe(7), messages.Command(JOB, "pause")]
    assert {message.session for message in after.sent} == {"two"}
    assert after.sent[1].id == before.sent[1].id
