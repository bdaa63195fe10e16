"""The codec: what is written is read again, what is no message is refused and never crashes."""

import functools
import json
import operator
from dataclasses import replace
from pathlib import Path

import pytest

from gan_worker.config import GenerationConfig, Recipe, TrainingConfig
from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import ErrorInfo
from gan_worker.progress import TrainingProgress
from gan_worker.style import Latent
from gan_worker.wire import codec, messages
from gan_worker.wire.codec import (
    FLAGS,
    HEAD_LIMIT,
    MAGIC,
    VERSION,
    BadMessage,
    Message,
    decode,
    encode,
)

JOB = "0" * 32
BLOB = messages.Blob("height", 32, "f" * 64, (4, 4, 1), "uint16")
RECIPE = Recipe(
    GenerationConfig("oak", 7, 64, 32, (), 0.7, Latent((0.5, -1.0)), 1, (3, 4)), "a" * 64, "0.1.0"
)
RESULT = messages.Result(RECIPE, {"height": BLOB}, {"height": 1.01}, 0.25)
ERROR = ErrorInfo("busy", "A sentence.", "A cure.", 5.0)
EXAMPLES = [
    messages.Hello("Blender", "0.1.0"),
    messages.Subscribe(None),
    messages.Subscribe(12),
    messages.Submit(JOB, "train", to_json(TrainingConfig("oak", ("a.png",)))),
    messages.Command(JOB, "pause"),
    messages.JobRejected(JOB, ERROR),
    messages.JobState(JOB, "generate", "oak", "succeeded", None, 2, RESULT),
    messages.PreviewEvent(JOB, 3, BLOB),
    messages.JobList((messages.JobState(JOB, "train", "oäk", "failed", ERROR),)),
    messages.ModelList(
        (messages.ModelEntry("oak", "0" * 64, 8, 16, ("base_color",), copied=0.5, octaves=2),)
    ),
    messages.RunList(
        (messages.RunEntry("oäk", "2030", "nano", 0.5, 1.0, 2**40, True, False, 0.6),)
    ),
    messages.RunConfig("oak", TrainingConfig("oak", ("a.png",))),
    messages.RenameRun("oak", "pine"),
    messages.Welcome("0.1.0", "CPU", "off", "s", (1, 7)),
    messages.Finished(JOB, ERROR),
]


@pytest.mark.parametrize("body", EXAMPLES, ids=lambda body: type(body).__name__)
def test_what_is_written_is_read_again(body):
    message = Message(body, re="abc", session="s", sequence=4)
    assert decode(encode(message)) == message


# Fields that came later, by where they stand in a body; those who do not know them ignore them.
OF_RECIPES = (
    (("result", "recipe"), {"mip": 0, "steady": False, "estimation": None, "estimated": {}}),
    (("result", "recipe", "credits"), {"contained": False}),
)
NO_PREPARATION = {"corners": [], "even_light": 0.0, "white_balance": 0.0, "neutral": None}
SINCE = {
    "beat": (((), {"heard": 0}),),
    "hello": (((), {"warm": False}),),
    "model_list": (
        (
            ("models", 0),
            {
                **{"octaves": 0, "scale": 1.0, "tile": None, "tileable": True, "retired": False},
                "pixel_size": 0.0,
            },
        ),
        ((), {"unreadable": [], "estimators": [], "next": 0}),
    ),
    "run_list": ((("runs", 0), {"problem": ""}), ((), {"next": 0})),
    "models": (((), {"first": 0}),),
    "runs": (((), {"first": 0}),),
    "run_config": (
        (
            ("config",),
            {"octaves": None, "prepare": NO_PREPARATION, "tileable": False, "learn_maps": False},
        ),
    ),
    "state": OF_RECIPES,
    "finished": OF_RECIPES,
}


def wire_bodies():
    """Type → the body of one message of it, as it has gone over the wire since 1.2: that never changes."""
    return json.loads((Path(__file__).parent / "bodies.json").read_text("utf-8"))


def test_the_names_on_the_wire_are_those_that_they_always_were():
    assert set(messages.BODIES) == set(wire_bodies())


@pytest.mark.parametrize("name", wire_bodies())
def test_each_type_is_written_as_it_always_was(name):
    before = wire_bodies()[name]
    text = frames(head(type=name, body=before))
    chunk = [b"abc"] if name == "chunk" else []
    message = decode(text + chunk)
    assert type(message.body) is messages.BODIES[name]
    after = json.loads(bytes(encode(message)[1]))
    for place, fields in SINCE.get(name, ()):
        functools.reduce(operator.getitem, place, before).update(fields)
    assert (after["type"], after["body"]) == (name, before)


def test_a_chunk_carries_its_bytes():
    message = Message(messages.Chunk(JOB, "height", 0), payload=b"abc")
    assert decode(encode(message)).payload == b"abc"


def head(**changes):
    fields = {"v": [1, 0], "type": "ping", "id": "a1", "body": {}, **changes}
    return json.dumps({k: v for k, v in fields.items() if v is not ...})


def frames(text):
    return [MAGIC + FLAGS, text if isinstance(text, bytes) else text.encode()]


def test_unknown_fields_are_ignored():
    message = decode(frames(head(body={"new": 1}, colour="red")))
    assert message.body == messages.Ping()


UNREADABLE = {
    "not UTF-8": b"\xff\xfe{}",
    "not JSON": b"{",
    "empty": b"",
    "a list": b"[]",
    "deep": b"[" * 30000 + b"]" * 30000,
    "deep in a body": head(body={"a": json.loads("[" * 20 + "]" * 20)}).encode(),
    "huge integer": b'{"id": 1' + b"0" * 5000 + b"}",
    "2**53": head(seq=2**53).encode(),
    "NaN": b'{"id": NaN}',
    "Infinity": b'{"id": -Infinity}',
    "1e999": b'{"id": 1e999}',
    "duplicate keys": b'{"id": "a", "id": "b"}',
    "lone surrogate": b'{"id": "\\ud800"}',
    "no id": head(id=...).encode(),
    "odd id": head(id="../x").encode(),
    "too long": b" " * (HEAD_LIMIT + 1),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_dropped(name):
    with pytest.raises(BadMessage) as caught:
        decode(frames(UNREADABLE[name]))
    assert caught.value.message_id is None
    assert caught.value.code == "invalid_message"


ANSWERABLE = {
    "unknown type": head(type="dance"),
    "missing field": head(type="command", body={"job": JOB}),
    "wrong type of a field": head(type="seen", body={"count": "3"}),
    "bool for a number": head(type="seen", body={"count": True}),
    "unknown word": head(type="command", body={"job": JOB, "action": "explode"}),
    "body is a list": head(body=[]),
    "v is a word": head(v="1.0"),
    "v is short": head(v=[1]),
    "seq is a word": head(seq="1"),
    "chunk without bytes": head(type="chunk", body={"job": JOB, "name": "a", "offset": 0}),
}


@pytest.mark.parametrize("name", ANSWERABLE)
def test_what_has_an_id_is_answered(name):
    with pytest.raises(BadMessage) as caught:
        decode(frames(ANSWERABLE[name]))
    assert caught.value.message_id == "a1"


@pytest.mark.parametrize(
    "bad",
    [
        [],
        [b"TW\0\0"],
        [b"XX\0\0", b"{}"],
        [b"TW", b"{}"],
        [b""] * 3,
        [b"TW\0\0", head().encode(), b"surplus"],
        [b"TW\0\0", head().encode(), b"", b""],
        [b"TW\0\0", head().encode(), b"x" * (codec.CHUNK_LIMIT + 1)],
    ],
    ids=range(8),
)
def test_wrong_frames_are_refused(bad):
    with pytest.raises(BadMessage):
        decode(bad)


def test_another_major_is_refused_with_both_versions_named():
    with pytest.raises(BadMessage) as caught:
        decode(frames(head(v=[7, 3])))
    assert caught.value.code == "protocol_version"
    assert ".".join(map(str, VERSION)) in caught.value.info.message
    assert "7.3" in caught.value.info.message
    assert caught.value.message_id == "a1"


def test_a_worker_that_does_not_know_whether_a_training_improves_says_nothing_of_it():
    told = to_json(TrainingProgress(3, 0.1, 2.0, 0.25, 60.0, 12.0, {}))
    del told["stopped_for"]
    known = from_json(messages.REPORTS["TrainingProgress"], told)
    assert known.stopped_for is None
    assert known.advice() == ""


def test_another_minor_works():
    assert decode(frames(head(v=[1, 99]))).body == messages.Ping()


def test_an_error_of_another_major_is_read():
    text = head(v=[2, 0], type="error", body={"error": to_json(ERROR)})
    assert decode(frames(text)).body == messages.Error(ERROR)


def test_nothing_that_is_not_finite_is_written():
    body = replace(EXAMPLES[6], result=replace(RESULT, forward_seconds=float("nan")))
    with pytest.raises(BadMessage):
        encode(Message(body))


def test_too_long_a_head_is_not_written():
    with pytest.raises(BadMessage):
        encode(Message(messages.Hello("x" * HEAD_LIMIT)))


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "a.b", "x" * 41, "a\n"])
def test_a_blob_name_is_no_path(name):
    with pytest.raises(BadMessage):
        codec.check_blob(name)


@pytest.mark.parametrize("job", ["", "../" + "0" * 29, "0" * 31, "G" * 32, JOB + "\n"])
def test_a_job_id_is_no_path(job):
    with pytest.raises(BadMessage):
        codec.check_job(job)
