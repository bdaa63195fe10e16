"""Pulling blobs: window, any order, resumption, hash."""

import hashlib

import pytest

from gan_worker.client.downloads import PATIENCE, Transfers
from gan_worker.errors import ErrorInfo
from gan_worker.wire.codec import CHUNK_LIMIT, FETCH_WINDOW
from gan_worker.wire.messages import Blob, Chunk

JOB = "0" * 32


def blob(data, name="height"):
    return Blob(name, len(data), hashlib.sha256(data).hexdigest(), (1, len(data), 1), "uint8")


@pytest.fixture
def data():
    return bytes(range(256)) * (CHUNK_LIMIT * 20 // 256) + b"rest"


@pytest.fixture
def transfers(data):
    transfers = Transfers()
    transfers.add(JOB, blob(data))
    return transfers


def deliver(transfers, data, fetches):
    result = None
    for fetch in fetches:
        piece = data[fetch.offset : fetch.offset + fetch.length]
        result = transfers.take(Chunk(JOB, fetch.name, fetch.offset), piece) or result
    return result


def test_never_more_than_the_window_is_asked_for(transfers, data):
    fetches = transfers.requests(0)
    assert len(fetches) == FETCH_WINDOW
    assert transfers.requests(0) == []
    deliver(transfers, data, fetches[:3])
    assert len(transfers.requests(0)) == 3


def test_chunks_may_come_in_any_order(transfers, data):
    done = None
    while done is None:
        done = deliver(transfers, data, reversed(transfers.requests(0)))
    assert bytes(done.data) == data
    assert len(transfers) == 0


def test_only_what_is_missing_is_asked_for_again(transfers, data):
    fetches = transfers.requests(0)
    deliver(transfers, data, fetches[1:])
    transfers.forget_lost(PATIENCE / 2)
    assert fetches[0] not in transfers.requests(0)
    transfers.forget_lost(PATIENCE + 1)
    again = {fetch.offset for fetch in transfers.requests(0)}
    assert fetches[0].offset in again
    assert again.isdisjoint(fetch.offset for fetch in fetches[1:])


def test_a_wrong_hash_is_tried_once_more_then_told(transfers, data):
    wrong = b"\1" + data[1:]
    results = []
    for _ in range(2):
        while len(transfers) and (fetches := transfers.requests(0)):
            results.append(deliver(transfers, wrong, fetches))
    errors = [r for r in results if isinstance(r, ErrorInfo)]
    assert len(errors) == 1
    assert len(transfers) == 0


def test_chunks_nobody_asked_for_change_nothing(transfers, data):
    fetches = transfers.requests(0)
    assert transfers.take(Chunk(JOB, "height", 15 * CHUNK_LIMIT), b"\0" * CHUNK_LIMIT) is None
    assert transfers.take(Chunk(JOB, "height", fetches[0].offset), b"short") is None
    assert transfers.take(Chunk(JOB, "other", 0), b"x") is None
    assert transfers.take(Chunk(JOB, "height", -1), b"x") is None
    done = deliver(transfers, data, fetches)
    while done is None:
        done = deliver(transfers, data, transfers.requests(0))
    assert done.good


def test_a_newer_preview_replaces_the_older(data):
    transfers = Transfers()
    transfers.add(JOB, blob(data, "preview_1"))
    late = transfers.requests(0)
    transfers.drop(lambda t: t.blob.name.startswith("preview_"))
    transfers.add(JOB, blob(data[:5], "preview_2"))
    assert deliver(transfers, data, late) is None
    assert deliver(transfers, data, transfers.requests(0)).blob.name == "preview_2"
