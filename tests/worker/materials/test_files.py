"""Files of generated materials: names that tell one look from another, and as many levels as each map needs."""

from dataclasses import replace

import numpy as np
import pytest

from gan_worker.config import GenerationConfig, Recipe
from gan_worker.estimation import Estimation
from gan_worker.materials.file_names import split_file_stem
from gan_worker.materials.files import Format, file_bits, save_material
from gan_worker.materials.pictures import read_picture
from gan_worker.progress import GeneratedMaterial
from gan_worker.style import Latent, Material, Seed

PLAIN = GenerationConfig("oak", 7, 64, 32)
PHOTO = replace(PLAIN, estimation=Estimation())
CHANGES = {
    "another material": {"style": Material("Denim")},
    "a name that no file can have": {"style": Material("a/b: c")},
    "a longer name": {"style": Material(120 * "n")},
    "another long name": {"style": Material(119 * "n" + "m")},
    "a latent": {"style": Latent((0.5,))},
    "a mix": {"style": ((Seed(1), 0.5), (Material("Brass"), 0.5))},
    "another mix": {"style": ((Seed(1), 0.5), (Material("Brass"), 0.4))},
    "directions": {"directions": (("pca 1", 2.5),)},
    "another way": {"directions": (("pca 1", -2.5),)},
    "less variety": {"truncation_psi": 0.5},
    "less variety of a material": {"style": Material("Denim"), "truncation_psi": 0.5},
    "estimates": {"estimation": Estimation()},
    "deeper ones": {"estimation": Estimation(depth=2.0)},
}


def test_what_is_made_without_further_choices_is_named_by_model_seed_and_size():
    assert PLAIN.file_stem() == "oak_7_64x32"
    assert replace(PLAIN, mip=1).file_stem() == "oak_7_64x32_half"
    assert PHOTO.file_stem(Estimation()) == "oak_7_64x32"
    # Where the border came to lie is in each recipe, and which maps were asked for is no look.
    assert replace(PLAIN, origin=(3, 4), maps=("normal",)).file_stem() == "oak_7_64x32"


def test_a_look_of_a_training_material_has_its_name():
    assert replace(PLAIN, style=Material("Old Brass")).file_stem() == "oak_Old Brass_7_64x32"


def test_no_look_is_named_as_another():
    stems = [replace(PLAIN, **change).file_stem() for change in ({}, *CHANGES.values())]
    assert len(set(stems)) == len(stems)
    assert PLAIN.file_stem(Estimation()) != PHOTO.file_stem(Estimation())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_name_is_always_the_same_and_one_that_every_system_takes(change):
    stem = replace(PLAIN, **change).file_stem()
    assert stem == replace(PLAIN, **change).file_stem()
    assert stem.startswith("oak_") and len(stem) < 100
    assert all(c.isalnum() or c in "-_. " for c in stem)
    assert split_file_stem(f"{stem}_basecolor") == (stem, "base_color")


@pytest.mark.parametrize("format", list(Format))
def test_a_gentle_height_keeps_all_its_levels(format, tmp_path):
    levels = np.arange(40000, 44096, dtype=np.uint16)  # an eighth of the range
    assert file_bits(None, format)["height"] == 16
    height = np.broadcast_to(levels[None, :, None], (8, len(levels), 1))
    made = GeneratedMaterial({"height": height}, Recipe(PLAIN, "a" * 64, "0.1.0"))
    (file,) = save_material(made, tmp_path, format)
    np.testing.assert_allclose(read_picture(file) * 65535, height, atol=0.01)


def test_an_exr_of_what_eight_bits_can_hold_stays_small(tmp_path):
    color = np.random.default_rng(1).integers(0, 65536, (64, 64, 3), np.uint16)
    made = GeneratedMaterial({"base_color": color}, Recipe(PLAIN, "a" * 64, "0.1.0"))
    (file,) = save_material(made, tmp_path, Format.exr)
    assert file.stat().st_size < 2.2 * color.size  # two bytes a value, noise has none to spare
