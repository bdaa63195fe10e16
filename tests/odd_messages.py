"""Messages that nobody who means well would send, drawn from a seed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from gan_worker.wire.codec import FLAGS, MAGIC

# What stands where something else belongs. Functions, since some are large and few are drawn.
VALUES = (
    *(lambda v=v: v for v in (None, True, 0, -1, 7, 2**53, 10**400, -0.0, 1e308, "", "x", [], {})),
    *(lambda v=v: v for v in ("../../etc/passwd", "/etc/passwd", "photos:../x", "C:\\x", "a\0b")),
    *(lambda v=v: v for v in ("\x1b[2J", "a\nb", "\u202e", "\ud800", "oak", "0" * 32, "train")),
    lambda: "x" * 5000,
    lambda: [0] * 3000,
    lambda: {str(n): n for n in range(500)},
    lambda: _nested(14),
    lambda: _nested(3000),
)
FRAMES = (
    b"",
    b"\0",
    MAGIC + FLAGS,
    b"{}",
    b"null",
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff" * 300,
    b"[" * 9000,
)


def odd_messages(seed: int, bodies: Mapping[str, Any]) -> Iterator[list[bytes]]:
    """Frames of messages, one odder than the other, without an end.

    Args:
        seed: of all choices.
        bodies: type → a good body of it.
    """
    chance = random.Random(seed)
    while True:
        kind = chance.choice(list(bodies))
        head = {"v": [1, 3], "type": kind, "id": f"m{chance.getrandbits(40):x}", "session": "@"}
        head["body"] = copy.deepcopy(bodies[kind])
        for _ in range(chance.choice((0, 1, 1, 2, 5))):
            _spoil(chance, head)
        text = _broken(chance, _written(head)) if chance.random() < 0.3 else _written(head)
        frames = [MAGIC + FLAGS, text]
        yield _shuffled(chance, frames) if chance.random() < 0.15 else frames


def _spoil(chance: random.Random, head: dict[str, Any]) -> None:
    """Put something odd anywhere into a message, take something out, or say it twice elsewhere."""
    places = list(_places(head))
    holder, key = chance.choice(places)
    way = chance.random()
    if way < 0.6:
        holder[key] = chance.choice(VALUES)()
    elif way < 0.75:
        del holder[key]
    elif way < 0.9:
        other, there = chance.choice(places)
        holder[key] = copy.deepcopy(other[there]) if there in _keys(other) else None
    elif isinstance(holder, dict):
        holder[chance.choice(("", "x", "run", "\u202e", "y" * 300))] = chance.choice(VALUES)()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in JSON, as what holds it and its name or number there."""
    for key in _keys(value):
        yield value, key
        yield from _places(value[key])


def _keys(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) and len(value) < 50 else []


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return _Raw("[" * depth + "1" + "]" * depth) if depth > 500 else value


class _Raw(str):
    """JSON that is written as it is, for what the writer itself cannot."""


def _written(head: Any) -> bytes:
    if isinstance(head, _Raw):
        return head.encode()
    if isinstance(head, dict):
        inner = (json.dumps(str(k)).encode() + b":" + _written(v) for k, v in head.items())
        return b"{" + b",".join(inner) + b"}"
    if isinstance(head, list) and any(isinstance(v, (_Raw, dict, list)) for v in head):
        return b"[" + b",".join(map(_written, head)) + b"]"
    return json.dumps(head).encode()


def _broken(chance: random.Random, text: bytes) -> bytes:
    """Bytes flipped, cut off, doubled or put in."""
    at, way = chance.randrange(len(text)), chance.randrange(5)
    if way == 0:
        return text[:at]
    if way == 1:
        return text[:at] + bytes([text[at] ^ (1 << chance.randrange(8))]) + text[at + 1 :]
    if way == 2:
        return (
            text[:at]
            + chance.choice((b"\0", b"\xff\xfe", b'"', b"NaN", b"1e999", b"{", b"\\ud800"))
            + text[at:]
        )
    if way == 3:
        return text + text[at:]
    return text[:1] + text[1:-1] + b"," + text[1:]  # every key twice


def _shuffled(chance: random.Random, frames: list[bytes]) -> list[bytes]:
    """Frames too many, too few, in another order, or of something else."""
    frames = [*frames, *chance.choices(FRAMES, k=chance.randrange(4))]
    chance.shuffle(frames)
    return frames[: chance.randrange(1, len(frames) + 1)]
