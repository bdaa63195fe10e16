"""Styles as they travel and as they are written on the command line."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from odd_configs import TWO_CHOICES

from gan_worker.config import GenerationConfig, Recipe
from gan_worker.dataclass_json import InvalidJson, from_json, to_json
from gan_worker.errors import PictureError, RequestError
from gan_worker.materials import pictures
from gan_worker.materials.contact_sheet import contact_sheet
from gan_worker.style import (
    CELLS_LIMIT,
    LOOKS_LIMIT,
    NAME_LIMIT,
    NUMBERS_LIMIT,
    STYLES_LIMIT,
    WEIGHTS_LIMIT,
    CellMap,
    Latent,
    Look,
    LookMap,
    Material,
    Seed,
    check_style,
    read_weights,
)
from gan_worker.styles.painting import COLORS, MAP_SIDE, paint, shares_of
from gan_worker.styles.text import parse_direction, parse_mix, parse_style, read_style_map
from gan_worker.wire import messages
from gan_worker.wire.codec import Message, decode, encode

SEEDS = (Seed(3), Seed(8))

LOOKS = tuple(Look(((style, 1.0),)) for style in SEEDS)
PAINTED = LookMap(LOOKS, 1, 2, base64.b64encode(b"\1\0\0\1").decode())


def check(**fields):
    check_style(**{"style": None, "directions": (), **fields})


def test_what_can_be_chosen_passes():
    check()
    check(style=Material("old oak"), directions=(("pca 1", -10.0),))
    check(style=((Latent((0.5,)), 0.0), (Material("oak"), 2.0)))
    check(style=((SEEDS[0], -0.0625), (SEEDS[1], 0.5), (Seed(9), 0.5625)))
    check(style=CellMap(SEEDS, 1, 3, (0.0, 0.5, 1.0)), directions=(("factor 12", 1.0),))


def test_painted_looks_pass():
    check(style=PAINTED, directions=(("pca 1", 1.0),))
    assert read_weights(PAINTED) == b"\1\0\0\1"


BAD = [
    {"style": ()},
    {"style": Material("")},
    {"style": Material("x" * (NAME_LIMIT + 1))},
    {"style": ((Latent(()), 1.0),)},
    {"style": ((Material(""), 1.0),)},
    {"style": ((Seed(-1), 1.0),)},
    {"style": ((Latent((float("nan"),)), 1.0),)},
    {"style": ((SEEDS[0], -1.0), (SEEDS[1], 2.0))},
    {"style": ((SEEDS[0], 0.0),)},
    {"style": ((SEEDS[0], float("inf")),)},
    {"style": ((SEEDS[0], 1.0),) * (STYLES_LIMIT + 1)},
    {"style": Latent((0.0,) * (NUMBERS_LIMIT + 1))},
    {"style": ((Latent((0.0,) * 1024), 1.0),) * 3},
    {"style": CellMap((), 1, 1, (0.0,))},
    {"style": CellMap(SEEDS, 1, 2, (0.0,))},
    {"style": CellMap(SEEDS, 0, 0, ())},
    {"style": CellMap(SEEDS, -1, -1, (0.0,))},
    {"style": CellMap(SEEDS, 1, 1, (1.5,))},
    {"style": CellMap(SEEDS, 1, 1, (float("nan"),))},
    {"style": CellMap(SEEDS, CELLS_LIMIT + 1, 1, (0.0,) * (CELLS_LIMIT + 1))},
    {"style": CellMap(SEEDS, 1, 1, ())},
    {"style": replace(PAINTED, looks=())},
    {"style": replace(PAINTED, weights="")},
    {"style": replace(PAINTED, rows=2)},
    {"style": replace(PAINTED, rows=-1, columns=-2)},
    {"style": replace(PAINTED, columns=CELLS_LIMIT * 4 + 1)},
    {"style": replace(PAINTED, weights="no base64 here!")},
    {"style": replace(PAINTED, weights="AQAAAQ=")},
    {"style": replace(PAINTED, weights="é" * 8)},
    {"style": replace(PAINTED, weights=base64.b64encode(b"\1\0\0\0").decode())},
    {"style": replace(PAINTED, looks=LOOKS * 3)},
    {"style": replace(PAINTED, looks=(LOOKS[0], Look(())))},
    {"style": replace(PAINTED, looks=(LOOKS[0], Look(((Material(""), 1.0),))))},
    {"style": replace(PAINTED, looks=(LOOKS[0], Look(((SEEDS[0], 0.0),))))},
    {"style": replace(PAINTED, looks=(LOOKS[0], replace(LOOKS[1], truncation_psi=2.5)))},
    {"style": replace(PAINTED, looks=(LOOKS[0], replace(LOOKS[1], truncation_psi=float("nan"))))},
    {"style": replace(PAINTED, looks=(LOOKS[0], replace(LOOKS[1], directions=(("size", 1.0),))))},
    {"style": replace(PAINTED, looks=(Look(LOOKS[0].mix * 9), Look(LOOKS[1].mix * 9)))},
    {"directions": (("size", 1.0),)},
    {"directions": (("pca 0", 1.0),)},
    {"directions": (("pca 1\n", 1.0),)},
    {"directions": (("pca 1", 10.5),)},
    {"directions": (("pca 1", float("nan")),)},
    {"directions": (("pca 1", 1.0),) * (STYLES_LIMIT + 1)},
]


@pytest.mark.parametrize("fields", BAD, ids=range(len(BAD)))
def test_what_cannot_be_is_refused(fields):
    with pytest.raises(RequestError) as caught:
        check(**fields)
    assert caught.value.code == "invalid_config"


LONGEST = {
    "style": CellMap(
        (Latent((-0.12345678901234567,) * (NUMBERS_LIMIT - CELLS_LIMIT)),)
        + (Material("é" * NAME_LIMIT),) * (STYLES_LIMIT - 1),
        32,
        32,
        (0.12345678901234567,) * CELLS_LIMIT,
    ),
    "directions": (("factor 1000", -1.2345678901234567),) * STYLES_LIMIT,
}


_MOVED = (("factor 1000", -1.2345678901234567),) * STYLES_LIMIT
_MIX = tuple((Material("é" * NAME_LIMIT), 0.12345678901234567) for _ in range(3))
_LATENT = (Latent((-0.12345678901234567,) * ((NUMBERS_LIMIT - CELLS_LIMIT) // LOOKS_LIMIT)), 1.0)
LONGEST_PAINTED = {
    "style": LookMap(
        (Look((_LATENT, *_MIX), 0.12345678901234567, _MOVED),) * LOOKS_LIMIT,
        MAP_SIDE,
        MAP_SIDE,
        base64.b64encode(b"\xff" * WEIGHTS_LIMIT).decode(),
    ),
    "directions": _MOVED,
}


@pytest.mark.parametrize("longest", [LONGEST, LONGEST_PAINTED], ids=["cells", "painted"])
def test_the_longest_choice_fits_its_request_and_its_result(longest):
    check(**longest)
    config = GenerationConfig("x" * 80, **longest)
    request = Message(messages.Submit("0" * 32, "generate", to_json(config)))
    assert from_json(GenerationConfig, decode(encode(request)).body.config) == config
    recipe = Recipe(replace(config, origin=(0, 0)), "0" * 64, "0.1.0")
    blobs = {
        f"map_{i}": messages.Blob(f"map_{i}", 2**40, "f" * 64, (8192, 8192, 3), "uint16")
        for i in range(6)
    }
    result = messages.Result(recipe, blobs, dict.fromkeys(blobs, 1.0123456789), 0.5)
    event = Message(messages.JobState("0" * 32, "generate", "x" * 80, "succeeded", None, 1, result))
    assert decode(encode(event)) == event


@pytest.mark.parametrize(
    "fields",
    [
        {"mix": [[{"seed": 1}]]},
        {"mix": [[{"seed": "1"}, 0.5]]},
        {"mix": {"seed": 1}},
        {"directions": [["pca 1", "much"]]},
        {"directions": [[1, 1]]},
        {"style_map": {"styles": [{"seed": 1}], "rows": 1.5, "columns": 1, "cells": [0]}},
        {"style_map": {"styles": [{"seed": 1}], "rows": 1}},
        {"style_map": {"styles": [], "rows": 1, "columns": 1, "looks": [{"mix": 1}]}},
        {"style_map": {"styles": [], "rows": 1, "columns": 1, "weights": [255]}},
        {"material": 7},
        *TWO_CHOICES,
    ],
    ids=str,
)
def test_fields_of_the_wrong_kind_and_several_choices_are_no_message(fields):
    with pytest.raises(InvalidJson):
        from_json(GenerationConfig, json.loads(json.dumps({"model": "oak", **fields})))


def test_a_mix_is_seeds_or_names_with_weights():
    assert parse_style("7") == Seed(7)
    assert parse_mix("1:0.5, old oak:2,pine") == (
        (Seed(1), 0.5),
        (Material("old oak"), 2.0),
        (Material("pine"), 1.0),
    )


@pytest.mark.parametrize("text", ["", "1:", ":1", "1:much", "1:0.5,,2:0.5"])
def test_what_is_no_mix_is_refused(text):
    with pytest.raises(RequestError, match=r"1:0\.5,7:0\.5"):
        parse_mix(text)


def test_a_direction_is_a_name_and_steps():
    assert parse_direction("pca  1 = -2.5") == ("pca 1", -2.5)
    for text in ("pca 1", "=2", "pca 1=far"):
        with pytest.raises(RequestError, match=r"pca 1=2\.5"):
            parse_direction(text)


def test_a_style_map_is_read_from_a_grey_picture(tmp_path):
    grey = np.zeros((50, 100, 3), np.float32)
    grey[:, 50:] = 1
    grey[25:, :50] = 0.5
    pictures.write_picture(tmp_path / "map.png", grey)
    read = read_style_map(tmp_path / "map.png", "3, oak,8")
    assert read.styles == (Seed(3), Material("oak"), Seed(8))
    assert (read.rows, read.columns) == (16, 32)
    cells = np.reshape(read.cells, (16, 32))
    np.testing.assert_allclose(cells[:8, :16], 0, atol=0.01)
    np.testing.assert_allclose(cells[8:, :16], 1, atol=0.01)
    np.testing.assert_allclose(cells[:, 16:], 2, atol=0.01)
    check(style=read)


def test_a_style_map_needs_a_picture_and_two_styles(tmp_path):
    with pytest.raises(RequestError, match="--styles 3,8"):
        read_style_map(tmp_path / "map.png", "3")
    with pytest.raises(PictureError):
        read_style_map(tmp_path / "map.png", "3,8")


def test_colors_stand_for_looks_and_soft_edges_for_mixtures():
    np.testing.assert_array_equal(shares_of(np.array(COLORS)), np.eye(4))
    between = 0.25 * np.array(COLORS[2]) + 0.75 * np.array(COLORS[3])
    np.testing.assert_allclose(shares_of(between), [0, 0, 0.25, 0.75])
    np.testing.assert_allclose(shares_of(np.array([0.3, 0, 0])), [0.7, 0.3, 0, 0], atol=1e-7)
    # White is none of the colors.
    np.testing.assert_allclose(shares_of(np.ones(3)), [0, 1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_array_equal(shares_of(np.array([np.nan, -1, 2])), [0, 0, 0, 1])


def test_paint_of_a_look_that_is_not_there_counts_as_the_first_that_is():
    four = np.array(COLORS, np.float32)[None]
    painted = paint((None, LOOKS[1], None, LOOKS[0]), four)
    assert painted.looks == (LOOKS[1], LOOKS[0])
    weights = np.frombuffer(read_weights(painted), np.uint8).reshape(4, 2)
    assert weights.tolist() == [[255, 0], [255, 0], [255, 0], [0, 255]]


@pytest.mark.parametrize("size", [(256, 256), (100, 300), (7, 5)])
def test_a_painted_picture_becomes_a_style_map(size):
    picture = np.zeros((*size, 4), np.float32)
    picture[size[0] // 2 :, :, 1] = 1
    painted = paint(LOOKS + LOOKS[:1], picture)
    check(style=painted)
    assert max(painted.rows, painted.columns) == min(MAP_SIDE, max(size))
    weights = np.frombuffer(read_weights(painted), np.uint8)
    weights = weights.reshape(painted.rows, painted.columns, 3)
    assert (weights[0] == (255, 0, 0)).all()
    assert (weights[-1] == (0, 0, 255)).all()
    assert abs(int((weights[..., 2] > 127).sum()) / weights[..., 2].size - 0.5) < 0.1


def test_a_contact_sheet_has_every_picture_below_its_label():
    tiles = [np.full((20, 40, 3), (value, 0, 90), np.uint8) for value in (50, 100, 150)]
    sheet = contact_sheet(tiles, ["7", "a label that is too long", "9"], columns=2)
    blank = contact_sheet(tiles, ["", "", ""], columns=2)
    assert sheet.shape == blank.shape
    for tile in tiles:
        assert np.all(sheet == tile[0, 0], axis=-1).sum() == 20 * 40
    written = np.any(sheet != blank, axis=-1)
    # Labels stand in the line above their pictures, and one does not run into the next.
    assert written[8:32, 8:48].any()
    assert written[8:32, 56:96].any()
    assert not written[:, 48:56].any()
    assert not written[32:52].any()
