"""Clients that are killed while a result comes over: the server's memory goes back to where it was."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from gan_worker.client.launcher import Launcher

SERVER = Path(__file__).with_name("stand_in_server.py")
DEATHS, MIB = 4, 2**20
# The result: 2048² of three channels of 8 bits and one of 16.
RESULT = 2048**2 * 5
CLIENT = """
import os, signal, sys, time
from gan_worker.client.client import Client
from gan_worker.config import GenerationConfig
from gan_worker.wire.keys import KeyPair
control, bulk, server_key, public, secret = sys.argv[1:]
client = Client(control, bulk, server_key, KeyPair(public, secret))
client.submit(GenerationConfig("Starter Red Bricks", 5, 2048, 2048))
while not client.receiving:
    client.collect()
    time.sleep(0.001)
client.collect()
print("died", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def server(tmp_path):
    launcher = Launcher([sys.executable, str(SERVER)], tmp_path / "home", tmp_path / "logs")
    launcher.start()
    while (launched := launcher.poll()) is None:
        time.sleep(0.01)
    yield launched
    launcher.stop()
    assert launcher.wait(30)


@pytest.mark.skipif(sys.platform == "win32", reason="there nothing dies by a signal")
def test_memory_goes_back_to_where_it_was(server):
    where = server.control, server.bulk, server.server_key, server.keys.public, server.keys.secret
    process = psutil.Process(server.pid)

    def die():
        told = subprocess.run([sys.executable, "-c", CLIENT, *where], stdout=subprocess.PIPE)
        assert told.stdout == b"died\n"
        return process.memory_info().rss

    base = die()
    for _ in range(DEATHS):
        die()
    # Less than one result in all, of what may have been several on their way.
    limit, end = base + RESULT // 2, time.monotonic() + 20
    while process.memory_info().rss > limit:
        assert time.monotonic() < end, f"{(process.memory_info().rss - base) / MIB:.1f} MiB more"
        time.sleep(0.05)
