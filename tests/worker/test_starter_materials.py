"""The procedural materials of the starter model: all maps, exact, tileable, the same every time."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_worker.materials.sets import find_materials, read_material

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
# One of each family of patterns: courses, cells, strewn pieces.
SHOWN = ("RedBricks", "CrackedMud", "Pebbles")


@pytest.fixture(scope="module")
def starter():
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module("starter_materials")
    sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def drawn(starter):
    return {name: starter.draw_material(name, starter.UNIT, 0) for name in starter.MATERIALS}


def test_files_are_found_as_one_material_each_with_the_same_five_maps(
    starter, tmp_path, monkeypatch
):
    monkeypatch.setattr(starter, "MATERIALS", {name: starter.MATERIALS[name] for name in SHOWN})
    starter.write_materials(tmp_path, 128, 0)
    sets, skipped, notes = find_materials([tmp_path])
    assert [s.name for s in sets] == sorted(SHOWN)
    assert not skipped
    assert not notes
    for material in sets:
        assert {n: p.shape for n, p in read_material(material).items()} == {
            "base_color": (128, 128, 3),
            "roughness": (128, 128, 1),
            "normal": (128, 128, 3),
            "height": (128, 128, 1),
            "ambient_occlusion": (128, 128, 1),
        }


def test_the_same_seed_gives_the_same_files_and_another_one_others(starter, tmp_path, monkeypatch):
    monkeypatch.setattr(starter, "MATERIALS", {"RedBricks": starter.MATERIALS["RedBricks"]})
    for folder, seed in ("first", 3), ("again", 3), ("other", 4):
        starter.write_materials(tmp_path / folder, 128, seed)
    files = {f.name for f in (tmp_path / "first").rglob("*.png")}
    assert len(files) == 5

    def content(folder: str) -> list[bytes]:
        return [(tmp_path / folder / "RedBricks" / name).read_bytes() for name in sorted(files)]

    assert content("first") == content("again")
    assert all(a != b for a, b in zip(content("first"), content("other"), strict=True))


def wrap_step(picture: np.ndarray) -> float:
    """Step from the last line to the first over that of the lines beside them, the larger of both axes."""
    ratios = []
    for axis in (0, 1):
        step = np.abs(picture.astype(float) - np.roll(picture, 1, axis)).mean(axis=(1 - axis, 2))
        ratios.append(step[0] / step[[1, 2, -2, -1]].mean())
    return max(ratios)


@pytest.mark.parametrize("name", SHOWN)
def test_every_map_continues_across_the_border(drawn, name):
    for kind, picture in drawn[name].items():
        assert wrap_step(picture) < 1.6, kind
        assert wrap_step(picture[:100, :100]) > 1.6, kind


def test_a_pattern_that_would_not_close_is_refused(starter):
    patterns = importlib.import_module("patterns")
    torus = patterns.Torus(128, [0])
    with pytest.raises(ValueError, match="fit 128 pixels a whole number of times"):
        patterns.courses(torus, 30, 16)
    with pytest.raises(ValueError, match="fit 128 pixels an even number of times"):
        patterns.cells(torus, 16, 128 / 5, stagger=0.5)


def test_every_material_fills_its_maps_without_being_cut_off(drawn):
    for name, maps in drawn.items():
        height = maps["height"] / 65535
        assert 0.45 < height.mean() < 0.55, name
        assert height.min() > 0, name
        assert height.max() < 1, name
        for kind, picture in maps.items():
            assert picture.std() / np.iinfo(picture.dtype).max > 0.008, (name, kind)


@pytest.mark.parametrize("name", SHOWN)
def test_normals_are_the_slopes_of_the_height_in_pixels(starter, drawn, name):
    normal = drawn[name]["normal"] / 255 * 2 - 1
    assert np.allclose(np.linalg.norm(normal, axis=-1), 1, atol=0.01)
    relief = drawn[name]["height"][..., 0] / 65535 * starter.RELIEF
    right = (relief[1:-1, 2:] - relief[1:-1, :-2]) / 2
    up = (relief[:-2, 1:-1] - relief[2:, 1:-1]) / 2
    # Stored in 8 bits, a normal is right to half a level, and its slope where it is not too steep.
    x, y, z = np.moveaxis(normal[1:-1, 1:-1], -1, 0)
    assert np.allclose(x, -right * z, atol=0.02)
    assert np.allclose(y, -up * z, atol=0.02)


def test_what_lies_deep_is_occluded_rougher_and_darker(drawn):
    bricks = drawn["RedBricks"]
    height = bricks["height"][..., 0]
    joint, face = height < np.quantile(height, 0.1), height > np.quantile(height, 0.5)
    for kind, more in ("ambient_occlusion", False), ("roughness", True):
        assert (bricks[kind][joint].mean() > bricks[kind][face].mean()) is np.bool_(more)


def test_a_flat_floor_is_lit_and_a_slit_in_it_is_not(starter):
    floor = np.zeros((32, 32))
    floor[:, 16] = -8
    light = starter.occlusion(floor)
    assert light[0, 0] == 1
    assert light[0, 16] < 0.3
