"""Sets the worker up in an environment of its own: a program by itself, which needs nothing but a Python.

Blender runs it as a child process, so that its own Python stays as it is and nothing waits. It writes
`[2/4] what it does` before each step, what pip says in between, and at a failure one line of JSON:
`{"error": {"code", "message", "cure"}}`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PYTHONS = ("3.11", "3.12", "3.13")
# Where installers put Python; a program that was started from a desktop has a short path.
PLACES = (
    "/usr/local/bin",
    "/opt/homebrew/bin",
    *(f"/Library/Frameworks/Python.framework/Versions/{version}/bin" for version in PYTHONS),
)
# What is there with an NVIDIA driver, the second in WSL2.
DRIVERS = ("/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1")
STEPS = 4
# Stands in an environment until all of it is there.
UNFINISHED = "unfinished"
# Beside the environment `worker`: the one that works, until the new one does, and what is being deleted. No name is
# longer, since Windows ends paths at 260 letters.
KEPT, GONE = ".kept", ".gone"
# The file beside it that one setup at a time holds. It stays: another one may have opened it already.
LOCK = ".setup.lock"
# Seconds that a folder may be refused: Windows frees what a program held a little after its end.
PATIENCE = 2.0 if os.name == "nt" else 0.0
# Seconds that the lock may be refused: what a program held that was ended is free a little later.
LOCK_PATIENCE = 2.0
GIB = 2**30
ROOM, ROOM_WITH_GPU = 4, 9
TAIL = 12
_TRY = (
    "import sys, venv, ensurepip; "
    "print(*sys.version_info[:2], sys.maxsize > 2**32, sys.base_prefix)"
)

# What stands in pip's last lines → what to do.
CURES = (
    (
        r"resolve host|name resolution|getaddrinfo|ConnectionError|NewConnection|timed out|ProxyError",
        "Check the connection to the internet and its proxy, then press Set Up Worker again.",
    ),
    (r"SSL|CERTIFICATE", "Check this computer's clock and certificates, then try again."),
    (r"No space left|Errno 28", "Free some space on the disk, then press Set Up Worker again."),
    (
        r"Long Path|WinError (3|206)\b",
        "Windows ends paths at 260 letters: run the installer of Python 3.11, 3.12 or 3.13 from python.org, press "
        "Disable path length limit on its last page, then press Set Up Worker again.",
    ),
    (
        r"No matching distribution|not a supported wheel",
        "This system has no build of TensorFlow: use a worker on another computer or in WSL2.",
    ),
)
_LOOK = "Look at the log, or copy the command and run it in a terminal."


class SetupError(Exception):
    """Why the worker cannot be set up, and the cure."""

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(message)
        self.message, self.cure = message, cure


def main(argv: list[str]) -> int:
    """Set an environment up, or tidy up after one; returns 0, or 1 after the line with the error."""
    options = _options(argv)
    folder = Path(options.folder)
    try:
        with locked(folder):
            settle(folder)
            if not options.remove:
                set_up(folder, options.wheel, options.python, options.pip)
    except SetupError as error:
        info = {"code": "worker_setup", "message": error.message, "cure": error.cure}
        print(json.dumps({"error": info}), flush=True)
        return 1
    return 0


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="of the environment")
    parser.add_argument("--wheel", default="", help="of tilewright")
    parser.add_argument("--python", action="append", help="to make it with; else one is found")
    parser.add_argument("--pip", action="append", default=[], help="one more option for pip")
    parser.add_argument("--remove", action="store_true", help="only delete what is unfinished")
    return parser.parse_args(argv)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other setup away from an environment, up to the end of this program at the latest.

    Raises:
        SetupError: another one is at work there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(LOCK).open("ab") as file:
        end = time.monotonic() + LOCK_PATIENCE
        while not _lock(file.fileno()):
            if time.monotonic() > end:
                raise SetupError(
                    "Only one setup may work on the worker's folder; another Blender, or a terminal, sets it up or "
                    f"tidies up in {folder.parent}.",
                    "Wait until it has ended: its worker is found by itself. Where it ends without one, press Set Up "
                    "Worker again.",
                )
            time.sleep(0.1)
        yield


def _lock(file: int) -> bool:
    """Take the lock of an open file, which the system lets go of with the program; whether nobody else has it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks, as some mounts of NFS: it holds up no setup
        pass
    return True


def set_up(folder: Path, wheel: str, pythons: list[str] | None, pip_options: list[str]) -> None:
    """Make the environment and install the worker into it; one that was there stays until the new one works.

    Raises:
        SetupError: what failed, and the cure.
    """
    _step(1, "Looking for Python 3.11 to 3.13")
    gpu = has_nvidia_driver()
    check_system(folder, gpu)
    python = find_python([[python] for python in pythons] if pythons else candidates())
    try:
        _make(folder, python, [*pip_options, f"{wheel}[worker]", *["tensorflow[and-cuda]"] * gpu])
    finally:
        settle(folder)


def _make(folder: Path, python: list[str], packages: list[str]) -> None:
    _step(2, "Making an environment")
    _put_aside(folder)
    folder.mkdir(parents=True)
    (folder / UNFINISHED).touch()
    _call([*python, "-m", "venv", str(folder)], "The environment could not be made")
    if not Path(environment_python(folder)).exists():
        raise SetupError(
            f"{' '.join(python)} must make the environment in {folder}; it is not there.",
            "Install Python from python.org, then press Set Up Worker again.",
        )
    _step(3, "Downloading and installing TensorFlow and the worker")
    command = [environment_python(folder), "-m", "pip", "install", "--disable-pip-version-check"]
    _call([*command, "--no-input", *packages], "The worker could not be installed")
    _step(4, "Trying the worker")
    tried = [
        environment_python(folder),
        "-I",
        "-X",
        "utf8",
        "-c",
        "import gan_worker; print(gan_worker.__version__)",
    ]
    _call(tried, "The worker was installed but does not run")
    (folder / UNFINISHED).unlink()


def check_system(folder: Path, gpu: bool) -> None:
    """Refuse early where it cannot work: no TensorFlow for this system, no room."""
    if platform.system() == "Darwin" and platform.machine() == "x86_64":
        raise SetupError(
            "The worker needs TensorFlow, which has no build for Macs with an Intel processor.",
            "Use a worker on another computer: choose Already Running in the preferences.",
        )
    place = next(parent for parent in folder.absolute().parents if parent.exists())
    free, room = shutil.disk_usage(place).free / GIB, ROOM_WITH_GPU if gpu else ROOM
    if free < room:
        raise SetupError(
            f"The disk of {place} must have {room} GiB free; it has {free:.1f} GiB.",
            "Free some space, then press Set Up Worker again.",
        )


def has_nvidia_driver() -> bool:
    """Whether CUDA is worth its download: on Linux, and so in WSL2, with a driver."""
    if platform.system() != "Linux":
        return False
    return shutil.which("nvidia-smi") is not None or any(Path(p).exists() for p in DRIVERS)


def candidates() -> list[list[str]]:
    """Commands that may start a fitting Python, the best first; Blender's own is the last."""
    if os.name == "nt":
        found = [["py", f"-{version}"] for version in PYTHONS] + [["python"]]
    else:
        path = os.pathsep.join([os.environ.get("PATH", ""), *PLACES])
        names = [*(f"python{version}" for version in PYTHONS), "python3"]
        found = [[place] for name in names if (place := shutil.which(name, path=path))]
    return [*found, [sys.executable]]


def find_python(commands: list[list[str]]) -> list[str]:
    """The first command that starts a fitting Python which can make environments.

    Raises:
        SetupError: where there is none.
    """
    for command in commands:
        why = why_unfit(command)
        print(f"{' '.join(command)}: {why or 'is used'}", flush=True)
        if not why:
            if command == [sys.executable]:
                print(
                    "It is Blender's own: set the worker up again after moving or removing this Blender."
                )
            return command
    raise SetupError(
        "Python 3.11, 3.12 or 3.13 must be on this computer, able to make environments; none was found.",
        "Install Python from python.org, since those of the Microsoft Store do not fit, or on Debian and Ubuntu: "
        "sudo apt install python3-venv.",
    )


def why_unfit(command: list[str]) -> str:
    """Why a command starts no Python for the worker; empty where it does."""
    try:
        done = subprocess.run(
            [*command, "-I", "-X", "utf8", "-c", _TRY],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be run ({error})"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return f"cannot make environments ({last[0]})"
    major, minor, wide, base = done.stdout.split(maxsplit=3)
    if f"{major}.{minor}" not in PYTHONS or wide != "True":
        return f"is Python {major}.{minor}, not 3.11 to 3.13 with 64 bit"
    if re.search(r"[\\/]WindowsApps[\\/]", base, re.IGNORECASE):
        # Windows keeps what these write in a folder of their own, where nothing else finds it.
        return "comes from the Microsoft Store, and what it installs is hidden from Blender"
    return ""


def environment_python(folder: Path) -> str:
    """The Python of an environment."""
    return str(folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python")


def settle(folder: Path) -> None:
    """Leave one environment that works, or none, wherever a setup was broken off.

    Raises:
        SetupError: where a program still runs in what must go.
    """
    kept = folder.with_name(KEPT)
    if folder.exists() and _is_unfinished(folder):
        remove(folder)
    if folder.exists():
        remove(kept)
    elif kept.exists():
        _rename(kept, folder)


def remove(folder: Path) -> None:
    """Delete an environment, and nothing that is none.

    Raises:
        SetupError: where the folder holds something else, or a program runs in it.
    """
    if folder.exists():
        _check_environment(folder)
        gone = folder.with_name(GONE)
        shutil.rmtree(gone, ignore_errors=True)
        _rename(folder, gone)  # in one step: what is half deleted must not pass for whole
        shutil.rmtree(gone, ignore_errors=True)


def _put_aside(folder: Path) -> None:
    """Keep an environment under another name: moved back it runs, as its scripts hold its place."""
    if folder.exists():
        _check_environment(folder)
        _rename(folder, folder.with_name(KEPT))


def _check_environment(folder: Path) -> None:
    ours = any((folder / name).exists() for name in ("pyvenv.cfg", UNFINISHED))
    if any(folder.iterdir()) and not ours:
        raise SetupError(
            f"The folder {folder} must hold an environment or nothing; it holds something else.",
            "Move what is in it to another place.",
        )


def holds_worker(folder: Path) -> bool:
    """Whether an environment is there, also where it is put aside for an update."""
    there = folder.exists() and not _is_unfinished(folder)
    return there or folder.with_name(KEPT).exists()


def _is_unfinished(folder: Path) -> bool:
    return (folder / UNFINISHED).exists() or not any(folder.iterdir())


def _rename(folder: Path, name: Path) -> None:
    end = time.monotonic() + PATIENCE
    while refused := _refusal(folder, name):
        if time.monotonic() > end:
            raise SetupError(
                f"No program may use the worker's folder while it is replaced; {folder} cannot be moved: "
                f"{refused.strerror}.",
                "Stop the worker in every Blender, then press Set Up Worker again.",
            )
        time.sleep(0.1)


def _refusal(folder: Path, name: Path) -> OSError | None:
    """Why the folder cannot be moved; None where it was."""
    try:
        folder.rename(name)
    except OSError as error:
        return error
    return None


def _call(command: list[str], failure: str) -> None:
    """Run a program, passing on what it says; a Python says it in UTF-8, which not every system does by itself."""
    tail: deque[str] = deque(maxlen=TAIL)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUTF8": "1"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tail.append(line.strip())
            print(line, end="", flush=True)
    if process.returncode:
        said = "\n".join(tail)
        cure = next((cure for pattern, cure in CURES if re.search(pattern, said)), _LOOK)
        last = next((line for line in reversed(tail) if line.startswith("ERROR")), None)
        last = last or next((line for line in reversed(tail) if line), str(process.returncode))
        raise SetupError(f"{failure}: {last[:300]}", cure)


def _step(number: int, text: str) -> None:
    print(f"[{number}/{STEPS}] {text}", flush=True)


if __name__ == "__main__":
    assert isinstance(sys.stdout, io.TextIOWrapper)
    # A terminal may lack the letters of a user's name, which stand in paths.
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
