"""Recipes of scenes: what is read from them, and how mistakes are named."""

import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from gan_worker.errors import RequestError
from gan_worker.estimation import SURFACES, Estimation
from gan_worker.scenes.parser import parse_recipe, read_recipe
from gan_worker.scenes.recipe import (
    BetweenLatent,
    Existing,
    Latent,
    NameLatent,
    NeighbourhoodLatent,
    SceneRecipe,
)
from gan_worker.style import Material, Seed

GOOD = '''textures = "packed"
[[rules]]
name = "facades"
select = { collection = "Houses", name = ["House*", "Shop"], type = "MESH", property = { storeys = 3 } }
model = "bricks"
latent = { by = "neighbourhood", distance = 20, seed = 4 }
size = [512, 256]
maps = ["normal", "base_color"]
scale = 4
psi = 0.8
slots = ["Brick*", 0]
existing = "new slot"
[[rules]]
like = "facades"
select = { material = "Brick*" }
[rules.latent]
by = "between"
first = 3
second = "old oak"
axis = "x"
'''  # fmt: skip


def test_everything_that_a_rule_can_say():
    recipe = parse_recipe(GOOD)
    first, second = recipe.rules
    assert recipe.textures == "packed"
    assert first.select.name == ("House*", "Shop")
    assert first.select.property == (("storeys", 3),)
    assert first.latent == NeighbourhoodLatent(20.0, 4)
    assert (first.size, first.scale, first.psi) == ((512, 256), (4.0, 4.0), 0.8)
    assert first.maps == ("base_color", "normal")  # in one order, so that equal requests are equal
    assert (first.slots, first.existing) == (("Brick*", 0), "new slot")
    assert second.latent == BetweenLatent(Seed(3), Material("old oak"), axis="x")
    assert (second.line, second.model, second.size) == (13, "bricks", (512, 256))
    assert second.select.collection == ()  # a rule like another selects for itself


def test_what_is_left_out_has_sensible_values():
    rule = parse_recipe('[[rules]]\nselect = { name = "*" }\nmodel = "m"').rules[0]
    assert (rule.size, rule.maps, rule.scale, rule.psi) == ((512, 512), (), (1.0, 1.0), 1.0)
    assert (rule.slots, rule.existing, rule.detail) == ((), "replace", 0)
    assert rule.estimate is False
    assert SceneRecipe((rule,)).textures == "//textures"


def test_what_is_estimated_starts_from_the_kind_of_surface():
    def read(*values):
        rules = [f'[[rules]]\nname = "{n}"\n{value}' for n, value in enumerate(values)]
        first = 'select = { name = "*" }\nmodel = "m"\n'
        text = (
            rules[0]
            + "\n"
            + first
            + "\n".join(f'{rule}\nselect = {{ name = "*" }}\nlike = "0"' for rule in rules[1:])
        )
        return [rule.estimate for rule in parse_recipe(text).rules]

    metal = 'estimate = { surface = "metal", depth = 2, invert = true, roughness = 0 }'
    wanted = replace(SURFACES["metal"], depth=2.0, invert=True, roughness=0.0)
    assert read(metal, "", "estimate = false", "estimate = true") == [
        *(wanted, wanted, False, Estimation())
    ]


def test_estimates_can_be_asked_of_rules_that_have_none_or_of_no_rule():
    text = GOOD.replace("scale = 4", 'estimate = { surface = "wet" }').replace(
        'like = "facades"', 'model = "m"'
    )
    recipe = parse_recipe(text)
    wet, stone = SURFACES["wet"], SURFACES["stone"]
    for wanted, found in ((None, [wet, False]), (False, [False, False]), (stone, [wet, stone])):
        assert [rule.estimate for rule in recipe.estimating(wanted).rules] == found


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("psi =", "pis =", 10, "Did you mean 'psi'?"),
        ("psi = 0.8", "psi = 1.2", 10, "number from 0 to 1"),
        ("psi = 0.8", "psi = true", 10, "number from 0 to 1"),
        ("psi = 0.8", "psi = nan", 10, "number from 0 to 1"),
        ("size = [512, 256]", "size = [512, 256, 3]", 7, "list of two"),
        ("size = [512, 256]", 'size = "512"', 7, "whole number"),
        ('"normal", ', '"normals", ', 8, "must be of base_color"),
        ("scale = 4", "scale = 0", 9, "scale"),
        ("scale = 4", 'detail = "haf"', 9, "Did you mean 'half'?"),
        ("scale = 4", "detail = 1", 9, "detail must be one of full, half, quarter"),
        ("scale = 4", 'estimate = { depht = 2 }', 9, "Did you mean 'depth'?"),
        ("scale = 4", "estimate = { depth = 5 }", 9, "depth must be a number from 0 to 4"),
        ("scale = 4", "estimate = { depth = nan }", 9, "depth must be a number from 0 to 4"),
        ("scale = 4", 'estimate = { surface = "stoen" }', 9, "Did you mean 'stone'?"),
        ("scale = 4", "estimate = { invert = 1 }", 9, "invert must be true or false"),
        ("scale = 4", "estimate = 1", 9, "must be a table such as"),
        ('"new slot"', '"replcae"', 12, "Did you mean 'replace'?"),
        ('slots = ["Brick*", 0]', "slots = [-1]", 11, "slots"),
        ('model = "bricks"', "model = 7", 5, "must be a text in quotes"),
        ("storeys = 3", "storeys = [3]", 4, "storeys must be a text"),
        ('type = "MESH"', 'tpye = "MESH"', 4, "Did you mean 'type'?"),
        ('by = "neighbourhood"', 'by = "neighborhood"', 6, "Did you mean 'neighbourhood'?"),
        ("distance = 20, ", "", 6, "must have distance"),
        (", distance = 20, seed = 4", "", 6, "Correct latent."),
        ("distance = 20", "distance = -20", 6, "distance must be"),
        ("seed = 4", "variants = 4", 6, "no key 'variants'"),
        ('axis = "x"', 'axis = "x"\ncurve = "Path"', 16, "one of axis, property and curve"),
        ("first = 3", "first = -3", 16, "must be a seed, the name"),
        ('like = "facades"', 'like = "facade"', 14, "Did you mean 'facades'?"),
        ('like = "facades"\n', "", 13, "model must be given"),
        ('select = { material = "Brick*" }\n', "", 13, "select must be given"),
        ('{ material = "Brick*" }', "{}", 15, "must select something"),
        ('like = "facades"', 'like = "rule 2"', 14, "lead back to itself; received rule 2 → rule 2"),
        ('textures = "packed"', "textures = 3", 1, "textures must be a text"),
        ('textures = "packed"', 'texture = "packed"', 1, "Did you mean 'textures'?"),
        ("scale = 4", 'scale = 4\ntextures = "x"', 10, "Move textures above the first [[rules]]."),
        ("scale = 4", "scale = 4 4", 9, "TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_a_cure(old, new, line, words):
    assert GOOD.count(old) == 1
    with pytest.raises(RequestError) as caught:
        parse_recipe(GOOD.replace(old, new))
    assert caught.value.code == "invalid_recipe"
    assert f"line {line}," in str(caught.value).lower().replace(":", ",")
    assert words in str(caught.value)
    assert caught.value.info.cure


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(RequestError, match=r"Line 13.*the name must be its own"):
        parse_recipe(GOOD.replace('like = "facades"', 'name = "facades"\nlike = "facades"'))


def test_a_circle_of_rules_is_shown_as_one():
    text = "".join(
        f'[[rules]]\nname = "{a}"\nlike = "{b}"\nselect = {{ name = "*" }}\n'
        for a, b in ("ab", "bc", "ca")
    )
    with pytest.raises(RequestError, match=r"Line 11, rule 'c': .*a → b → c → a"):
        parse_recipe(text)


@pytest.mark.parametrize(
    "text", ["", 'textures = "x"', "rules = 3", "rules = [1]", "\0", "a = [" * 9000]
)
def test_what_is_no_recipe_is_refused(text):  # fmt: skip
    with pytest.raises(RequestError) as caught:
        parse_recipe(text)
    assert caught.value.code == "invalid_recipe"


def test_a_file_of_favourites_that_is_missing_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"looks\.json"):
        parse_recipe('favourites = "looks.json"\n' + GOOD, tmp_path)


def test_lines_are_counted_past_long_texts():
    text = '[[rules]]\nname = """\n[[rules]]\npsi = 1\n"""\nselect = { name = "*" }\nmodel = "m"\npsi = 7'
    with pytest.raises(RequestError, match="Line 8"):
        parse_recipe(text)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"gone\.toml"):
        read_recipe(tmp_path / "gone.toml")
    (tmp_path / "odd.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(RequestError, match="UTF-8"):
        read_recipe(tmp_path / "odd.toml")


def test_ten_thousand_rules_each_like_the_next():
    rules = [
        f'[[rules]]\nname = "r{n}"\nselect = {{ name = "o{n}" }}\nlike = "r{n + 1}"\n'
        for n in range(9999)
    ]
    last = (
        '[[rules]]\nname = "r9999"\nselect = { name = "o" }\nmodel = "m"\nlatent = { by = "name" }'
    )
    began = time.process_time()
    recipe = parse_recipe("".join(rules) + last)
    assert time.process_time() - began < 5
    assert len(recipe.rules) == 10_000
    assert recipe.rules[0].latent == NameLatent()


EXAMPLES = sorted((Path(__file__).parents[3] / "scripts" / "recipes").glob("*.toml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_are_good(file):
    assert len(read_recipe(file).rules) >= 2


def test_the_examples_show_every_way_to_choose_a_latent():
    rules = [rule for file in EXAMPLES for rule in read_recipe(file).rules]
    assert {type(rule.latent) for rule in rules} == set(get_args(Latent))
    assert {rule.existing for rule in rules} == set(get_args(Existing))
