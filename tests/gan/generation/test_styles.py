"""Styles of requests: mixed, named, painted and moved, and always what the recipe says."""

from dataclasses import asdict, replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS, GenerationConfig, Recipe
from gan_worker.dataclass_json import dump, from_json, load, to_json
from gan_worker.errors import RequestError, StorageError
from gan_worker.gan.data.statistics import measure_statistics
from gan_worker.gan.generation import arrays
from gan_worker.gan.generation import model as generation
from gan_worker.gan.generation.directions import find_direction
from gan_worker.gan.generation.latents import draw_latents, draw_z
from gan_worker.gan.generation.seams import line_steps
from gan_worker.gan.generation.sheets import STEPS, direction_sheet, seed_sheet
from gan_worker.gan.generation.styles import Styles, resampling
from gan_worker.gan.networks.generator import Generator
from gan_worker.gan.networks.layers import PaintedStyle
from gan_worker.materials.pictures import quantise
from gan_worker.runs import run as runs
from gan_worker.style import CellMap, Latent, Look, Material, Seed, as_mix
from gan_worker.styles.painting import COLORS, paint

NANO = PRESETS["nano"]
WANTED = GenerationConfig("stripes", seed=4, width=64, height=48, origin=(0, 0))
PAINTED = CellMap((Seed(3), Seed(8)), 2, 3, (0.0, 1.0, 0.5, 0.0, 0.0, 1.0))


LOOKS = (
    Look(((Seed(3), 1.0),)),
    Look(((Seed(8), 1.0), (Material("pine"), 3.0)), 0.7, (("pca 1", 2.0),)),
)
# The first look on the left and the second on the right, so that they meet at the border too.
HALVES = paint(LOOKS, np.repeat(np.array(COLORS[:2], np.float32), 4, axis=0)[None])


@pytest.fixture(scope="module")
def statistics(striped):
    return measure_statistics([{"base_color": striped}], ("base_color",))


@pytest.fixture(scope="module")
def generator(statistics):
    keras.utils.set_random_seed(3)
    generator = Generator(NANO, statistics.channels, waves=(1, 0, 0, 0))
    # Residual branches start silent; wake them, so that every convolution takes part.
    for variable in generator.trainable_variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2]) * 0.1)
    return generator


@pytest.fixture(scope="module")
def folder(generator, statistics, tmp_path_factory):
    """A published model that knows two materials by name, of which the second is regular."""
    info = runs.ModelInfo(
        name="stripes",
        hash="",
        stride=NANO.stride,
        z_dim=NANO.z_dim,
        maps=("base_color",),
        preset="nano",
        network={"config": asdict(NANO), "patterns": [[], [[1 / 32, 0.0]]]},
        statistics=statistics.to_json(),
        scale=1.0,
        created="2030",
        step=1,
        kimg=0.1,
        styles=("old oak", "pine"),
    )
    named = {
        generation.STORED + "old oak": style_of(generator, 50),
        generation.STORED + "pine": style_of(generator, 51),
    }
    run = runs.Run.create(tmp_path_factory.mktemp("runs"), "stripes")
    run.save_model(info, {**arrays.to_arrays({"generator": generator.variables}), **named})
    return run.path


@pytest.fixture(scope="module")
def model(folder):
    return generation.load_model(folder)


def style_of(generator, seed):
    return generator.style(draw_z(seed, NANO)[None])[0].numpy()


def style(model, **fields):
    w = model.styles.style(replace(WANTED, **fields), 6, 8)
    return (tf.tensordot(*w, 1) if isinstance(w, PaintedStyle) else w).numpy()


def picture(model, **fields):
    return model.generate(replace(WANTED, **fields)).maps["base_color"]


def test_a_mix_is_the_weighted_mean_of_its_styles(model, generator):
    mix = ((Seed(1), 1.0), (Material("pine"), 3.0))
    expected = 0.25 * style_of(generator, 1) + 0.75 * style_of(generator, 51)
    np.testing.assert_allclose(style(model, style=mix)[0], expected, atol=1e-6)
    # The seed still says where things lie.
    assert np.abs(picture(model, style=mix) - picture(model, style=mix, seed=5)).mean() > 1e-3
    same = ((Seed(4), 2.0),)
    np.testing.assert_allclose(picture(model, style=same), picture(model), atol=1e-5)


def test_a_latent_can_be_mixed(model):
    latent = tuple(map(float, draw_z(9, NANO)))
    np.testing.assert_allclose(
        style(model, style=((Latent(latent), 1.0),)), style(model, seed=9), atol=1e-6
    )


def test_what_is_measured_for_sliders_is_measured_again_when_the_weights_change(statistics):
    keras.utils.set_random_seed(4)
    learning = Generator(NANO, statistics.channels)
    styles, moved = Styles(learning, {}), replace(WANTED, directions=(("pca 1", 2.0),))
    before = styles.style(replace(moved, truncation_psi=0.5), 6, 8).numpy()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "gan_worker.gan.generation.styles.find_direction", lambda *_: pytest.fail("again")
        )
        patched.setattr(
            "gan_worker.gan.generation.styles.mean_style", lambda *_: pytest.fail("again")
        )
        same = styles.style(replace(moved, truncation_psi=0.5), 6, 8).numpy()
    np.testing.assert_array_equal(same, before)
    learning.mapping[0].kernel.assign(learning.mapping[0].kernel[::-1])
    fresh = Styles(learning, {}).style(moved, 6, 8).numpy()
    np.testing.assert_array_equal(styles.style(moved, 6, 8).numpy(), fresh)


def test_a_material_is_called_up_by_its_name(model, generator):
    np.testing.assert_array_equal(
        style(model, style=Material("old oak"))[0], style_of(generator, 50)
    )
    assert np.abs(picture(model, style=Material("old oak")) - picture(model)).mean() > 1e-3
    # Truncation pulls it to the mean style too.
    mean = style(model, truncation_psi=0.0)
    half = style(model, style=Material("old oak"), truncation_psi=0.5)
    np.testing.assert_allclose(
        half, (mean + style(model, style=Material("old oak"))) / 2, atol=1e-6
    )


def test_each_material_brings_its_own_pattern(model):
    def waves(**fields):
        return model.latents(replace(WANTED, **fields)).local[..., NANO.local_channels :]

    assert not waves(style=Material("old oak")).any()
    pine = waves(style=Material("pine"))
    np.testing.assert_allclose(pine, np.roll(pine, 4, axis=2), atol=1e-5)
    assert pine.std() > 0.5
    # What is near a material has its pattern, whatever is slid; of a mix the heaviest counts.
    assert waves(style=Latent(tuple(map(float, draw_z(51, NANO))))).any()
    assert waves(style=Material("pine"), directions=(("pca 1", 3.0),), truncation_psi=0.2).any()
    oak, other = Material("old oak"), Material("pine")
    assert not waves(style=((oak, 2.0), (other, 1.0))).any()
    halves = waves(style=CellMap((oak, other), 1, 8, (0.0,) * 4 + (1.0,) * 4))
    assert not halves[:, :, :4].any()
    np.testing.assert_allclose(halves[:, :, 4:], pine[:, :, 4:], atol=1e-6)


def test_a_direction_moves_the_style_by_its_steps_at_any_truncation(model):
    direction = find_direction(model.generator, "factor 2")
    for psi in (1.0, 0.5):
        plain = style(model, truncation_psi=psi)
        moved = style(model, truncation_psi=psi, directions=(("factor 2", -2.5),))
        expected = plain - 2.5 * direction.step * direction.vector
        np.testing.assert_allclose(moved, expected, atol=1e-5)
    both = style(model, directions=(("factor 2", 1.0), ("pca 1", 1.0)))
    alone = style(model, directions=(("pca 1", 1.0),))
    np.testing.assert_allclose(both - alone, direction.step * direction.vector[None], atol=1e-5)
    assert np.abs(picture(model, directions=(("pca 1", 3.0),)) - picture(model)).mean() > 1e-3


def test_a_map_of_one_style_is_that_style(model):
    constant = CellMap((Seed(4),), 2, 2, (0.0,) * 4)
    np.testing.assert_allclose(picture(model, style=constant), picture(model), atol=2e-6)


def test_painted_styles_lie_where_they_were_painted(model):
    halves = CellMap((Seed(3), Seed(8)), 1, 8, (0.0,) * 4 + (1.0,) * 4)
    w = style(model, style=halves)
    assert w.shape == (1, 6, 8, NANO.w_dim)
    first, second = style(model, seed=3)[0], style(model, seed=8)[0]
    np.testing.assert_allclose(w[0, :, :4], np.broadcast_to(first, (6, 4, 16)), atol=1e-6)
    np.testing.assert_allclose(w[0, :, 4:], np.broadcast_to(second, (6, 4, 16)), atol=1e-6)
    # Without an origin that was asked for, nothing is moved.
    assert model.generate(replace(WANTED, style=halves, origin=None)).recipe.config.origin == (
        0,
        0,
    )


def test_what_lies_far_inside_a_painted_area_is_as_without_the_map(model):
    halves = CellMap((Seed(3), Seed(8)), 1, 2, (0.0, 1.0))
    wide = {"width": 640, "height": 64}
    painted = picture(model, style=halves, **wide)
    plain = picture(model, style=((Seed(8), 1.0),), **wide)
    difference = np.abs(painted - plain).mean(axis=(0, 2))
    # The middle of the second cell is its style alone; in the first one it is the other.
    assert difference[476:484].max() < 0.2 * difference[156:164].mean()


def test_a_painted_look_is_the_whole_look(model):
    w = style(model, style=HALVES)
    second = LOOKS[1]
    plain = style(model, seed=3)[0]
    moved = style(
        model, style=second.mix, truncation_psi=second.truncation_psi, directions=second.directions
    )[0]
    np.testing.assert_allclose(w[0, :, 1:3], np.broadcast_to(plain, (6, 2, 16)), atol=1e-6)
    np.testing.assert_allclose(w[0, :, 5:7], np.broadcast_to(moved, (6, 2, 16)), atol=1e-6)
    # Softened by a cell, inside as across the border; sliders move all of it.
    for left, right in ((3, 4), (0, 7)):
        np.testing.assert_allclose(w[0, 0, left], 0.75 * plain + 0.25 * moved, atol=1e-6)
        np.testing.assert_allclose(w[0, 0, right], 0.75 * moved + 0.25 * plain, atol=1e-6)


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 8, "directions": (("pca 1", 2.0),), "truncation_psi": 0.7},
        {"style": Material("pine")},
        {"style": ((Seed(8), 0.3), (Material("old oak"), 0.4))},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_looks_that_are_alike_make_the_bytes_of_the_look_alone(model, fields):
    mix = as_mix(fields.get("style") or Seed(fields["seed"]))
    look = Look(mix, fields.get("truncation_psi", 1.0), fields.get("directions", ()))
    noise = np.random.default_rng(0).random((16, 16, 3), np.float32)
    painted = picture(model, style=paint((look,) * 4, noise), seed=8)
    np.testing.assert_array_equal(painted, picture(model, **{"seed": 8, **fields}))


def test_a_look_that_is_nowhere_changes_nothing(model):
    blank = paint(LOOKS, np.zeros((8, 8, 3), np.float32))
    np.testing.assert_array_equal(picture(model, style=blank, seed=3), picture(model, seed=3))


def test_paint_stays_where_it_was_painted_wherever_the_border_is_put(model):
    plain = style(model, style=HALVES)
    moved = style(model, style=HALVES, origin=(16, 8))
    np.testing.assert_allclose(moved, np.roll(plain, (1, 2), (1, 2)), atol=1e-6)
    halfway = style(model, style=HALVES, origin=(4, 0))
    np.testing.assert_allclose(halfway[0, 0, 4], (plain[0, 0, 4] + plain[0, 0, 3]) / 2, atol=1e-6)


def test_there_is_no_seam_where_paint_does_not_go_on_beyond_the_border(model):
    wraps = []
    for looks in (LOOKS, LOOKS[:1] * 2, LOOKS[1:] * 2):
        kept = paint(looks, np.repeat(np.array(COLORS[:2], np.float32), 32, axis=0)[None])
        made = [picture(model, style=kept, seed=seed, width=128, height=128) for seed in range(4)]
        wraps.append(np.mean([line_steps(tf.constant(one))[0][0] for one in made]))
    painted, first, second = wraps
    assert painted < 1.05 * max(first, second)


def test_directions_and_truncation_work_on_maps(model):
    moved = style(model, style=PAINTED, directions=(("pca 1", 1.0),), truncation_psi=0.7)
    plain = style(model, style=PAINTED, truncation_psi=0.7)
    assert moved.shape == (1, 6, 8, NANO.w_dim)
    direction = find_direction(model.generator, "pca 1")
    np.testing.assert_allclose(
        moved - plain, np.broadcast_to(direction.step * direction.vector, moved.shape), atol=1e-5
    )


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (3, -2)])
def test_rolling_a_painted_latent_grid_rolls_the_picture(model, rows, columns):
    w = model.styles.style(replace(WANTED, style=PAINTED), 6, 8)
    latents = draw_latents(5, 6, 8, NANO, model.patterns)
    rolled = latents.rolled(rows, columns)

    def synthesis(w, latents):
        return model.generator.synthesis(w, latents.local, list(latents.noise)).numpy()

    expected = np.roll(synthesis(w, latents), (8 * rows, 8 * columns), (1, 2))
    received = synthesis(w._replace(shares=np.roll(w.shares, (rows, columns), (1, 2))), rolled)
    np.testing.assert_allclose(received, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("before", "after"), [(1, 5), (2, 3), (3, 12), (7, 7), (12, 5), (9, 1)])
def test_cells_are_resampled_on_a_circle(before, after):
    weights = resampling(before, after)
    assert weights.shape == (after, before)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert weights.min() >= 0
    # Seen in a mirror it is the same.
    np.testing.assert_allclose(weights[::-1, ::-1], weights, atol=1e-12)
    if after % before == 0:
        turned = np.roll(weights, (after // before, 1), (0, 1))
        np.testing.assert_allclose(turned, weights, atol=1e-12)


CHOICES = [
    {"style": Material("pine")},
    {"style": ((Seed(1), 0.5), (Material("old oak"), 0.25))},
    {"style": PAINTED, "truncation_psi": 0.8},
    {"style": HALVES, "directions": (("pca 2", 1.0),)},
    {"directions": (("pca 1", 2.5), ("factor 3", -1.0)), "style": Latent((0.25,) * 16)},
]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: next(iter(choice)))
def test_a_recipe_makes_the_same_picture_after_a_journey(model, choice):
    first = model.generate(replace(WANTED, **choice, origin=None))
    recipe = from_json(Recipe, load(dump(to_json(first.recipe)).encode()))
    assert recipe == first.recipe
    again = model.generate(recipe.config)
    np.testing.assert_array_equal(again.maps["base_color"], first.maps["base_color"])


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"style": Material("ash")}, "invalid_config", "old oak, pine"),
        ({"style": ((Material("ash"), 1.0),)}, "invalid_config", "old oak, pine"),
        ({"style": ((Latent((1.0,)), 1.0),)}, "invalid_latent", "16"),
        ({"style": CellMap((Latent((1.0,)),), 1, 1, (0.0,))}, "invalid_latent", "16"),
        (
            {"style": paint((Look(((Material("ash"), 1.0),)),), np.zeros((1, 1, 3)))},
            "invalid_config",
            "old oak, pine",
        ),
        (
            {
                "style": paint(
                    (Look(LOOKS[0].mix, directions=(("pca 17", 1.0),)),), np.zeros((1, 1, 3))
                )
            },
            "invalid_config",
            "'pca 16'",
        ),
        ({"directions": (("pca 17", 1.0),)}, "invalid_config", "'pca 16'"),
        ({"directions": (("pca 1", float("nan")),)}, "invalid_config", "steps"),
    ],
)
def test_what_the_model_does_not_know_is_refused(model, changes, code, says):
    with pytest.raises(RequestError, match=says) as caught:
        model.generate(replace(WANTED, **changes))
    assert caught.value.code == code


def test_stored_styles_must_fit_the_network(folder, tmp_path):
    info, tensors = runs.load_model_files(folder)
    run = runs.Run.create(tmp_path, "stripes")
    for stored in (np.zeros(3, np.float32), None):
        kept = {name: a for name, a in tensors.items() if name != generation.STORED + "pine"}
        run.save_model(
            info, kept if stored is None else {**kept, generation.STORED + "pine": stored}
        )
        with pytest.raises(StorageError, match="pine") as caught:
            generation.load_model(run.path)
        assert caught.value.code == "model_format"


def test_a_sheet_shows_every_seed(model):
    told = []
    sheet = seed_sheet(model, [4, 5, 6], replace(WANTED, seed=9), told.append)
    assert [(news.done, news.total) for news in told] == [(1, 3), (2, 3), (3, 3)]
    assert sheet.dtype == np.uint8
    assert shows(sheet, quantise(picture(model, seed=6), 8))
    assert not shows(sheet, quantise(picture(model, seed=9), 8))


def test_a_sheet_that_no_picture_can_hold_is_refused(model):
    with pytest.raises(RequestError, match="67 million") as caught:
        seed_sheet(model, range(10_000), replace(WANTED, width=256, height=256), print)
    assert caught.value.code == "invalid_size"


def test_a_sheet_of_directions_has_a_strip_for_each(model):
    told = []
    sheet = direction_sheet(model, 4, 2, told.append)
    assert told[-1].done == told[-1].total == 4 * len(STEPS)
    wide = replace(WANTED, width=128, height=128)
    for changes in ({}, {"directions": (("pca 2", 3.0),)}, {"directions": (("factor 1", -3.0),)}):
        made = model.generate(replace(wide, **changes)).maps["base_color"]
        assert shows(sheet, quantise(made, 8))


def shows(sheet, made):
    """Whether a picture stands somewhere in a sheet."""
    height, width = made.shape[:2]
    corners = np.argwhere(np.all(sheet == made[0, 0], axis=-1))
    return any(np.array_equal(sheet[y : y + height, x : x + width], made) for y, x in corners)
