"""Where a model comes from: what is recorded of its pictures, kept over sessions, and summed up."""

import hashlib
import json

import numpy as np
import pytest

from gan_worker.config import Credits, TrainingConfig
from gan_worker.errors import StorageError
from gan_worker.materials.pictures import write_picture
from gan_worker.progress import Notice, Stage
from gan_worker.runs.licenses import Attribution
from gan_worker.runs.provenance import (
    MANY,
    Provenance,
    TrainingPicture,
    TrainingSession,
    describe_pictures,
    describe_training,
    read_provenance,
    write_provenance,
)

SESSION = TrainingSession(
    0, {"preset": "nano", "minutes": 5, "kimg": None}, {"tilewright": "0.1.0"}
)


def picture(file, sha256="0", **attribution):
    return TrainingPicture(file, sha256, 8, 8, 9, **attribution)


@pytest.fixture
def files(tmp_path):
    made = [tmp_path / name for name in ("a.png", "b.png")]
    for number, file in enumerate(made):
        write_picture(file, np.full((6, 9, 3), number / 9))
    (tmp_path / "b.png.license").write_text(
        "SPDX-FileCopyrightText: Ann\nSPDX-License-Identifier: MIT\n"
    )
    return made


def test_each_file_is_measured_and_the_lack_of_licenses_told_once(files):
    heard = []
    first, second = describe_pictures(files, files, Attribution(), heard.append)
    data = files[0].read_bytes()
    assert first == TrainingPicture("a.png", hashlib.sha256(data).hexdigest(), 9, 6, len(data))
    assert (second.author, second.license) == ("Ann", "MIT")
    (notice,) = heard
    assert isinstance(notice, Notice)
    assert notice.text == (
        "1 of 2 pictures names no license, so what this model makes cannot name one. "
        "Give their License when training, or put a REUSE.toml beside them."
    )
    describe_pictures(files[:1], files[:1], Attribution(), heard.append)
    assert heard[-1].text.startswith("The picture names no license")
    assert heard[-1].text.endswith("beside it.")


def test_of_a_photo_that_is_not_trained_on_no_training_is_told(files):
    heard = []
    config = TrainingConfig("a", (str(files[0]),), "photo")
    describe_training(config, files[:1], 0, {}, heard.append)
    assert heard[-1].text == (
        "The picture names no license, so what is made from it cannot name one. "
        "Put a REUSE.toml beside it, or give its License (--license; in Blender, in Train)."
    )


def test_what_the_user_says_counts_before_what_files_say(files):
    heard = []
    given = Attribution(license="CC0-1.0")
    found = describe_pictures(files, files, given, heard.append)
    assert [(p.author, p.license) for p in found] == [("", "CC0-1.0"), ("Ann", "CC0-1.0")]
    assert not heard


def test_many_files_are_told_about_before(files):
    heard = []
    describe_pictures(files * MANY, files, Attribution(license="MIT"), heard.append)
    assert [type(news) for news in heard] == [Stage]


def test_a_later_session_extends_what_was_there(tmp_path):
    oak, elm = picture("oak.png", "1", author="Ann", source="here"), picture("elm.png", "2")
    first = Provenance().extended([oak, elm], SESSION)
    write_provenance(tmp_path, first)
    kept = read_provenance(tmp_path)
    assert kept == first
    told = [picture("oak.png", "1", license="MIT", author="Zoë"), picture("oak.png", "3")]
    second = kept.extended(told, TrainingSession(7, {}, {}))
    assert [(p.file, p.sha256) for p in second.pictures] == [
        ("elm.png", "2"),
        ("oak.png", "1"),
        ("oak.png", "3"),
    ]
    merged = second.pictures[1]
    assert (merged.author, merged.license, merged.source) == ("Zoë", "MIT", "here")
    assert [session.step for session in second.sessions] == [0, 7]
    assert len({first.hash, second.hash}) == 2


def test_the_hash_is_that_of_the_file_without_it(tmp_path):
    write_provenance(tmp_path, Provenance().extended([picture("Öl.png")], SESSION))
    data = json.loads((tmp_path / "provenance.json").read_text("utf-8"))
    told = data.pop("hash")
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    assert told == hashlib.sha256(text.encode()).hexdigest()


def test_what_a_later_version_adds_is_no_damage(tmp_path):
    found = Provenance().extended([picture("oak.png")], SESSION)
    write_provenance(tmp_path, found)
    file = tmp_path / "provenance.json"
    data = {**json.loads(file.read_text()), "more": [1]}
    data.pop("hash")
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    data["hash"] = hashlib.sha256(text.encode()).hexdigest()
    file.write_text(json.dumps(data))
    assert read_provenance(tmp_path).pictures == found.pictures


@pytest.mark.parametrize(
    "change", [("oak.png", "elm.png"), ('"format": 1', '"format": "x"'), ("{", "[")]
)
def test_a_changed_file_is_refused(change, tmp_path):
    write_provenance(tmp_path, Provenance().extended([picture("oak.png")], SESSION))
    file = tmp_path / "provenance.json"
    file.write_text(file.read_text().replace(*change, 1))
    with pytest.raises(StorageError) as caught:
        read_provenance(tmp_path)
    assert caught.value.code == "checkpoint_corrupt"


def test_a_run_without_one_has_none(tmp_path):
    assert read_provenance(tmp_path) is None


def test_credits_name_the_commonest_first_and_count_what_is_missing():
    told = [picture(f"{i}.png", str(i), license="MIT", author="Ann") for i in range(3)]
    told += [picture(f"x{i}.png", str(i), author=f"a{i:02}") for i in range(30)]
    credits = Provenance().extended(told, SESSION).credits
    assert (credits.pictures, credits.unlicensed, credits.licenses) == (33, 30, ("MIT",))
    assert credits.authors[:2] == ("Ann", "a00")
    assert (len(credits.authors), credits.authors[-1]) == (11, "21 more")


def test_an_empty_provenance_credits_nobody():
    assert Provenance().credits == Credits()
