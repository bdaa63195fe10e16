"""JSON ↔ dataclass: strict, and what is wrong is said with the name of what is damaged."""

import json

import pytest

from gan_worker.config import GenerationConfig, Recipe, TrainingConfig
from gan_worker.dataclass_json import (
    DEPTH_LIMIT,
    InvalidJson,
    dump,
    from_json,
    load,
    to_json,
)
from gan_worker.errors import StorageError, TilewrightError
from gan_worker.runs.checkpoints import read_checkpoint
from gan_worker.runs.provenance import (
    Provenance,
    TrainingSession,
    read_provenance,
    write_provenance,
)
from gan_worker.runs.run import ModelInfo, Run, read_model_info
from gan_worker.server.journal import JobRecord
from gan_worker.styles.favourites import Favourite, read_favourites, write_favourites


def test_depth_up_to_the_limit_is_read():
    text = b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT
    assert load(text)
    with pytest.raises(InvalidJson):
        load(b"[" + text + b"]")


def test_a_config_is_read_with_its_types():
    config = TrainingConfig("oak", ("a", "b"), minutes=None, kimg=2.0)
    assert from_json(TrainingConfig, json.loads(json.dumps(to_json(config)))) == config
    with pytest.raises(InvalidJson, match="pictures"):
        from_json(TrainingConfig, {"run": "oak", "pictures": "a"})


def test_what_is_not_finite_is_not_written():
    with pytest.raises(InvalidJson):
        dump({"a": float("inf")})


# As it stands in files of maps, in .blend files and beside pictures, and as the first version wrote it.
RECIPE = {
    **{"model": "oak", "model_hash": "a" * 64, "seed": 7, "z": [0.5], "width": 64, "height": 32},
    **{"truncation_psi": 0.7, "origin": [3, 4], "version": "0.1.0"},
}
LATER = {
    **{
        "z": [],
        "material": "",
        "mix": [[{"seed": 3, "z": [], "material": ""}, 1.0]],
        "style_map": None,
    },
    **{"directions": [["pca 1", 2.0]], "sway": [0.5, 0.25]},
    "credits": {
        "provenance": "c",
        "pictures": 1,
        "unlicensed": 0,
        "authors": ["Ann"],
        "licenses": ["MIT"],
        "contained": False,
    },
}


# Fields that are written with their defaults where a recipe is older.
NEWEST = {"mip", "steady", "estimation", "estimated"}


@pytest.mark.parametrize("later", [{}, LATER], ids=["first", "later"])
def test_a_recipe_is_flat_as_it_always_was(later):
    recipe = from_json(Recipe, {**RECIPE, **later})
    assert (recipe.model, recipe.config.origin, recipe.version) == ("oak", (3, 4), "0.1.0")
    assert recipe.config.directions == ((("pca 1", 2.0),) if later else ())
    written = to_json(recipe)
    assert written.keys() == RECIPE.keys() | LATER.keys() | NEWEST
    assert {name: written[name] for name in {**RECIPE, **later}} == {**RECIPE, **later}
    assert from_json(Recipe, json.loads(dump(written))) == recipe


def test_which_maps_were_asked_for_is_no_part_of_a_recipe():
    some = Recipe(GenerationConfig("oak", maps=("height",), origin=(0, 0)), "a" * 64, "0.1.0")
    assert some == Recipe(GenerationConfig("oak", origin=(0, 0)), "a" * 64, "0.1.0")


@pytest.mark.parametrize("missing", ["model", "model_hash", "version"])
def test_a_recipe_without_what_it_needs_is_refused(missing):
    with pytest.raises(InvalidJson, match=missing):
        from_json(Recipe, {name: value for name, value in RECIPE.items() if name != missing})


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", 2**53), ("seed", -(10**400)), ("truncation_psi", 10**400), ("width", 10**30)],
)
def test_a_number_that_no_message_can_carry_is_no_value(field, value):
    with pytest.raises(InvalidJson, match=field):
        from_json(GenerationConfig, {"model": "oak", field: value})


# ---- damaged files: each reader says which, what must hold and what was found, and nothing of a protocol

INFO = ModelInfo("oak", "", 8, 16, ("base_color",), "nano", {}, {}, 1.0, "2030", 10, 0.1)


def model(folder):
    run = Run.create(folder, "oak")
    run.save_model(INFO, {})
    return run.path / "model.json", lambda: read_model_info(run.path)


def config(folder):
    run = Run.create(folder, "oak")
    run.save_config(TrainingConfig("oak", ("a.png",)))
    return run.path / "config.json", run.load_config


def provenance(folder):
    write_provenance(folder, Provenance().extended((), TrainingSession(0, {}, {})))
    return folder / "provenance.json", lambda: read_provenance(folder)


def favourites(folder):
    file = folder / "moss.json"
    write_favourites(file, [Favourite("moss", GenerationConfig("oak"))])
    return file, lambda: read_favourites(file)


KINDS = {
    model: ("step", "10", '"ten"'),
    config: ("minutes", "5.0", '"five"'),
    provenance: ("step", "0", '"none"'),
    favourites: ("seed", "1", '"one"'),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named_with_what_was_found(kind, tmp_path):
    file, read = kind(tmp_path)
    read()
    field, good, bad = KINDS[kind]
    text = file.read_text("utf-8").replace(f'"{field}": {good}', f'"{field}": {bad}')
    file.write_text(text, "utf-8")
    with pytest.raises(TilewrightError) as caught:
        read()
    assert file.name in caught.value.info.message
    assert field in caught.value.info.message
    assert bad.strip('"') in caught.value.info.message
    assert "protocol" not in str(caught.value)
    assert caught.value.code != "invalid_message"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", "[1", "[]", "7", "\x00\x01"])
def test_a_file_that_is_no_json_of_ours_is_named(kind, text, tmp_path):
    file, read = kind(tmp_path)
    file.write_text(text, "utf-8")
    with pytest.raises(TilewrightError) as caught:
        read()
    assert file.name in caught.value.info.message
    assert "protocol" not in str(caught.value)


JOB = JobRecord("0" * 32, "owner", "train", "oak", {})


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_manifest_is_named(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StorageError) as caught:
        read_checkpoint(tmp_path)
    assert "manifest.json" in caught.value.info.message
