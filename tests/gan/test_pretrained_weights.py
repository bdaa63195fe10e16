"""The weights that trainings start from can be made again: from named sets, stopped at any time, and held back from."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS
from gan_worker.gan.data.looks import Looks
from gan_worker.gan.data.statistics import MapStatistics, Statistics
from gan_worker.gan.networks.discriminator import Discriminator
from gan_worker.gan.networks.generator import Generator
from gan_worker.gan.networks.upsampler import Upsampler
from gan_worker.gan.training.pretrained import Pretrained
from gan_worker.materials import pictures
from gan_worker.runs.checkpoints import parse_tensors

NANO = PRESETS["nano"]
OPTIONS = ("--held-back", "bark", "--scales", "2")
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="module")
def modules():
    """By name, as the script imports them."""
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module
    sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Two sets, one of bark, and a table that names whose they are."""
    folder = tmp_path_factory.mktemp("world") / "sets"
    draw = np.random.default_rng(3)
    for name in ("mossy_stones_01", "Bark012"):
        (folder / name).mkdir(parents=True)
        spots = draw.random((8, 8, 3)).repeat(32, 0).repeat(32, 1)
        pictures.write_picture(folder / name / f"{name}_color.png", spots.astype(np.float32))
    lines = ["set,license,publisher,repo"]
    lines += [f"{place.name},CC0 1.0,Ann,ann/stones" for place in folder.iterdir()]
    (folder / "SOURCES.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds a folder for each training, by name."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def make(modules, sets, folder):
    """Runs the script with little to draw, keeping after each step, and returns the file of weights.

    `stopped` is the part of the training that is interrupted, and after how many steps.
    """
    script, drawn = modules("pretrained_weights"), modules("starter_materials")

    def run(state, *options, stopped=("", 0)):
        def until_stopped(items, description):
            for number, item in enumerate(items):
                if (description, number) == stopped:
                    raise KeyboardInterrupt
                yield item

        file = folder / state / "nano.safetensors"
        places = [str(sets), "--file", str(file), "--state", str(folder / state)]
        steps = ["--preset", "nano", "--steps", "2", "--rounds", "3", "--detail-steps", "2"]
        with pytest.MonkeyPatch.context() as patch:
            few = {name: drawn.MATERIALS[name] for name in ("Bark", "CeramicTiles")}
            patch.setattr(drawn, "MATERIALS", few)
            patch.setattr(script, "SIZE", 128)
            patch.setattr(script, "PATIENCE", -1.0)
            patch.setattr(modules("reptile"), "STEPS", 2)
            patch.setattr(script, "track", until_stopped)
            patch.setattr(sys, "argv", ["pretrained_weights", *places, *steps, *options])
            script.main()
        return file

    # So few steps take less time than making graphs of them.
    tf.config.run_functions_eagerly(True)
    yield run
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def whole(make):
    """Weights that were made in one go, without bark and at two scales."""
    return make("whole", *OPTIONS)


def lent(file):
    """What networks of a training get of a file of weights, of three channels."""
    maps = {
        name: MapStatistics((0.0,) * n, tuple(map(tuple, np.eye(n))), (1.0,) * n)
        for name, n in (("height", 1), ("normal", 2))
    }
    weights = Pretrained(file)
    generator, upsampler = Generator(NANO, 3), Upsampler(NANO.detail, 3, 2, NANO.w_dim)
    before = generator.exit.kernel.numpy(), upsampler.entry.kernel.numpy()
    weights.lend([generator], Discriminator(NANO, 3), Statistics(maps))
    weights.lend_detail([upsampler], Discriminator(NANO.detail, 6, 2), Statistics(maps))
    return before, (generator.exit.kernel.numpy(), upsampler.entry.kernel.numpy())


def test_stopped_in_any_part_it_makes_the_same_weights(make, whole):
    for stopped in (("training small", 1), ("training rounds", 2), ("training detail", 1)):
        with pytest.raises(KeyboardInterrupt):
            make("parts", *OPTIONS, stopped=stopped)
    assert make("parts", *OPTIONS).read_bytes() == whole.read_bytes()


def test_a_training_is_lent_them(whole):
    # Tiles at one scale, which has room for no other, and stones at two.
    learned = parse_tensors((whole.parent / "small.safetensors").read_bytes(), "small")
    assert learned["materials/000"].shape == (3, NANO.z_dim)
    assert Pretrained(whole).latents.shape == (16, NANO.z_dim)
    for before, after in zip(*lent(whole), strict=True):
        assert not np.any(np.isclose(before, after)[..., :1])


def test_a_detail_stage_is_learned_for_weights_that_are_there(make, whole):
    """Its networks of small pictures stay as they are, though they were trained by other options."""
    made = make("detail", "--small", str(whole), "--steps", "9", "--rounds", "0", *OPTIONS)
    before, after = (parse_tensors(file.read_bytes(), "") for file in (whole, made))
    assert before.keys() == after.keys()
    small = [n for n in before if n.startswith(("generator/", "discriminator/", "latents"))]
    assert all(np.array_equal(before[n], after[n]) for n in small)
    (session,) = json.loads(made.with_suffix(".json").read_text())["sessions"]
    assert {n: session["settings"][n] for n in ("steps", "rounds", "detail_steps")} == {
        "steps": 2,
        "rounds": 3,
        "detail_steps": 2,
    }
    with pytest.raises(ValueError, match=r"must go on with what it began with"):
        make("detail", "--small", str(whole), "--scales", "2")
    with pytest.raises(ValueError, match=r"only one of both has Bark, Bark012"):
        make("other detail", "--small", str(whole), "--scales", "2")


def test_networks_of_weights_that_are_there_learn_for_more_rounds(make, whole):
    options = ("--small", str(whole), "--rounds", "2", "--detail-steps", "0", *OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        make("more", *options, stopped=("training rounds", 1))
    made = make("more", *options)
    before, after = (parse_tensors(file.read_bytes(), "") for file in (whole, made))
    for group in ("generator/", "discriminator/"):
        assert any(not np.array_equal(before[n], after[n]) for n in before if n.startswith(group))
    (session,) = json.loads(made.with_suffix(".json").read_text())["sessions"]
    assert session["settings"]["rounds"] == 5


def test_each_round_learns_the_looks_of_its_material(modules, monkeypatch):
    script, reptile = modules("pretrained_weights"), modules("reptile")
    monkeypatch.setattr(reptile, "STEPS", 1)
    draw = np.random.default_rng(5)
    pictures = [(k * draw.random((70, 70, 9))).astype(np.float16) for k in (1, 2)]
    seen = []
    monkeypatch.setattr(reptile.LooksOfAny, "learn", lambda _, crops: seen.append(crops.numpy()))
    rounds = reptile.Reptile("nano", NANO, pictures, script.new_step("nano", NANO, pictures[:1]))
    for number in range(2):
        rounds.step(number, 0.0)
    # The first is that of a training that has not begun.
    dark, bright = sorted(float(crops.mean()) for crops in seen[1:])
    assert bright == pytest.approx(2 * dark, rel=0.1)


def test_looks_of_a_round_are_those_of_its_material(modules):
    """Whatever material came before; in ways that it has not, they do not differ."""
    draw = np.random.default_rng(5)
    dark = draw.normal(size=(16, 8, 8, 3)) * draw.random((16, 1, 1, 3))
    # All crops have the same mean and spread: no look is unlike another.
    even = np.tile(draw.normal(size=(1, 8, 8, 3)), (16, 1, 1, 1))
    dark, even = (tf.constant(x, tf.float32) for x in (dark, even))
    looks = modules("reptile").LooksOfAny(even)
    seed = tf.constant([1, 2])
    assert not looks.divide(even, 2, seed).means.numpy().any()
    looks.learn(dark)
    own = Looks(dark)
    assert own.ways == looks.ways
    for there, expected in zip(looks.divide(dark, 2, seed), own.divide(dark, 2, seed), strict=True):
        np.testing.assert_allclose(there, expected, rtol=1e-5)


def test_what_is_held_back_is_not_named(whole):
    told = json.loads(whole.with_suffix(".json").read_text())
    named = [(p["file"], p["license"], p["author"], p["source"]) for p in told["pictures"]]
    assert named == [
        ("CeramicTiles", "CC0-1.0", "Tilewright contributors", "scripts/starter_materials.py"),
        ("mossy_stones_01", "CC0-1.0", "Ann", "ann/stones"),
    ]
    (session,) = told["sessions"]
    chosen = {"preset": "nano", "held_back": ["bark"], "scales": 2, "steps": 2, "rounds": 3}
    told = {"weights": Pretrained(whole).hash, **chosen}
    assert {name: session["settings"][name] for name in told} == told


@pytest.mark.parametrize(
    "options", [(), ("--held-back", "bark"), ("--held-back", "stone", "--scales", "2")]
)
def test_it_goes_on_with_the_same_sets_alone(make, whole, options):
    """Or the weights would know what they do not name."""
    before = whole.read_bytes(), whole.with_suffix(".json").read_bytes()
    with pytest.raises(ValueError, match=r"must go on with what it began with.*--state"):
        make("whole", *options)
    assert (whole.read_bytes(), whole.with_suffix(".json").read_bytes()) == before


def test_a_category_that_no_set_is_of_is_refused(make):
    with pytest.raises(ValueError, match=r"received barks\. Choose among bark, stone, tile"):
        make("none", "--held-back", "barks")


def test_a_set_without_a_license_is_not_learned_from(make, sets):
    shutil.copytree(sets / "mossy_stones_01", sets / "moss_02")
    with pytest.raises(ValueError, match=r"without a license: \['moss_02'\]"):
        make("unlicensed")
    shutil.rmtree(sets / "moss_02")


def test_drawing_that_was_interrupted_begins_anew(make, folder, modules, monkeypatch):
    drawn = modules("starter_materials")
    write = drawn.write_material

    def stopped_at_tiles(folder, name, *arguments):
        if name == "CeramicTiles":
            raise KeyboardInterrupt
        return write(folder, name, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(drawn, "write_material", stopped_at_tiles)
        make("drawing")
    with pytest.raises(KeyboardInterrupt):
        make("drawing", stopped=("reading", 0))
    file = folder / "drawing" / modules("weights_sources").SOURCES
    named = [name for name, _ in json.loads(file.read_text())["sets"]]
    assert named == ["Bark", "CeramicTiles", "Bark012", "mossy_stones_01"]


def test_coarser_scales_are_means_with_room_for_crops(modules):
    scales_of = modules("pretraining").scales_of
    small = np.random.default_rng(0).random((130, 201, 9)).astype(np.float16)
    found = list(scales_of(small, 32, 3))
    assert [picture.shape for picture in found] == [(130, 201, 9), (65, 100, 9)]
    assert found[0] is small
    assert {picture.dtype for picture in found} == {np.dtype(np.float16)}
    np.testing.assert_allclose(found[1][3, 5], small[6:8, 10:12].mean((0, 1)), atol=2e-3)
    assert [len(list(scales_of(small, crop, 2))) for crop in (43, 44)] == [2, 1]
    assert len(list(scales_of(small, 8, 1))) == 1


def test_each_material_is_standardised_as_if_it_were_the_only_one(modules, tmp_path):
    pretraining = modules("pretraining")
    draw = np.random.default_rng(0)
    grey = np.repeat(draw.normal(0.3, 0.05, (80, 80, 1)), 3, -1)
    loud = {
        "color": draw.normal(0.5, 0.2, (80, 80, 3)),
        "roughness": draw.normal(0.5, 0.3, (80, 80, 1)),
    }
    quiet = {"color": grey, "roughness": np.full((80, 80, 1), 0.2)}
    found = []
    for name, maps in (("loud", loud), ("quiet", quiet)):
        (tmp_path / name).mkdir()
        for kind, picture in maps.items():
            file = tmp_path / name / f"{name}_{kind}.png"
            pictures.write_picture(file, np.clip(picture, 0, 1).astype(np.float32))
        known = pretraining.read_known(tmp_path / name, 64, 0, tmp_path)
        again = pretraining.read_known(tmp_path / name, 64, 0, tmp_path)
        assert np.array_equal(known.small, again.small)
        found.append(known.small.astype(np.float32))
    first, second = found
    # Color, height, normals, roughness, ambient occlusion and whether it is metal.
    np.testing.assert_allclose(first.std((0, 1)), [1, 1, 1, 0, 0, 0, 1, 0, 0], atol=0.1)
    # Grey all over and of one roughness: a single channel is left.
    np.testing.assert_allclose(second.std((0, 1)), [1, 0, 0, 0, 0, 0, 0, 0, 0], atol=0.1)
    maps = pretraining.as_maps(first)
    np.testing.assert_allclose(pretraining.statistics().standardise(maps), first, atol=1e-6)


def test_windows_of_a_wide_picture_are_whole(modules):
    pretraining = modules("pretraining")
    native = np.random.default_rng(5).standard_normal((600, 2400, 9)).astype(np.float16)
    windows = list(pretraining.windows_of(pretraining.Known("wide", native, native, 2)))
    sides = [[w.target.shape[:2], *(m.shape[:2] for m in w.moved)] for w in windows]
    side = pretraining.WINDOW
    assert sides == [[(side, side)] * 3] * 2
