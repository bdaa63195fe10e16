"""Work items on a Ray cluster whose actors hang, with a stand-in for Ray that is told when they do."""

import sys
import time
from types import SimpleNamespace

import pytest

from gan_worker.config import GenerationConfig
from gan_worker.scenes import ray
from gan_worker.scenes.ray import MadeFiles, make_on_ray


class Call:
    """A call of an actor, which hangs as often as it is told to, and is begun again where the actor is ended."""

    def __init__(self, actor, hangs, result):
        self.actor, self.hangs, self.result, self.begun = actor, hangs, result, 1

    @property
    def ready(self):
        return self.begun > self.hangs or self.begun > ray.RETRIES + 1


class StandIn:
    """As much of Ray as is used."""

    exceptions = SimpleNamespace(RayError=RuntimeError)
    __spec__ = "found"

    def __init__(self, hangs):
        self.hangs, self.calls, self.ended = hangs, [], []

    def init(self, *args, **options):
        pass

    def shutdown(self):
        pass

    def put(self, files):
        return files

    def cluster_resources(self):
        return {"CPU": 2.0, "memory": 1e12}

    def remote(self, kind):
        return SimpleNamespace(options=lambda **o: SimpleNamespace(remote=self._actor))

    def _actor(self):
        actor = SimpleNamespace()
        actor.ready = SimpleNamespace(remote=lambda: Call(actor, 0, None))
        actor.make = SimpleNamespace(remote=lambda item, stored: self._make(actor, item))
        return actor

    def _make(self, actor, item):
        made = Call(actor, self.hangs.get(item.key, 0), MadeFiles({"a": item.key.encode()}))
        self.calls.append(made)
        return made

    def wait(self, calls, num_returns, timeout):
        ready = [call for call in calls if call.ready]
        return ready[:1], []

    def get(self, call, timeout):
        assert call.ready
        if call.begun > ray.RETRIES + 1:
            raise RuntimeError("the actor was ended")
        return call.result

    def kill(self, actor, no_restart):
        assert not no_restart
        self.ended.append(actor)
        for call in self.calls:
            call.begun += call.actor is actor and not call.ready


@pytest.fixture
def make(monkeypatch, tmp_path):
    """Makes items of these keys with actors that hang at some of them; gives what was made, and the stand-in."""
    monkeypatch.setattr(ray, "ITEM_WITHIN", 0.02)
    monkeypatch.setattr(ray, "MEGAPIXEL_WITHIN", 0.0)
    monkeypatch.setattr(ray, "run_files", lambda runs, name: {})

    def make(keys, hangs):
        cluster = StandIn(hangs)
        monkeypatch.setitem(sys.modules, "ray", cluster)
        items = [SimpleNamespace(key=key, config=GenerationConfig("m")) for key in keys]
        made = {item.key: files for item, files in make_on_ray(items, tmp_path, "local")}
        return made, cluster

    return make


def test_where_nothing_hangs_nothing_is_ended(make):
    made, cluster = make("abcdef", {})
    assert {key: found.files for key, found in made.items()} == {
        k: {"a": k.encode()} for k in "abcdef"
    }
    assert cluster.ended == []


@pytest.mark.parametrize("times", [1, ray.RETRIES])
def test_an_actor_that_hangs_is_ended_and_its_item_begun_again(make, times):
    made, cluster = make("abcd", {"b": times})
    assert all(found.error is None for found in made.values())
    assert len(made) == 4
    assert len(cluster.ended) == times


def test_an_item_at_which_every_actor_hangs_is_told_and_holds_no_other(make):
    made, cluster = make("abcd", {"c": 99})
    assert made.pop("c").error.code == "compute_died"
    assert sorted(made) == ["a", "b", "d"]
    assert all(found.error is None for found in made.values())
    assert len(cluster.ended) == ray.RETRIES + 1


def test_large_items_may_take_longer(make, monkeypatch):
    monkeypatch.setattr(ray, "MEGAPIXEL_WITHIN", 1e6)
    end = time.monotonic() + 0.1
    slow = property(lambda call: call.result is None or time.monotonic() > end)
    monkeypatch.setattr(Call, "ready", slow)
    monkeypatch.setattr(StandIn, "kill", lambda *args, **options: pytest.fail("it was ended"))
    made, _ = make("a", {})
    assert made["a"].error is None
