"""Codec of the wire between a client, the server and the compute process: the specification, and its strict reading.

This text is the specification; the dataclasses of `messages` are its list of fields. Nothing here
knows sockets.

Version
    `VERSION` is (major, minor). The same major must work both ways: unknown fields are ignored, unknown
    types, and those that do not belong on a socket, are answered with `error`; `welcome` says the
    server's, so that a client asks nothing that it does not know (1.0 where it says none). Another major
    is refused with an `error` (`protocol_version`) that names both. The frames, the head and the body of
    `error` never change, so that every major can read the refusal.

Sockets
    The server binds two ROUTERs for clients, `control` and `bulk`, and a third on loopback for its
    compute process. Keys are exchanged on a fourth that is open for minutes only, as `pairing` says.
    CURVE is always on; the key that a peer proved is its owner name, and a job
    belongs to its owner.

Frames
    Control: exactly two, `MAGIC` + two flag bytes (zero in this major), then the head, at most 64
        KiB.
    Bulk: the same two, and with `chunk` a third of at most 1 MiB.
    Anything else is dropped and counted.

Head
    Strict UTF-8 JSON (no NaN, no duplicate keys, no lone surrogates, integers below 2**53, depth at
    most 16): `v` [major, minor], `type`, `id` of this message (1 to 64 of letters, digits, `-`),
    `re` the id it answers, `session` as given by `welcome`, `seq` of a state event, `body` with the
    fields of the dataclass.

Client to server, on control              answered with
    hello                                 welcome
    subscribe                             subscribed, then every state event after that number
    submit                                accepted | rejected
    command                               done | error
    models, jobs, result                  model_list, job_list, state (with the result) | error
    runs, run_settings                    run_list, run_config | error                   (since 1.1)
    rename_run, delete_run, release       done | error                                   (since 1.1)
    run_preview                           run_picture | error                            (since 1.2)
    storage, tidy                         storage_sizes | error                          (since 1.4)
    ping, shutdown, goodbye               pong, done, nothing
    seen                                  nothing; gives back credit for latest-wins events
Client to server, on bulk
    fetch                                 chunk | error
Server to client, unasked, on control
    state                                 journalled, numbered per owner without gaps, replayed
    report, preview, status               latest wins; at most `EVENT_CREDIT` of them unseen
    fault                                 an error that belongs to no job
    unknown_session                       the server does not know this client: say hello again
Compute process to server: compute_ready, beat, report, preview, finished; state, where a training waits for room on
the disk (paused, with the error) and where it goes on (running)
Server to compute process: run, command, leave

Generate jobs
    The config of `submit` has the fields of `config.GenerationConfig`, and the recipe of a result repeats
    them, so that it makes the same picture again. At most one of these chooses the style; otherwise the
    seed does, which fixes the layout in any case:
    z           as many finite numbers as `z_dim` of the model says
    material    one of the names in `styles` of the model
    mix         up to 16 pairs [style, weight]; their mean in w. Weights below 0 (since 1.2) lead beyond the styles;
                together they are at most a third of those above 0
    style_map   `styles` (1 to 16), `rows`, `columns` and `cells`: rows × columns numbers (1024 at most), row
                by row from the top, 0 for the first style, 1 for the second, 0.5 for half of each
                or, since 1.2, `looks` (1 to 4), `rows`, `columns` and `weights`: base64 of one byte for each look
                of each cell, rows × columns × looks bytes (4096 cells at most), row by row from the top, the
                looks of a cell beside each other; only their proportion counts, and all 0 is refused. A look is
                a `mix`, a `truncation_psi` (0 to 2) and `directions`, as below. The map lies on the finished
                picture whatever `origin` is, goes on across its border, and is softened by a cell of the latent
                grid; looks that are alike make the same bytes as the look alone
    A style is one of `seed`, `z` and `material`, the others null, [] and "". Numbers of z and cells are
    2048 at most in all, of which weights take 1024. On top, `directions` has up to 16 pairs [name, steps],
    names `pca 1` and `factor 1` upwards to the length of w, steps -10 to 10. `sway` (since 1.2) is [how far,
    where]: 0 to 1 away from the layout of the seed, on a circle around it, in turns. What breaks a rule is
    rejected with `invalid_config` or `invalid_latent`, where the model must be asked when the job runs; what
    chooses two at once, of a style or of a map too, is no message: `invalid_message`.

    `mip` (since 1.3), 0 where it is not given, is the level of detail: each one after 0 halves the pixels that a piece
    of the material has across, `octaves` of the model at most. Width and height are those of the result, multiples of
    the model's `stride` >> `mip`. The same config with both sides halved and `mip` + 1 is the same tile with half the
    detail. A recipe without it has all detail, as has a model without octaves.

    `estimation` (since 1.5) has the fields of `estimation.Estimation`. Its `version`, 1 where it is not given, is that
    of how maps are made of estimates; a worker that does not know it makes them as in 1, and names none in its recipe.

Training jobs
    The config of `submit` has the fields of `config.TrainingConfig`. `octaves` (since 1.3) says how often the size
    doubles from what the generator learns to the finest detail; null measures it. `scale` is the factor on the size of
    the pictures at the finest detail, null their own. A run that is resumed may get octaves, or more than it had.
    `prepare` (since 1.5) says what is done to photos first, with the fields of `preparation.Preparation`; a worker that
    does not know it learns them as they are, and a run that is resumed keeps what it was started with. The preset
    `photo` (since 1.5) learns nothing: the one photo is the model, after seconds, and `tileable` closes its borders.
    Such a run cannot be resumed (`wrong_state`).
    `learn_maps` (since 1.5) has all maps of photos estimated first, and learned together.
    `picture_width` (since 1.5) is the meters that the first picture shows from left to right, 0 where nobody knows.
    `stopped_for` of a report `TrainingProgress` (since 1.5), seconds, says that its previews have stopped getting
    better; null, or missing, while they do. It only tells: nothing ends by it.
    The preset `estimator` (since 1.5) makes no model: the worker's estimator learns on from the sets among the
    pictures, for `minutes`. The run can then be named as `estimator` (since 1.5), by a training that estimates maps and
    in the `estimation` of a generate job. Where that is not there, the worker's own estimates, or for a photo the one
    that its maps were made by.

Models
    In `model_list`, `stride` is the pixels of a cell of the latent grid with all detail. `octaves` and `scale` (since
    1.3) say how much there is: the smallest picture is 2 ** octaves times smaller, and the largest has `scale` pixels
    for one of the training pictures. Where they are missing, there are no octaves. `unreadable` there, and `problem` of
    an entry of `run_list` (both since 1.3), say what cannot be read, or not all of it, and why. `tile` (since 1.5) is
    the width and height of a photo that is its own model, null for others: sizes are multiples of these >> `mip`, in
    place of `stride`, and `octaves` are the times it can be halved. `tileable` (since 1.5) says whether its pictures
    close at their borders; where it is missing, they do but for the preset `classic`. A `retired` one (since 1.5) came
    with an earlier version: it is there for what was made with it, and not offered for more. `pixel_size` (since 1.5)
    is the meters that a pixel with all detail spans on a surface; 0, or missing, where nobody said it.
    `model_list` and `run_list` hold what fits into a message, 100 entries at most. Where there are more, `complete` is
    false and `next` (since 1.6) is the number that `first` of `models` or `runs` (since 1.6) asks for the following
    ones with; a worker that says no `next`, or 0, knows no `first`. All but the first part is answered out of what was
    read for that.
    `estimators` (since 1.5) are what maps can be estimated with: names of runs, each with letters of the hash of its
    weights, which `estimator` of a recipe (since 1.5) repeats where maps were estimated. The worker's own has no name.

Repair jobs (since 1.2)
    The config of `submit` has the fields of `config.RepairConfig`. The worker reads the material and the mask, so both
    are named as the pictures of a training are. The maps of the result are what the files hold, filled where the mask
    is white and the same bits elsewhere; its recipe says which model did it, and does not make the picture again.
    With `estimation` (since 1.6), maps that the model does not make are filled with what is estimated from the filled
    base color; without it they are refused.

Promises
    * The client makes the job id (32 hex digits); submitted twice, it runs once. `accepted` is sent
      after the journal is on disk, and says `duplicate` where the job was known.
    * The client sends a request again, with the same id, until it is answered.
    * Owners have their turns one after the other, for requests and for jobs. A list is answered once the folders have
      been looked through, between other requests; 64 of one owner may wait for that, more are refused (`busy`).
    * Acknowledgements come within 1 s whatever the compute process does. A silent client is never
      taken for dead.
    * A job of another owner is answered as a job that does not exist.
    * Cancel: a queued job at once; a running one asks first, SIGTERM after 5 s, SIGKILL after 10 s.
    * Runs are named, never their paths. One that a job or another process uses is neither renamed nor
      deleted (`wrong_state`, `busy`); one that is deleted is gone in one step.
    * A blob is pulled: `fetch` for at most 1 MiB, at most `FETCH_WINDOW` at once. Its size and
      sha256 stand in the event that named it; a broken transfer goes on at the missing chunk.
      Pixels are C-contiguous, top row first, uint8 or little-endian uint16.
    * Pictures are named `alias:relative/name` below a root the worker was started with; absolute
      paths only by the key of who started the worker. Every other key is a guest's, from wherever it
      comes: it changes only runs that it trained, and is told of no place on the worker's computer.
    * What is below a root is told of by its alias, and read only where it really lies below one.
    * A client of whom 8 MiB wait that make no whole message is disconnected.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gan_worker.dataclass_json import InvalidJson, dump, from_json, load, to_json
from gan_worker.errors import ProtocolError
from gan_worker.wire.messages import BODIES, Chunk

VERSION = (1, 6)
MAGIC = b"TW"
FLAGS = b"\0\0"
HEAD_LIMIT = 64 * 1024
CHUNK_LIMIT = 1024 * 1024
FETCH_WINDOW = 8
EVENT_CREDIT = 8

_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_JOB = re.compile(r"[0-9a-f]{32}\Z")
_BLOB = re.compile(r"[a-z0-9_]{1,40}\Z")


T = TypeVar("T")


class BadMessage(ProtocolError):
    """Something that is no message of this version.

    Attributes:
        message_id: the id to answer to, where the head could be read; None means drop it.
    """

    def __init__(self, code: str, message: str, cure: str, message_id: str | None = None) -> None:
        super().__init__(code, message, cure)
        self.message_id = message_id


def bad_message(what: str, message_id: str | None = None) -> BadMessage:
    """The error for something that is no message of this version."""
    return BadMessage(
        "invalid_message",
        f"A message must follow protocol {VERSION[0]}.{VERSION[1]}; {what}.",
        "Update Tilewright on both sides.",
        message_id,
    )


def other_version(theirs: Sequence[int], message_id: str | None = None) -> BadMessage:
    """The error for another major version, (major, minor), on the other side."""
    return BadMessage(
        "protocol_version",
        f"Add-on and worker must speak the same protocol; this side speaks "
        f"{VERSION[0]}.{VERSION[1]}, the other {theirs[0]}.{theirs[1]}.",
        "Update Tilewright on the side with the lower number.",
        message_id,
    )


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        body: one of the dataclasses of `messages`.
        id: made by the sender.
        re: the id of the message this one answers.
        session: as given by `welcome`; empty before.
        sequence: number of a state event among those of its owner.
        payload: bytes of a chunk.
    """

    body: Any
    id: str = field(default_factory=lambda: new_id())
    re: str | None = None
    session: str = ""
    sequence: int | None = None
    payload: bytes | memoryview | None = None


def new_id() -> str:
    """A fresh id for a message or a job: 32 hex digits."""
    return uuid.uuid4().hex


def check_job(job: str) -> str:
    """Return the job id if it is one, so that it can name a folder."""
    if not _JOB.match(job):
        raise bad_message("a job id must be 32 hex digits")
    return job


def check_blob(name: str) -> str:
    """Return the name of a blob if it is one, so that it can name a file."""
    if not _BLOB.match(name):
        raise bad_message("a blob's name must be 1 to 40 of a-z, 0-9 and _")
    return name


# ---- frames


def encode(message: Message) -> list[bytes | memoryview]:
    """Make the frames of a message."""
    head: dict[str, Any] = {
        "v": list(VERSION),
        "type": message.body.wire_type,
        "id": message.id,
        "re": message.re,
        "session": message.session,
        "seq": message.sequence,
        "body": to_json(message.body),
    }
    try:
        text = dump(head).encode("utf-8")
    except (InvalidJson, UnicodeEncodeError) as error:
        raise bad_message(str(error)) from None
    if len(text) > HEAD_LIMIT:
        raise bad_message(f"a head must be at most {HEAD_LIMIT} bytes, got {len(text)}")
    frames: list[bytes | memoryview] = [MAGIC + FLAGS, text]
    return frames if message.payload is None else [*frames, message.payload]


def decode(frames: Sequence[bytes | memoryview]) -> Message:
    """Read the frames of a message.

    Raises:
        BadMessage: `invalid_message` or `protocol_version`; with `message_id` where an answer makes
            sense.
    """
    head = _read_head(frames)
    message_id, kind = head["id"], head["type"]
    if head["v"][0] != VERSION[0] and kind != "error":
        raise other_version(head["v"], message_id)
    body = BODIES.get(kind)
    if body is None:
        raise bad_message(f"the type {kind[:40]!r} is unknown", message_id)
    if (len(frames) == 3) != (body is Chunk):
        raise bad_message("a chunk has three frames, everything else two", message_id)
    value = read_fields(body, head["body"], message_id)
    payload = frames[2] if len(frames) == 3 else None
    return Message(value, message_id, head["re"], head["session"], head["seq"], payload)


def read_fields(kind: type[T], data: Any, message_id: str | None = None) -> T:
    """Read the dataclass that a message carries.

    Raises:
        BadMessage: `invalid_message`.
    """
    try:
        return from_json(kind, data)
    except InvalidJson as error:
        raise bad_message(f"{kind.__name__.strip('_')}: {error}", message_id) from None


def _read_head(frames: Sequence[bytes | memoryview]) -> dict[str, Any]:
    if len(frames) not in (2, 3):
        raise bad_message("a message has two or three frames")
    if bytes(frames[0][:2]) != MAGIC or len(frames[0]) != 4:
        raise bad_message("the first frame is not ours")
    if len(frames) == 3 and len(frames[2]) > CHUNK_LIMIT:
        raise bad_message("a chunk is too long")
    if len(frames[1]) > HEAD_LIMIT:
        raise bad_message("a head is too long")
    try:
        head = load(bytes(frames[1]))
    except InvalidJson as error:
        raise bad_message(str(error)) from None
    if not isinstance(head, dict):
        raise bad_message("a head must be an object")
    message_id = head.get("id")
    if not (isinstance(message_id, str) and _ID.match(message_id)):
        raise bad_message("a head must have an id")
    fields = read_fields(_Head, head, message_id)
    if len(fields.v) != 2:
        raise bad_message("v must be [major, minor]", message_id)
    return vars(fields)


@dataclass(frozen=True)
class _Head:
    v: tuple[int, ...]
    type: str
    id: str
    body: dict[str, Any]
    re: str | None = None
    session: str = ""
    seq: int | None = None
