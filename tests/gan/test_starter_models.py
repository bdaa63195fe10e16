"""The script that makes the starter models: its list, what it trains, and what is left of a model in the wheel."""

from __future__ import annotations

import importlib
import json
import sys
import zlib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from gan_worker.config import PRESETS, GenerationConfig
from gan_worker.gan.detail.bank import KeptPictures
from gan_worker.gan.detail.stage import DetailStage
from gan_worker.gan.generation.model import Model, load_model
from gan_worker.gan.networks.generator import Generator
from gan_worker.materials.pictures import read_picture, write_picture
from gan_worker.materials.sets import find_materials
from gan_worker.names import check_name
from gan_worker.progress import DataReport, MaterialEntry, TrainingProgress
from gan_worker.runs.provenance import (
    Provenance,
    describe_picture,
    read_provenance,
    write_provenance,
)
from gan_worker.runs.run import BUNDLED, Run, list_models, load_model_files
from gan_worker.style import Material

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
CREATED = "2030-01-01T00:00:00+00:00"
# Without the octaves of detail, in which a block that is most like another one now gets other detail.
WANTED = GenerationConfig("native", 1, 32, 32, mip=2, origin=(0, 0))


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module("starter_models")
    sys.path.remove(str(SCRIPTS))


@pytest.fixture
def starter(script):
    return script.Starter(
        "Oak01", "Starter Oak", "Ann", "https://example.org/oak", "https://example.org/copy", 1.5
    )


def deflated(folder):
    (weights,) = folder.glob("*.safetensors")
    return len(zlib.compress(weights.read_bytes()))


def test_each_of_the_list_has_all_that_is_told_of_it(script):
    starters = script.read_starters()
    names = [one.name for one in starters]
    assert 12 <= len(starters) <= 16
    assert len(set(names)) == len({one.set for one in starters}) == len(starters)
    assert not {*names} & {one.name for one in script.DRAWN}
    for one in starters:
        assert check_name(one.name, "model").startswith("Starter ")
        assert one.page.endswith(f"/{one.set}")
        assert one.by_way_of.startswith("https://github.com/")
        assert 0.1 <= one.meters <= 5
        for told in (one.set, one.author, one.page, one.by_way_of, "CC0 1.0"):
            assert told in one.license_text


@pytest.fixture
def library(script, tmp_path):
    """Of a metal and of a stone, which has no map of metal."""
    sets, draw = tmp_path / "sets", np.random.default_rng(5)
    for name, maps in (("Iron01", ("color", "metallic")), ("Stone01", ("color",))):
        (sets / name).mkdir(parents=True)
        for map_ in maps:
            # Large spots: shapes that are made smaller.
            spots = draw.random((8, 8, 1)).repeat(128, 0).repeat(128, 1).astype(np.float32)
            picture = spots.repeat(3, -1) if map_ == "color" else spots
            write_picture(sets / name / f"{name}_{map_}.png", picture)
    (sets / "SOURCES.csv").write_text(
        "set,repo,commit,licence,publisher\n"
        "Iron01,ann/irons,abc123,CC0 1.0,Ann\n"
        "Stone01,bob/stones,def456,CC0 1.0,Bob\n"
    )
    materials = {"Cast Iron": "Iron01", "Field Stone": "Stone01"}
    return script.Library("Starter Two", 5.0, 1, 64, materials, [], [sets])


def test_the_library_names_materials_and_whose_they_are(library, tmp_path):
    found, _, notes = find_materials(library.lay_out(tmp_path / "laid_out"))
    assert [one.name for one in found] == ["Cast Iron", "Field Stone"]
    assert all(set(one.files) == {"base_color", "metallic"} for one in found), notes
    assert read_picture(found[0].files["metallic"]).any()
    assert not read_picture(found[1].files["metallic"]).any()
    assert all(128 <= read_picture(one.files["base_color"]).shape[0] < 1024 for one in found)
    told = [describe_picture(one.files["base_color"]) for one in found]
    assert [(t.author, t.license, t.source) for t in told] == [
        ("Ann", "CC0-1.0", "ann/irons @ abc123"),
        ("Bob", "CC0-1.0", "bob/stones @ def456"),
    ]
    assert describe_picture(found[1].files["metallic"]).license == "CC0-1.0"
    assert "Cast Iron: Iron01 by Ann, ann/irons @ abc123" in library.license_text
    # What was there before goes.
    library.lay_out(tmp_path / "laid_out")


def test_a_material_of_the_library_that_is_nowhere_is_named(library, tmp_path):
    with pytest.raises(ValueError, match="Elm01"):
        replace(library, materials={"Elm": "Elm01"}).lay_out(tmp_path / "laid_out")


def test_the_library_of_the_list_has_many_kinds(script):
    library = script.read_library([])
    assert {*library.left_out} <= {*library.materials}
    assert 20 <= len({*library.materials.values()}) == len(library.materials) <= 32
    for name in (library.name, *library.materials):
        assert check_name(name, "model") == name


def test_the_drawn_ones_are_there_for_what_was_made_with_them(script):
    assert all((BUNDLED / one.name / "model.json").is_file() for one in script.DRAWN)


def test_a_model_is_put_in_place_small_and_makes_the_same(script, starter, native_model, tmp_path):
    run = Run.create(tmp_path / "runs", starter.name)
    run.save_model(native_model.info, native_model.tensors())
    write_provenance(run.path, Provenance().extended((), _session()))
    entry = MaterialEntry("Oak01", 48, 32, native_model.info.maps)
    run.save_data_report(DataReport((entry,), (), entry.maps, 1.0))
    # What was there before goes.
    (tmp_path / "into" / starter.name).mkdir(parents=True)
    (tmp_path / "into" / starter.name / "generator-0.safetensors").write_bytes(b"old")
    model = script.put_in_place(starter, run.path, tmp_path / "into", CREATED)
    assert deflated(model) < 0.65 * deflated(run.path)
    assert (model / "LICENSE.txt").read_text("utf-8") == starter.license_text
    assert read_provenance(model) == read_provenance(run.path)
    before, again = load_model(run.path), load_model(model)
    told = {"created": CREATED, "pixel_size": 1.5 / 48}
    assert again.info == replace(before.info, hash=again.info.hash, **told)
    first, second = before.generate(WANTED).maps, again.generate(WANTED).maps
    for name in first:
        assert np.percentile(np.abs(first[name] - second[name]), 99) < 2 / 255


@pytest.fixture
def model_of_three(native_model, native_material):
    """Untrained, of three materials that differ in brightness alone."""
    nano, octaves = replace(PRESETS["nano"], toned=True), native_model.info.octaves
    statistics = native_model.statistics
    generator = Generator(nano, statistics.channels, materials=3)
    generator.tone.latents.assign(np.eye(3, nano.z_dim))
    generator.tone.spreads.assign(np.ones((3, statistics.channels)))
    generator.tone.means.assign(np.arange(3)[:, None] * np.ones((3, statistics.channels)))
    given = statistics.standardise(native_material)
    kept = KeptPictures.of([given, given + 1, given + 2], octaves)
    names = "Ash", "Elm", "Oak"
    network = {"config": asdict(nano), "patterns": [{"waves": [], "grain": ""}] * 3}
    info = replace(native_model.info, styles=names, network=network, format=4)
    styles = dict(zip(names, generator.style(generator.tone.latents).numpy(), strict=True))
    return Model(info, generator, styles, DetailStage(native_model.detail.upsampler, kept))


def test_a_material_of_the_library_that_came_out_badly_is_left_out(
    library, model_of_three, tmp_path
):
    run = Run.create(tmp_path, "Three")
    without_elm = replace(library, left_out=["Elm"])
    run.save_model(*without_elm.offered(model_of_three.info, model_of_three.tensors()))
    left = load_model(run.path)
    assert left.info.styles == ("Ash", "Oak")
    for name in left.info.styles:
        wanted = replace(WANTED, style=Material(name))
        before, after = (m.generate(wanted).maps for m in (model_of_three, left))
        for map_, picture in before.items():
            assert np.allclose(picture, after[map_], atol=1 / 255), (name, map_)
    assert np.array_equal(left.detail.kept.pictures[1], model_of_three.detail.kept.pictures[2])


def _session():
    from gan_worker.runs.provenance import TrainingSession

    return TrainingSession(0, {}, {})


def test_weights_keep_seven_bits_and_whole_numbers_all(script):
    weights = np.random.default_rng(0).normal(0, 0.1, 1000).astype(np.float32)
    found = script.rounded(weights)
    assert found.dtype == np.float16
    assert np.all(found.view(np.uint16) % 16 == 0)
    assert np.all(np.abs(found - weights) <= np.abs(weights) / 2**7)
    whole = np.arange(256, dtype=np.uint8)
    assert script.rounded(whole) is whole


def test_retired_ones_can_be_read_as_before(script, tmp_path):
    name = script.DRAWN[0].name
    shown = {"a.txt": b"1"}
    model = tmp_path / name
    model.mkdir()
    for file in (BUNDLED / name).iterdir():
        shown[file.name] = file.read_bytes()
        (model / file.name).write_bytes(shown[file.name])
    script.retire(tmp_path)
    info, _ = load_model_files(model)
    before = json.loads(shown["model.json"])
    assert (info.retired, info.hash) == (True, before["hash"])
    assert [one.retired for one in list_models(tmp_path)[0] if one.name == name] == [True]


class Commands:
    """What would have been run."""

    def __init__(self):
        self.given: list[list[str]] = []

    def run(self, command, **_options):
        self.given.append([str(part) for part in command])


@pytest.fixture
def commands(script, monkeypatch):
    kept = Commands()
    monkeypatch.setattr(script, "subprocess", kept)
    return kept


def trained(run, minutes, native_model):
    """A run that was trained for so long."""
    run.append_progress(TrainingProgress(1, 0.1, 60 * minutes, 1.0, None, 9.0, {}))
    run.save_checkpoint("1", {"a": np.zeros(1, np.float32)}, {})
    run.save_model(native_model.info, native_model.tensors())


def test_a_run_begins_goes_on_and_is_left_when_it_has_had_its_minutes(
    script, starter, commands, native_model, tmp_path
):
    script.train(replace(starter, octaves=2), [tmp_path / "Oak01"], 8.0, tmp_path)
    (first,) = commands.given
    assert first[first.index("--octaves") + 1] == "2"
    # The model's own name would be taken, once it comes with the program.
    assert first[first.index("--run") + 1] == "Oak"
    for option, told in (
        ("--author", "Ann"),
        ("--license", "CC0-1.0"),
        ("--source", starter.source),
    ):
        assert first[first.index(option) + 1] == told
    trained(Run.create(tmp_path / "runs", "Oak"), 3.0, native_model)
    script.train(starter, [tmp_path / "Oak01"], 8.0, tmp_path)
    second = commands.given[1]
    assert second[second.index("--resume") + 1] == "Oak"
    assert "--preset" not in second
    script.train(starter, [tmp_path / "Oak01"], 3.0, tmp_path)
    assert len(commands.given) == 2


def test_a_material_that_is_nowhere_is_named(script, starter, tmp_path):
    (tmp_path / "b" / "Oak01").mkdir(parents=True)
    assert script.find_set(starter, [tmp_path, tmp_path / "b"]) == tmp_path / "b" / "Oak01"
    with pytest.raises(SystemExit, match="Oak01"):
        script.find_set(starter, [tmp_path])


def test_some_can_be_chosen_by_name(script, starter):
    ash = replace(starter, name="Starter Ash")
    assert script.choose([starter, ash], None) == [starter, ash]
    assert script.choose([starter, ash], ["Starter Ash"]) == [ash]
    with pytest.raises(SystemExit, match="Starter Elm"):
        script.choose([starter], ["Starter Elm"])
