"""Large pictures are learned as small ones are, from an overview of all and a window of the middle."""

import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest

from gan_worker.errors import PictureError
from gan_worker.gan.data import source
from gan_worker.gan.data.dataset import read_pictures
from gan_worker.materials.pictures import read_picture, write_picture
from gan_worker.photos.preparing import prepare
from gan_worker.preparation import Preparation

SIDE = 512
# Bytes that the maps of `wall` take.
WALL = SIDE**2 * 7 * 4


@pytest.fixture
def wall(blobs, tmp_path):
    """A material of blobs, with normals of no particular length."""
    height = blobs(SIDE, 16)
    rows, columns = np.gradient(4 * height[..., 0])
    normals = np.stack([-columns, rows, np.ones_like(rows)], axis=-1) * 0.3 + 0.5
    write_picture(tmp_path / "wall_basecolor.png", np.repeat(height, 3, axis=-1))
    write_picture(tmp_path / "wall_normal.png", normals)
    write_picture(tmp_path / "wall_height.png", height, 16)
    return [str(tmp_path)]


@pytest.fixture
def large(monkeypatch):
    """What is larger than 128² counts as large; overviews have 256²."""
    for name, pixels in (("WHOLE", 2**14), ("OVERVIEWS", 2**16), ("OVERVIEW", 2**10)):
        monkeypatch.setattr(source, name, pixels)
    monkeypatch.setattr(source, "WINDOW", 128)


def read_both(files, monkeypatch, large, **chosen):
    reduced = read_pictures(files, 32, **chosen)
    monkeypatch.setattr(source, "WHOLE", 2**24)
    return reduced, read_pictures(files, 32, **chosen)


@pytest.mark.parametrize("chosen", [{"scale": 1.0, "octaves": 2}, {"scale": 1.0, "octaves": 1}])
def test_all_of_it_is_learned_small(wall, large, monkeypatch, chosen):
    reduced, whole = read_both(wall, monkeypatch, large, **chosen)
    assert reduced.report.materials == whole.report.materials
    assert (reduced.report.scale, reduced.report.octaves) == (1, chosen["octaves"])
    for name, small in whole.materials[0].items():
        np.testing.assert_allclose(reduced.materials[0][name], small, atol=1e-5)


def test_what_the_overview_has_is_kept_whole_and_more_as_the_middle(wall, large, monkeypatch):
    monkeypatch.setattr("gan_worker.gan.data.dataset.KEPT_PIXELS", 2**14)
    for scale in (0.5, 1.0):
        monkeypatch.setattr(source, "WHOLE", 2**14)
        reduced, whole = read_both(wall, monkeypatch, large, scale=scale, octaves=1)
        for name, native in whole.natives[0].items():
            assert native.shape[:2] == (128, 128)
            # Half of it is the mean of boxes there, and comes from a filter here.
            atol = 1e-6 if scale == 1 else 0.03
            np.testing.assert_allclose(reduced.natives[0][name], native, atol=atol)


def test_a_middle_too_small_for_the_octaves_is_told_with_a_cure(wall, large, monkeypatch):
    """A window is read before it is known how small it will be made."""
    monkeypatch.setattr("gan_worker.gan.data.dataset.KEPT_PIXELS", 2**14)
    with pytest.raises(PictureError, match="wall there are 72×72") as caught:
        read_pictures(wall, 32, 0.6, octaves=3)
    assert caught.value.code == "picture_too_small"
    assert "fewer octaves" in caught.value.info.cure
    read_pictures(wall, 32, 0.6, octaves=2)


def test_without_octaves_the_middle_is_what_is_learned(wall, large, monkeypatch):
    monkeypatch.setattr("gan_worker.gan.data.dataset.KEPT_PIXELS", 2**14)
    reduced, whole = read_both(wall, monkeypatch, large, scale=1.0, octaves=0)
    assert reduced.natives == ()
    for name, all_of_it in whole.materials[0].items():
        middle = all_of_it[192:320, 192:320]
        np.testing.assert_allclose(reduced.materials[0][name], middle, atol=1e-6)


def test_shapes_are_measured_on_all_of_it(wall, large, monkeypatch):
    reduced, whole = read_both(wall, monkeypatch, large, scale=None, octaves=None)
    assert reduced.report == whole.report
    assert reduced.report.octaves > 0


def test_what_repeats_finer_than_the_overview_is_seen(tmp_path, large, monkeypatch):
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    weave = 0.5 + 0.2 * (np.sin(2 * np.pi * rows / 8) + np.sin(2 * np.pi * columns / 8))
    monkeypatch.setattr(source, "OVERVIEWS", 2**12)
    write_picture(tmp_path / "cloth.png", np.repeat(weave[..., None], 3, axis=-1))
    reduced, whole = read_both([str(tmp_path)], monkeypatch, large, scale=None, octaves=None)
    assert reduced.report.octaves == whole.report.octaves == 0


@pytest.mark.parametrize(("held", "reads"), [(2**31, 3), (int(1.5 * WALL), 5), (0, 6)])
def test_many_sets_take_no_more_memory_than_there_is_for_them(wall, monkeypatch, held, reads):
    for number in (2, 3):
        shutil.copytree(wall[0], f"{wall[0]} {number}")
        wall.append(f"{wall[0]} {number}")
    expected = read_pictures(wall, 32, None, octaves=None)
    read, alive, times = source.read_material, [], []

    def watched(material):
        arrays = [a for picture in alive if (a := picture()) is not None]
        assert sum(a.nbytes for a in arrays) <= held
        maps = read(material)
        alive.extend(map(weakref.ref, maps.values()))
        times.append(material.name)
        return maps

    monkeypatch.setattr(source, "HELD", held)
    monkeypatch.setattr(source, "read_material", watched)
    found = read_pictures(wall, 32, None, octaves=None)
    assert len(times) == reads
    assert found.report == expected.report and found.report.octaves > 0
    for which in ("materials", "natives"):
        for maps, others in zip(getattr(found, which), getattr(expected, which), strict=True):
            assert all(np.array_equal(maps[name], others[name]) for name in others)


# ---- photos that something is done to first

SLANTED = Preparation(((0.1, 0.0), (0.9, 0.1), (1.0, 1.0), (0.0, 0.9)), even_light=1.0)


@pytest.fixture
def photo(blobs, tmp_path):
    """A photo on which light falls from the left."""
    light = np.linspace(1, 0.3, SIDE, dtype=np.float32)[None, :, None]
    file = tmp_path / "photos" / "floor.png"
    file.parent.mkdir()
    write_picture(file, (0.2 + 0.6 * blobs(SIDE, 6)) * light * np.ones(3, np.float32))
    return file


def test_a_photo_is_learned_as_it_was_prepared(photo):
    read = read_pictures([str(photo)], 32, 1.0, preparation=SLANTED)
    expected = prepare(read_picture(photo), SLANTED)
    np.testing.assert_array_equal(read.materials[0]["base_color"], expected)
    (entry,) = read.report.materials
    assert (entry.width, entry.height) == (expected.shape[1], expected.shape[0])


def test_a_set_of_several_maps_stays_as_it_is(wall):
    plain, asked = (read_pictures(wall, 32, 1.0, preparation=p) for p in (Preparation(), SLANTED))
    for name, picture in plain.materials[0].items():
        np.testing.assert_array_equal(asked.materials[0][name], picture)


def test_a_large_photo_is_prepared_whole_and_then_reduced(photo, large, monkeypatch):
    chosen = {"scale": 1.0, "octaves": 1, "preparation": SLANTED}
    reduced, whole = read_both([str(photo)], monkeypatch, large, **chosen)
    assert reduced.report.materials == whole.report.materials
    small, expected = (read.materials[0]["base_color"] for read in (reduced, whole))
    np.testing.assert_allclose(small, expected, atol=1e-5)


def test_of_a_photo_too_large_for_that_corners_are_cut_out(photo, monkeypatch):
    monkeypatch.setattr(source, "PREPARED", SIDE**2 - 1)
    (read,) = read_pictures([str(photo)], 32, 1.0, preparation=SLANTED).materials
    expected = prepare(read_picture(photo), SLANTED)
    np.testing.assert_allclose(read["base_color"], expected, atol=1e-4)


def test_a_photo_too_large_to_be_prepared_is_refused_with_a_cure(photo, monkeypatch):
    for most, side, preparation in (
        (SIDE**2 - 1, SIDE - 1, Preparation(even_light=1.0)),
        (100**2, 100, SLANTED),
    ):
        monkeypatch.setattr(source, "PREPARED", most)
        with pytest.raises(
            PictureError, match=rf"{side}×{side} pixels at most; floor\.png"
        ) as caught:
            read_pictures([str(photo)], 32, 1.0, preparation=preparation)
        assert "smaller" in caught.value.info.cure
    # As it is, it can be read.
    read_pictures([str(photo)], 32, 1.0)


def test_what_is_wrong_with_photos_is_told_once_for_each_kind(photo, blobs):
    smooth = np.repeat(0.2 + 0.6 * blobs(SIDE, 12), 3, axis=-1)
    names = [f"smooth{n}" for n in range(5)]
    for name in names:
        write_picture(photo.with_name(f"{name}.png"), smooth)
    photo.unlink()
    notes = read_pictures([str(photo.parent)], 32, 1.0).report.notes
    (note,) = [note for note in notes if "blurred" in note]
    assert note.startswith("smooth0: ") and "smooth1, smooth2, smooth3 and 1 more" in note
    assert "in focus" in note


def test_what_is_wrong_with_a_set_is_told(wall):
    file = Path(wall[0]) / "wall_normal.png"
    write_picture(file, read_picture(file) * (-1, -1, 1) + (1, 1, 0))
    notes = read_pictures(wall, 32, 1.0).report.notes
    assert any("wall: The height is inverted" in note and "Invert it." in note for note in notes)


# ---- photos of which maps are estimated first


def estimated(color):
    """Stands for the estimator: normals of no particular length, and a height that is the brightness."""
    gray = color.mean(axis=-1, keepdims=True)
    flat = np.full((*color.shape[:2], 1), 128, np.uint8)
    return {
        "base_color": color // 2,
        "roughness": flat,
        "normal": np.concatenate([color[..., :1] // 2 + 64, flat, flat + 40], axis=-1),
        "height": (gray * 257).astype(np.uint16),
        "ambient_occlusion": flat,
    }


ALL = ("base_color", "roughness", "normal", "height", "ambient_occlusion")
MAPS_OF_PHOTOS = source.PhotoMaps(ALL, estimated)


def test_a_photo_is_learned_with_all_maps_as_if_they_were_given(photo):
    read = read_pictures([str(photo)], 32, 1.0, estimate=MAPS_OF_PHOTOS)
    assert read.report.maps == read.report.materials[0].maps == ALL
    (learned,) = read.materials
    np.testing.assert_allclose(learned["base_color"], read_picture(photo) / 2, atol=0.01)
    lengths = np.linalg.norm(learned["normal"] * 2 - 1, axis=-1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    assert any("of floor are estimated" in note for note in read.report.notes)
    assert read_pictures([str(photo)], 32, 1.0).report.maps == ("base_color",)


@pytest.mark.parametrize(("held", "times"), [(2**31, 1), (11 * SIDE**2, 1), (0, 2)])
def test_maps_are_estimated_once_where_their_whole_numbers_fit(photo, monkeypatch, held, times):
    expected = read_pictures([str(photo)], 32, 1.0, octaves=1, estimate=MAPS_OF_PHOTOS)
    made = []
    counted = source.PhotoMaps(ALL, lambda color: made.append(1) or estimated(color))
    monkeypatch.setattr(source, "HELD", held)
    found = read_pictures([str(photo)], 32, 1.0, octaves=1, estimate=counted)
    assert len(made) == times
    for name, picture in expected.natives[0].items():
        np.testing.assert_array_equal(found.natives[0][name], picture)


def test_sets_keep_their_maps_and_photos_beside_them_have_what_they_share(photo, wall):
    kept = photo.parent.rename(Path(wall[0]).with_name(f"{Path(wall[0]).name}_photos"))
    read = read_pictures([str(kept), *wall], 32, 1.0, estimate=MAPS_OF_PHOTOS)
    assert read.report.maps == ("base_color", "normal", "height")
    plain = read_pictures(wall, 32, 1.0)
    by_name = {e.name: m for e, m in zip(read.report.materials, read.materials, strict=True)}
    for name, picture in plain.materials[0].items():
        np.testing.assert_array_equal(by_name["wall"][name], picture)


def test_maps_of_a_large_photo_are_estimated_whole_and_then_reduced(photo, large, monkeypatch):
    chosen = {"scale": 1.0, "octaves": 1, "estimate": MAPS_OF_PHOTOS}
    reduced, whole = read_both([str(photo)], monkeypatch, large, **chosen)
    assert reduced.report.materials == whole.report.materials
    for name, expected in whole.materials[0].items():
        np.testing.assert_allclose(reduced.materials[0][name], expected, atol=1e-5)
