"""Maps of a scene on the disk: whole or not there."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gan_worker.client.events import MaterialReady
from gan_worker.config import GenerationConfig, Recipe
from gan_worker.errors import StorageError
from gan_worker.materials.pictures import read_picture
from gan_worker.scenes.plan import work_item
from gan_worker.scenes.store import SceneStore

ITEM = work_item(GenerationConfig("bricks", 7, 48, 32), "a" * 64)


def ready(seed=0):
    random = np.random.default_rng(seed)
    maps = {
        "base_color": random.integers(0, 256, (32, 48, 3), np.uint8),
        "height": random.integers(0, 65536, (32, 48, 1)).astype("<u2"),
    }
    recipe = Recipe(GenerationConfig("bricks", 7, 48, 32, origin=(3, 4)), "a" * 64, "0.1")
    return MaterialReady("0" * 32, recipe, maps, dict.fromkeys(maps, 1.1), 0.1)


def write(store, **options):
    for _ in store.write(ITEM, ready(**options)):
        pass


def test_what_was_written_is_found_by_another_process(tmp_path):
    write(SceneStore(tmp_path / "maps"))
    made = SceneStore(tmp_path / "maps").find(ITEM)
    assert made == SceneStore(tmp_path / "maps").written(ITEM, ready())
    assert made.recipe == ready().recipe
    assert made.seam_ratios == {"base_color": 1.1, "height": 1.1}
    name = made.files["base_color"].name
    assert name == f"bricks_{ITEM.key[:16]}_48x32_basecolor.png"
    pixels = read_picture(made.files["base_color"])
    np.testing.assert_array_equal((pixels * 255).round(), ready().maps["base_color"])
    for config in (GenerationConfig("bricks", 8, 48, 32), replace(ITEM.config, mip=1)):
        assert SceneStore(tmp_path / "maps").find(work_item(config, "a" * 64)) is None


def test_files_of_less_detail_say_so(tmp_path):
    item = work_item(replace(ITEM.config, mip=1), "a" * 64)
    store = SceneStore(tmp_path)
    for _ in store.write(item, ready()):
        pass
    assert store.find(item).files["height"].name == f"bricks_{item.key[:16]}_48x32_half_height.png"


def break_map(folder: Path) -> None:
    file = next(folder.glob("*_height.png"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")


def break_record(folder: Path) -> None:
    next(folder.glob("*.json")).write_text('{"key": 3, "files": [1')


def wrong_record(folder: Path) -> None:
    file = next(folder.glob("*.json"))
    file.write_text(json.dumps({**json.loads(file.read_text()), "files": [1], "recipe": None}))


@pytest.mark.parametrize(
    "damage",
    [
        break_map,
        break_record,
        wrong_record,
        lambda folder: next(folder.glob("*_height.png")).unlink(),
        lambda folder: next(folder.glob("*.json")).unlink(),
    ],
)
def test_what_is_damaged_counts_as_missing(tmp_path, damage):
    store = SceneStore(tmp_path)
    write(store)
    damage(tmp_path)
    assert store.find(ITEM) is None
    write(store)
    assert store.find(ITEM) is not None


def test_an_item_that_was_only_begun_is_missing_and_leaves_no_draft(tmp_path):
    store = SceneStore(tmp_path)
    steps = store.write(ITEM, ready())
    while not list(tmp_path.glob("bricks*.png")):
        next(steps)
    assert store.find(ITEM) is None
    steps.close()
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_full_disk_is_said_and_leaves_no_half_file(tmp_path, monkeypatch):
    store = SceneStore(tmp_path)

    def full(self, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError) as caught:
        write(store)
    assert caught.value.code == "disk_full"
    assert not list(tmp_path.iterdir())


def test_a_draft_that_another_machine_has_just_finished_holds_nobody_up(tmp_path, vanishing):
    write(SceneStore(tmp_path))
    (tmp_path / ".a.png.1.x.tmp").touch()
    assert SceneStore(tmp_path).find(ITEM) is not None


def test_old_drafts_are_swept_and_young_ones_left(tmp_path):
    old, young = tmp_path / ".a.png.1.x.tmp", tmp_path / ".b.png.2.y.tmp"
    old.touch()
    young.touch()
    os.utime(old, (1, 1))
    SceneStore(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == [young.name]


def test_the_log_has_a_line_for_each_entry(tmp_path):
    store = SceneStore(tmp_path)
    store.log(key="a", state="made")
    store.log(key="b", state="kept")
    lines = (tmp_path / "batch.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["a", "b"]


def test_an_item_of_a_store_elsewhere_is_kept_with_its_record_last(tmp_path, monkeypatch):
    write(SceneStore(tmp_path / "there"))
    files = {file.name: file.read_bytes() for file in (tmp_path / "there").iterdir()}
    here = SceneStore(tmp_path / "here")
    replaced, replace = [], Path.replace
    monkeypatch.setattr(Path, "replace", lambda a, b: replaced.append(b.suffix) or replace(a, b))
    here.adopt(ITEM, files)
    assert replaced == [".png", ".png", ".json"]
    assert here.find(ITEM) is not None
    assert {file.name: file.read_bytes() for file in here.folder.iterdir()} == files
