"""Messages of somebody who has a good key and no good intention: 20,000 here, more with `scripts/fuzz`."""

from __future__ import annotations

import itertools
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from odd_messages import odd_messages
from raw_peers import hello, raw

from gan_worker.errors import BY_CODE
from gan_worker.memory import resident_memory_mb
from gan_worker.wire import codec, messages
from gan_worker.wire.codec import Message, decode, encode
from gan_worker.wire.keys import new_key_pair

COUNT = int(os.environ.get("TILEWRIGHT_FUZZED_MESSAGES", "20000"))
SEED = int(os.environ.get("TILEWRIGHT_FUZZED_SEED", "1"))
# Of all messages; the rest goes to control, from the owner and from a guest.
SHARES = {"owner": 0.4, "guest": 0.4, "bulk": 0.2}
# As many at a time as are answered in any case, with the events between: of the 64 that fit on a socket libzmq frees
# half at once, and an answer that finds no room is left to the client, who asks again.
TOGETHER = {"owner": 20, "guest": 20, "bulk": codec.FETCH_WINDOW}
BODIES = json.loads((Path(__file__).parents[1] / "wire" / "bodies.json").read_text("utf-8"))
GOOD = {name: body for name, body in BODIES.items() if name != "shutdown"}


def is_fetch(name):
    return issubclass(messages.BODIES[name], messages.Fetch)


def codes_of(answers):
    """Codes of the errors in these answers, each of which must be a message."""
    bodies = [decode(frames).body for frames in answers]
    return {b.error.code for b in bodies if getattr(b, "error", None) is not None}


def until_answered(socket, wanted):
    """Send a good message and collect all that comes until its answer."""
    socket.send_multipart(encode(wanted))
    heard = []
    while True:
        assert socket.poll(60_000), "the server does not answer any more"
        heard.append(socket.recv_multipart())
        if json.loads(heard[-1][1])["re"] == wanted.id:
            return heard


@pytest.mark.parametrize("who", SHARES)
def test_odd_messages_are_answered_with_an_error_or_not_at_all(serve, tmp_path, caplog, who):
    caplog.set_level(logging.ERROR)
    owner, guest = new_key_pair(), new_key_pair()
    # Work that is taken waits for a compute process which never comes up.
    served = serve(
        owner,
        (guest,),
        local=frozenset({owner.public}),
        roots={"photos": tmp_path},
        compute_command=(sys.executable, "-c", "import time; time.sleep(1000)"),
    )
    before, codes = resident_memory_mb(), set()
    bulk = who == "bulk"
    sent = odd_messages(SEED, {n: b for n, b in GOOD.items() if is_fetch(n)} if bulk else GOOD)
    with raw(served, guest if who == "guest" else owner, bulk) as peer:
        session = b""
        for _ in range(int(COUNT * SHARES[who] / TOGETHER[who])):
            for frames in itertools.islice(sent, TOGETHER[who]):
                peer.socket.send_multipart([frame.replace(b"@", session) for frame in frames])
            # What is always answered; odd messages may have been a goodbye or a greeting.
            good = Message(messages.Fetch("0" * 32, "x", 0, 1)) if bulk else hello()
            heard = until_answered(peer.socket, good)
            codes |= codes_of(heard)
            session = decode(heard[-1]).session.encode()
    assert codes <= set(BY_CODE) - {"unexpected"}
    assert "invalid_message" in codes
    assert not caplog.records, "the server had a fault"
    assert resident_memory_mb() - before < 60
    ear = served.connect()
    ear.client.request_models()
    ear.event(messages.ModelList)


def test_the_same_seed_sends_the_same():
    first, again, other = (list(itertools.islice(odd_messages(s, GOOD), 300)) for s in (5, 5, 6))
    assert first == again != other
    assert len({tuple(frames) for frames in first}) > 250


@pytest.mark.skipif(sys.platform == "win32", reason="the scripts need a shell")
@pytest.mark.parametrize(("asked", "code"), [(["--help"], 0), (["many"], 2), (["9", "-1"], 2)])
def test_the_script_says_how_it_is_called_and_sends_nothing(asked, code):
    script = Path(__file__).parents[3] / "scripts" / "fuzz"
    done = subprocess.run([script, *asked], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert "MESSAGES [SEED]" in done.stdout and done.stderr == ""
