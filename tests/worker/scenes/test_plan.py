"""Plans of scenes: who gets what, and how latents are chosen."""

import hashlib
import math
import time
from dataclasses import replace

import numpy as np
import pytest

from gan_worker.config import GenerationConfig, Recipe
from gan_worker.errors import RequestError
from gan_worker.estimation import SURFACES
from gan_worker.scenes.description import Scene, SceneObject
from gan_worker.scenes.parser import parse_recipe
from gan_worker.scenes.plan import in_part, plan_scene, work_item
from gan_worker.style import CellMap, Material, Seed
from gan_worker.styles.favourites import Favourite, write_favourites
from gan_worker.wire.messages import EstimatorEntry, ModelEntry

KEY_OF_0_2 = "759786c622bf92cab976f35e1837e49d254844700513bf35b71dd0ae23daed77"
MODELS = [
    ModelEntry("bricks", "a" * 64, 16, 16, ("base_color", "roughness"), styles=("old oak",)),
    ModelEntry("digits", "b" * 64, 28, 0, ("base_color",)),
]


def rule(text, select='{ name = "*" }', model="bricks", size=64):
    return f'[[rules]]\nselect = {select}\nmodel = "{model}"\nsize = {size}\n{text}\n'


def plan(text, *objects, **fields):
    return plan_scene(parse_recipe(text), Scene(objects, **fields), MODELS)


def configs(made):
    return {a.object: made.items[a.key].config for a in made.assignments}


def row(count, **fields):
    return [SceneObject(f"o{n}", location=(float(n), 0.0, 0.0), **fields) for n in range(count)]


def test_equal_requests_are_one_item():
    made = plan(rule('latent = { by = "seed", seed = 7 }'), *row(9))
    assert len(made.assignments) == 9
    (item,) = made.items.values()
    assert (item.config.seed, item.config.width, item.model_hash) == (7, 64, "a" * 64)


def test_the_key_changes_with_config_and_model():
    text = rule("")
    (key,) = plan(text, *row(1)).items
    (other,) = plan(text + "psi = 0.5", *row(1)).items
    trained = [ModelEntry("bricks", "c" * 64, 16, 16, ("base_color",))]
    (later,) = plan_scene(parse_recipe(text), Scene(tuple(row(1))), trained).items
    half = GenerationConfig("bricks", 1, 64, 64, mip=1)
    assert len({key, other, later, work_item(half, "a" * 64).key}) == 4
    assert set(plan(text + "scale = 3", *row(1)).items) == {key}  # repeats need no other maps


def test_a_key_is_that_of_versions_without_levels_of_detail():
    """Version 0.2 has named files and materials after it: they are found again."""
    assert work_item(GenerationConfig("bricks", 1), "a" * 64).key == KEY_OF_0_2


def test_less_detail_is_asked_of_the_model_and_shown_with_the_size():
    models = [replace(MODELS[0], octaves=2, stride=64, scale=1.0)]
    scene = Scene(tuple(row(1)))
    made = plan_scene(parse_recipe(rule('detail = "quarter"', size=48)), scene, models)
    (item,) = made.items.values()
    assert (item.config.mip, item.config.width) == (2, 48)
    assert made.rows()[0][5] == "48×48, quarter"
    with pytest.raises(RequestError) as refused:
        plan_scene(parse_recipe(rule('detail = "eighth"', size=48)), scene, models)
    assert refused.value.code == "invalid_recipe"
    assert "from 0 to 2 for this model; received 3" in refused.value.info.message


def test_estimated_maps_are_asked_of_the_model_and_change_the_key():
    (plain,) = plan(rule(""), *row(1)).items
    (none,) = plan(rule("estimate = false"), *row(1)).items
    (item,) = plan(rule('estimate = { surface = "wet" }'), *row(1)).items.values()
    assert none == plain != item.key
    assert item.config.estimation == SURFACES["wet"]
    normal = 'maps = ["normal"]\n'
    assert plan(rule(normal + "estimate = true"), *row(1)).items
    with pytest.raises(RequestError, match="have the others estimated"):
        plan(rule(normal), *row(1))


def test_a_favourite_is_made_with_the_detail_of_its_rule(tmp_path):
    kept = Favourite("Mossy", GenerationConfig("bricks", 7, 512, 512, mip=1))
    write_favourites(tmp_path / "looks.json", [kept])
    text = 'favourites = "looks.json"\n' + rule(
        'latent = { by = "favourite", favourite = "Mossy" }'
    )
    made = plan_scene(parse_recipe(text, tmp_path), Scene(tuple(row(1))), MODELS)
    assert [item.config.mip for item in made.items.values()] == [0]


def test_names_decide_whatever_else_is_in_the_scene():
    text = rule('latent = { by = "name" }')
    alone, among = configs(plan(text, row(5)[3])), configs(plan(text, *row(50)))
    assert alone["o3"] == among["o3"]
    assert len({c.seed for c in among.values()}) == 50
    few = configs(plan(rule('latent = { by = "name", variants = 3 }'), *row(50)))
    assert {c.seed for c in few.values()} == {1, 2, 3}


def test_near_objects_get_near_latents():
    made = configs(plan(rule('latent = { by = "neighbourhood", distance = 50 }'), *row(1000)))
    z = np.array([made[f"o{n}"].style.z for n in range(1000)])
    assert z.shape == (1000, 16)
    assert 0.4 < z.var() < 1.8
    near = np.abs(z[1:] - z[:-1]).mean()
    far = np.abs(z[200:] - z[:-200]).mean()
    assert near < far / 15
    assert {made[name].seed for name in made} == {1}


def test_between_two_styles_along_an_axis_a_property_a_curve_and_by_name():
    text = 'latent = { by = "between", first = 3, second = "old oak"%s }'

    def weights(more, *objects, **fields):
        found = configs(plan(rule(text % more), *objects, **fields))
        first, second = Seed(3), Material("old oak")
        mixes = [dict(found[name].style) for name in sorted(found)]
        assert all(m.get(first, 0) == pytest.approx(1 - m.get(second, 0)) for m in mixes)
        return [m.get(second, 0) for m in mixes]

    assert weights(', axis = "x"', *row(5)) == [0, 0.25, 0.5, 0.75, 1]
    assert weights(', axis = "y"', *row(2)) == [0, 0]
    aged = SceneObject("o", properties={"age": 0.3})
    assert weights(', property = "age"', aged) == [0.3]
    bend = ((0.0, 0.0, 1.0), (2.0, 0.0, 1.0), (2.0, 2.0, 1.0))
    assert weights(', curve = "Path"', *row(4), curves={"Path": bend}) == [0, 0.25, 0.5, 0.5]
    assert len(set(weights("", *row(9)))) == 9


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "latent",
    [
        'by = "between", first = 1, second = 2, axis = "x"',
        'by = "between", first = 1, second = 2, curve = "Path"',
        'by = "neighbourhood", distance = 5',
    ],
)
def test_one_that_is_nowhere_is_named_and_changes_no_other(latent, number):
    text, curves = rule(f"latent = {{ {latent} }}"), {"Path": ((0.0, 0.0, 1.0), (2.0, 0.0, 1.0))}
    lost = [SceneObject(f"lost {n}", location=(number, 0.0, 0.0)) for n in range(8)]
    alone = plan(text, *row(3), curves=curves)
    among = plan(text, *row(3), *lost, curves=curves)
    assert among.assignments == alone.assignments
    assert among.items == alone.items
    assert [s.object for s in among.skips] == [o.name for o in lost]
    assert not alone.notes and len(among.notes) == 1
    assert "'lost 0', 'lost 1'" in among.notes[0] and "and 3 more" in among.notes[0]
    assert not plan(text, *lost, curves=curves).assignments
    by_name = plan(rule('latent = { by = "name" }'), *lost)
    assert (len(by_name.assignments), by_name.notes) == (8, ())


def test_a_curve_that_is_nowhere_is_refused():
    text = rule('latent = { by = "between", first = 1, second = 2, curve = "Path" }')
    with pytest.raises(RequestError, match=r"Line 1, .*'Path'") as caught:
        plan(text, *row(2), curves={"Path": ((0.0, 0.0, 1.0), (math.nan, 0.0, 1.0))})
    assert caught.value.code == "invalid_recipe"


@pytest.fixture
def looks(tmp_path):
    """A folder with a file of favourites."""
    mossy = GenerationConfig("bricks", 7, 32, 32, truncation_psi=0.5, directions=(("pca 1", 2.0),))
    oak = GenerationConfig("bricks", style=Material("old oak"))
    painted = GenerationConfig("bricks", style=CellMap((Seed(1),), 1, 1, (0.0,)))
    kept = {"mossy": mossy, "oak": oak, "painted": painted, "other": GenerationConfig("digits")}
    twice = [Favourite("twice", oak), Favourite("twice", mossy)]
    every = [Favourite(name, config) for name, config in kept.items()]
    write_favourites(tmp_path / "looks.json", [*every, *twice])
    return tmp_path


def plan_looks(folder, text, *objects):
    recipe = parse_recipe('favourites = "looks.json"\n' + rule(text), folder)
    return plan_scene(recipe, Scene(objects), MODELS)


def test_a_favourite_is_taken_at_the_rules_size(looks):
    text = 'latent = { by = "favourite", favourite = "mossy" }\npsi = 0.8'
    made = plan_looks(looks, text, *row(2))
    (item,) = made.items.values()
    assert (item.config.seed, item.config.width, item.config.directions) == (
        7,
        64,
        (("pca 1", 2.0),),
    )
    assert item.config.truncation_psi == pytest.approx(0.4)
    assert made.rows()[0][4] == "seed 7, pca 1 +2"


def test_between_a_favourite_and_a_seed_all_of_it_is_mixed(looks):
    ends = 'first = 3, second = { favourite = "mossy" }, seed = 5, axis = "x"'
    found = configs(plan_looks(looks, f'latent = {{ by = "between", {ends} }}', *row(3)))
    assert found["o1"].style == ((Seed(3), 0.5), (Seed(7), 0.5))
    assert found["o1"].directions == (("pca 1", 1.0),)
    assert found["o1"].truncation_psi == pytest.approx(0.75)
    assert {config.seed for config in found.values()} == {5}


@pytest.mark.parametrize(
    ("latent", "words"),
    [
        ('{ by = "favourite", favourite = "mosy" }', "Did you mean 'mossy'?"),
        ('{ by = "favourite", favourite = "twice" }', "the only one of its name"),
        ('{ by = "favourite", favourite = "other" }', "'other' is of 'digits'"),
        ('{ by = "between", first = 1, second = { favourite = "painted" } }', "is painted"),
        ('{ by = "between", first = 1, second = { favorite = "oak" } }', "must be a seed"),
    ],
)
def test_a_favourite_that_cannot_be_used_is_named_with_its_line(looks, latent, words):
    with pytest.raises(RequestError) as caught:
        plan_looks(looks, f"latent = {latent}", *row(2))
    assert caught.value.code == "invalid_recipe"
    assert caught.value.info.message.startswith("Line ")
    assert words in str(caught.value)


def test_a_property_is_the_seed_and_a_text_is_hashed():
    made = configs(
        plan(
            rule('latent = { by = "property", property = "kind" }'),
            SceneObject("a", properties={"kind": 5}),
            SceneObject("b", properties={"kind": "oak"}),
            SceneObject("c", properties={"kind": "oak"}),
        )
    )
    assert made["a"].seed == 5
    assert made["b"] == made["c"] != made["a"]


@pytest.mark.parametrize("value", [None, 0.5, -1, True])
def test_a_property_that_is_no_seed_is_refused_with_object_and_line(value):
    properties = {} if value is None else {"kind": value}
    text = rule('latent = { by = "property", property = "kind" }')
    with pytest.raises(RequestError, match=r"Line 1, .*'kind' of 'o'") as caught:
        plan(text, SceneObject("o", properties=properties))
    assert caught.value.code == "invalid_recipe"


@pytest.mark.parametrize(
    ("select", "found"),
    [
        ('{ name = "House*" }', ["House 1", "House 2"]),
        ('{ name = "House 1" }', ["House 1"]),
        ('{ name = ["Odd[1]", "?ock"] }', ["Odd[1]", "Rock"]),
        ('{ collection = "Street" }', ["House 1", "House 2"]),
        ('{ collection = "St*", name = "*2" }', ["House 2"]),
        ('{ type = "CURVE" }', ["Rock"]),
        ('{ material = "Brick*" }', ["House 2"]),
        ("{ property = { storeys = 3 } }", ["House 1"]),
        ('{ property = { storeys = "*" } }', ["House 1", "Rock"]),
    ],
)
def test_what_is_selected(select, found):
    objects = (
        SceneObject("House 1", collections=frozenset({"Street"}), properties={"storeys": 3}),
        SceneObject("House 2", collections=frozenset({"Street", "Old"}), slots=("Glass", "Brick")),
        SceneObject("Rock", "CURVE", properties={"storeys": "none"}),
        SceneObject("Odd[1]"),
    )
    made = plan(rule("", select), *objects, collections=frozenset({"Street", "Old", "Empty"}))
    assert [a.object for a in made.assignments] == found


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (rule("", '{ name = "Hose" }'), "unknown_object", "Did you mean 'House'?"),
        (rule("", '{ collection = "Nowhere" }'), "unknown_object", "collection 'Nowhere'"),
        (rule("", model="brick"), "unknown_model", "Did you mean 'bricks'?"),
        (rule("", size=65), "invalid_size", "Try 64×64"),
        (rule('maps = "height"'), "invalid_recipe", "(base_color, roughness)"),
        (rule('latent = { by = "between", first = 1, second = "elm" }'), "invalid_recipe", "old oak"),
        (rule('latent = { by = "neighbourhood", distance = 1 }', model="digits", size=28),
         "invalid_recipe", "has none"),
        (rule('latent = { by = "between", first = 1, second = 2, curve = "Path" }'),
         "unknown_object", "curve 'Path'"),
    ],
)  # fmt: skip
def test_what_the_scene_or_the_worker_lacks_is_named_with_its_line(text, code, words):
    with pytest.raises(RequestError) as caught:
        plan("\n\n" + text, SceneObject("House"))
    assert caught.value.code == code
    assert str(caught.value).startswith("Line 3, rule 'rule 1': ")
    assert words in str(caught.value)


def slots_of(made):
    return [(a.slot, a.before) for a in made.assignments]


def test_slots_and_what_is_there():
    house = SceneObject("House", slots=("Brick", "", "Glass"))
    assert slots_of(plan(rule(""), house)) == [(0, "Brick")]
    assert slots_of(plan(rule("", '{ material = "Gl*" }'), house)) == [(2, "Glass")]
    assert slots_of(plan(rule('slots = "*"'), house)) == [(0, "Brick"), (1, ""), (2, "Glass")]
    assert slots_of(plan(rule('slots = [1, "Gl*"]'), house)) == [(1, ""), (2, "Glass")]
    assert slots_of(plan(rule('slots = "*"\nexisting = "keep"'), house)) == [(1, "")]
    assert slots_of(plan(rule('existing = "new slot"'), house)) == [(3, "")]
    assert slots_of(plan(rule('slots = "*"'), SceneObject("Bare"))) == [(0, "")]
    kept = plan(rule('existing = "keep"'), house)
    assert [s.reason for s in kept.skips] == ["keeps the material it has"]
    none = plan(rule('slots = "Gold"'), house)
    assert [s.reason for s in none.skips] == ["no slot holds such a material"]


def test_the_later_rule_wins_and_two_new_slots_are_two():
    first = rule('latent = { by = "seed", seed = 1 }')
    last = rule('latent = { by = "seed", seed = 2 }')
    made = plan(first + last, *row(1))
    assert [made.items[a.key].config.seed for a in made.assignments] == [2]
    new = 'existing = "new slot"'
    assert slots_of(plan(rule(new) + rule(new), *row(1))) == [(0, ""), (1, "")]


def test_new_slots_that_recipes_added_before_are_theirs_alone():
    new, house = 'existing = "new slot"', SceneObject("House", slots=("Brick", "x"), added=(1,))
    assert slots_of(plan(rule(new), house)) == [(1, "x")]
    assert slots_of(plan(rule(new) + rule(new), house)) == [(1, "x"), (2, "")]
    for text in ('slots = "*"', 'slots = ["*", "x"]'):
        assert slots_of(plan(rule(text), house)) == [(0, "Brick")]
    assert not slots_of(plan(rule("", '{ material = "x" }'), house))
    # By its number a slot can still be taken from them.
    assert slots_of(plan(rule("slots = 1") + rule(new), house)) == [(1, "x"), (2, "")]
    assert [a.added for a in plan(rule("slots = 1") + rule(new), house).assignments] == [0, 1]


def test_what_was_there_before_a_recipe_filled_a_slot_counts_still():
    """So that the next run does the same, with narrower patterns too."""
    text = rule("", '{ material = "Bri*" }') + rule('slots = "Gl*"', '{ name = "x*" }')
    house = SceneObject("House", slots=("Brick", "Glass", "bricks 1"))
    (made,) = plan(text, house).assignments
    assert (made.slot, made.former) == (0, "Brick")
    filled = replace(house, slots=("bricks 2", "Glass", "bricks 1"), former={0: "Brick", 2: ""})
    for again in (text, text.replace("Bri*", "Brick")):
        (made,) = plan(again, filled, SceneObject("x", slots=("Wood",))).assignments
        assert (made.slot, made.before, made.former) == (0, "bricks 2", "Brick")
    glass = SceneObject("x", slots=("bricks 3",), former={0: "Glass"})
    assert slots_of(plan(text, glass)) == [(0, "bricks 3")]
    everything = rule('slots = "*"')
    formers = [
        [a.former for a in plan(t, filled).assignments] for t in (everything + text, everything)
    ]
    assert formers == [["Brick", "Glass", ""], ["Brick", "", ""]]


def test_what_a_rule_filled_that_keeps_materials_is_no_material_to_keep():
    """So that the next run does the same; what others filled, or the artist, stays."""
    text = rule("") + rule('existing = "keep"')
    (first,) = plan(text, SceneObject("o", slots=("",))).assignments
    assert (first.rule, first.keeps) == ("rule 2", True)
    filled = SceneObject("o", slots=("bricks 1",), former={0: ""}, filled={0: "rule 2"})
    (again,) = plan(text, filled).assignments
    assert (again.rule, again.before, again.keeps) == ("rule 2", "bricks 1", True)
    for there in (replace(filled, filled={}), replace(filled, filled={0: "rule 1"})):
        made = plan(text, there)
        assert [(a.rule, a.keeps) for a in made.assignments] == [("rule 1", False)]
        assert [s.reason for s in made.skips] == ["keeps the material it has"]


def test_what_cannot_be_changed_is_skipped_with_the_reason():
    linked = SceneObject("a", refusal="it is linked from another file")
    shared = SceneObject("b", new_slots=False)
    made = plan(rule(""), linked, shared)
    assert not made.assignments
    assert [s.object for s in made.skips] == ["a", "b"]
    assert "linked from another file" in made.skips[0].reason


def test_slots_that_cannot_be_added_are_told_beside_those_that_are_filled():
    shared = SceneObject("b", slots=("Brick",), new_slots=False)
    made = plan(rule("slots = [0, 3]"), shared)
    assert slots_of(made) == [(0, "Brick")]
    assert [(s.object, s.reason) for s in made.skips] == [
        ("b", "its data is linked, so that no slot can be added")
    ]
    assert not plan(rule(""), shared).skips


def test_a_rule_that_finds_nothing_is_told():
    made = plan(rule("", '{ name = "x*" }') * 30, *row(1))
    assert len(made.notes) == 21
    assert made.notes[0] == "Line 1, rule 'rule 1', selects no object."


def test_ten_thousand_rules_for_a_thousand_objects():
    text = rule("").replace("]]", ']]\nname = "all"') + "".join(
        f'[[rules]]\nselect = {{ name = "o{n % 1000}{"*" * (n % 2)}" }}\nlike = "all"\n'
        for n in range(10_000)
    )
    recipe, scene = parse_recipe(text), Scene(tuple(row(1000)))
    began = time.process_time()
    assert len(plan_scene(recipe, scene, MODELS).assignments) == 1000
    assert time.process_time() - began < 8


def test_rules_for_all_objects_do_not_sort_them_each():
    class Name(str):
        compared = 0

        def __lt__(self, other):
            Name.compared += 1
            return str(self) < str(other)

    objects = [SceneObject(Name(f"o{n}")) for n in range(200)]

    def compared(rules):
        Name.compared = 0
        assert len(plan(rules * rule("", "{ type = 'MESH' }"), *objects).assignments) == 200
        return Name.compared

    assert compared(20) < 2 * compared(1)


@pytest.mark.parametrize(
    ("latent", "items"),
    [
        ('by = "name"', 40),
        ('by = "seed", seed = 7', 1),
        ('by = "favourite", favourite = "painted"', 1),
    ],
)
def test_what_all_objects_of_a_rule_get_is_worked_out_once(looks, latent, items, monkeypatch):
    hashed, sha256 = [], hashlib.sha256

    def counted(data):
        hashed.append(data)
        return sha256(data)

    monkeypatch.setattr(hashlib, "sha256", counted)
    made = plan_looks(looks, f"latent = {{ {latent} }}", *row(40))
    assert len(made.assignments) == 40 and len(made.items) == items
    assert sum(b"truncation_psi" in data for data in hashed) == items


def test_parts_have_all_items_each_once():
    keys = [work_item(GenerationConfig("bricks", seed), "a" * 64).key for seed in range(100)]
    parts = [[key for key in keys if in_part(key, (n, 8))] for n in range(1, 9)]
    assert sorted(key for part in parts for key in part) == sorted(keys)
    assert min(map(len, parts)) > 3


ESTIMATORS = [EstimatorEntry("", "1" * 16), EstimatorEntry("hers", "2" * 16)]


def estimated(text, model="digits", models=MODELS, estimators=ESTIMATORS):
    scene = Scene(tuple(row(1)))
    made = plan_scene(parse_recipe(rule(text, model=model, size=28)), scene, models, estimators)
    (item,) = made.items.values()
    return item


def test_the_key_changes_with_what_estimates():
    own, hers = "estimate = true", 'estimate = { estimator = "hers" }'
    newer = [EstimatorEntry("", "3" * 16), ESTIMATORS[1]]
    items = [estimated(own), estimated(hers), estimated(own, estimators=newer)]
    assert len({item.key for item in items}) == 3
    assert [item.estimator[0] for item in items] == ["1", "2", "3"]
    assert estimated(hers, estimators=newer) == items[1]
    again = work_item(items[1].config, items[1].model_hash, items[1].estimator)
    assert again == items[1], "as it is told to who makes it elsewhere"
    assert estimated("").key == estimated("", estimators=newer).key
    assert estimated("").key == work_item(estimated("").config, "b" * 64).key


def test_the_estimates_of_a_photo_are_part_of_its_model():
    photo = [ModelEntry("moss", "c" * 64, 4, 0, ("base_color",), preset="photo", tile=(28, 28))]
    own = estimated("estimate = true", "moss", photo)
    assert own.estimator == ""
    named = estimated('estimate = { estimator = "hers" }', "moss", photo)
    assert named.estimator == "2" * 16


def test_an_estimator_that_is_not_there_is_named_with_its_rule():
    for estimators in (ESTIMATORS, []):
        with pytest.raises(RequestError, match=r"Line .*'mud'") as refused:
            estimated('estimate = { estimator = "mud" }', estimators=estimators)
        assert refused.value.code == "unknown_estimator" and refused.value.info.cure


def test_what_was_estimated_by_another_is_not_what_was_asked_for():
    item = estimated("estimate = true")
    recipe = Recipe(item.config, item.model_hash, "0.3", estimator=item.estimator)
    assert item.is_made_as(recipe)
    assert not item.is_made_as(replace(recipe, estimator="9" * 16))
    assert not item.is_made_as(replace(recipe, model_hash="9" * 64))
    assert estimated("estimate = true", estimators=[]).is_made_as(recipe), "an older worker"
