"""Crops lie inside their picture, maps stay aligned, scale and waves follow the picture."""

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from gan_worker.errors import PictureError
from gan_worker.gan.data.dataset import (
    Dataset,
    choose_octaves,
    measure_element,
    measure_pictures,
    read_pictures,
    suggest_scale,
    unique_names,
)
from gan_worker.gan.data.isotropy import is_isotropic
from gan_worker.gan.data.statistics import measure_statistics
from gan_worker.materials import pictures


def positions(height, width, offset):
    """A material whose two maps tell where a pixel is; x in height, y in roughness."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return {"height": x[..., None] / 200 + offset, "roughness": y[..., None] / 200 + offset}


def test_crops_are_plain_aligned_pieces_of_one_picture():
    materials = [positions(40, 60, 0.0), positions(50, 34, 0.5)]
    statistics = measure_statistics(materials, ["height", "roughness"])
    dataset = Dataset(materials, statistics)
    crops = dataset.crops(tf.constant([3, 0]), batch=64, crop=32).numpy()
    seen = set()
    for crop in crops:
        maps = {k: np.asarray(v) for k, v in statistics.restore(crop).items()}
        x, y = maps["height"][..., 0] * 200, maps["roughness"][..., 0] * 200
        np.testing.assert_allclose(np.diff(x, axis=1), 1, atol=0.3)
        np.testing.assert_allclose(np.diff(y, axis=0), 1, atol=0.3)
        seen.add(x[0, 0] > 90)
    assert seen == {True, False}


def test_the_table_is_filled_one_material_after_the_other():
    """All as arrays beside their table and the device's copy would take it three times."""
    materials = [positions(300, 200 + number, number / 50) for number in range(24)]
    statistics = measure_statistics(materials, ["height", "roughness"])
    table = sum(m["height"].size for m in materials) * statistics.channels * 2
    tracemalloc.start()
    dataset = Dataset(materials, statistics)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2.5 * table
    for number, material in enumerate(materials):
        picture = statistics.standardise(material).astype(np.float16)
        np.testing.assert_array_equal(dataset.means[number], picture.mean((0, 1), np.float32))
        spread = picture.astype(np.float32).std((0, 1))
        np.testing.assert_array_equal(dataset.spreads[number], np.maximum(spread, 0.02))


def test_toned_crops_have_the_spread_of_their_own_material():
    draw = np.random.default_rng(1)
    spreads = {"strong": 0.25, "faint": 0.02}
    materials = [
        {"height": np.clip(at + s * draw.standard_normal((64, 64, 1)), 0, 1).astype(np.float32)}
        for at, s in zip((0.6, 0.3), spreads.values(), strict=True)
    ]
    statistics = measure_statistics(materials, ["height"])
    plain, toned = (Dataset(materials, statistics, toned=t) for t in (False, True))
    seed = tf.constant([1, 0])
    for which in (0, 1):
        chosen = tf.repeat(which, 16)
        own = toned.crops(seed, 16, 32, chosen).numpy()
        assert own.mean() == pytest.approx(0, abs=0.05)
        assert own.std() == pytest.approx(1, abs=0.05)
        back = own * toned.spreads[which] + toned.means[which]
        np.testing.assert_allclose(back, plain.crops(seed, 16, 32, chosen), atol=2e-3)


def test_a_weak_color_and_a_map_of_one_value_are_not_blown_up():
    draw = np.random.default_rng(2)
    grey = draw.uniform(0.2, 0.8, (64, 64, 1)) + 0.003 * draw.standard_normal((64, 64, 3))
    bright = draw.uniform(0, 1, (64, 64, 3))
    materials = [
        {"base_color": grey.astype(np.float32), "height": np.full((64, 64, 1), 0.5, np.float32)},
        {"base_color": bright.astype(np.float32), "height": draw.random((64, 64, 1), np.float32)},
    ]
    dataset = Dataset(
        materials, measure_statistics(materials, ["base_color", "height"]), toned=True
    )
    crops = dataset.crops(tf.constant([1, 0]), 16, 32, tf.zeros(16, tf.int32)).numpy()
    spread = crops.std((0, 1, 2))
    assert spread[0] == pytest.approx(1, abs=0.1)
    assert spread[1:3].max() < 0.2
    assert spread[3] < 0.01


def test_same_seed_same_crops_other_seed_others():
    materials = [positions(40, 60, 0.0)]
    dataset = Dataset(materials, measure_statistics(materials, ["height", "roughness"]))
    first, again, other = (dataset.crops(tf.constant([s, 0]), 4, 32).numpy() for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_a_flat_picture_is_refused():
    flat = [{"base_color": np.full((40, 40, 3), 0.5, np.float32)}]
    with pytest.raises(PictureError, match="flat color") as caught:
        Dataset(flat, measure_statistics(flat, ["base_color"]))
    assert caught.value.code == "dataset_empty"


def test_what_is_flat_in_the_kept_middle_alone_is_learned(blobs, tmp_path, monkeypatch):
    """As are rivets at the edge of a plate, whose middle alone is kept at its own size."""
    monkeypatch.setattr("gan_worker.gan.data.dataset.KEPT_PIXELS", 2**12)
    rivets = np.zeros((256, 256, 1), np.float32)
    rivets[::16, :64] = 1
    flat = np.full((256, 256, 1), 0.5, np.float32)
    maps = {"basecolor": np.repeat(blobs(256, 3), 3, -1), "metallic": rivets, "roughness": flat}
    for name, picture in maps.items():
        pictures.write_picture(tmp_path / f"plate_{name}.png", picture)
    read = read_pictures([str(tmp_path)], 32, 1.0, octaves=1)
    assert not read.natives[0]["metallic"].any()
    found = measure_pictures(read, 4, {}).statistics
    assert found.place("metallic")
    ordinary = measure_statistics(read.natives, read.report.maps)
    for name in ("base_color", "roughness"):
        assert found.maps[name] == ordinary.maps[name]


@pytest.mark.parametrize(("octaves", "axes"), [(0, 1), (2, 3)])
def test_faint_tints_are_learned_where_there_is_a_stage_for_detail(blobs, tmp_path, octaves, axes):
    snow = 0.8 + 0.06 * (blobs(256, 2) - 0.5)
    tint = blobs(256, 12) - 0.5
    tints = tint * [1, 0, -1] + np.roll(tint, 99, axis=0) * [1, -1, 0]
    tinted = (snow + 0.01 * tints).astype(np.float32)
    pictures.write_picture(tmp_path / "snow.png", tinted, 16)
    read = read_pictures([str(tmp_path / "snow.png")], 32, 1.0, octaves=octaves)
    assert measure_pictures(read, 4, {}).statistics.channels == axes


def test_larger_elements_get_a_smaller_scale(blobs):
    elements = [measure_element(blobs(1024, radius)) for radius in (2, 16, 32)]
    scales = [suggest_scale(element, 1024, crop=64) for element in elements]
    assert scales[0] == 1
    assert 1 > scales[1] > scales[2] >= 2 * 64 / 1024


@pytest.mark.parametrize("shape", [(512, 512), (300, 512)])
def test_elements_of_a_large_picture_are_measured_on_it_made_smaller(blobs, monkeypatch, shape):
    picture = blobs(512, 16)[: shape[0], : shape[1]]
    expected = measure_element(picture)
    monkeypatch.setattr("gan_worker.gan.data.source.MEASURED", 2**16)
    transform, sizes = np.fft.rfft2, []

    def watched(values, s=None):
        sizes.append(np.prod(s or values.shape))
        return transform(values, s=s)

    monkeypatch.setattr(np.fft, "rfft2", watched)
    assert measure_element(picture) == pytest.approx(expected, rel=0.05)
    assert max(sizes) <= 4 * 2**16


@pytest.mark.parametrize("runs_on", [True, False])
def test_smaller_shapes_that_run_on_in_the_height_count_more_than_stains(blobs, tmp_path, runs_on):
    height = blobs(512, 3)
    if runs_on:
        ribs = 0.5 + 0.4 * np.sin(2 * np.pi * np.arange(512) / 64)
        height = np.broadcast_to(ribs[None, :, None], height.shape)
    stains = np.repeat(blobs(512, 24), 3, axis=-1)
    for name, picture in {"base_color": stains, "height": height}.items():
        pictures.write_picture(tmp_path / f"sheet_{name}.png", picture)
    expected = min(map(measure_element, (stains, height) if runs_on else (stains,)))
    report = read_pictures([str(tmp_path)], 64, None, octaves=None).report
    assert (report.scale, report.octaves) == choose_octaves(
        None, None, suggest_scale(expected, 512, 64), 96 / 512
    )
    assert measure_element(height) < 0.8 * measure_element(stains)


def test_one_and_a_half_crops_of_a_picture_are_left_however_large_its_elements_are():
    assert suggest_scale(1000, 1024, crop=64) == 1.5 * 64 / 1024
    # A crop of a small picture is all there is.
    assert suggest_scale(60, 64, crop=64) == 1


def test_shapes_too_large_to_be_learned_are_told_with_a_cure(blobs, tmp_path):
    for name, radius in {"boulders": 24, "pebbles": 4}.items():
        pictures.write_picture(tmp_path / f"{name}.png", np.repeat(blobs(256, radius), 3, axis=-1))
    told = {
        name: " ".join(read_pictures([str(tmp_path / f"{name}.png")], 64, None).report.notes)
        for name in ("boulders", "pebbles")
    }
    assert "blotches" not in told["pebbles"]
    assert "main shapes of boulders fill" in told["boulders"]
    assert "take a picture that shows more of the material" in told["boulders"]
    smaller = read_pictures([str(tmp_path / "boulders.png")], 64, 0.3)
    assert not any("main shapes" in note for note in smaller.report.notes)


def test_a_picture_so_small_that_all_others_lose_their_detail_is_named(blobs, tmp_path):
    boulders, swatch = (np.repeat(blobs(*size), 3, axis=-1) for size in ((512, 24), (100, 2)))
    for number in range(3):
        pictures.write_picture(tmp_path / f"boulders{number}.png", boulders)
    alone = read_pictures([str(tmp_path)], 64, None, octaves=None).report
    assert alone.octaves > 0
    assert not any("Leave that out" in note for note in alone.notes)
    pictures.write_picture(tmp_path / "swatch.png", swatch)
    first, *others = (found := read_pictures([str(tmp_path)], 64, None, octaves=None).report).notes
    assert found.octaves == 0
    assert "so little of swatch." in first
    assert "Leave that out" in first
    assert not any("main shapes" in note for note in others), "the others show enough"
    # Whoever chose both gets what was chosen.
    chosen = read_pictures([str(tmp_path)], 64, 1.0, octaves=0).report
    assert not any("Leave that out" in note for note in chosen.notes)


def test_pictures_too_small_to_learn_from_are_left_out_of_a_folder_with_the_reason(blobs, tmp_path):
    photo, thumbnail = (np.repeat(blobs(*size), 3, axis=-1) for size in ((512, 24), (64, 2)))
    for number in range(2):
        pictures.write_picture(tmp_path / f"photo{number}.png", photo)
    alone = read_pictures([str(tmp_path)], 64, None, octaves=None).report
    pictures.write_picture(tmp_path / "thumbnail.png", thumbnail)
    # Nor do they take a map from the others that they have not, and a resumed run learns from the same ones.
    for way in ({"scale": None, "octaves": None}, {"scale": alone.scale, "octaves": alone.octaves}):
        found = read_pictures([str(tmp_path)], 64, **way)
        assert [entry.name for entry in found.report.materials] == ["photo0", "photo1"]
        assert (found.report.scale, found.report.octaves) == (alone.scale, alone.octaves)
        assert found.report.notes == alone.notes
        assert [file.name for file in found.files] == ["photo0.png", "photo1.png"]
        (skipped,) = found.report.skipped
        assert skipped.file.endswith("thumbnail.png")
        assert "has 64×64" in skipped.reason
    for files in ([tmp_path / "thumbnail.png"], [tmp_path / "thumbnail.png"] * 2):
        with pytest.raises(PictureError, match="thumbnail is 64×64"):
            read_pictures([str(file) for file in files], 64, None, octaves=None)


@pytest.mark.parametrize(("scale", "octaves", "least"), [(0.5, 1, 131), (0.5, 0, 66), (2.0, 0, 17)])
def test_of_a_chosen_scale_and_octaves_just_what_leaves_a_crop_is_learned(
    scale, octaves, least, blobs, tmp_path
):
    for side in (256, least, least - 1):
        pictures.write_picture(tmp_path / f"{side}.png", np.repeat(blobs(side, 3), 3, axis=-1))
    report = read_pictures([str(tmp_path)], 32, scale, octaves=octaves).report
    assert {entry.name for entry in report.materials} == {"256", str(least)}
    with pytest.raises(PictureError):
        read_pictures([str(tmp_path / f"{least - 1}.png")], 32, scale, octaves=octaves)


def test_too_many_octaves_for_a_picture_are_told_with_their_cure(blobs, tmp_path):
    pictures.write_picture(tmp_path / "oak.png", np.repeat(blobs(256, 3), 3, axis=-1))
    with pytest.raises(PictureError, match=r"oak is 4×4 at scale 1\.00 and 6 octaves") as caught:
        read_pictures([str(tmp_path)], 64, 1.0, octaves=6)
    assert "fewer octaves" in caught.value.info.cure


def test_a_picture_smaller_than_a_crop_is_named(striped_file):
    with pytest.raises(PictureError, match="stripes is 96×96") as caught:
        read_pictures([str(striped_file)], crop=128, scale=1.0)
    assert caught.value.code == "picture_too_small"


def test_maps_that_only_some_materials_have_are_left_out(tmp_path):
    rng = np.random.default_rng(0)
    for name, words in {"A": ("Color", "Roughness"), "B": ("Color",)}.items():
        for word in words:
            channels = 3 if word == "Color" else 1
            picture = rng.uniform(0, 1, (48, 48, channels)).astype(np.float32)
            pictures.write_picture(tmp_path / f"{name}_{word}.png", picture)
    read = read_pictures([str(tmp_path)], crop=32, scale=1.0)
    assert read.report.maps == ("base_color",)
    assert {m.name for m in read.report.materials} == {"A", "B"}


def test_tiles_of_one_color_are_learned_at_the_scale_of_a_tile(tmp_path):
    """Their joints match themselves at any distance along them."""
    y, x = np.mgrid[0:512, 0:512]
    tiles = np.where((x % 64 < 3) | (y % 64 < 3), 0.3, 0.8)[..., None].repeat(3, -1)
    pictures.write_picture(tmp_path / "tiles.png", tiles.astype(np.float32))
    assert read_pictures([str(tmp_path)], 64, None).report.scale == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (500, 32)])
def test_a_sliver_is_too_small_and_named(height, width, tmp_path):
    noise = np.random.default_rng(0).random((height, width, 3), np.float32)
    pictures.write_picture(tmp_path / "sliver.png", noise)
    with pytest.raises(PictureError, match=f"sliver is {width}×{height}") as caught:
        read_pictures([str(tmp_path)], 32, 1.0)
    assert caught.value.code == "picture_too_small"


@pytest.mark.parametrize("scale", [None, 1.0])
def test_what_is_not_square_stays_so(scale, tmp_path):
    noise = np.random.default_rng(0).random((120, 480, 3), np.float32)
    pictures.write_picture(tmp_path / "w_color.png", noise)
    pictures.write_picture(tmp_path / "w_rough.png", noise[..., :1])
    read = read_pictures([str(tmp_path)], 32, scale)
    height, width = read.materials[0]["base_color"].shape[:2]
    assert width == pytest.approx(4 * height, abs=2)
    assert read.materials[0]["roughness"].shape == (height, width, 1)
    dataset = Dataset(read.materials, measure_statistics(read.materials, read.report.maps))
    assert dataset.crops(tf.constant([1, 2]), 3, 32).shape == (3, 32, 32, 4)


def relief(side: int) -> dict[str, np.ndarray]:
    """Hills, and the normals of their slopes: x right and y up."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    height = np.sin(x / 7 + 0.4 * np.sin(y / 5)) + np.cos(y / 9 + x / 23)
    down, across = np.gradient(height)
    steep = np.stack([-across, down, np.ones_like(height)], -1)
    steep /= np.linalg.norm(steep, axis=-1, keepdims=True)
    return {"height": height[..., None] / 4 + 0.5, "normal": steep / 2 + 0.5}


def test_normals_that_were_made_shorter_are_learned_as_a_renderer_shows_them(tmp_path):
    material = relief(96)
    short = (material["normal"] - 0.5) * np.linspace(0.4, 1, 96)[:, None, None] + 0.5
    short[0, 0] = 0.5
    pictures.write_picture(tmp_path / "g_NormalGL.png", short.astype(np.float32), 16)
    pictures.write_picture(tmp_path / "g_Displacement.png", material["height"], 16)
    (read,) = read_pictures([str(tmp_path)], 32, 1.0).materials
    np.testing.assert_allclose(read["normal"][1:], material["normal"][1:], atol=1e-3)
    np.testing.assert_allclose(read["normal"][0, 0], (0.5, 0.5, 1))
    (smaller,) = read_pictures([str(tmp_path)], 32, 0.5).materials
    length = np.linalg.norm(smaller["normal"] * 2 - 1, axis=-1)
    np.testing.assert_allclose(length, 1, atol=1e-5)


def test_turned_crops_are_laid_in_all_eight_ways_and_their_normals_go_with_them():
    material = relief(96)
    statistics = measure_statistics([material], ["normal", "height"])
    dataset = Dataset([material], statistics, turned=True)
    crops = dataset.crops(tf.constant([3, 0]), batch=64, crop=32)
    ways = set()
    for crop in crops:
        maps = {k: np.asarray(v) for k, v in statistics.restore(crop).items()}
        down, across = np.gradient(maps["height"][..., 0] * 4)
        x, y = (maps["normal"][..., i] * 2 - 1 for i in (0, 1))
        z = maps["normal"][..., 2] * 2 - 1
        inside = (slice(1, -1), slice(1, -1))
        np.testing.assert_allclose((x / z)[inside], -across[inside], atol=0.02)
        np.testing.assert_allclose((y / z)[inside], down[inside], atol=0.02)
        ways.add(way_of(maps["height"][..., 0], material["height"][..., 0]))
    assert ways == set(range(8))


def way_of(crop: np.ndarray, whole: np.ndarray) -> int:
    """Which of the eight ways lays the crop onto a place of the picture."""
    windows = np.lib.stride_tricks.sliding_window_view(whole, crop.shape)
    ways = [np.rot90(c, n) for c in (crop, crop.T) for n in range(4)]
    corner = [np.abs(windows[..., :4, :4] - w[:4, :4]).max((-1, -2)) for w in ways]
    nearest = [np.unravel_index(np.argmin(c), c.shape) for c in corner]
    errors = [np.abs(windows[at] - w).max() for at, w in zip(nearest, ways, strict=True)]
    assert min(errors) < 0.01
    return int(np.argmin(errors))


def test_a_direction_is_seen_in_grain_and_in_light(blobs):
    picture = blobs(256, 6)
    height = picture[..., :1]
    lit = np.clip(0.5 + np.maximum(np.gradient(height[..., 0])[1], 0) * 4, 0, 1)[..., None]
    stripes = np.sin(np.mgrid[0:256, 0:256][1] / 3.0)[..., None] / 2 + 0.5
    turns = [(np.cos(a), np.sin(a)) for a in np.radians((10, 70, 130))]
    y, x = np.mgrid[0:256, 0:256]
    triangles = np.max([np.cos((c * x + s * y) / 4) for c, s in turns], axis=0)[..., None]
    assert is_isotropic({"base_color": picture})
    assert not is_isotropic({"base_color": triangles})
    assert not is_isotropic({"base_color": lit})
    assert not is_isotropic({"base_color": stripes})
    assert not is_isotropic({"base_color": picture, "height": stripes})


def test_a_direction_is_told_whatever_was_chosen(striped_file):
    upright, turned = (read_pictures([str(striped_file)], 32, 1.0, t).report for t in (False, True))
    assert upright.isotropic is turned.isotropic is False
    assert "learned upright" in upright.in_words()[1]
    assert "turned and mirrored too, as chosen" in turned.in_words()[1]


def test_names_are_short_and_all_different():
    names = unique_names(["oak", "oak", "x" * 200, "x" * 200, "oak (2)"])
    assert names[:2] == ("oak", "oak (2)")
    assert len(set(names)) == 5
    assert max(map(len, names)) == 120


def test_of_many_equal_names_each_is_told_apart_at_once():
    tried = []

    class Counted(str):
        def __getitem__(self, part):
            tried.append(part)
            return str(self)[part]

    names = unique_names([Counted("oak") for _ in range(300)])
    assert names == ("oak", *(f"oak ({number})" for number in range(2, 301)))
    assert len(tried) <= 3 * len(names)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ((None, None, 0.3, 0.1), (1.0, 2)),
        ((None, None, 1.0, 0.1), (1.0, 0)),
        # Too little would be left of the picture.
        ((None, None, 0.1, 0.1), (1.0, 3)),
        ((0.5, None, 0.3, 0.1), (0.5, 1)),
        # The finest are left out.
        ((None, 1, 0.3, 0.1), (0.5, 1)),
        ((None, 5, 0.3, 0.1), (1.0, 2)),
        ((0.5, 3, 0.3, 0.1), (0.5, 3)),
    ],
)
def test_octaves_reach_from_the_shapes_to_the_pictures_own_size(chosen, expected):
    assert choose_octaves(*chosen) == expected


@pytest.mark.parametrize("first", ["zinc.png", "walls", "walls/a.png"])
def test_the_width_is_that_of_the_first_picture_whatever_the_others_are_called(
    blobs, tmp_path, first
):
    (tmp_path / "walls").mkdir()
    widths = {"zinc.png": 192, "walls/a.png": 96, "walls/m.png": 128, "ash.png": 64}
    for name, width in widths.items():
        picture = np.clip(blobs(width, 4.0) * [0.9, 0.8, 0.7], 0, 1).astype(np.float32)
        pictures.write_picture(tmp_path / name, picture)
    places = [first, *(name for name in widths if name != first)]
    read = read_pictures([str(tmp_path / place) for place in places], 32, 1.0)
    size = 0.5 / widths.get(first, 96)  # of several, a folder's first
    assert read.pixel_size(0.5) == pytest.approx(size)
    assert measure_pictures(read, 16, {}).pixel_size(0.5) == pytest.approx(size)
