"""What is held back of a category is held back of all sets of it, whatever words their names have for it."""

import importlib
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

SETS = {
    "asphalt": "Asphalt025C Road006 asphalt_track",
    "bark": "Bark_01 Mossy_bark_03 bark_brown_02",
    "brick": "Bricks008 PaintedBricks001 brick_wall_001 castle_brick_broken_06 mossy_brick random_bricks_thick "
    "stone_brick_wall_001 wall_bricks_plaster plaster_brick_pattern recycled_brick_floor RedBricks BRICK_WALL-02",
    "carpet": "Carpet008",
    "concrete": "Concrete041C cracked_concrete_wall dirty_concrete painted_concrete",
    "coral": "coral_fort_wall_02",
    "corrugated": "CorrugatedSteel005 corrugated_iron_02",
    "fabric": "Fabric032 hessian_230 WovenFabric",
    "grass": "Grass_01 grass leafy_grass ph_aerial_grass_rock",
    "gravel": "Gravel05 Pebbles osm_gravel_kies",
    "ground": "Ground079L forrest_ground_01 rocks_ground_05 stony_dirt_path ForestSoil",
    "ice": "Ice003",
    "leaf": "leaves brown_mud_leaves_01 forest_leaves_03",
    "marble": "Marble021 marble_01 Onyx013",
    "metal": "Metal046B PaintedMetal016",
    "moss": "Moss002",
    "mud": "brown_mud_02 mud_forest CrackedMud",
    "paving": "PavingStones092 TactilePaving002 cobblestone_floor_06 concrete_pavers hexagonal_concrete_paving "
    "mossy_cobblestone osm_footway_setts paving_stones",
    "plaster": "PaintedPlaster010 painted_plaster_wall plastered_stone_wall white_plaster_rough_01",
    "plate": "MetalPlates03 DiamondPlate005D MetalWalkway004 blue_metal_plate ph_metal_plate",
    "rock": "Rock_01 Rocks011 aerial_rocks_04 rock_wall_08 rocky_terrain_02 dry_riverbed_rock RockFace",
    "roof": "RoofingTiles003 ceramic_roof_01 grey_roof_tiles_02 roof_slates_03",
    "rust": "Rust003 rust_coarse_01 rusty_metal_04 green_metal_rust",
    "sand": "coast_sand_01 sand",
    "snow": "Snow008A asphalt_snow snow_field_aerial",
    "stone": "rustic_stone_wall_02 sandstone_blocks_08 stone_wall_04 StoneBlocks",
    "tile": "Tiles16 floor_long_white_tiles rounded_square_tiled_wall slab_tiles slate_floor stone_tiles_02",
    "wood": "WoodFloor012 WoodSiding008 Planks04 PaintedWood003 dark_wooden_planks herringbone_parquet moss_wood "
    "weathered_peeling_timber rosewood_veneer1 wood_planks_dirt OakHerringbone",
    # Of no word that is known: what the name says last.
    "chip": "Chip005",
    "glass": "Glass glass_01",
    "terrazzo": "Terrazzo018",
    "velvet": "red_velvet_02",
    "001": "001",
}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("categories")
    sys.modules.pop("categories", None)


@pytest.mark.parametrize("expected", SETS)
def test_a_name_tells_the_category(script, expected):
    names = SETS[expected].split()
    assert {name: script.category(name) for name in names} == dict.fromkeys(names, expected)


def test_words_of_two_categories_are_none_twice(script):
    words = [
        word for known, others in script.CATEGORIES.items() for word in (known, *others.split())
    ]
    assert len(words) == len(set(words))


def test_categories_that_hold_nothing_back_are_refused(script):
    names = ["Bricks008", "Bark_01", "moss_wood"]
    script.check_held_back(["bark", "wood"], names)
    script.check_held_back([], names)
    with pytest.raises(
        ValueError, match=r"received bricks, snow\. Choose among bark, brick, wood\."
    ):
        script.check_held_back(["bark", "snow", "bricks"], names)
