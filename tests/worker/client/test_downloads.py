"""Pixels come in pieces, in any order, and are told once they are whole and right."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from gan_worker.client.downloads import Downloads
from gan_worker.client.events import MapReady, MaterialReady, PreviewReady, ResultLost
from gan_worker.config import GenerationConfig, Recipe
from gan_worker.errors import ErrorInfo
from gan_worker.wire import messages
from gan_worker.wire.codec import Message

JOB = "0" * 32
RECIPE = Recipe(GenerationConfig("oak", 1, 4, 2, origin=(0, 0)), "a" * 64, "0.1")


class Other:
    """The other end: keeps what was asked for, and answers it."""

    def __init__(self) -> None:
        self.told: list = []
        self.asked: list[Message] = []
        self.downloads = Downloads(self.told.append)

    def send(self, message: Message) -> bool:
        self.asked.append(message)
        return True

    def answer(self, pixels: dict[str, np.ndarray]) -> None:
        """Answer all that was asked for, the last first."""
        self.downloads.request(self.send)
        while self.asked:
            fetch = self.asked.pop()
            wanted = fetch.body
            data = pixels[wanted.name].tobytes()[wanted.offset : wanted.offset + wanted.length]
            chunk = messages.Chunk(wanted.job, wanted.name, wanted.offset)
            self.downloads.take(Message(chunk, re=fetch.id, payload=data))


@pytest.fixture
def other() -> Other:
    return Other()


def blob(name: str, pixels: np.ndarray, **wrong) -> messages.Blob:
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    told = {"size": pixels.nbytes, "sha256": digest, "shape": pixels.shape, "dtype": "uint8"}
    return messages.Blob(name, **{**told, **wrong})


def maps() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    sizes = {"base_color": (2, 4, 3), "roughness": (2, 4, 1)}
    return {name: random.integers(0, 256, size, np.uint8) for name, size in sizes.items()}


def test_a_result_is_told_map_by_map_and_then_as_a_whole(other):
    pixels = maps()
    other.downloads.add_result(
        JOB, messages.Result(RECIPE, {n: blob(n, p) for n, p in pixels.items()}, {}, 0.5)
    )
    assert other.downloads.going_on
    other.answer(pixels)
    assert [type(event) for event in other.told] == [MapReady, MapReady, MaterialReady]
    whole = other.told[-1]
    assert list(whole.maps) == list(pixels) and whole.forward_seconds == 0.5
    assert all(np.array_equal(whole.maps[name], pixels[name]) for name in pixels)
    assert not other.downloads.going_on


@pytest.mark.parametrize(
    "wrong", [{"size": 10**9}, {"shape": (2, 4)}, {"shape": (2, -4, -3)}, {"dtype": "uint16"}]
)
def test_maps_of_impossible_sizes_are_not_fetched(other, wrong):
    pixels = maps()["base_color"]
    named = {"base_color": blob("base_color", pixels, **wrong)}
    other.downloads.add_result(JOB, messages.Result(RECIPE, named, {}, 0.5))
    assert not other.downloads.going_on
    (lost,) = other.told
    assert isinstance(lost, ResultLost) and (lost.job, lost.error.code) == (JOB, "invalid_message")


def test_a_result_that_is_gone_is_said_once(other):
    pixels = maps()
    named = {n: blob(n, p) for n, p in pixels.items()}
    other.downloads.add_result(JOB, messages.Result(RECIPE, named, {}, 0.5))
    other.downloads.request(other.send)
    gone = ErrorInfo("unknown_job", "It is gone.", "Ask again.")
    for fetch in other.asked:
        other.downloads.take(Message(messages.Error(gone), re=fetch.id))
    assert other.told == [ResultLost(JOB, gone)]
    assert not other.downloads.going_on


def test_of_previews_only_the_newest_is_fetched(other):
    pixels = {f"preview_{step}": np.full((2, 4, 3), step, np.uint8) for step in (1, 2)}
    for step, (name, picture) in enumerate(pixels.items(), 1):
        other.downloads.add_preview(messages.PreviewEvent(JOB, step, blob(name, picture)))
    other.answer(pixels)
    (event,) = other.told
    assert isinstance(event, PreviewReady) and event.preview.step == 2


@pytest.mark.parametrize("gone", [False, True])
def test_a_preview_on_its_way_is_not_given_up_and_the_newest_waits_for_it(other, gone):
    pixels = {f"preview_{step}": np.full((2, 4, 3), step, np.uint8) for step in (1, 2, 3)}
    for step, (name, picture) in enumerate(pixels.items(), 1):
        other.downloads.add_preview(messages.PreviewEvent(JOB, step, blob(name, picture)))
        other.downloads.request(other.send)
    assert [fetch.body.name for fetch in other.asked] == ["preview_1"]
    if gone:
        error = messages.Error(ErrorInfo("unknown_job", "It is gone.", "Ask again."))
        other.downloads.take(Message(error, re=other.asked.pop().id))
    other.answer(pixels)
    other.answer(pixels)
    assert [event.preview.step for event in other.told] == ([3] if gone else [1, 3])
