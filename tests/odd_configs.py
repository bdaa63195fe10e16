"""Configs that nobody can run, with the answer they get, and some that anybody can: the same at all four doors.

The doors are the panel's plain functions, the command line, the server, and the compute process.
"""

from __future__ import annotations

from typing import Any

from gan_worker.config import GenerationConfig, RepairConfig, TrainingConfig
from gan_worker.errors import ErrorInfo, TilewrightError
from gan_worker.runs import run
from gan_worker.style import Latent, Material, Seed

MODEL = run.read_model_info(run.BUNDLED / "Starter Red Bricks")
PLACE = str(run.BUNDLED)


def training(**fields: Any) -> TrainingConfig:
    return TrainingConfig(**{"run": "oak", "pictures": (PLACE,), **fields})


def material(**fields: Any) -> GenerationConfig:
    return GenerationConfig(**{"model": MODEL.name, "width": 64, "height": 64, **fields})


def repair(**fields: Any) -> RepairConfig:
    return RepairConfig(**{"model": MODEL.name, "picture": PLACE, "mask": PLACE, **fields})


# Each with its code, and words of its message.
ODD_TRAININGS = [
    (training(run="../oak"), "invalid_config", "'../oak'"),
    (
        training(preset="giant"),
        "invalid_config",
        "nano, tiny, full, classic, photo, estimator; received 'giant'",
    ),
    (training(pictures=()), "invalid_config", "must have pictures to learn from; received none"),
    (training(minutes=None), "invalid_config", "must have an end"),
    (training(minutes=0.0), "invalid_config", "above 0; received 0"),
    (training(minutes=None, kimg=-1.0), "invalid_config", "above 0; received -1"),
    (training(scale=9.0), "invalid_config", "from 0.01 to 8"),
    (training(scale=0.0), "invalid_config", "from 0.01 to 8"),
    (training(seed=2**31), "invalid_config", "from 0 to 2147483647; received 2147483648"),
    (training(seed=-1), "invalid_config", "received -1"),
    (training(gpus=0), "invalid_config", "from 1 to 64; received 0"),
    (training(gpus=65), "invalid_config", "from 1 to 64; received 65"),
    (training(preset="classic", gpus=2), "invalid_config", "classic trains on 1 GPU; received 2"),
    (training(preset="classic", scale=0.5), "invalid_config", "takes no scale; received 0.5"),
    (training(preset="classic", isotropic=True), "invalid_config", "not turned and mirrored"),
    (training(octaves=7), "invalid_config", "from 0 to 6, or left out to be measured; received 7"),
    (training(octaves=-1), "invalid_config", "from 0 to 6, or left out to be measured"),
    (training(preset="classic", octaves=1), "invalid_config", "no detail beyond its own size"),
    (training(preset="photo", scale=0.5), "invalid_config", "takes no scale; received 0.5"),
    (training(preset="photo", octaves=0), "invalid_config", "takes no octaves; received 0"),
    (training(preset="photo", isotropic=True), "invalid_config", "stays upright"),
    (training(preset="photo", gpus=2), "invalid_config", "takes 1 GPU; received 2"),
    (training(picture_width=-1.0), "invalid_config", "from 0.001 to 1000 meters"),
    (training(picture_width=1001.0), "invalid_config", "from 0.001 to 1000 meters"),
    (training(tileable=True), "invalid_config", "received preset tiny"),
    (training(preset="classic", tileable=True), "invalid_config", "received preset classic"),
]
ODD_MATERIALS = [
    (material(model="../oak"), "invalid_config", "'../oak'"),
    (material(model="no such"), "unknown_model", "'no such' is not"),
    (material(width=0), "invalid_size", "from 1 to 16384 pixels; received 0×64"),
    (material(width=16392), "invalid_size", "from 1 to 16384 pixels; received 16392×64"),
    (material(width=16384, height=16384), "invalid_size", "67108864 pixels at most"),
    (material(width=65), "invalid_size", "multiples of 8 pixels"),
    (material(seed=-1), "invalid_config", "0 or more; received -1"),
    (material(truncation_psi=2.5), "invalid_config", "from 0 to 2; received 2.5"),
    (material(sway=(5.0, 0.0)), "invalid_config", "from 0 to 1, in any number of turns"),
    (material(mip=7), "invalid_config", "detail must be from 0 to 6; received 7"),
    (material(mip=-1), "invalid_config", "detail must be from 0 to 6; received -1"),
    (material(mip=1), "invalid_config", "from 0 to 0 for this model; received 1"),
    (material(maps=("smell",)), "invalid_config", "received smell"),
    (material(maps=("metallic",)), "invalid_config", "received metallic"),
    (material(maps=("height", "")), "invalid_config", "received an empty name"),
    (material(maps=("height", "height")), "invalid_config", "once; received height, height"),
    (material(style=Latent((0.0,) * 3)), "invalid_latent", "64 finite numbers; received 3"),
    (material(style=Material("ash")), "invalid_config", "'ash'"),
    (material(style=((Seed(1), 0.0),)), "invalid_config", "must not all be 0"),
    (material(directions=(("size", 1.0),)), "invalid_config", "'pca 1' or 'factor 1'"),
    (
        material(directions=(("pca 1", 11.0),)),
        "invalid_config",
        "from -10 to 10 steps; received 11",
    ),
]
# As JSON alone can say it: of what only one can be chosen, two.
_SEED, _PAINTED = {"seed": 1}, {"weights": "/w==", "looks": [{"mix": [[{"seed": 3}, 1.0]]}]}
TWO_CHOICES: list[dict[str, Any]] = [
    {"material": "oak", "z": [0.5]},
    {"mix": [[_SEED, 1.0]], "material": "oak"},
    {"mix": [[_SEED, 1.0]], "style_map": {"styles": [_SEED], "rows": 1, "columns": 1}},
    {"mix": [[{}, 1.0]]},
    {"mix": [[{"seed": 0, "z": [0.5]}, 1.0]]},
    {"mix": [[{"z": [0.5], "material": "oak"}, 1.0]]},
    {"style_map": {"styles": [_SEED], "rows": 1, "columns": 1, **_PAINTED}},
    {"style_map": {"styles": [], "cells": [0.0], "rows": 1, "columns": 1, **_PAINTED}},
]
ODD_REPAIRS = [
    (repair(model="../oak"), "invalid_config", "'../oak'"),
    (repair(model="no such"), "unknown_model", "'no such' is not"),
    (repair(steps=0), "invalid_config", "from 1 to 10000; received 0"),
    (repair(steps=10_001), "invalid_config", "from 1 to 10000; received 10001"),
    (repair(seed=-1), "invalid_config", "0 or more; received -1"),
    (repair(scale=64.5), "invalid_config", "from 0.01 to 64; received 64.5"),
]
SANE_TRAININGS = [
    training(),
    training(preset="full", minutes=None, kimg=0.5, scale=8.0, seed=2**31 - 1, gpus=64),
    training(preset="classic", minutes=0.5),
    training(preset="tiny", isotropic=True),
    training(octaves=0),
    training(octaves=6, scale=0.5),
    training(preset="classic", octaves=0),
]
SANE_MATERIALS = [
    material(),
    material(seed=2**40, maps=("height",), truncation_psi=2.0),
    material(width=16384, height=4096),
    material(directions=(("pca 1", -10.0), ("factor 2", 10.0))),
    material(style=((Seed(1), 0.75), (Seed(7), 0.25))),
]


def expect(told: ErrorInfo, code: str, words: str) -> None:
    """Check an answer against the table."""
    assert (told.code, words in told.message, bool(told.cure)) == (code, True, True), told


def answer(config: TrainingConfig | GenerationConfig | RepairConfig) -> ErrorInfo:
    """What the config says of itself, of the model that the tests have, and of one that is nowhere."""
    try:
        config.check()
        if not isinstance(config, TrainingConfig):
            run.open_model(run.BUNDLED, config.model)
        if isinstance(config, GenerationConfig):
            config.check_for(MODEL)
    except TilewrightError as error:
        return error.info
    raise AssertionError(f"nothing is odd about {config}")
