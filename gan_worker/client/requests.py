"""Pending requests of a client: sent, sent again until they are answered, and then forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gan_worker.wire import codec, messages
from gan_worker.wire.codec import Message

RESEND = 2.0
PENDING_LIMIT = 64
_QUESTIONS = (messages.AskModels, messages.AskRuns, messages.AskJobs)


@dataclass
class _Request:
    """A request that waits for its answer, sent again until it comes."""

    message: Message
    sent_at: float | None = None
    again: bool = False


class PendingRequests:
    """The requests that wait for their answers, in the order in which they were made."""

    def __init__(self) -> None:
        self._requests: dict[str, _Request] = {}

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def full(self) -> bool:
        """Whether no more jobs should be asked for until some requests are answered."""
        return len(self._requests) >= PENDING_LIMIT

    def add(self, body: Any) -> None:
        """Ask for something; what is asked for already is not asked for twice.

        Raises:
            ProtocolError: `invalid_message` for what cannot be sent: refused here, not whenever it is sent.
        """
        for known in self._requests.values():
            if known.message.body == body:
                # What is being answered may be older than what is asked for now.
                known.again = known.sent_at is not None and type(body) in _QUESTIONS
                return
        message = Message(body)
        codec.encode(message)
        self._requests[message.id] = _Request(message)

    def send(self, session: str, send: Callable[[Message], bool]) -> None:
        """Send what was not sent yet, and what was not answered for `RESEND` seconds.

        Args:
            session: of the connection.
            send: sends a message; False where no more can be sent now.
        """
        now = time.monotonic()
        for request in self._requests.values():
            if request.sent_at is None or now - request.sent_at > RESEND:
                known = request.message
                if not send(Message(known.body, known.id, session=session)):
                    return
                request.sent_at = now

    def answer(self, message: Message) -> Any:
        """Take out the request that this message answers, and return its body; None where it is gone."""
        request = self._requests.pop(message.re or "", None)
        if request is None:
            return None
        if request.again:
            self.add(request.message.body)
        return request.message.body

    def begin_anew(self, after: int | None) -> None:
        """There is another session: subscribe in it before all else, then send everything again.

        Args:
            after: number of the last state event that came; None for none.
        """
        waiting = [r.message for r in self._requests.values()]
        self._requests.clear()
        self.add(messages.Subscribe(after))
        self._requests.update(
            (m.id, _Request(m)) for m in waiting if type(m.body) is not messages.Subscribe
        )
