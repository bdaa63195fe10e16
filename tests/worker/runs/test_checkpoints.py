"""Checkpoints: whatever happens while one is written, the one before or the new one loads."""

import errno
import itertools
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

from gan_worker.errors import StorageError
from gan_worker.runs import checkpoints as module
from gan_worker.runs.checkpoints import Checkpoints

OPERATIONS = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir")


class Killed(BaseException):
    """Stands for the end of the process: no `except` of the program sees it."""


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def save(checkpoints, number, label=None):
    """A checkpoint whose parts all carry the same number."""
    arrays = {"a": np.full((40, 40), number, np.float32), "b": np.arange(3) + number}
    checkpoints.save(label or f"{number:09.3f}", arrays, {"step": number})


def load(checkpoints):
    """The number that all parts agree upon."""
    arrays, state, _ = checkpoints.load()
    assert np.all(arrays["a"] == state["step"])
    assert np.array_equal(arrays["b"], np.arange(3) + state["step"])
    return state["step"]


@pytest.fixture
def interrupt(monkeypatch):
    """Lets the n-th operation on the disk fail with an error; gives the number of operations."""

    def arm(number, error):
        done = [0]

        def wrap(name, original):
            def operation(*args, **kwargs):
                done[0] += 1
                if done[0] == number:
                    if name == "fsync" and os.fstat(args[0]).st_size and not is_folder(args[0]):
                        # What was not synced may be there in part.
                        os.ftruncate(args[0], os.fstat(args[0]).st_size // 2)
                    raise error
                return original(*args, **kwargs)

            return operation

        for name in OPERATIONS:
            monkeypatch.setattr(os, name, wrap(name, getattr(os, name)))
        return done

    yield arm
    monkeypatch.undo()


def is_folder(descriptor):
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


@pytest.mark.parametrize("label", [None, "00001.000"], ids=["new label", "same label"])
@pytest.mark.parametrize("kept", [1, 3])
def test_killed_at_any_write_a_whole_checkpoint_loads(
    label, kept, checkpoints, interrupt, monkeypatch
):
    label = label and f"{kept:09.3f}"
    for number in itertools.count(1):
        shutil.rmtree(checkpoints.folder, ignore_errors=True)
        for old in range(1, kept + 1):
            save(checkpoints, old)
        done = interrupt(number, Killed())
        try:
            save(checkpoints, 9, label)
            break
        except Killed:
            monkeypatch.undo()
        assert load(checkpoints) in (kept, 9), number
        save(checkpoints, 10)
        assert load(checkpoints) == 10
        assert not list(checkpoints.folder.glob("*.tmp"))
    assert done[0] == number - 1 >= 8


@pytest.mark.parametrize("kept", [1, 3])
def test_a_full_disk_leaves_what_was_there(kept, checkpoints, interrupt, monkeypatch):
    refused = 0
    for number in itertools.count(1):
        shutil.rmtree(checkpoints.folder, ignore_errors=True)
        for old in range(1, kept + 1):
            save(checkpoints, old)
        done = interrupt(number, OSError(errno.ENOSPC, "No space left on device"))
        try:
            save(checkpoints, 9)
        except StorageError as error:
            refused += 1
            assert error.code == "disk_full"
            # New only where the disk filled up after the last byte was written.
            latest = (checkpoints.folder / "LATEST").read_text()
            assert float(latest) in (kept, load(checkpoints))
            assert set(checkpoints.labels()) >= {f"{n:09.3f}" for n in range(1, kept + 1)}
        monkeypatch.undo()
        # Nothing half-written goes on filling the disk.
        assert not list(checkpoints.folder.glob("*.tmp")), number
        load(checkpoints)
        if done[0] < number:
            break
    assert refused >= 7


def test_killed_by_the_system_at_any_time_a_whole_checkpoint_loads(tmp_path):
    code = f"""
import itertools, numpy as np
from pathlib import Path
from gan_worker.runs.checkpoints import Checkpoints
checkpoints = Checkpoints(Path({str(tmp_path)!r}))
for n in itertools.count(1):
    arrays = {{"a": np.full((40, 40), n, np.float32), "b": np.arange(3) + n}}
    checkpoints.save(f"{{n:09.3f}}", arrays, {{"step": n}})
    print(n, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        seen = [int(process.stdout.readline()) for _ in range(random.Random(1).randint(3, 6))]
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert load(Checkpoints(tmp_path)) >= seen[-1]


def test_the_last_three_are_kept(checkpoints):
    for number in range(1, 6):
        save(checkpoints, number)
    assert checkpoints.labels() == ["00003.000", "00004.000", "00005.000"]
    assert (checkpoints.folder / "LATEST").read_text() == "00005.000"


def test_arrays_of_any_layout_keep_their_values(checkpoints):
    turned = np.arange(12, dtype=np.float32).reshape(3, 4).T[::-1]
    checkpoints.save(
        "1", {"turned": turned, "every second": turned[:, ::2], "one": np.float32(3)}, {}
    )
    arrays, _, _ = checkpoints.load()
    assert np.array_equal(arrays["turned"], turned)
    assert np.array_equal(arrays["every second"], turned[:, ::2])
    assert arrays["one"] == 3


def test_longer_labels_are_newer(checkpoints):
    save(checkpoints, 1, "99999.000")
    save(checkpoints, 2, "100000.000")
    assert load(checkpoints) == 2


def test_a_run_without_checkpoints_has_none(checkpoints):
    assert checkpoints.load() is None
    assert checkpoints.labels() == []


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    file.write_bytes(data)


def truncate(file):
    file.write_bytes(file.read_bytes()[:-1])


def empty(file):
    file.write_bytes(b"")


def swap(file):
    file.write_bytes((file.parent.parent / "00001.000" / file.name).read_bytes())


@pytest.mark.parametrize("harm", [flip, truncate, empty, swap, os.unlink])
@pytest.mark.parametrize("name", ["weights.safetensors", "state.json", "manifest.json"])
def test_a_damaged_one_is_put_aside_and_an_older_one_used(harm, name, checkpoints):
    save(checkpoints, 1)
    save(checkpoints, 2)
    harm(checkpoints.folder / "00002.000" / name)
    _, state, notices = checkpoints.load()
    assert state["step"] == 1
    assert len(notices) == 1
    assert "00002.000" in notices[0]
    assert (checkpoints.folder / "quarantine" / "00002.000").is_dir()
    assert checkpoints.labels() == ["00001.000"]
    assert checkpoints.load()[2] == []


def test_where_none_is_good_a_resume_is_no_new_start(checkpoints):
    save(checkpoints, 1)
    flip(checkpoints.folder / "00001.000" / "weights.safetensors")
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            checkpoints.load()
        assert caught.value.code == "checkpoint_corrupt"
    save(checkpoints, 2)
    assert load(checkpoints) == 2


def test_the_newest_of_a_later_version_is_refused_and_stays(checkpoints):
    save(checkpoints, 1)
    save(checkpoints, 2)
    manifest = checkpoints.folder / "00002.000" / "manifest.json"
    manifest.write_text(json.dumps({"format": 3, "files": "otherwise"}))
    with pytest.raises(StorageError) as caught:
        checkpoints.load()
    assert caught.value.code == "model_format"
    assert "Update" in caught.value.info.cure
    assert checkpoints.labels() == ["00001.000", "00002.000"]


def test_only_what_has_octaves_is_refused_by_versions_that_draw_none(checkpoints):
    """They read format 1 alone."""
    for label, octaves in (("00001.000", 0), ("00002.000", 2)):
        checkpoints.save(label, {"a": np.zeros(2)}, {"step": 1, "octaves": octaves})
    folders = [checkpoints.folder / label for label in checkpoints.labels()]
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in folders]
    assert [manifest["format"] for manifest in manifests] == [1, 2]
    assert checkpoints.load()[1]["octaves"] == 2


def test_what_cannot_be_put_aside_is_passed_over(checkpoints, monkeypatch):
    save(checkpoints, 1)
    save(checkpoints, 2)
    flip(checkpoints.folder / "00002.000" / "state.json")

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "rename", refuse)
    assert load(checkpoints) == 1


def test_the_only_good_one_is_never_deleted(checkpoints, monkeypatch):
    """Where the new one turns out to be damaged on the disk, the old ones stay."""
    for number in (1, 2, 3):
        save(checkpoints, number)
    write = module.write_synced

    def rot(file, data):
        write(file, data[:-1] + b"!" if file.name == "weights.safetensors" else data)

    monkeypatch.setattr(module, "write_synced", rot)
    with pytest.raises(StorageError):
        save(checkpoints, 4)
    monkeypatch.undo()
    assert load(checkpoints) == 3


@pytest.mark.parametrize("position", [0, 8, 40, 500, -700, -1])
def test_one_flipped_bit_anywhere_in_the_weights_is_seen(position, checkpoints):
    save(checkpoints, 1)
    save(checkpoints, 2)
    file = checkpoints.folder / "00002.000" / "weights.safetensors"
    data = bytearray(file.read_bytes())
    data[position] ^= 4
    file.write_bytes(data)
    assert load(checkpoints) == 1


def test_a_manifest_leads_to_no_file_outside(checkpoints):
    save(checkpoints, 1)
    file = checkpoints.folder / "00001.000" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["sha256"]["../../../secret"] = "0" * 64
    file.write_text(json.dumps(manifest))
    assert load(checkpoints) == 1


def header(text):
    return (80).to_bytes(8, "little") + text.ljust(80)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04\x95pickle that would run code.",
        b"PK\x03\x04 a zip",
        (2**63).to_bytes(8, "little") + b"{}",
        (10).to_bytes(8, "little") + b"{" * 10,
        header(b'{"a":{"dtype":"F32","shape":[999999999,999999999],"data_offsets":[0,4]}}'),
        header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4000000000]}}'),
        header(b'{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}') + bytes(4),
        safetensors.numpy.save({"a": np.zeros(4)})[:-1],
    ],
)
def test_what_only_claims_to_hold_tensors_is_refused(data):
    with pytest.raises(StorageError) as caught:
        module.parse_tensors(data, "a")
    assert caught.value.code == "checkpoint_corrupt"
