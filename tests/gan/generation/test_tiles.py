"""A picture made in pieces is the picture made at once, whatever its size, style and number of bits."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan_worker.config import PRESETS, GenerationConfig
from gan_worker.errors import Cancelled, WorkerError
from gan_worker.gan.data.statistics import MapStatistics, Statistics
from gan_worker.gan.data.waves import Pattern, waves_of_levels
from gan_worker.gan.generation import rendering, tiles
from gan_worker.gan.generation.model import Model
from gan_worker.gan.generation.seams import line_steps, rolled, seam_ratio
from gan_worker.gan.networks.generator import Generator
from gan_worker.progress import GenerationProgress, Notice
from gan_worker.runs.run import ModelInfo
from gan_worker.style import CellMap, Seed

NANO = PRESETS["nano"]
# On the latent grid, and too fine for it.
PATTERNS = ((1 / 24, 0.0),), ((1 / 9, 1 / 11),)
STATISTICS = Statistics(
    {
        "base_color": MapStatistics((0.5, 0.4, 0.3), tuple(map(tuple, np.eye(3))), (0.2, 0.1, 0.1)),
        "height": MapStatistics((0.5,), ((1.0,),), (0.2,)),
    }
)
BITS = {"base_color": 8, "height": 16}
# What the order of additions may change.
ROUNDING = 2e-6
WANTED = GenerationConfig("nano", seed=3, width=272, height=152)


@pytest.fixture(scope="module", params=PATTERNS, ids=["coarse", "fine"])
def model(request):
    keras.utils.set_random_seed(3)
    pattern = Pattern(request.param)
    generator = Generator(NANO, STATISTICS.channels, waves_of_levels([pattern], NANO))
    # Residual branches start silent; wake them, so that every convolution takes part.
    for variable in generator.trainable_variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2]) * 0.1)
    network = {"config": dataclasses.asdict(NANO), "patterns": [pattern.waves]}
    maps = tuple(STATISTICS.maps)
    sizes = {"stride": NANO.stride, "z_dim": NANO.z_dim, "maps": maps, "preset": "nano"}
    info = ModelInfo(
        name="nano",
        hash="",
        **sizes,
        network=network,
        statistics=STATISTICS.to_json(),
        scale=1.0,
        created="",
        step=0,
        kimg=0.0,
    )
    return Model(info, generator)


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of at most 6×6 cells, which are smaller than what they need of their neighbours."""
    monkeypatch.setattr(rendering, "LONGEST", 6 * NANO.stride)


def painted() -> CellMap:
    return CellMap(rows=2, columns=2, cells=(0.0, 1.0, 1.0, 0.0), styles=(Seed(1), Seed(2)))


@pytest.mark.parametrize("style_map", [None, painted()], ids=["one style", "painted"])
def test_pieces_make_the_whole(model, small_pieces, monkeypatch, style_map):
    config = dataclasses.replace(WANTED, style=style_map)
    told: list[GenerationProgress] = []
    made = model.generate(config, report=told.append)
    assert told == [GenerationProgress(n + 1, 24) for n in range(24)]
    monkeypatch.setattr(rendering, "LONGEST", 4096)
    whole = model.generate(config, report=told.append)
    assert told[24:] == [GenerationProgress(1, 1)]
    assert made.recipe == whole.recipe
    for name in STATISTICS.maps:
        assert whole.maps[name].std() > 0.02
        np.testing.assert_allclose(made.maps[name], whole.maps[name], rtol=0, atol=ROUNDING)
        assert made.seam_ratios[name] == pytest.approx(whole.seam_ratios[name], rel=1e-4)


def out_of_memory(monkeypatch, times):
    """Let the generator run out of memory so many times."""
    synthesis, left = rendering.Graphs.synthesis, [times]

    def cramped(self, w, latents):
        if left[0]:
            left[0] -= 1
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return synthesis(self, w, latents)

    monkeypatch.setattr(rendering.Graphs, "synthesis", cramped)


@pytest.mark.parametrize("times", [1, 3])
def test_without_memory_pieces_are_halved_and_it_says_so(model, monkeypatch, times):
    whole = model.generate(WANTED)
    out_of_memory(monkeypatch, times)
    told = []
    made = model.generate(WANTED, report=told.append)
    assert [type(news) for news in told[: times + 1]] == [Notice] * times + [GenerationProgress]
    assert all("smaller pieces" in news.text for news in told[:times])
    # Sides of 19 and 34 cells.
    assert told[-1].total == {1: 2 * 2, 3: 5 * 9}[times]
    assert made.recipe == whole.recipe
    for name in STATISTICS.maps:
        np.testing.assert_allclose(made.maps[name], whole.maps[name], rtol=0, atol=ROUNDING)


def test_where_no_piece_fits_it_ends_with_the_reason(model, monkeypatch):
    out_of_memory(monkeypatch, 99)
    told = []
    with pytest.raises(WorkerError) as caught:
        model.generate(WANTED, report=told.append)
    assert caught.value.code == "out_of_memory"
    assert len(told) == rendering.MOST_HALVINGS


def test_a_narrower_halo_would_not_do(model, small_pieces, monkeypatch):
    enough = model.generator.halos
    config = dataclasses.replace(WANTED, origin=(0, 0))
    whole = model.generate(config).maps["height"]
    for level in range(len(enough)):
        narrower = tuple(h - (i == level) for i, h in enumerate(enough))
        monkeypatch.setattr(Generator, "halos", narrower)
        difference = np.abs(model.generate(config).maps["height"] - whole).max()
        assert difference > 5 * ROUNDING, f"level {level} has more halo than it needs"


def test_steps_of_a_canvas_are_those_of_the_picture(model, small_pieces):
    made = model.generate(dataclasses.replace(WANTED, origin=(40, 24)))
    for name, picture in made.maps.items():
        whole = line_steps(tf.constant(np.roll(picture, (24, 40), (0, 1))))
        told = seam_ratio(rolled(tuple(map(np.asarray, whole)), (40, 24)))
        assert made.seam_ratios[name] == pytest.approx(told, rel=1e-5)


def test_whole_numbers_are_the_rounded_ones(model, small_pieces):
    exact = model.generate(WANTED).maps
    stored = model.generate(dataclasses.replace(WANTED, maps=("height",)), BITS).maps
    assert list(stored) == ["height"]
    assert stored["height"].dtype == np.uint16
    assert np.abs(stored["height"] / 65535 - exact["height"]).max() < 0.6 / 65535
    eight = model.generate(WANTED, BITS).maps["base_color"]
    assert eight.dtype == np.uint8
    assert np.abs(eight / 255 - exact["base_color"]).max() < 0.51 / 255


def test_it_stops_between_two_pieces(model, small_pieces):
    told: list[GenerationProgress] = []
    with pytest.raises(Cancelled):
        model.generate(WANTED, BITS, told.append, lambda: len(told) == 2)
    assert told[-1] == GenerationProgress(2, 24)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (6, 7), (100, 13)])
def test_a_grid_is_divided_without_gap_or_overlap(rows, columns):
    seen = np.zeros((rows, columns), int)
    for tile in tiles.split(rows, columns, 6):
        down, across = tile.rows, tile.columns
        assert 3 <= down.length <= 6 or rows < 3
        assert 3 <= across.length <= 6 or columns < 3
        seen[down.start : down.stop, across.start : across.stop] += 1
    assert (seen == 1).all()
