"""The metrics order what a person would order, and name copies, seams, smears and repeats."""

import os
from pathlib import Path

import numpy as np
import pytest

from gan_worker.errors import PictureError, RequestError
from gan_worker.gan import critic, dataset, metrics
from gan_worker.gan.reference import Reference
from gan_worker.gan.surrogates import noise_like, random_phase_like

# These claim to see shapes; the other distances rate random-phase noise about as good as the real halves.
SHAPE_METRICS = ("local_contrast", "swd/0", "critic_auc", "coverage")
DATA = os.environ.get("TILEWRIGHT_TEST_DATA", "")


def paving(seed: int, side: int = 256) -> dict[str, np.ndarray]:
    """Irregular flat stones with grain and dark joints, and their height and normals."""
    generator = np.random.default_rng(seed)
    spots = generator.uniform(0, side, (side * side // 420, 2))
    y, x = np.mgrid[0:side, 0:side]
    away = np.abs(np.stack([y, x], -1)[:, :, None] - spots)
    distance = np.hypot(*np.moveaxis(np.minimum(away, side - away), -1, 0))
    nearest = np.argmin(distance, axis=-1)
    two = np.partition(distance, 1, axis=-1)
    height = np.clip((two[..., 1] - two[..., 0]) / 5, 0, 1)
    tone = generator.uniform(0.35, 0.8, (len(spots), 1)) * np.array([1.0, 0.9, 0.75])
    color = tone[nearest] * (0.4 + 0.6 * (height[..., None] > 0.5))
    color = color + generator.normal(0, 0.025, (side, side, 1))
    height = 0.2 + 0.6 * height
    down, across = (np.roll(height, -1, a) - np.roll(height, 1, a) for a in (0, 1))
    steep = np.stack([-4 * across, 4 * down, np.ones_like(height)], -1)
    normal = steep / np.linalg.norm(steep, axis=-1, keepdims=True) * 0.5 + 0.5
    maps = {"base_color": np.clip(color, 0, 1), "height": height[..., None], "normal": normal}
    return {name: picture.astype(np.float32) for name, picture in maps.items()}


def blurred(material):
    """A binomial blur of half strength along both axes: what a person calls a little soft."""

    def soft(p):
        for axis in (0, 1):
            p = 0.8 * p + 0.1 * (np.roll(p, 1, axis) + np.roll(p, -1, axis))
        return p

    return {name: soft(picture) for name, picture in material.items()}


@pytest.fixture(scope="module")
def stones():
    """One picture as the reference, and others of the same kind as what a perfect model would make."""
    return [paving(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def reference(stones):
    return Reference(stones[:1])


@pytest.fixture(scope="module")
def perfect(reference, stones):
    return reference.evaluate(stones[1:])


def test_metrics_of_shapes_order_real_soft_random_phase_and_noise(reference, perfect, stones):
    soft = reference.evaluate([blurred(m) for m in stones[1:]])
    for name in SHAPE_METRICS:
        rows = [perfect[name], reference.random_phase[name], reference.noise[name]]
        assert rows[0] < rows[1] <= rows[2], name
        if name != "coverage":  # contrast-normalised patches forgive a blur
            assert perfect[name] < soft[name] <= rows[1], name


def test_random_phase_is_as_good_as_real_to_those_that_see_no_shapes(reference, perfect):
    for name in ("spectrum", "autocorrelation"):
        assert reference.random_phase[name] < 2 * perfect[name] + 0.1, name
        assert reference.noise[name] > 1.3 * perfect[name], name


def test_a_perfect_model_stands_at_the_floor(reference, perfect):
    assert abs(perfect["critic_auc"] - 0.5) < 0.2
    assert abs(reference.floor["critic_auc"] - 0.5) < 0.2
    for name in ("swd/0", "swd", "local_contrast", "gram", "spectrum"):
        assert perfect[name] < 1.6 * reference.floor[name], name
    assert perfect["copied"] == 0
    assert perfect["novelty"] == pytest.approx(1, abs=0.15)
    assert perfect["diversity"] == pytest.approx(1, abs=0.15)


def test_the_same_pictures_give_the_same_figures(stones, perfect):
    assert Reference(stones[:1]).evaluate(stones[1:]) == perfect


def test_copies_and_repeats_are_named(reference, stones):
    real = stones[0]
    rolled = [{n: np.roll(p, s, (0, 1)) for n, p in real.items()} for s in ((40, 13), (97, 130))]
    row = reference.evaluate(rolled)
    assert row["copied"] > 0.8  # some patches lie across the border, where the reference has none
    stamp = {n: np.tile(p[40:104, 40:104], (4, 4, 1)) for n, p in stones[1].items()}
    stamped = [{n: np.roll(p, s, (0, 1)) for n, p in stamp.items()} for s in (0, 21)]
    assert reference.evaluate(stamped)["novelty"] < 0.4
    same = reference.evaluate([stones[1], stones[1]])
    assert same["diversity"] == 0


def test_of_several_the_copied_one_is_named_with_its_places(stones):
    shifts = (40, 97)
    rolled = [{n: np.roll(p, s, 0) for n, p in stones[1].items()} for s in shifts]
    nearest, matches = Reference(stones[:2]).most_alike(rolled, 6)
    assert (nearest, len(matches)) == (1, 6)
    height = stones[1]["base_color"].shape[0]
    for match in matches:
        row, column = match.source_place
        assert match.target == 1
        assert match.target_place == ((row - shifts[match.source]) % height, column)
        assert match.correlation == pytest.approx(1, abs=1e-3)
    assert Reference(stones[1::-1]).most_alike(rolled, 1)[0] == 0


def test_maps_that_do_not_belong_together_are_seen(reference, perfect, stones):
    turned = [{**m, "normal": 1 - m["normal"]} for m in stones[1:]]
    apart = [{**m, "height": stones[0]["height"]} for m in stones[1:]]
    assert perfect["normal_height"] < 0.05
    assert reference.evaluate(turned)["normal_height"] > 1
    row = reference.evaluate(apart)
    assert row["correlations"] > 5 * perfect["correlations"]
    assert row["critic_auc"] > perfect["critic_auc"]


def test_a_seam_and_a_smeared_border_are_told_apart(stones):
    tiles = stones[0]["base_color"]
    cut = tiles[:200, :200]
    soft = np.mean([np.roll(tiles, shift, 1) for shift in range(-4, 5)], axis=0)
    smeared = tiles.copy()
    smeared[:, :6], smeared[:, -6:] = soft[:, :6], soft[:, -6:]
    rows = {}
    for name, picture in {"tiles": tiles, "cut": cut, "smeared": smeared}.items():
        steps = tuple(np.asarray(s) for s in metrics.line_steps(picture))
        rows[name] = metrics.seam_ratio(steps), metrics.seam_rank(steps), metrics.band_ratio(steps)
    assert rows["tiles"][0] < 1.4
    assert rows["tiles"][2] > 0.85
    assert rows["cut"][0] > 2
    assert rows["cut"][1] == 1
    assert rows["smeared"][0] < 1.4
    assert rows["smeared"][2] < 0.7 * rows["tiles"][2]
    assert rows["smeared"][2] < 0.7


def test_stand_ins_keep_what_they_promise():
    real = paving(5, 128)
    noise, phase = noise_like(real, 1), random_phase_like(real, 1)
    flat = [np.concatenate(list(m.values()), -1).reshape(-1, 7) for m in (real, noise, phase)]
    for made in flat[1:]:
        np.testing.assert_allclose(made.mean(axis=0), flat[0].mean(axis=0), atol=0.02)
        assert np.abs(np.cov(made.T) - np.cov(flat[0].T)).max() < 0.2 * np.cov(flat[0].T).max()
    assert np.abs(phase["height"] - random_phase_like(real, 2)["height"]).mean() > 0.05


def test_auc_is_that_of_mann_and_whitney():
    assert critic.auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert critic.auc(np.array([0.0, 2.0]), np.array([1.0, 2.0])) == 0.375


def test_what_cannot_be_compared_is_refused(reference, stones):
    with pytest.raises(PictureError) as caught:
        Reference([{"base_color": stones[0]["base_color"][:60]}])
    assert caught.value.code == "picture_too_small"
    with pytest.raises(PictureError) as caught:
        Reference([{"roughness": np.full((128, 128, 1), 0.5, np.float32)}])
    assert caught.value.code == "dataset_empty"
    with pytest.raises(RequestError) as caught:
        reference.evaluate([{"base_color": stones[0]["base_color"]}] * 2)
    assert caught.value.code == "invalid_config"
    with pytest.raises(RequestError) as caught:
        reference.evaluate([{n: p[:64] for n, p in m.items()} for m in stones])
    assert caught.value.code == "invalid_size"


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="needs real photos")
def test_photos_are_ordered_too():
    """On most photos the floor stands below random phase, and that below noise."""
    ordered = {name: [] for name in SHAPE_METRICS}
    for file in sorted((Path(DATA) / "single").iterdir())[::2]:
        (photo,) = dataset.read_pictures([str(file)], 64, None).materials
        real = Reference([{name: p[:256, :256] for name, p in photo.items()}])
        for name, results in ordered.items():
            # Of a small picture, halves have no room for the critic: chance stands for it.
            floor = ({"critic_auc": 0.5} | real.floor)[name]
            phase = real.random_phase[name]
            results.append(floor < phase <= real.noise[name] + 0.02)
    shares = {name: np.mean(results) for name, results in ordered.items()}
    assert min(shares.values()) >= 0.7, shares
    assert shares["local_contrast"] >= 0.85, shares
