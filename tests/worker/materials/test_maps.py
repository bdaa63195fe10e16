"""What file names say about the maps in them."""

from __future__ import annotations

import pytest

from gan_worker.materials.file_names import split_file_stem
from gan_worker.materials.maps import FILE_KINDS, MAPS, UNUSED_WORDS, Kind, MaterialMap

NAMED = {
    # ambientCG
    "Bricks008_1K-JPG_Color": ("Bricks008", "base_color"),
    "Bricks008_1K-JPG_NormalGL": ("Bricks008", "normal"),
    "Bricks008_2K-PNG_NormalDX": ("Bricks008", "normal_directx"),
    "Bricks008_1K-JPG_Roughness": ("Bricks008", "roughness"),
    "Bricks008_1K-JPG_Displacement": ("Bricks008", "height"),
    "Bricks008_1K-JPG_AmbientOcclusion": ("Bricks008", "ambient_occlusion"),
    "Bricks008_1K-JPG_Metalness": ("Bricks008", "metallic"),
    # Poly Haven
    "brick_wall_02_diff_1k": ("brick_wall_02", "base_color"),
    "brick_wall_02_nor_gl_4k": ("brick_wall_02", "normal"),
    "brick_wall_02_nor_dx_1k": ("brick_wall_02", "normal_directx"),
    "brick_wall_02_rough_1k": ("brick_wall_02", "roughness"),
    "brick_wall_02_disp_1k": ("brick_wall_02", "height"),
    "brick_wall_02_ao_1k": ("brick_wall_02", "ambient_occlusion"),
    "brick_wall_02_arm_16k": ("brick_wall_02", "packed"),
    "brick_wall_02_metal_1k": ("brick_wall_02", "metallic"),
    # artists
    "Old Wall - Base_Color": ("Old Wall", "base_color"),
    "wall.normal": ("wall", "normal"),
    "wall-Height_2048": ("wall", "height"),
    "wall_color_512px": ("wall", "base_color"),
    "壁_color": ("壁", "base_color"),
    "Roughness": ("", "roughness"),
    # what is cut out and what glows
    "LeafSet001_1K-JPG_Opacity": ("LeafSet001", "opacity"),
    "Lava002_1K-JPG_Emission": ("Lava002", "emission"),
    "Lantern_01_brass_opacity_1k": ("Lantern_01_brass", "opacity"),
    "fir_sapling_twigs_alpha_1k": ("fir_sapling_twigs", "opacity"),
    "ocean_buoy_emission_1k": ("ocean_buoy", "emission"),
    "gaming_console_emissive_1k": ("gaming_console", "emission"),
    "Metal_Grate_01_opacity": ("Metal_Grate_01", "opacity"),
    "T_Screen_EmissiveColor": ("T_Screen", "emission"),
    # of which nobody can tell what is white in it
    "leafy_grass_mask_1k": ("leafy_grass", "unused"),
    "glass_transparency": ("glass", "unused"),
    "wall_translucent_2k": ("wall", "unused"),
    # what we write ourselves
    "oak_7_1024x512_basecolor": ("oak_7_1024x512", "base_color"),
    "oak_7_1024x512_ao": ("oak_7_1024x512", "ambient_occlusion"),
}


@pytest.mark.parametrize("stem", NAMED)
def test_the_words_of_libraries_and_artists_are_known(stem):
    assert split_file_stem(stem) == NAMED[stem]


@pytest.mark.parametrize(
    "stem",
    ["IMG_2001", "photo", "", "watercolor", "Ground079L", "snow_1024", "macao", "norm", "Remit"],
)
def test_a_photo_keeps_its_whole_name(stem):
    assert split_file_stem(stem) == (stem, None)


def test_numbers_that_are_no_resolution_are_part_of_the_name():
    assert split_file_stem("Bricks_008_Color")[0] == "Bricks_008"
    assert split_file_stem("Bricks_009_Color")[0] == "Bricks_009"


def test_every_word_of_every_map_is_recognised_in_any_case():
    for material_map in MAPS.values():
        for word in (w for w in material_map.words if len(w) > 1):
            assert split_file_stem(f"wall_{word}") == ("wall", material_map.name)
            assert split_file_stem(f"Wall_{word.upper()}_1K") == ("Wall", material_map.name)


def test_each_map_has_a_flag_of_its_own():
    flags = [material_map.flag for material_map in MAPS.values()]
    assert len(set(flags)) == len(flags)
    assert all(flag.bit_count() == 1 and flag > 0 for flag in flags)


def test_no_word_stands_for_two_kinds_of_files():
    words = [word for kind in FILE_KINDS.values() for word in kind.words] + list(UNUSED_WORDS)
    assert len(set(words)) == len(words)


def test_what_is_neutral_has_a_value_for_each_channel():
    for material_map in MAPS.values():
        assert len(material_map.neutral) == material_map.channels, material_map.name


def test_a_map_without_a_place_in_the_shader_cannot_be_described():
    with pytest.raises(TypeError, match="socket"):
        MaterialMap(
            name="cavity", flag=1 << 30, kind=Kind.value, words=(), file_word="", neutral=(0.0,)
        )
