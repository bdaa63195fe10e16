"""Request handlers: a body for each request of a client, and the chunks of results."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from gan_worker.errors import TilewrightError, UnexpectedError, require
from gan_worker.wire import messages
from gan_worker.wire.codec import BadMessage, Message, encode, new_id

if TYPE_CHECKING:
    from gan_worker.server.blobs import BlobStore
    from gan_worker.server.journal import Journal
    from gan_worker.server.queue import JobQueue
    from gan_worker.server.run_catalogue import RunCatalogue
    from gan_worker.server.scheduler import Scheduler
    from gan_worker.server.subscriptions import Subscriber, Subscriptions

logger = logging.getLogger(__name__)

# In one message; encoding more would hold others up, and about as many fit.
LISTED_AT_ONCE = 100
UNREADABLE_SHOWN, ESTIMATORS_SHOWN = 20, 50
# They are read from folders that may be many and slow.
LISTS = (messages.AskModels, messages.AskRuns, messages.AskStorage, messages.Tidy)
# As long as any: a body must leave room for what else stands in a head.
SESSION = 4 * new_id()
JOBS_SHOWN = 40

T = TypeVar("T")


class RequestHandlers:
    """Carries requests of clients out, one handler for each type of message.

    Args:
        jobs: all of the server.
        journal: where they are written.
        scheduler: hands them to the compute processes.
        runs: there are.
        store: where results lie.
        subscriptions: the clients.
        is_local: whether a key is of a client that may end the server, and tidy its folder.
        end: ends it.
        sizes: how large its folder is, after so many bytes were freed.
        tidy: removes what nobody needs any more.
    """

    def __init__(
        self,
        jobs: JobQueue,
        journal: Journal,
        scheduler: Scheduler,
        runs: RunCatalogue,
        store: BlobStore,
        subscriptions: Subscriptions,
        is_local: Callable[[str], bool],
        end: Callable[[], None],
        sizes: Callable[[int], messages.StorageSizes],
        tidy: Callable[[], None],
    ) -> None:
        self._jobs, self._journal, self._scheduler = jobs, journal, scheduler
        self._runs, self._store = runs, store
        self._subscriptions, self._is_local, self._end = subscriptions, is_local, end
        self._sizes, self._tidy = sizes, tidy

    def answer(self, client: Subscriber, message: Message, reply: Callable[[Any], None]) -> None:
        """Carry a request out.

        Args:
            client: that asks.
            message: the request.
            reply: is given what to answer, if anything; of a list, once the folders have been looked through, but
                for the later parts of a long one, which belong to the first.
        """
        handler = partial(getattr(self, f"_on_{message.body.wire_type}"), client, message.body)
        if isinstance(message.body, LISTS) and not getattr(message.body, "first", 0):
            later = partial(self._runs.when_read, client.owner, lambda: reply(_answered(handler)))
            answer = _answered(later)
        else:
            answer = _answered(handler)
        if answer is not None:
            reply(answer)

    def _on_subscribe(self, client: Subscriber, body: messages.Subscribe) -> Any:
        active = [j for j in self._jobs.active if self._jobs.owner_of(j) == client.owner]
        missed = self._subscriptions.subscribe(client, body.after, active)
        return messages.Subscribed(client.cursor or 0, missed)

    def _on_submit(self, client: Subscriber, body: messages.Submit) -> Any:
        return self._jobs.submit(client.owner, body)

    def _on_command(self, client: Subscriber, body: messages.Command) -> Any:
        self._scheduler.command(client.owner, body.job, body.action)
        return messages.Done()

    def _on_models(self, client: Subscriber, body: messages.AskModels) -> Any:
        found, unreadable = self._runs.models(self._jobs.training())
        beside: dict[str, Any] = {}
        if not body.first:
            beside["unreadable"] = tuple(unreadable[:UNREADABLE_SHOWN])
            beside["estimators"] = tuple(self._runs.estimators()[:ESTIMATORS_SHOWN])
        return _part(
            lambda some, **more: messages.ModelList(some, **more, **beside), found, body.first
        )

    def _on_runs(self, client: Subscriber, body: messages.AskRuns) -> Any:
        found = self._runs.runs(self._jobs.training())
        return _part(messages.RunList, found, body.first)

    def _on_run_settings(self, client: Subscriber, body: messages.AskRunSettings) -> Any:
        return messages.RunConfig(body.run, self._runs.settings(body.run, client.owner))

    def _on_run_preview(self, client: Subscriber, body: messages.AskRunPreview) -> Any:
        return self._runs.picture(body.run)

    def _on_rename_run(self, client: Subscriber, body: messages.RenameRun) -> Any:
        self._runs.check_change(body.run, client.owner)
        self._runs.rename(body.run, body.name, self._jobs.in_use())
        return messages.Done()

    def _on_delete_run(self, client: Subscriber, body: messages.DeleteRun) -> Any:
        self._runs.check_change(body.run, client.owner)
        self._runs.delete(body.run, self._jobs.in_use())
        return messages.Done()

    def _on_release(self, client: Subscriber, body: messages.Release) -> Any:
        self._scheduler.release()
        return messages.Done()

    def _on_jobs(self, client: Subscriber, body: messages.AskJobs) -> Any:
        found = [job.event() for job in self._journal.newest(client.owner, JOBS_SHOWN)]
        bare = [messages.JobState(**{**vars(event), "result": None}) for event in found]
        return _part(lambda some, **_: messages.JobList(some), bare)

    def _on_result(self, client: Subscriber, body: messages.AskResult) -> Any:
        return self._jobs.find(client.owner, body.job).event()

    def _on_ping(self, client: Subscriber, body: messages.Ping) -> Any:
        return messages.Pong()

    def _on_storage(self, client: Subscriber, body: messages.AskStorage) -> Any:
        return self._sizes(0)

    def _on_tidy(self, client: Subscriber, body: messages.Tidy) -> Any:
        require(
            self._is_local(client.owner),
            "A worker's folder can be tidied only by who started it, from its own computer",
            "this from a client that was let in",
            "It keeps its own tidy; to tidy it at once, end it and use gan-worker tidy there.",
            "not_allowed",
        )
        before = self._sizes(0).state
        self._tidy()
        return self._sizes(max(0, before - self._sizes(0).state))

    def _on_shutdown(self, client: Subscriber, body: messages.Shutdown) -> Any:
        require(
            self._is_local(client.owner),
            "A worker can be ended only by who started it, from its own computer",
            "this from a client that was let in",
            "End it on the computer it runs on.",
            "not_allowed",
        )
        self._end()
        return messages.Done()

    def _on_goodbye(self, client: Subscriber, body: messages.Goodbye) -> Any:
        self._subscriptions.forget(client.route)

    def _on_seen(self, client: Subscriber, body: messages.Seen) -> Any:
        self._subscriptions.seen(client, body.count)

    def chunk(self, owner: str, message: Message) -> Message:
        """The chunk of a result that a client asks for on bulk, or why there is none."""
        wanted: messages.Fetch = message.body
        data = _answered(lambda: self._read(owner, wanted))
        if isinstance(data, messages.Error):
            return Message(data, re=message.id)
        chunk = messages.Chunk(wanted.job, wanted.name, wanted.offset)
        return Message(chunk, re=message.id, payload=data)

    def _read(self, owner: str, wanted: messages.Fetch) -> bytes:
        self._jobs.check_owner(owner, wanted.job)
        return self._store.read(wanted.job, wanted.name, wanted.offset, wanted.length)


def _answered(work: Callable[[], T]) -> T | messages.Error:
    """What some work gives, or why it gives nothing: the client must hear of it, whatever it was."""
    try:
        return work()
    except TilewrightError as error:
        return messages.Error(error.info.clipped())
    except Exception as error:
        logger.exception("a request failed")
        return messages.Error(UnexpectedError(error).info.clipped())


def _part(make: Callable[..., Any], items: Sequence[Any], first: int = 0) -> Any:
    """The body with as many items as one message can hold.

    Args:
        make: makes it of some items, and of `complete` and `next` as in `messages.ModelList`.
        items: all.
        first: of the items in the body.
    """
    shown = tuple(items[max(0, first) :][:LISTED_AT_ONCE])
    while True:
        end = max(0, first) + len(shown)
        complete = end >= len(items)
        body = make(shown, complete=complete, next=0 if complete else end)
        try:
            encode(Message(body, session=SESSION))
        except BadMessage:
            shown = shown[: len(shown) * 7 // 8]
        else:
            return body
