"""Which compute process gets what: jobs, commands, and the end."""

from __future__ import annotations

from gan_worker.errors import RequestError
from gan_worker.server.compute_pool import ComputePool
from gan_worker.server.queue import Jobs
from gan_worker.server.supervisor import ComputeProcess
from gan_worker.wire import messages

# In the order in which they are handed out.
KINDS: tuple[messages.JobKind, ...] = ("train", "generate", "repair")


class Dispatcher:
    """Stands between the jobs and the compute processes.

    Args:
        jobs: all of the server.
        pool: its compute processes.
    """

    def __init__(self, jobs: Jobs, pool: ComputePool) -> None:
        self._jobs, self._pool = jobs, pool

    def tend(self) -> None:
        """Look after the processes and hand out what waits; call often."""
        for place, process in enumerate(self._pool):
            self._watch(place, process)
        self._dispatch()

    def command(self, owner: str, job: str, action: messages.Action) -> None:
        """Carry out a client's command, and tell it to the process that has the job.

        Raises:
            RequestError: as `Jobs.command`.
        """
        told = self._jobs.command(owner, job, action)
        place = self._jobs.place_of(job)
        if told is not None and place is not None:
            self._pool[place].send(told)
            if told.action == "cancel":
                self._pool[place].press("a job that was cancelled did not end")

    def relax(self) -> None:
        """Press no process any longer that holds nothing which is being cancelled."""
        for place, process in enumerate(self._pool):
            if not any(j.state == "cancelling" for j in self._jobs.running_at(place)):
                process.relax()

    def release(self) -> None:
        """Let the processes end, so that their memory returns.

        Raises:
            RequestError: `wrong_state` while there are jobs.
        """
        if self._jobs.running or self._jobs.waiting:
            raise RequestError(
                "wrong_state",
                "The worker must be idle to give its memory back; a job runs or waits.",
                "Wait until it has ended, or stop it.",
            )
        self._pool.leave(messages.Leave())

    def _watch(self, place: int, process: ComputeProcess) -> None:
        before = process.state
        reason = process.watch()
        if reason is not None:
            self._pool.died(place, before)
        if reason is not None and (self._jobs.running_at(place) or before != "stopping"):
            self._jobs.compute_died(reason, place, self._pool.alive)
        if process.idle_too_long():
            process.leave(messages.Leave())

    def _dispatch(self) -> None:
        pool = self._pool
        for kind in KINDS:
            while (found := self._jobs.next_run(kind, pool.ready, pool.able)) is not None:
                place, run = found
                if not pool[place].send(run):
                    pool[place].press("it took no messages")
        for place in pool.ready:
            pool[place].set_busy(bool(self._jobs.running_at(place)))
        if not pool.all_alive and self._jobs.unplaced and not self._jobs.ending:
            error = pool.start(self._jobs.unplaced)
            if error is not None:
                self._jobs.compute_died(str(error), others=pool.alive)
