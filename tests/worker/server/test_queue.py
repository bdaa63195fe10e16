"""The queue: states, limits, owners, deaths and replay, without any socket."""

from contextlib import closing

import pytest

from gan_worker.errors import ErrorInfo, RequestError, StorageError
from gan_worker.memory import resident_memory_mb
from gan_worker.server.journal import Journal
from gan_worker.server.queue import DEATHS, WAITING_PER_OWNER, JobQueue
from gan_worker.wire.codec import new_id
from gan_worker.wire.messages import Finished, JobAccepted, JobRejected, Submit


class OpenDoor:
    """Takes everything."""

    def check(self, owner, kind, config, training):
        if config.get("bad"):
            raise RequestError("invalid_config", "It is bad.", "Make it good.")
        return config.get("run", "oak"), config

    def resolve(self, owner, kind, config, attempt):
        if config.get("gone"):
            raise RequestError("invalid_config", "It is gone.", "Bring it back.")
        return {**config, "resume": attempt > 1}


class Desk:
    """A queue and what it told."""

    def __init__(self, journal):
        self.told = []
        self.jobs = JobQueue(
            journal, OpenDoor(), lambda job: self.told.append((job.job, job.state))
        )

    def submit(self, kind="train", owner="me", job=None, channel="", **config):
        job = job or new_id()
        self.answer = self.jobs.submit(owner, Submit(job, kind, config, channel))
        return job

    def next_run(self, kind, ready=(0,), able=1):
        found = self.jobs.next_run(kind, ready, able)
        return found and found[1]

    def place(self, kind, ready, able):
        found = self.jobs.next_run(kind, ready, able)
        return found and found[0]

    def states(self, job):
        return [state for j, state in self.told if j == job]


@pytest.fixture
def journal():
    journal = Journal(":memory:")
    yield journal
    journal.close()


@pytest.fixture
def desk(journal):
    return Desk(journal)


def test_a_job_runs_and_succeeds(desk):
    job = desk.submit()
    run = desk.next_run("train")
    assert (run.job, run.attempt) == (job, 1)
    desk.jobs.finish(Finished(job))
    assert desk.states(job) == ["queued", "running", "succeeded"]


def test_submitted_twice_it_is_one_job(desk):
    job = desk.submit()
    desk.submit(job=job)
    assert desk.answer == JobAccepted(job, duplicate=True)
    assert len(desk.jobs.waiting) == 1
    desk.next_run("train")
    desk.jobs.finish(Finished(job))
    desk.submit(job=job)
    assert desk.jobs.waiting == []


def test_one_of_each_kind_runs_beside_the_other(desk):
    desk.submit("train", run="a")
    desk.submit("train", run="b")
    desk.submit("generate")
    assert desk.next_run("train")
    assert desk.next_run("generate")
    assert desk.next_run("train") is None


def test_materials_are_spread_over_the_processes(desk):
    for _ in range(3):
        desk.submit("generate")
    assert [desk.place("generate", [0, 1], 2) for _ in range(3)] == [0, 1, None]
    assert desk.jobs.unplaced == 1
    desk.jobs.finish(Finished(desk.jobs.running_at(1)[0].job))
    assert desk.place("generate", [0, 1], 2) == 1


def test_a_training_has_a_process_to_itself_but_for_its_own_materials(desk):
    desk.submit("train", run="oak")
    assert desk.place("train", [0], 2) == 0
    desk.submit("generate", run="pine")
    assert desk.place("generate", [0], 2) is None, "another process is to be started"
    assert desk.jobs.unplaced == 1
    assert desk.place("generate", [0, 1], 2) == 1
    desk.submit("generate", run="oak")
    assert desk.jobs.unplaced == 0
    assert desk.place("generate", [1], 2) is None, "the one that trains it has its newest weights"
    assert desk.place("generate", [0, 1], 2) == 0


def test_materials_are_made_between_two_steps_where_all_processes_train(desk):
    for run in ("oak", "pine"):
        desk.submit("train", run=run)
        assert desk.place("train", [0, 1], 2) is not None
    desk.submit("generate", run="ash")
    assert desk.place("generate", [0, 1], 2) == 0


def test_the_death_of_one_process_touches_only_its_own_jobs(desk):
    first, second = desk.submit("generate"), desk.submit("generate")
    assert [desk.place("generate", [0, 1], 2) for _ in range(2)] == [0, 1]
    waiting = desk.submit("generate")
    desk.jobs.compute_died("signal 9", 1, others=True)
    assert desk.states(first)[-1] == "running"
    assert desk.states(second) == ["queued", "running", "interrupted", "queued"]
    assert desk.states(waiting) == ["queued"]
    assert desk.next_run("generate", [1], 2).job == second


def test_a_bad_config_is_rejected_and_nothing_is_kept(desk, journal):
    job = desk.submit(bad=True)
    assert isinstance(desk.answer, JobRejected)
    assert journal.get(job) is None


def test_too_many_waiting_are_rejected_with_a_time_to_come_back(desk):
    for _ in range(WAITING_PER_OWNER):
        desk.submit("generate")
    desk.submit("generate")
    assert desk.answer.error.code == "busy"
    assert desk.answer.error.retry_after
    desk.submit("generate", owner="you")
    assert isinstance(desk.answer, JobAccepted)


def test_ten_thousand_asked_for_at_once_take_no_memory(desk):
    for _ in range(100):
        desk.submit("generate")
    desk.told.clear()
    before = resident_memory_mb()
    for number in range(10_000):
        desk.submit("generate", note=f"{number:010000d}")  # 100 MB in all
        assert desk.answer.error.code == "busy"
    assert resident_memory_mb() - before < 10
    assert not desk.told
    assert len(desk.jobs.waiting) == WAITING_PER_OWNER


def test_a_job_of_another_owner_does_not_exist(desk):
    job = desk.submit()
    with pytest.raises(RequestError) as caught:
        desk.jobs.command("you", job, "cancel")
    assert caught.value.code == "unknown_job"
    desk.submit(job=job, owner="you")
    assert desk.answer.error.code == "unknown_job"
    assert desk.states(job) == ["queued"]


def test_a_waiting_job_is_cancelled_at_once(desk):
    job = desk.submit()
    assert desk.jobs.command("me", job, "cancel") is None
    assert desk.states(job) == ["queued", "cancelled"]


def test_a_running_job_is_asked_first(desk):
    job = desk.submit()
    desk.next_run("train")
    assert desk.jobs.command("me", job, "cancel").action == "cancel"
    desk.jobs.finish(Finished(job))
    assert desk.states(job)[-2:] == ["cancelling", "cancelled"]


def test_pause_and_resume(desk):
    job = desk.submit()
    with pytest.raises(RequestError) as caught:
        desk.jobs.command("me", job, "pause")
    assert caught.value.code == "wrong_state"
    desk.next_run("train")
    assert desk.jobs.command("me", job, "pause").action == "pause"
    assert desk.jobs.command("me", job, "resume").action == "resume"
    assert desk.states(job)[-2:] == ["paused", "running"]


def test_stop_ends_well_and_commands_after_the_end_do_no_harm(desk):
    job = desk.submit()
    desk.next_run("train")
    assert desk.jobs.command("me", job, "stop").action == "stop"
    desk.jobs.finish(Finished(job))
    assert desk.states(job)[-1] == "succeeded"
    assert desk.jobs.command("me", job, "stop") is None
    assert desk.jobs.command("me", job, "cancel") is None
    desk.jobs.finish(Finished(job))
    assert desk.states(job).count("succeeded") == 1


def test_a_death_is_told_and_the_job_goes_on_from_its_checkpoint(desk):
    job = desk.submit()
    desk.next_run("train")
    desk.jobs.compute_died("signal 9")
    assert desk.states(job)[-2:] == ["interrupted", "queued"]
    run = desk.next_run("train")
    assert run.attempt == 2
    assert run.config["resume"]


def test_three_deaths_fail_the_job_and_the_queue_goes_on(desk):
    job, other = desk.submit(run="a"), desk.submit(run="b")
    for _ in range(DEATHS):
        assert desk.next_run("train").job == job
        desk.jobs.compute_died("signal 11")
    assert desk.states(job)[-1] == "failed"
    assert desk.next_run("train").job == other


def test_a_compute_process_that_never_comes_up_fails_what_waits(desk):
    job = desk.submit()
    for _ in range(DEATHS):
        desk.jobs.compute_died("exit code 1")
    assert desk.states(job)[-1] == "failed"


def test_a_stopped_job_is_not_started_again_after_a_death(desk):
    job = desk.submit()
    desk.next_run("train")
    desk.jobs.command("me", job, "stop")
    desk.jobs.compute_died("signal 9")
    assert desk.states(job)[-1] == "interrupted"
    assert desk.next_run("train") is None
    desk.jobs.command("me", job, "resume")
    assert desk.next_run("train").config["resume"]


def test_a_paused_job_is_not_started_again_after_a_death_or_a_restart(desk, journal):
    job = desk.submit()
    desk.next_run("train")
    desk.jobs.command("me", job, "pause")
    new = Desk(journal)
    new.jobs.replay(frozenset({"me"}))
    assert new.states(job) == ["interrupted"]
    desk.jobs.compute_died("signal 9")
    assert desk.states(job)[-1] == "interrupted"
    assert "Resume" in journal.get(job).error.cure
    assert desk.next_run("train") is None
    desk.jobs.command("me", job, "resume")
    assert desk.next_run("train").config["resume"]


def test_the_strongest_wish_of_a_process_counts(desk):
    train, made = desk.submit(), desk.submit("generate")
    desk.next_run("train")
    desk.next_run("generate")
    assert desk.jobs.wish_at(0) is None
    seen = []
    for job, action in ((train, "pause"), (train, "stop"), (made, "cancel")):
        desk.jobs.command("me", job, action)
        seen.append(desk.jobs.wish_at(0))
    assert seen == ["pause", "stop", "cancel"]
    desk.jobs.finish(Finished(made))
    assert desk.jobs.wish_at(0) == "stop"
    assert desk.jobs.wish_at(1) is None
    desk.jobs.finish(Finished(train))
    assert desk.jobs.wish_at(0) is None


NO_ROOM = ErrorInfo("out_of_memory", "There must be room.", "Choose a smaller size.")


def test_a_generation_without_memory_is_tried_again_once(desk, journal):
    job = desk.submit("generate")
    for tries in range(2):
        desk.next_run("generate")
        assert desk.jobs.finish(Finished(job, NO_ROOM)), "the process must end"
        assert desk.states(job)[-1] == ("failed" if tries else "queued")
    error = journal.get(job).error
    assert error.code == "out_of_memory"
    assert "new compute process had no room" in error.message


def test_a_training_without_memory_can_be_resumed(desk):
    job = desk.submit()
    desk.next_run("train")
    assert desk.jobs.finish(Finished(job, NO_ROOM))
    assert desk.states(job)[-1] == "interrupted"
    assert desk.next_run("train") is None
    desk.jobs.command("me", job, "resume")
    assert desk.next_run("train").config["resume"]


def test_where_others_work_beside_it_no_process_is_ended_for_want_of_memory(desk):
    train, made = desk.submit(), desk.submit("generate")
    desk.next_run("train")
    desk.next_run("generate")
    assert not desk.jobs.finish(Finished(made, NO_ROOM))
    assert desk.states(made)[-1] == "failed"
    assert desk.states(train)[-1] == "running"


def test_the_newest_of_a_channel_replaces_those_that_wait(desk):
    first = desk.submit("generate", channel="slider")
    desk.next_run("generate")
    second = desk.submit("generate", channel="slider")
    third = desk.submit("generate", channel="slider")
    assert desk.states(second)[-1] == "cancelled"
    assert desk.states(first)[-1] == "running"
    desk.jobs.finish(Finished(first))
    assert desk.next_run("generate").job == third


def test_a_picture_that_vanished_while_the_job_waited_fails_it(desk):
    job, other = desk.submit(gone=True), desk.submit(run="b")
    assert desk.next_run("train").job == other
    assert desk.states(job)[-1] == "failed"


def test_an_ending_server_leaves_work_for_another_day(desk):
    trains, waits = desk.submit(run="a"), desk.submit(run="b")
    desk.next_run("train")
    desk.jobs.ending = True
    desk.jobs.finish(Finished(trains))
    assert desk.states(trains)[-1] == "interrupted"
    assert desk.next_run("train") is None
    desk.jobs.interrupt_all()
    assert desk.states(waits)[-1] == "interrupted"
    desk.submit()
    assert desk.answer.error.code == "busy"


def test_a_training_that_gave_up_reading_its_pictures_goes_on_only_where_the_server_ends(desk):
    stopped, left = desk.submit(run="a"), desk.submit(run="b")
    given_up = ErrorInfo("cancelled", "It was given up.", "")
    desk.next_run("train")
    desk.jobs.finish(Finished(stopped, given_up))
    assert desk.states(stopped)[-1] == "cancelled"
    desk.next_run("train")
    desk.jobs.ending = True
    desk.jobs.finish(Finished(left, given_up))
    assert desk.states(left)[-1] == "interrupted"


def test_replay_takes_up_what_a_dead_server_left(desk, journal):
    runs, waits, alien = desk.submit(run="a"), desk.submit(run="b"), desk.submit(owner="gone")
    cancels = desk.submit("generate")
    desk.next_run("train")
    desk.next_run("generate")
    desk.jobs.command("me", cancels, "cancel")
    new = Desk(journal)
    new.jobs.replay(frozenset({"me"}))
    assert new.states(runs) == ["interrupted", "queued"]
    assert new.states(waits) == []
    assert new.states(alien) == ["interrupted"]
    assert new.states(cancels) == ["cancelled"]
    assert new.next_run("train").attempt == 2
    new.submit(job=runs)
    assert new.answer.duplicate


def test_a_huge_error_text_is_cut(desk, journal):
    job = desk.submit()
    desk.next_run("train")
    desk.jobs.finish(Finished(job, ErrorInfo("unexpected", "x" * 60_000, "y" * 60_000)))
    error = journal.get(job).error
    assert len(error.message) + len(error.cure) <= 2000


def full():
    return ErrorInfo("disk_full", "There must be room.", "Free some.")


def test_a_training_that_finds_no_room_is_paused_with_the_reason_and_goes_on_by_itself(desk):
    job = desk.submit()
    desk.next_run("train")
    for _ in range(3):
        desk.jobs.wait_for_room(job, full())
    assert desk.jobs.find("me", job).error == full()
    desk.jobs.wait_for_room(job, None)
    assert desk.states(job) == ["queued", "running", "paused", "running"]
    assert desk.jobs.find("me", job).error is None
    desk.jobs.finish(Finished(job))
    assert desk.states(job)[-1] == "succeeded"


def test_who_pauses_a_training_that_waits_for_room_finds_it_paused_when_there_is_some(desk):
    job = desk.submit()
    desk.next_run("train")
    desk.jobs.wait_for_room(job, full())
    assert desk.jobs.command("me", job, "pause").action == "pause"
    desk.jobs.wait_for_room(job, None)
    assert desk.states(job)[-1] == "paused"
    assert desk.jobs.command("me", job, "resume").action == "resume"
    assert desk.states(job)[-1] == "running"


def test_who_resumes_a_training_that_waits_for_room_hears_that_it_still_waits(desk):
    job = desk.submit()
    desk.next_run("train")
    desk.jobs.wait_for_room(job, full())
    desk.jobs.command("me", job, "resume")
    desk.jobs.wait_for_room(job, full())
    assert desk.states(job)[-2:] == ["running", "paused"]


@pytest.mark.parametrize("how", ["stop", "the server ends"])
def test_a_training_that_ends_while_it_waits_for_room_can_be_resumed(desk, how):
    job = desk.submit()
    desk.next_run("train")
    desk.jobs.wait_for_room(job, full())
    if how == "stop":
        desk.jobs.command("me", job, "stop")
    else:
        desk.jobs.ending = True
    desk.jobs.finish(Finished(job, full()))
    found = desk.jobs.find("me", job)
    assert (found.state, found.error) == ("interrupted", full())


def test_a_job_that_is_being_cancelled_is_not_paused_for_want_of_room(desk):
    job = desk.submit()
    desk.next_run("train")
    desk.jobs.command("me", job, "cancel")
    desk.jobs.wait_for_room(job, full())
    desk.jobs.wait_for_room(job, None)
    desk.jobs.finish(Finished(job))
    assert desk.states(job)[-2:] == ["cancelling", "cancelled"]


def test_owners_have_their_turns_one_after_the_other(desk):
    """A queue full of one owner's jobs holds up another's by one job."""
    greedy = [desk.submit("generate", owner="greedy") for _ in range(WAITING_PER_OWNER)]
    modest = [desk.submit("generate", owner="modest") for _ in range(3)]
    order = []
    while (found := desk.next_run("generate")) is not None:
        order.append(found.job)
        desk.jobs.finish(Finished(found.job))
    assert order[:6] == [*(greedy[0], modest[0], greedy[1]), *(modest[1], greedy[2], modest[2])]
    assert order[6:] == greedy[3:]


def test_a_job_that_lost_its_process_has_the_next_turn_again(desk):
    first, other = desk.submit(owner="a", run="a"), desk.submit(owner="b", run="b")
    assert desk.next_run("train").job == first
    desk.jobs.compute_died("killed by signal 9")
    assert desk.next_run("train").job == first
    desk.jobs.finish(Finished(first))
    assert desk.next_run("train").job == other


def test_pausing_again_and_again_on_a_full_disk_has_an_end_and_cancelling_still_works(
    small_disk, monkeypatch
):
    monkeypatch.setattr("gan_worker.server.journal.EVENTS_KEPT", 50)
    disk = small_disk(1)
    with closing(Journal(disk.folder / "journal.sqlite")) as journal:
        desk = Desk(journal)
        job = desk.submit()
        desk.next_run("train")
        disk.fill()
        with pytest.raises(StorageError) as caught:
            for _ in range(5000):
                desk.jobs.command("me", job, "pause")
                desk.jobs.command("me", job, "resume")
        assert caught.value.code == "disk_full"
        desk.jobs.command("me", job, "cancel")
        desk.jobs.finish(Finished(job))
        disk.free()
        journal.retry()
        assert journal.get(job).state == "cancelled"
        told = [event.state for _, event in journal.events("me", 0, 99_999)]
        assert told == desk.states(job), "none was left out"
