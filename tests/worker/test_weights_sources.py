"""Whose material sets weights have learned from is written beside them, kept with a training, and shown."""

import csv
import hashlib
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_worker.cli import app
from gan_worker.materials.pictures import write_picture
from gan_worker.runs import provenance
from gan_worker.runs.provenance import PRETRAINED, read_pretrained

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("weights_sources")
    sys.modules.pop("weights_sources", None)


def write_set(folder, tone):
    folder.mkdir(parents=True)
    gray = np.full((24, 32, 3), tone, np.float32)
    write_picture(folder / "color.png", gray)
    write_picture(folder / "normalGL.png", gray)


@pytest.fixture
def folders(tmp_path):
    """Two folders of sets, whose tables have different columns."""
    for name, tone in (("harvest/Bark001", 0.2), ("harvest/Snow002", 0.9), ("pbr/Tiles036", 0.5)):
        write_set(tmp_path / name, tone)
    with (tmp_path / "harvest" / "SOURCES.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("set", "repo", "commit", "licence", "publisher"))
        table.writerow(("Bark001", "ann/bark", "68430ee", "CC0 1.0", "ambientCG"))
        table.writerow(("Snow002", "ann/snow", "6fdf772", "CC0 1.0", "Poly Haven"))
    with (tmp_path / "MANIFEST.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("half", "group", "name", "licence"))
        table.writerow(("dev", "pbr", "Tiles036", "CC0-1.0"))
        table.writerow(("dev", "other", "Bark001", "none"))
    return [tmp_path / "harvest", tmp_path / "pbr"]


def test_each_set_that_was_learned_has_license_source_and_hash(script, folders):
    found = script.describe_sets(folders, ["Bark001", "Tiles036"])
    assert [(p.file, p.license, p.source, p.author) for p in found] == [
        ("Bark001", "CC0-1.0", "ann/bark @ 68430ee", "ambientCG"),
        ("Tiles036", "CC0-1.0", "", ""),
    ]
    assert [(p.width, p.height, len(p.sha256)) for p in found] == [(32, 24, 64)] * 2
    assert len({p.sha256 for p in found}) == 2
    write_picture(folders[0] / "Bark001" / "normalGL.png", np.zeros((24, 32, 3), np.float32))
    assert script.describe_sets(folders, ["Bark001"])[0].sha256 != found[0].sha256


def test_the_tables_of_a_text_are_read_too(script, folders):
    (folders[1].parent / "SOURCES.md").write_text(
        "# Sources\n\n## other\n\n| set | licence |\n|---|---|\n| Tiles036 | none |\n\n## dev/pbr\n\n"
        "| set | licence | author | origin repo @ commit |\n|---|---|---|---|\n"
        "| Tiles036 | CC0 1.0 | Lennart Demes | ann/tiles @ fc7a7444e4 |\n"
    )
    (found,) = script.describe_sets(folders, ["Tiles036"])
    assert (found.author, found.source) == ("Lennart Demes", "ann/tiles @ fc7a7444e4")
    assert found.license == "CC0-1.0"


def test_a_set_that_is_missing_or_has_no_license_is_refused(script, folders):
    with pytest.raises(ValueError, match="Moss003"):
        script.describe_sets(folders, ["Bark001", "Moss003"])
    write_set(folders[1] / "Mud001", 0.3)
    with pytest.raises(ValueError, match=r"without a license.*Mud001"):
        script.describe_sets(folders, ["Mud001"])


def test_drawn_materials_are_named_as_those_of_the_project(script, tmp_path):
    write_set(tmp_path / "RedBricks", 0.4)
    (found,) = script.describe_drawn([tmp_path / "RedBricks"])
    told = found.file, found.author, found.license, found.source
    own = ("Tilewright contributors", "CC0-1.0", "scripts/starter_materials.py")
    assert told == ("RedBricks", *own)


def test_a_training_goes_on_with_what_it_began_with(script, folders, tmp_path):
    state = tmp_path / "state"
    sets = script.describe_sets(folders, ["Bark001", "Tiles036"])
    script.keep_sources(state, False, sets[:1], {"preset": "nano"})
    # Nothing was learned yet.
    script.keep_sources(state, False, sets, {"preset": "tiny"})
    script.keep_sources(state, True, sets, {"preset": "tiny"})
    with pytest.raises(ValueError, match=r"in .*state sets differ.*another --state"):
        script.keep_sources(state, True, sets[:1], {"preset": "tiny"})
    with pytest.raises(ValueError, match="preset differ"):
        script.keep_sources(state, True, sets, {"preset": "full"})
    with pytest.raises(ValueError, match="sets differ"):
        script.keep_sources(tmp_path / "older", True, sets, {})


def test_all_weights_that_come_with_the_program_name_what_they_learned_from():
    weights = sorted(PRETRAINED.glob("*.safetensors"))
    assert {file.stem for file in weights} >= {"tiny", "estimator"}
    assert sorted(PRETRAINED.iterdir()) == sorted([*weights, *PRETRAINED.glob("*.json")])
    for file in weights:
        told = read_pretrained(file.stem)
        assert told, file.name
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert told.sessions[-1].settings["weights"] == digest, file.name
        assert told.pictures, file.name
        assert {picture.license for picture in told.pictures} == {"CC0-1.0"}, file.name
        assert all(picture.author and picture.source for picture in told.pictures), file.name


def test_they_are_written_beside_the_weights_and_shown(
    script, folders, tmp_path, monkeypatch, capsys
):
    weights = tmp_path / "estimator.safetensors"
    weights.write_bytes(b"numbers")
    sets = script.describe_sets(folders, ["Bark001", "Tiles036"])
    told = {"steps": 40_000, "held_back": ["snow"]}
    file = script.write_sources(weights, sets, told)
    assert file == tmp_path / "estimator.json"
    assert script.learned_sets(weights) == {"Bark001", "Tiles036"}
    script.write_sources(weights, sets[:1], told)
    small = file.stat().st_size
    script.write_sources(weights, sets, told)
    assert file.stat().st_size - small < 300, "323 sets must fit into 100 KB"
    monkeypatch.setattr(provenance, "PRETRAINED", tmp_path)
    home = ["--home", str(tmp_path / "home")]
    assert app.main(["provenance", "estimator", *home]) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("Bark001", "Tiles036", "CC0-1.0", "40000", "snow"))
    assert app.main(["provenance", "estimator", "--json", *home]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(file.read_text())
    file.write_text(file.read_text().replace("ambientCG", "somebody"))
    assert app.main(["provenance", "estimator", *home]) != 0
    assert "checkpoint_corrupt" in capsys.readouterr().err
    file.unlink()
    assert app.main(["provenance", "estimator", *home]) == 2
    assert "unknown_model" in capsys.readouterr().err
