"""The launcher: a worker is found, and every way not to start is a typed error."""

import socket
import sys
import time
from pathlib import Path

import pytest

from gan_worker.client.launcher import MOST_LOGS, Launcher
from gan_worker.errors import TilewrightError

WORKER = (sys.executable, "-m", "gan_worker")


def wait(launcher, seconds=60.0):
    end = time.monotonic() + seconds
    while (launched := launcher.poll()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return launched


@pytest.fixture
def launch(tmp_path):
    started = []

    def start(command=WORKER, **fields):
        launcher = Launcher(command, tmp_path / "home", tmp_path / "logs", **fields)
        started.append(launcher)
        launcher.start()
        return launcher

    yield start
    for launcher in started:
        launcher.stop()
        assert launcher.wait(20)


def test_a_worker_says_where_it_listens(launch):
    launched = wait(launch())
    assert launched.control.startswith("tcp://127.0.0.1:")
    assert len(launched.server_key) == 40


def test_secret_keys_are_in_no_argument_environment_or_log(launch):
    launcher = launch(options=("--log-level", "debug"))
    launched = wait(launcher)
    secrets = [launcher._server_keys.secret.encode(), launched.keys.secret.encode()]
    process = Path("/proc") / str(launched.pid)
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    launcher.stop()
    assert launcher.wait(20)
    for path in launcher.log_path.parent.parent.rglob("*"):
        seen += path.read_bytes() if path.is_file() else b""
    assert not any(secret in seen for secret in secrets)


def test_the_end_of_its_stdin_ends_the_worker(launch):
    launcher = launch()
    wait(launcher)
    launcher.stop()
    assert launcher.wait(10)
    assert not launcher.running
    assert not list(launcher.log_path.parent.glob("*.json"))


def test_files_that_are_held_open_keep_no_worker_from_ending_or_starting(launch, monkeypatch):
    def refuse(path, missing_ok=False):
        raise PermissionError(13, "it is used by another process", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)  # as Windows does with what a child writes to
    launcher = launch()
    wait(launcher)
    folder = launcher.log_path.parent
    old = [folder / f"worker-{number}.log" for number in range(MOST_LOGS)]
    for path in old:
        path.touch()
    launcher.stop()
    assert launcher.wait(10)
    wait(launch())
    assert all(path.exists() for path in old)
    monkeypatch.undo()
    launch()
    assert len(list(folder.glob("worker-*"))) <= MOST_LOGS + 2


def test_logs_that_another_blender_has_just_removed_keep_no_worker_from_starting(launch, vanishing):
    launcher = launch()
    wait(launcher)
    (launcher.log_path.parent / "worker-0.log").touch()
    wait(launch())


def test_it_can_be_started_again(launch):
    launcher = launch()
    first = wait(launcher)
    launcher.kill()
    launcher.start()
    second = wait(launcher)
    assert second.pid != first.pid
    assert second.keys == first.keys


WRONG = [
    ("/none/such/python", "-m", "gan_worker"),
    (sys.executable, "-m", "gan_worker_that_is_not_there"),
    ("/bin/echo", "hello"),
    ("/bin/sh", "-c", "exit 127"),
    ("/",),
]


@pytest.mark.parametrize("command", WRONG, ids=" ".join)
def test_a_wrong_command_is_a_typed_error_with_a_cure(launch, command):
    launcher = launch(command)
    with pytest.raises(TilewrightError) as caught:
        wait(launcher)
    assert caught.value.code == "worker_command"
    assert "preferences" in caught.value.info.cure
    with pytest.raises(TilewrightError):
        launcher.poll()


def test_a_command_that_dies_shows_the_end_of_its_log(launch):
    launcher = launch((sys.executable, "-c", "raise SystemExit('no such luck')"))
    with pytest.raises(TilewrightError) as caught:
        wait(launcher)
    assert caught.value.code == "worker_start"
    assert "no such luck" in caught.value.info.cure


def test_a_command_that_says_nothing_is_given_up(launch):
    launcher = launch((sys.executable, "-c", "import time; time.sleep(60)"), patience=0.5)
    with pytest.raises(TilewrightError) as caught:
        wait(launcher)
    assert caught.value.code == "worker_start"
    assert not launcher.running


def test_a_port_that_is_taken_is_named(launch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        launcher = launch(options=("--control-port", port))
        with pytest.raises(TilewrightError) as caught:
            wait(launcher)
    assert caught.value.code == "port_in_use"
    assert port in caught.value.info.message


def test_another_major_is_refused_with_both_versions(launch):
    script = "print('{\"protocol\": [8, 1]}', flush=True); input(); input()"
    launcher = launch((sys.executable, "-c", script))
    with pytest.raises(TilewrightError) as caught:
        wait(launcher)
    assert caught.value.code == "protocol_version"
    assert "8.1" in caught.value.info.message
    launcher.kill()


def test_the_log_folder_is_private(launch):
    launcher = launch()
    wait(launcher)
    assert launcher.log_path.parent.stat().st_mode & 0o077 == 0
