"""What file names say, whatever their separators and capitals, and whatever stands around the map's word."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_worker.materials.file_names import UNUSED, read_name, split_file_stem
from gan_worker.materials.maps import FILE_KINDS

# Words as people write them, and what they mean.
WORDS = {
    "base color": "base_color",
    "albedo": "base_color",
    "diffuse": "base_color",
    "roughness": "roughness",
    "metallic": "metallic",
    "normal": "normal",
    "normal open gl": "normal",
    "normal dx": "normal_directx",
    "normal direct x": "normal_directx",
    "ambient occlusion": "ambient_occlusion",
    "mixed ao": "ambient_occlusion",
    "displacement": "height",
    "height map": "height",
    "glossiness": "glossiness",
    "opacity": "opacity",
    "emissive": "emission",
    "orm": "packed",
    "occlusion roughness metallic": "packed",
    "mask map": "mask_map",
    "metallic smoothness": "metallic_smoothness",
    "albedo transparency": "base_color_opacity",
    "specular": UNUSED,
    "cavity": UNUSED,
}
NAMES = ("Brick", "Oak07", "rock_face_03", "Grüne Wand", "壁", "Sci-fi Box", "T_Stone", "4x4 B")
SPELLINGS = {
    "snake": "_".join,
    "kebab": "-".join,
    "spaces": " ".join,
    "dots": ".".join,
    "upper": lambda words: "_".join(words).upper(),
    "titles": lambda words: "_".join(map(str.title, words)),
    "camel": lambda words: "".join(map(str.title, words)),
}
# What says nothing of the map.
ENDS = (
    *(
        "",
        "_2K",
        "-4k",
        " 1024",
        "_2048px",
        "_2K-JPG",
        "_4096x4096",
        ".1001",
        "_01",
        "_VAR1",
        "_v2",
    ),
    *("_LOD0", " (1)", "_(2)", " - Copy", "_16bit", "_seamless", "_sRGB", "_Utility - Raw", "_map"),
)


@st.composite
def stems(draw):
    words = draw(st.sampled_from(sorted(WORDS)))
    spelling = draw(st.sampled_from(sorted(SPELLINGS)))
    name = draw(st.sampled_from(NAMES))
    between = draw(st.sampled_from(("_", "-", " ", ".", " - ")))
    before = draw(st.sampled_from(("", "_2K", "_1K-PNG")))
    end = draw(st.sampled_from(ENDS))
    kind = WORDS[words]
    if kind == "normal" and words == "normal" and name.startswith("T_"):
        kind = "normal_directx"  # as Unreal has them
    return name, kind, f"{name}{before}{between}{SPELLINGS[spelling](words.split())}{end}"


@given(stems())
@settings(max_examples=400, deadline=None, database=None)
def test_a_word_is_known_in_any_spelling_and_with_anything_behind_it(said):
    name, kind, stem = said
    assert split_file_stem(stem) == (name, kind)


@given(st.lists(st.sampled_from(sorted(WORDS)), min_size=2, unique=True), stems(), st.data())
@settings(max_examples=100, deadline=None, database=None)
def test_all_files_of_a_set_have_one_name(words, said, data):
    spelling = SPELLINGS[data.draw(st.sampled_from(sorted(SPELLINGS)))]
    end = data.draw(st.sampled_from(ENDS))
    names = {split_file_stem(f"{said[0]}_{spelling(w.split())}{end}")[0] for w in words}
    assert names == {said[0]}


@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_\-. ()]{0,60}", fullmatch=True))
@settings(max_examples=500, deadline=None, database=None)
def test_any_text_can_be_a_name(stem):
    name, kind = split_file_stem(stem)
    assert kind in {*FILE_KINDS, UNUSED, None}
    assert name == stem if kind is None else name in stem
    for reading in read_name(stem):
        assert reading.kind in {*FILE_KINDS, UNUSED}
        assert re.sub(r"\W|_", "", reading.name) in re.sub(r"\W|_", "", stem)


@pytest.mark.parametrize(
    ("stem", "names"),
    [
        ("Old_Metal_Rough", ["Old_Metal"]),
        ("Rusty_Metallic_Roughness", ["Rusty", "Rusty_Metallic"]),
        ("Lamp_Base_Color", ["Lamp", "Lamp_Base"]),
        ("Tin_COL_2K_METALNESS", ["Tin_COL", "Tin"]),
    ],
)
def test_where_a_name_has_several_readings_all_are_given(stem, names):
    assert [reading.name for reading in read_name(stem)] == names


@pytest.mark.parametrize(
    "stem", ["wall_A", "wall_n", "Color_Wall", "Wall_BaseColor_Summer", "norm"]
)
def test_what_may_be_chance_counts_only_beside_other_maps(stem):
    assert split_file_stem(stem) == (stem, None)
    assert all(reading.weak for reading in read_name(stem))
    assert read_name(stem)


@pytest.mark.parametrize("stem", ["Metal049", "Rough2", "WallN", "Mongl", "IMG_0001 (2)", "a (1)"])
def test_numbers_and_letters_make_no_word(stem):
    assert split_file_stem(stem) == (stem, None)


@pytest.mark.parametrize(
    ("stem", "variation"),
    [
        ("Wall_Color.1002", "1002"),
        ("Wall_COL_VAR2_4K", "2"),
        ("T_Sand_BC_01", "01"),
        ("Wall_Color", ""),
        ("Wall_Color_2048", ""),
        ("Wall_Color (1)", ""),
        ("wall_d100", ""),
    ],
)
def test_numbers_behind_the_word_tell_files_apart_but_for_copies_sizes_and_strengths(
    stem, variation
):
    assert read_name(stem)[0].variation == variation


@pytest.mark.parametrize(
    "stem", ["DirectX_Normal", "Normal_DX", "nor_dx_1k", "Normal_2K_DirectX", "NormalDX"]
)
def test_directx_is_known_before_and_behind_the_word(stem):
    assert split_file_stem(f"wall_{stem}") == ("wall", "normal_directx")


def test_the_name_of_another_api_belongs_to_normals_alone():
    assert split_file_stem("box_color_dx")[1] is None
