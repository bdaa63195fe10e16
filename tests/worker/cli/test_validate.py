"""`gan-worker validate`: a table of what was found, and a failure where something is bad."""

import numpy as np
import pytest

from gan_worker.cli.app import main
from gan_worker.exports.export import ExportedMaterial, check_material
from gan_worker.materials.pictures import read_picture, write_picture


@pytest.fixture
def tiles(tmp_path):
    """A set of tiles with OpenGL normals, in a folder."""
    y, x = np.mgrid[:64, :64] * (2 * np.pi / 64)
    height = 0.5 + 0.2 * np.sin(2 * x) + 0.2 * np.cos(3 * y)
    across, down = 0.4 * np.cos(2 * x), 0.4 * -np.sin(3 * y)
    normals = np.stack([-across, down, np.sqrt(1 - across**2 - down**2)], axis=-1) / 2 + 0.5
    for name, picture in {
        "basecolor": 0.3 + 0.4 * np.repeat(height[..., None], 3, axis=-1),
        "roughness": 0.4 + 0.4 * height[..., None],
        "normalgl": normals,
        "height": height[..., None],
    }.items():
        write_picture(tmp_path / f"tiles_{name}.png", picture.astype(np.float32), 16)
    return tmp_path


def rewrite(folder, name, change):
    file = folder / f"tiles_{name}.png"
    write_picture(file, np.asarray(change(read_picture(file)), np.float32), 16)


def test_a_good_set_passes(tiles, capsys):
    assert main(["validate", str(tiles)]) == 0
    told = capsys.readouterr().out
    assert "tiles" in told and "Nothing is wrong" in told


def test_a_bad_one_fails_and_says_what_to_do(tiles, capsys):
    rewrite(tiles, "height", lambda height: 1 - height)
    assert main(["validate", str(tiles)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "bad" in told and "The height is inverted" in told and "Invert it." in told


def test_what_is_only_worth_a_look_does_not_fail(tiles, capsys):
    rewrite(tiles, "roughness", lambda r: np.full_like(r, 0.5))
    assert main(["validate", str(tiles), "--tileable"]) == 0
    assert "warn" in capsys.readouterr().out


def test_whether_it_must_tile_can_be_said(tiles):
    rewrite(tiles, "basecolor", lambda c: c[:, :40])
    for name in ("roughness", "normalgl", "height"):
        rewrite(tiles, name, lambda c: c[:, :40])
    assert main(["validate", str(tiles), "--tileable"]) == 1
    assert main(["validate", str(tiles), "--not-tileable"]) == 0


def test_a_folder_without_materials_is_bad_input(tmp_path):
    assert main(["validate", str(tmp_path)]) == 2


def test_what_is_exported_is_checked(tiles):
    height = read_picture(tiles / "tiles_height.png")
    material = ExportedMaterial("tiles", {"height": height, "roughness": height * 0 + 0.5}, {})
    (told,) = check_material(material)
    assert told.startswith("tiles: Roughness is 0.50 everywhere.")
