"""Setting the worker up: real environments and a real pip, with a wheel that needs no network."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import bpy
import pytest

from blender_addon import state
from blender_addon.worker import child_process, preferences, pump, setup_program
from blender_addon.worker import setup as installation
from gan_worker import __version__
from gan_worker.errors import TilewrightError

# What pip may use here: the wheel alone.
OFFLINE = ("--no-deps", "--no-index")
# A Python that makes environments at once, in which pip always fails.
UNLUCKY = """#!/bin/sh
case "$*" in
    -I*) echo 3 11 True /usr ;;
    *venv*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; touch "$3/pyvenv.cfg" ;;
    *) echo some line; echo ERROR: no wheel; exit 1 ;;
esac
"""
SAYS = "import sys\nprint('the worker, asked for', *sys.argv[1:])\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel named as ours, with a worker that only says that it is there."""
    path = tmp_path_factory.mktemp("wheels") / f"tilewright-{__version__}-py3-none-any.whl"
    info = f"tilewright-{__version__}.dist-info"
    files = {
        "gan_worker/__init__.py": f"__version__ = '{__version__}'\n",
        "gan_worker/__main__.py": SAYS,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tilewright\nVersion: {__version__}\n"
        "Provides-Extra: worker\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            packed.writestr(name, text)
    return path


@pytest.fixture
def unlucky(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("unlucky") / "python3.11"
    path.write_text(UNLUCKY)
    path.chmod(0o755)
    return path


@pytest.fixture
def setup():
    """The one setup, as Blender knows it; what it made is gone afterwards."""
    state.of_blender.drop()
    now = installation.get()
    yield now
    if now.running:
        now.cancel()
    until(lambda: not now.removing)
    setup_program.remove(preferences.environment_folder())
    state.of_blender.drop()


def place_worker(folder: Path) -> Path:
    """A worker of an earlier version, as a setup left it; returns a file of it."""
    package = folder / "lib" / "python3.11" / "site-packages" / "tilewright-0.1.0.dist-info"
    package.mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    python = Path(setup_program.environment_python(folder))
    python.parent.mkdir()
    python.touch()
    return package


def a_python(folder: Path, script: str) -> Path:
    """A program that answers as that Python would."""
    python = folder / "python3.11"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


def until(holds, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        pump.tick()
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def no_worker(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert installation.what_is_needed() == "missing"


def test_a_worker_is_set_up_found_and_runs(setup, wheel, no_worker, tmp_path, monkeypatch):
    bpy.context.preferences.is_dirty = False
    setup.start(wheel, [sys.executable], OFFLINE)
    until(lambda: setup.step.startswith("Downloading"))
    assert 0 < setup.fraction < 1
    assert not preferences.get().worker_python
    assert not bpy.ops.tilewright.set_up_worker.poll()
    until(lambda: not setup.running)
    assert (setup.error, setup.need) == (None, "")
    assert bpy.context.preferences.is_dirty, "or Blender would not save where the worker is"
    assert setup.lines[-1] == __version__
    command = preferences.worker_command(preferences.get())
    assert command[0] == preferences.get().worker_python
    said = subprocess.run(
        [*command, "serve"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert said.stdout == "the worker, asked for serve\n"
    # By hand it is found without the preference, and another version of it is outdated.
    preferences.get().worker_python = ""
    assert preferences.worker_command(preferences.get()) == command
    assert installation.what_is_needed() == ""
    monkeypatch.setattr(installation, "__version__", "99")
    assert installation.what_is_needed() == "outdated"
    # One that was broken off, by a power cut maybe, is none.
    (preferences.environment_folder() / setup_program.UNFINISHED).touch()
    assert installation.what_is_needed() == "missing"


def test_what_pip_cannot_install_is_an_error_with_the_end_of_the_log(setup, wheel, unlucky):
    setup.start(wheel, [str(unlucky)])
    with pytest.raises(TilewrightError) as caught:
        setup.wait(60)
    assert caught.value.code == "worker_setup"
    assert "The worker could not be installed: ERROR: no wheel" in caught.value.info.message
    assert caught.value.info.cure
    assert list(setup.lines)[-2:] == ["some line", "ERROR: no wheel"]
    assert not preferences.environment_folder().exists()
    assert not preferences.get().worker_python


def test_cancel_ends_the_setup_and_deletes_what_it_made(setup, wheel):
    setup.start(wheel, [sys.executable], OFFLINE)
    until(lambda: (preferences.environment_folder() / "pyvenv.cfg").exists())
    with pytest.raises(TilewrightError, match="Only one setup"):
        setup.start(wheel)
    process = setup._process
    bpy.ops.tilewright.cancel_setup()
    assert not setup.running
    assert process.poll() is not None
    until(lambda: not setup.removing)
    assert not preferences.environment_folder().exists()
    assert setup.error is None


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ('{"error": {"code": "worker_setup", "message": "in use", "cure": "Stop it."}}', "in use"),
        ("MemoryError", "broke off: MemoryError"),
    ],
)
def test_what_cancel_could_not_bring_back_is_said(
    setup, wheel, no_worker, tmp_path, monkeypatch, says, told
):
    folder = preferences.environment_folder()
    worker = place_worker(folder)
    setup.start(wheel, [sys.executable], OFFLINE)
    until(lambda: (folder / "pyvenv.cfg").exists() and not worker.exists())
    refusing = tmp_path / "refusing.py"
    refusing.write_text(f"print({says!r})\nraise SystemExit(1)\n")
    with monkeypatch.context() as patch:
        patch.setattr(installation, "PROGRAM", refusing)
        bpy.ops.tilewright.cancel_setup()
        with pytest.raises(TilewrightError, match=told) as caught:
            setup.wait(60)
    assert caught.value.info.cure
    assert run_program(folder, "--remove") == 0
    assert worker.exists()


def test_ending_a_program_waits_until_its_files_are_free(tmp_path, monkeypatch):
    def ask(pid: int) -> None:
        """As Windows does: what ends a program does not wait for its end."""
        threading.Timer(0.2, os.killpg, [pid, signal.SIGKILL]).start()

    monkeypatch.setattr(child_process, "end_tree", ask)
    waiting = [sys.executable, "-c", "import signal; signal.pause()"]
    process = child_process.ChildProcess(waiting, tmp_path / "log")
    process.end()
    assert process.poll() is not None


@pytest.mark.parametrize("made", [False, True], ids=["at once", "once something is made"])
def test_cancel_leaves_the_worker_that_was_there(setup, wheel, no_worker, made):
    folder = preferences.environment_folder()
    worker = place_worker(folder)
    setup.start(wheel, [sys.executable], OFFLINE)
    until(lambda: (folder / "pyvenv.cfg").exists() and worker.exists() is not made)
    bpy.ops.tilewright.cancel_setup()
    until(lambda: not setup.removing)
    assert worker.exists()
    assert installation.what_is_needed() == "outdated"
    assert left_beside(folder) == []


def test_an_update_leaves_nothing_of_the_worker_before(setup, wheel):
    folder = preferences.environment_folder()
    worker = place_worker(folder)
    setup.start(wheel, [sys.executable], OFFLINE)
    setup.wait(60)
    assert preferences.is_set_up(__version__)
    assert not worker.exists()
    assert left_beside(folder) == []


def test_what_another_blender_sets_up_is_waited_for_and_found(setup, wheel, no_worker):
    folder = preferences.environment_folder()
    with setup_program.locked(folder):
        setup.start(wheel, [sys.executable], OFFLINE)
        with pytest.raises(TilewrightError, match="another Blender") as caught:
            setup.wait(60)
        assert "Wait" in caught.value.info.cure
        setup_program.set_up(folder, str(wheel), [sys.executable], list(OFFLINE))
    until(lambda: setup.error is None)
    assert setup.need == ""
    assert preferences.is_set_up(__version__)


def test_no_fitting_python_is_an_error_that_names_what_to_install(setup, wheel, no_worker):
    setup.start(wheel, ["/none/such/python3.11", "/bin/false"], OFFLINE)
    with pytest.raises(TilewrightError, match=r"3.11, 3.12 or 3.13"):
        setup.wait(60)
    assert "python.org" in setup.error.cure
    assert any(line.startswith("/bin/false: cannot make environments") for line in setup.lines)


def test_a_program_that_is_killed_is_an_error(setup, wheel, no_worker):
    setup.start(wheel, [sys.executable], OFFLINE)
    setup._process._process.kill()
    with pytest.raises(TilewrightError, match="broke off"):
        setup.wait(60)


def test_offline_nothing_is_downloaded(setup, wheel, monkeypatch):
    assert not bpy.app.online_access
    assert not bpy.ops.tilewright.set_up_worker.poll()
    with pytest.raises(TilewrightError, match="Allow Online Access") as caught:
        installation.check_online_access()
    assert caught.value.code == "not_allowed"
    monkeypatch.setattr(installation, "bundled_wheel", lambda: wheel)
    assert bpy.ops.tilewright.copy_setup_command() == {"FINISHED"}


def test_the_command_to_copy_does_what_the_button_does(wheel):
    command = shlex.split(installation.terminal_command(wheel))
    assert command[-3:] == [str(preferences.environment_folder()), "--wheel", str(wheel)]
    done = subprocess.run([*command, "--python", "/bin/false"], capture_output=True, text=True)
    assert "3.11, 3.12 or 3.13" in json.loads(done.stdout.splitlines()[-1])["error"]["message"]


def test_the_setup_reads_and_writes_utf_8_whatever_language_the_system_has(wheel):
    *command, _folder, _wheel_option, _wheel = shlex.split(installation.terminal_command(wheel))
    assert command.pop() == str(installation.PROGRAM)
    asked = [*command, "-c", "import sys; print(sys.flags.utf8_mode)"]
    # Isolated, a Python does not look at what Blender tells its other programs.
    said = subprocess.run(
        asked,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"},
    )
    assert said.stdout == "1\n"


@pytest.fixture
def profile(tmp_path) -> dict[str, str]:
    """What Windows calls the two halves of a user's folder."""
    return {"APPDATA": str(tmp_path / "Roaming"), "LOCALAPPDATA": str(tmp_path / "Local")}


def usual_place(profile: dict[str, str]) -> Path:
    return Path(profile["APPDATA"], "Blender", "extensions", ".user", "tilewright", "worker")


def test_windows_has_the_worker_in_the_short_local_folder(profile):
    place = preferences.worker_place(usual_place(profile), profile)
    assert place == Path(profile["LOCALAPPDATA"], "tilewright", "worker")


def test_a_worker_in_the_folder_before_is_gone_on_with(profile):
    usual = usual_place(profile)
    place_worker(usual)
    assert preferences.worker_place(usual, profile) == usual
    # In an update too, and after one that was broken off.
    usual.rename(usual.with_name(setup_program.KEPT))
    assert preferences.worker_place(usual, profile) == usual
    usual.mkdir()
    (usual / setup_program.UNFINISHED).touch()
    assert preferences.worker_place(usual, profile) == usual


def test_what_a_failed_setup_left_keeps_no_worker_in_the_long_folder(profile):
    usual = usual_place(profile)
    usual.mkdir(parents=True)
    assert preferences.worker_place(usual, profile) != usual
    (usual / setup_program.UNFINISHED).touch()
    assert preferences.worker_place(usual, profile) != usual


def test_resources_that_were_put_elsewhere_hold_the_worker_too(profile, tmp_path):
    usual = tmp_path / "Portable" / "worker"
    assert preferences.worker_place(usual, profile) == usual
    assert preferences.worker_place(usual_place(profile), {}) == usual_place(profile)


def test_an_addon_from_its_source_has_no_wheel():
    with pytest.raises(TilewrightError, match="zip"):
        installation.bundled_wheel()
    with pytest.raises(RuntimeError, match=r"\[worker_setup\]"):
        bpy.ops.tilewright.copy_setup_command()


# ---- the program


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(setup_program.SetupError, match="something else"):
        setup_program.remove(tmp_path)
    assert (tmp_path / "diary.txt").exists()


def run_program(folder: Path, *options: str) -> int:
    return setup_program.main([str(folder), *options])


def left_beside(folder: Path) -> list[str]:
    """What setups left there beside the environment; the empty file of their lock stays."""
    hidden = [path.name for path in folder.parent.glob(".*")]
    return [name for name in hidden if name != setup_program.LOCK]


def test_a_setup_that_another_blender_runs_is_left_alone(tmp_path, unlucky, capfd):
    folder, gate = tmp_path / "worker", tmp_path / "gate"
    os.mkfifo(gate)  # pip waits there
    unlucky.write_text(UNLUCKY.replace("echo ERROR: no wheel; exit 1", f"cat '{gate}'"))
    command = [sys.executable, str(installation.PROGRAM), str(folder), "--wheel=none.whl"]
    first = child_process.ChildProcess([*command, f"--python={unlucky}"], tmp_path / "log")
    try:
        until(lambda: "[3/4]" in first.log.read_text())
        for asked in ("--python=/bin/false", "--remove"):
            assert run_program(folder, asked) == 1
            said = json.loads(capfd.readouterr().out.splitlines()[-1])["error"]
            assert "another Blender" in said["message"]
            assert "Wait" in said["cure"]
            assert (folder / setup_program.UNFINISHED).exists()
        gate.write_text("installed\n")
        until(lambda: first.poll() is not None)
    finally:
        first.end()
    assert first.poll() == 0
    assert folder.exists()
    assert run_program(folder, "--remove") == 0


def test_a_setup_that_was_killed_keeps_nobody_away(tmp_path, unlucky):
    folder = tmp_path / "worker"
    holding = (
        "import sys; sys.path.insert(0, sys.argv[1]); import setup_program as program, pathlib\n"
        "with program.locked(pathlib.Path(sys.argv[2])): print('held', flush=True); sys.stdin.read()"
    )
    place = str(installation.PROGRAM.parent)
    with subprocess.Popen(
        [sys.executable, "-B", "-c", holding, place, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as killed:
        assert killed.stdout.readline() == "held\n"
        killed.kill()
    assert run_program(folder, "--remove") == 0


def test_where_the_file_system_has_no_locks_the_worker_is_set_up_all_the_same(
    tmp_path, monkeypatch
):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert run_program(tmp_path / "worker", "--remove") == 0


@pytest.mark.parametrize("failure", ["no room", "no Python", "pip"])
def test_an_update_that_fails_leaves_the_worker_that_was_there(
    tmp_path, monkeypatch, unlucky, failure
):
    folder = tmp_path / "worker"
    worker = place_worker(folder)
    if failure == "no room":
        monkeypatch.setattr(setup_program, "ROOM", 10**9)
        monkeypatch.setattr(setup_program, "ROOM_WITH_GPU", 10**9)
    python = "/bin/false" if failure == "no Python" else unlucky
    assert run_program(folder, "--wheel=none.whl", f"--python={python}") == 1
    assert worker.exists()
    assert left_beside(folder) == []


def test_after_a_power_cut_in_an_update_the_worker_before_is_found_again(
    tmp_path, monkeypatch, unlucky
):
    folder = tmp_path / "worker"
    worker = place_worker(folder)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(setup_program, "settle", lambda folder: None)
        patch.setattr(setup_program, "_call", cut)
        with pytest.raises(KeyboardInterrupt):
            run_program(folder, "--wheel=none.whl", f"--python={unlucky}")
    assert not worker.exists()
    assert run_program(folder, "--wheel=none.whl", "--python=/bin/false") == 1
    assert worker.exists()
    assert left_beside(folder) == []


def test_a_power_cut_right_after_the_worker_was_put_aside_loses_nothing(tmp_path):
    folder = tmp_path / "worker"
    worker = place_worker(folder)
    folder.rename(tmp_path / setup_program.KEPT)
    folder.mkdir()
    assert run_program(folder, "--remove") == 0
    assert worker.exists()
    assert left_beside(folder) == []


def test_only_what_is_unfinished_is_removed(tmp_path):
    folder = tmp_path / "worker"
    worker = place_worker(folder)
    assert run_program(folder, "--remove") == 0
    assert worker.exists()
    (folder / setup_program.UNFINISHED).touch()
    assert run_program(folder, "--remove") == 0
    assert not folder.exists()
    assert left_beside(folder) == []


def test_a_folder_that_was_just_let_go_of_is_moved_after_all(tmp_path, monkeypatch):
    folder = tmp_path / "worker"
    worker = place_worker(folder)
    folder.rename(tmp_path / setup_program.KEPT)
    rename, refused = Path.rename, [PermissionError(13, "Access is denied")] * 3

    def refuse(path: Path, name: Path) -> Path:
        if refused:
            raise refused.pop()
        return rename(path, name)

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(setup_program, "PATIENCE", 60.0)  # as on Windows, though longer
    assert run_program(folder, "--remove") == 0
    assert worker.exists()


def test_a_worker_in_use_is_left_alone_and_that_is_said(tmp_path, monkeypatch, unlucky, capfd):
    folder = tmp_path / "worker"
    worker = place_worker(folder)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "rename", refuse)  # as Windows does while a program in it runs
    assert run_program(folder, "--wheel=none.whl", f"--python={unlucky}") == 1
    said = json.loads(capfd.readouterr().out.splitlines()[-1])["error"]
    assert "Access is denied" in said["message"]
    assert "Stop the worker" in said["cure"]
    assert worker.exists()


@pytest.mark.parametrize(
    "base",
    [
        r"C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0",
        "c:/program files/windowsapps/PythonSoftwareFoundation.Python.3.13",
    ],
)
def test_a_python_from_the_microsoft_store_is_not_taken(tmp_path, base):
    python = a_python(tmp_path, f"echo 3 11 True '{base}'")
    assert "Microsoft Store" in setup_program.why_unfit([str(python)])
    with pytest.raises(setup_program.SetupError) as caught:
        setup_program.find_python([[str(python)]])
    assert "Microsoft Store" in caught.value.cure


def test_a_python_in_a_folder_with_spaces_and_umlauts_is_taken(tmp_path):
    python = a_python(tmp_path, r"printf '3 13 True C:\\Users\\J\303\266rg K\\Python\n'")
    assert setup_program.why_unfit([str(python)]) == ""


def test_an_environment_that_is_made_elsewhere_is_told(tmp_path, capfd):
    python = a_python(tmp_path, "case $* in -I*) echo 3 11 True /usr ;; esac")
    folder = tmp_path / "worker"
    assert run_program(folder, "--wheel=none.whl", f"--python={python}") == 1
    said = json.loads(capfd.readouterr().out.splitlines()[-1])["error"]
    assert str(folder) in said["message"]
    assert str(python) in said["message"]
    assert "python.org" in said["cure"]
    assert not folder.exists()


@pytest.mark.parametrize("encoding", ["cp949", "cp1252", "utf-8"])
def test_names_of_all_languages_are_passed_on_to_any_terminal(tmp_path, encoding):
    python = tmp_path / "python3.11"
    python.write_text(UNLUCKY.replace("some line", "c:/users/홍길동/Ωμέγα/é"), encoding="utf-8")
    python.chmod(0o755)
    # A system whose own encoding is not that of what pip says.
    command = [sys.executable, "-X", "utf8=0", str(installation.PROGRAM), str(tmp_path / "worker")]
    done = subprocess.run(
        [*command, "--wheel=none.whl", f"--python={python}"],
        capture_output=True,
        env={
            "PATH": os.defpath,
            "LC_ALL": "C",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONIOENCODING": encoding,
        },
    )
    *_, line, _last_of_pip, error = done.stdout.decode(encoding).splitlines()
    assert line.encode(encoding) == "c:/users/홍길동/Ωμέγα/é".encode(encoding, "backslashreplace")
    assert "The worker could not be installed" in json.loads(error)["error"]["message"]


def test_blenders_own_python_is_the_last_choice():
    assert setup_program.candidates()[-1] == [sys.executable]
    assert setup_program.why_unfit([sys.executable]) == ""


def test_no_room_is_said_before_anything_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(setup_program, "ROOM", 10**9)
    with pytest.raises(setup_program.SetupError, match="GiB free"):
        setup_program.check_system(tmp_path / "none" / "worker", gpu=False)


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("Failed to establish: [Errno -3] Temporary failure in name resolution", "internet"),
        ("ERROR: No matching distribution found for tensorflow", "another computer"),
        ("OSError: [Errno 28] No space left on device", "Free some space"),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: 'C:/Users'\n"
            "HINT: This error might have occurred since this system does not have Windows Long Path support enabled.",
            "path length limit",
        ),
        (
            "OSError: [WinError 206] The filename or extension is too long: 'C:/Users'",
            "260 letters",
        ),
        (
            "OSError: [WinError 3] The system cannot find the path specified: 'C:/Users'",
            "260 letters",
        ),
        ("OSError: [WinError 32] The process cannot access the file", "log"),
        ("something new", "log"),
    ],
)
def test_what_pip_says_leads_to_a_cure(said, cure, capfd):
    command = [sys.executable, "-c", f"print({said!r}); raise SystemExit(1)"]
    with pytest.raises(setup_program.SetupError) as caught:
        setup_program._call(command, "The worker could not be installed")
    assert cure in caught.value.cure
