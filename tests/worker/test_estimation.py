"""What is made of estimates: how sure they are in words, and what lies between two looks of them."""

from __future__ import annotations

import pytest

from gan_worker.config import GenerationConfig, Recipe
from gan_worker.dataclass_json import from_json, to_json
from gan_worker.errors import RequestError
from gan_worker.estimation import Estimation, certainty, weighted
from gan_worker.styles.favourites import mixed


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("normal", 13.2, "estimated, within 13° on average"),
        ("normal", 17.6, "a guess, within 18° on average"),
        ("roughness", 0.1, "estimated, within 0.10 on average"),
        ("roughness", 0.149, "a guess, within 0.15 on average"),
        ("ambient_occlusion", 0.08, "estimated, within 0.08 on average"),
        ("height", 15.6, "a guess, within 16° on average"),
        ("metallic", 0.0, "as chosen"),
        ("base_color", 0.3, "estimated, within 0.30 on average"),
    ],
)
def test_certainty_is_said_in_the_unit_of_the_map(name, error, words):
    assert certainty(name, error) == words


def test_what_lies_between_two_keeps_the_rest_of_the_nearer():
    one, other = Estimation("stone", depth=1.0, invert=True), Estimation("wet", depth=3.0)
    assert weighted([(one, 0.75), (other, 0.25)]) == Estimation("stone", depth=1.5, invert=True)
    assert weighted([(one, 0.0), (other, 1.0)]) == other
    assert weighted([(one, -1.0), (other, 2.0)]).depth == 4.0, "the limit, not beyond"


def test_mixing_looks_mixes_their_relief_where_all_have_some():
    plain = GenerationConfig("oak", 1)
    deep, flat = (GenerationConfig("oak", n, estimation=Estimation(depth=float(n))) for n in (3, 1))
    assert mixed(deep, flat, 0.5).estimation == Estimation(depth=2.0)
    assert mixed(deep, plain, 0.5).estimation == Estimation(depth=3.0)
    assert mixed(plain, deep, 0.5).estimation is None


def test_what_names_no_version_is_of_the_first():
    old = {name: value for name, value in to_json(Estimation()).items() if name != "version"}
    assert from_json(Estimation, old) == Estimation(version=1)
    assert from_json(Estimation, {}).version == 1
    assert from_json(Estimation, to_json(Estimation())) == Estimation() != Estimation(version=1)
    config = from_json(GenerationConfig, {"model": "oak", "estimation": {"depth": 2.0}})
    assert config.estimation == Estimation(depth=2.0, version=1)


def test_a_version_that_nobody_knows_is_refused():
    for version in (0, 3, -1):
        with pytest.raises(RequestError, match="version"):
            Estimation(version=version).check()


def test_what_was_written_before_there_was_a_choice_is_written_as_before():
    config = GenerationConfig("oak", estimation=Estimation())
    written = to_json(Recipe(config, "a" * 64, "0.2"))
    assert "estimator" not in written and "estimator" not in written["estimation"]
    assert from_json(Recipe, written) == Recipe(config, "a" * 64, "0.2")
    chosen = GenerationConfig("oak", estimation=Estimation(estimator="hers"))
    made = Recipe(chosen, "a" * 64, "0.3", estimator="1" * 16)
    assert from_json(Recipe, to_json(made)) == made


@pytest.mark.parametrize("name", ["../oak", "a/b", " oak", "con", "x" * 81])
def test_an_estimator_is_a_name_and_no_path(name):
    with pytest.raises(RequestError, match="name of a run"):
        GenerationConfig("oak", estimation=Estimation(estimator=name)).check()
