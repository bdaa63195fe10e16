"""Subscriptions: what each client has still to be told; state events in order, the rest latest wins."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gan_worker.wire.codec import EVENT_CREDIT, BadMessage, Message, new_id
from gan_worker.wire.messages import JobState

if TYPE_CHECKING:
    from gan_worker.server.journal import Journal
    from gan_worker.wire.messages import ReportEvent

logger = logging.getLogger(__name__)

EVENTS_AT_ONCE = 16
NOTICES_KEPT = 16
# Clients of one owner, and of all: one that has more loses its own.
OF_ONE_OWNER, CLIENTS_KEPT = 32, 256

Key = tuple[Hashable, ...]


@dataclass
class Subscriber:
    """One connected client.

    Attributes:
        route: what the ROUTER socket calls it.
        owner: the public key it proved.
        session: what it must name in every message.
        cursor: number of the last state event it was sent; None before it subscribed.
        latest: what it has not been sent yet, at most one of each key.
        credit: how many latest-wins events it may still be sent before it says it saw some.
    """

    route: bytes
    owner: str
    session: str = field(default_factory=new_id)
    cursor: int | None = None
    latest: dict[Key, Any] = field(default_factory=dict)
    credit: int = EVENT_CREDIT


class Subscriptions:
    """All connected clients and the newest reports of all running jobs.

    Args:
        journal: where state events are replayed from.
        send: sends a message to a route; False where its socket takes no more now.
    """

    def __init__(self, journal: Journal, send: Callable[[bytes, Message], bool]) -> None:
        self._journal = journal
        self._send = send
        self._by_route: dict[bytes, Subscriber] = {}
        self._reports: dict[str, dict[Key, Any]] = {}

    def __len__(self) -> int:
        return len(self._by_route)

    def get(self, route: bytes) -> Subscriber | None:
        return self._by_route.get(route)

    def welcome(self, route: bytes, owner: str) -> Subscriber:
        """A client said hello; what was known of its connection before is forgotten."""
        self._by_route.pop(route, None)
        self._make_room(owner)
        self._by_route[route] = subscriber = Subscriber(route, owner)
        return subscriber

    def _make_room(self, owner: str) -> None:
        """Forget the oldest client of this owner, or where there are too many in all, of the owner that has most.

        Harmless where it is still there: it hears that its session is unknown and says hello.
        """
        counts = Counter(subscriber.owner for subscriber in self._by_route.values())
        if counts[owner] < OF_ONE_OWNER:
            if len(self._by_route) < CLIENTS_KEPT:
                return
            owner = counts.most_common(1)[0][0]
        del self._by_route[next(r for r, s in self._by_route.items() if s.owner == owner)]

    def forget(self, route: bytes) -> None:
        self._by_route.pop(route, None)

    def subscribe(self, subscriber: Subscriber, after: int | None, jobs: Iterable[str]) -> bool:
        """Begin to send events after that number, and the newest reports of these jobs.

        Returns:
            Whether events are missing because they are no longer kept.
        """
        last = self._journal.last(subscriber.owner)
        start = last if after is None else min(max(after, 0), last)
        first = self._journal.first(subscriber.owner)
        subscriber.cursor = max(start, first - 1)
        for job in jobs:
            subscriber.latest.update(self._reports.get(job, {}))
        return subscriber.cursor > start or (after is not None and after > last)

    def seen(self, subscriber: Subscriber, count: int) -> None:
        """A client took in so many latest-wins events."""
        subscriber.credit = min(EVENT_CREDIT, subscriber.credit + max(0, count))

    def offer_report(self, owner: str, job: str, key: Key, body: Any) -> None:
        """There is something newer to tell about a job."""
        reports = self._reports.setdefault(job, {})
        if len(reports) < NOTICES_KEPT or key in reports:
            reports[key] = body
        for subscriber in self._by_route.values():
            if subscriber.owner == owner and subscriber.cursor is not None:
                subscriber.latest[key] = body

    def forget_reports(self, job: str) -> None:
        """A job ended; what has not been sent of it still goes out."""
        self._reports.pop(job, None)

    def offer_all(self, key: Key, body: Any) -> None:
        """There is something newer to tell everybody."""
        for subscriber in self._by_route.values():
            subscriber.latest[key] = body

    def tell_all(self, body: Any) -> None:
        """Tell everybody now; whose socket takes no more is not told."""
        for subscriber in list(self._by_route.values()):
            self._send(subscriber.route, Message(body, session=subscriber.session))

    def deliver(self) -> None:
        """Send each client what its socket and its credit allow."""
        for subscriber in list(self._by_route.values()):
            if self._deliver_states(subscriber):
                self._deliver_latest(subscriber)

    def _tell(self, subscriber: Subscriber, message: Message) -> bool:
        """Send an event; one that no message can carry must not hold up what comes after it."""
        try:
            return self._send(subscriber.route, message)
        except BadMessage as error:
            logger.warning("an event cannot be told: %s", error)
        body = message.body
        if not (isinstance(body, JobState) and body.result):
            return True
        # How the job ended can be told; who asks for its result hears why there is none.
        return self._tell(subscriber, replace(message, body=replace(body, result=None)))

    def _deliver_states(self, subscriber: Subscriber) -> bool:
        """Send state events in order; False where some are left, and reports wait behind them."""
        last = self._journal.last(subscriber.owner)
        while subscriber.cursor is not None and subscriber.cursor < last:
            batch = self._journal.events(subscriber.owner, subscriber.cursor, EVENTS_AT_ONCE)
            for number, event in batch:
                message = Message(event, session=subscriber.session, sequence=number)
                if not self._tell(subscriber, message):
                    return False
                subscriber.cursor = number
            if not batch:
                return True
        return True

    def _deliver_latest(self, subscriber: Subscriber) -> None:
        while subscriber.latest and subscriber.credit > 0:
            key = next(iter(subscriber.latest))
            message = Message(subscriber.latest[key], session=subscriber.session)
            if not self._tell(subscriber, message):
                return
            del subscriber.latest[key]
            subscriber.credit -= 1


def report_key(body: ReportEvent) -> Key:
    """Reports of the same key replace each other; notices only where they say the same."""
    text = body.report.get("text", "") if body.kind == "Notice" else ""
    return (body.job, body.kind, text)
