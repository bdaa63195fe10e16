"""Image sequences on the disk: all frames under their names, or nothing."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
from memory_peaks import peak_memory

from gan_worker.config import GenerationConfig, Recipe
from gan_worker.errors import StorageError
from gan_worker.files import DRAFTS_KEPT
from gan_worker.materials.pictures import read_picture, read_stored
from gan_worker.materials.sequences import SequenceWriter

RECIPE = Recipe(GenerationConfig("bricks", 1, 8, 4, origin=(0, 0)), "a" * 64, "0.1.0")


def write(writer, count=3):
    for number in range(1, count + 1):
        color = np.full((4, 8, 3), number, np.uint8)
        height = np.full((4, 8, 1), 1000 * number, np.uint16)
        for _ in writer.write(number, {"base_color": color, "height": height}, RECIPE):
            pass


def test_frames_get_their_names_when_all_are_there(tmp_path):
    folder = tmp_path / "textures" / "loop"
    writer = SequenceWriter(folder, "bricks_loop_8x4")
    write(writer)
    assert not folder.exists()
    first = writer.publish()
    assert first["base_color"] == folder / "bricks_loop_8x4_basecolor_0001.png"
    assert first["height"] == folder / "bricks_loop_8x4_height_0001.png"
    assert len(list(folder.iterdir())) == 6
    assert list(folder.parent.iterdir()) == [folder]
    last = read_picture(folder / "bricks_loop_8x4_height_0003.png")
    np.testing.assert_allclose(last, 3000 / 65535, atol=1e-6)
    writer.discard()  # takes nothing that was published
    assert len(list(folder.iterdir())) == 6


def test_a_large_frame_is_written_as_it_is_encoded(tmp_path):
    color = np.random.default_rng(1).integers(0, 256, (2048, 2048, 3), np.uint8)
    writer = SequenceWriter(tmp_path / "loop", "bricks")
    assert peak_memory(lambda: list(writer.write(1, {"base_color": color}, RECIPE))) < color.nbytes
    np.testing.assert_array_equal(read_stored(writer.publish()["base_color"]), color)


def test_discarded_frames_leave_nothing(tmp_path):
    writer = SequenceWriter(tmp_path / "loop", "bricks")
    write(writer)
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "loop").mkdir()
    writer = SequenceWriter(tmp_path / "loop", "bricks")
    write(writer, 1)
    writer.publish()
    assert writer.folder == tmp_path / "loop-2"
    assert list((tmp_path / "loop").iterdir()) == []


def test_drafts_that_a_crash_left_are_removed_in_time(tmp_path):
    dead, busy = tmp_path / ".loop.0000.tmp", tmp_path / ".loop.1111.tmp"
    dead.mkdir()
    busy.mkdir()
    old = time.time() - DRAFTS_KEPT - 60
    os.utime(dead, (old, old))
    SequenceWriter(tmp_path / "loop", "bricks").discard()
    assert list(tmp_path.iterdir()) == [busy]


def test_a_draft_that_another_process_has_just_finished_holds_nobody_up(tmp_path, vanishing):
    (tmp_path / ".loop.0000.tmp").mkdir()
    writer = SequenceWriter(tmp_path / "loop", "bricks")
    write(writer, 1)
    assert writer.publish()


def test_a_place_that_is_no_folder_is_a_typed_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        SequenceWriter(tmp_path / "file" / "loop", "bricks")
    assert caught.value.code == "file_unwritable"
