"""Favourites: how two are mixed, and the files that they go through."""

from dataclasses import replace

import pytest

from gan_worker.config import GenerationConfig
from gan_worker.errors import TilewrightError
from gan_worker.style import CellMap, Latent, Material, Seed
from gan_worker.styles.favourites import Favourite, mixed, read_favourites, write_favourites


def test_mix_is_linear_in_everything():
    a = GenerationConfig("bricks", 1, truncation_psi=1.0, directions=(("pca 1", 2.0),))
    mix = ((Seed(2), 3.0), (Material("old wall"), 1.0))
    b = GenerationConfig("bricks", 9, style=mix, truncation_psi=0.5, directions=(("pca 2", 4.0),))
    both = mixed(a, b, 0.5)
    assert dict(both.style) == {
        Seed(1): 0.5,
        Seed(2): 0.375,
        Material("old wall"): 0.125,
    }
    assert both.truncation_psi == 0.75
    assert dict(both.directions) == {"pca 1": 1.0, "pca 2": 2.0}
    assert mixed(a, a, 0.3).style == ((Seed(1), pytest.approx(1.0)),)
    assert mixed(a, b, 0.0).style == ((Seed(1), 1.0),)
    z = replace(a, style=Latent((0.5, 0.25)))
    assert Latent((0.5, 0.25)) in dict(mixed(z, b, 0.5).style)


@pytest.mark.parametrize(
    "other",
    [
        GenerationConfig("oak", 1),
        GenerationConfig("bricks", style=CellMap((Seed(1),), 1, 1, (0.0,))),
        GenerationConfig("bricks", style=tuple((Seed(n), 1.0) for n in range(2, 18))),
    ],
)
def test_what_cannot_be_mixed_is_refused(other):
    with pytest.raises(TilewrightError) as caught:
        mixed(GenerationConfig("bricks", 1), other, 0.5)
    assert caught.value.code == "invalid_config"


def test_a_file_gives_back_what_was_written(tmp_path):
    kept = (
        Favourite("mossy", GenerationConfig("bricks", 3, directions=(("pca 1", 2.0),)), "picture"),
        Favourite("mossy", GenerationConfig("bricks", style=((Material("oak"), 1.0),))),
    )
    write_favourites(tmp_path / "looks.json", kept)
    assert read_favourites(tmp_path / "looks.json") == kept
