"""Locks and databases: on file systems with locks and without, held by one, and what is wrong is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from gan_worker import locks
from gan_worker.errors import StorageError
from gan_worker.locks import FolderLock, has_locks, open_database

# Answers locks as the system calls of NFS, FUSE and clusters without them do.
NO_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
static int call(const char *name, int fd, int command, void *value) {
  if (command == F_SETLK || command == F_SETLKW) { errno = atoi(getenv("LOCKS_ANSWER")); return -1; }
  int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
  return real(fd, command, value);
}
#define TAKE va_list list; va_start(list, command); void *value = va_arg(list, void *); va_end(list)
int fcntl(int fd, int command, ...) { TAKE; return call("fcntl", fd, command, value); }
int fcntl64(int fd, int command, ...) { TAKE; return call("fcntl64", fd, command, value); }
"""
ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL = 37, 38, 95, 22

HOLD = """
import sys
from pathlib import Path
from gan_worker.locks import FolderLock
print(FolderLock.acquire(lock := FolderLock(Path(sys.argv[1]))), flush=True)
sys.stdin.readline()
"""
WRITE = """
import sys
from pathlib import Path
from gan_worker.locks import open_database
database = open_database(Path(sys.argv[1], "rows"))
print(database.execute("PRAGMA journal_mode=WAL").fetchone()[0], flush=True)
database.execute("CREATE TABLE rows (number)")
database.execute("INSERT INTO rows VALUES (7)")
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def no_locks(tmp_path_factory):
    """Variables with which a process finds no locks, by what the system answers."""
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("needs Linux and a C compiler")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(NO_LOCKS, "utf-8")
    options = ["-shared", "-fPIC", "-o", str(folder / "shim.so"), str(folder / "shim.c"), "-ldl"]
    subprocess.run([compiler, *options], check=True)
    shim = {"LD_PRELOAD": str(folder / "shim.so")}
    return lambda answer: os.environ | shim | {"LOCKS_ANSWER": str(answer)}


@pytest.fixture
def start():
    """Starts a process that does something and says a line, then waits; all are ended."""
    made = []

    def started(code, folder, variables=None):
        command = [sys.executable, "-c", code, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        made.append(subprocess.Popen(command, env=variables, text=True, **pipes))
        return made[-1], made[-1].stdout.readline().strip()

    yield started
    for process in made:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("locks", [True, False])
def test_a_lock_is_held_by_one_process_and_dies_with_it(locks, start, tmp_path, request):
    variables = None if locks else request.getfixturevalue("no_locks")(ENOLCK)
    first, said = start(HOLD, tmp_path, variables)
    assert said == "True"
    assert start(HOLD, tmp_path, variables)[1] == "False"
    first.kill()
    first.wait()
    assert start(HOLD, tmp_path, variables)[1] == "True"


@pytest.mark.parametrize("answer", [ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL])
def test_where_there_are_no_locks_a_database_is_written_and_is_there_after_a_kill(
    answer, start, no_locks, tmp_path
):
    writer, said = start(WRITE, tmp_path, no_locks(answer))
    assert said == "wal"
    # Memory shared with others is what a network file system does not have.
    assert not (tmp_path / "rows-shm").exists()
    writer.communicate("")
    assert open_database(tmp_path / "rows").execute("SELECT * FROM rows").fetchall() == [(7,)]
    assert start(HOLD, tmp_path, no_locks(answer))[1] == "True"


def test_a_lock_can_be_given_back_and_taken_again(tmp_path):
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire(patience=5)
    second.release()


def test_a_damaged_lock_is_put_aside(tmp_path):
    (tmp_path / ".lock").write_bytes(bytes(range(256)) * 20)
    lock = FolderLock(tmp_path)
    assert lock.acquire()
    lock.release()
    assert (tmp_path / ".lock.damaged-1").stat().st_size == 5120


def test_a_lock_that_nobody_can_hold_is_no_lock_of_another(tmp_path):
    gone = tmp_path / "gone"
    with pytest.raises(StorageError) as caught:
        FolderLock(gone).acquire()
    assert caught.value.code == "file_unwritable"
    assert ".lock" in str(caught.value)


def test_a_folder_in_place_of_a_lock_is_put_aside(tmp_path):
    (tmp_path / ".lock").mkdir()
    lock = FolderLock(tmp_path)
    assert lock.acquire()
    lock.release()
    assert (tmp_path / ".lock.damaged-1").is_dir()


def test_looking_for_locks_leaves_nothing_behind(tmp_path):
    assert has_locks(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError):
        has_locks(tmp_path / "not there")


def test_a_database_lies_where_its_name_says_whatever_signs_it_holds(tmp_path):
    folder = tmp_path / "100% &mode=ro # ü"
    folder.mkdir()
    with open_database(folder / "a#b") as database:
        database.execute("CREATE TABLE rows (number)")
    database.close()
    assert [file.name for file in folder.iterdir()] == ["a#b"]


@pytest.fixture
def on_a_share(monkeypatch):
    """Paths have the addresses that Windows gives those on a share."""
    address = PureWindowsPath(r"\\nas\studio\rows").as_uri()
    monkeypatch.setattr(Path, "as_uri", lambda path: address)


def test_a_database_on_a_share_of_windows_is_opened(on_a_share, tmp_path):
    with open_database(tmp_path / "rows") as database:
        database.execute("CREATE TABLE rows (number)")
    database.close()
    assert (tmp_path / "rows").exists()


def test_what_sqlite_does_not_open_is_told_with_a_cure(on_a_share, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "has_locks", lambda folder: False)
    with pytest.raises(StorageError) as caught:
        open_database(tmp_path / "rows")
    assert caught.value.code == "file_unwritable"
    assert "invalid uri authority" in caught.value.info.message
    assert "disk of this computer" in caught.value.info.cure


def test_a_folder_in_place_of_a_database_is_told(tmp_path):
    (tmp_path / "rows").mkdir()
    with pytest.raises(StorageError, match="rows must be a database"):
        open_database(tmp_path / "rows")
