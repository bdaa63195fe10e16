"""The command `gan-worker train`: starts or resumes a run in this process."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gan_worker.cli import terminal
from gan_worker.cli.options import Home, Work, runs_folder, start_training, train_in
from gan_worker.cli.photos import Corners, EvenLight, PictureWidth, WhiteBalance, parse_preparation
from gan_worker.config import NETWORKS, PRESETS, TrainingConfig
from gan_worker.errors import RequestError, require
from gan_worker.files import read_json
from gan_worker.runs import run as runs


def train(
    pictures: Annotated[list[Path] | None, typer.Argument(help="Pictures, or folders.")] = None,
    run: Annotated[str | None, typer.Option(help="Name of the new run and of its model.")] = None,
    resume: Annotated[str | None, typer.Option(help="Name of the run to continue.")] = None,
    preset: Annotated[
        str | None, typer.Option(help=f"Size of the networks: {', '.join(PRESETS)}. [tiny]")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after so many minutes, counted from the run's start. [5]"),
    ] = None,
    kimg: Annotated[
        float | None, typer.Option(help="Stop after so many thousand crops were seen.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Factor on the pictures' size, of all that is learned. [1]")
    ] = None,
    octaves: Annotated[
        int | None,
        typer.Option(
            help="Doublings from the size at which shapes are learned to that of the finest detail; measured if "
            "left out, and fewer leave out the finest. A resumed run goes on with these, or more than it had."
        ),
    ] = None,
    isotropic: Annotated[
        bool, typer.Option("--isotropic", help="Learn the pictures turned and mirrored too.")
    ] = False,
    tileable: Annotated[
        bool,
        typer.Option("--tileable", help="Make the borders of a photo meet; with the preset photo."),
    ] = False,
    learn_maps: Annotated[
        bool,
        typer.Option(
            "--learn-maps",
            help="Estimate all maps of photos first, and learn them together, instead of estimating them from "
            "each color that the model makes.",
        ),
    ] = False,
    estimator: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Of a run that learned to estimate, for the preset photo and --learn-maps.",
        ),
    ] = "",
    corners: Corners = "",
    even_light: EvenLight = 0.0,
    white_balance: WhiteBalance = "0",
    seed: Annotated[int | None, typer.Option(help="Fixes the training. [0]")] = None,
    author: Annotated[
        str, typer.Option(help="Who made the pictures, where they do not say it themselves.")
    ] = "",
    license: Annotated[str, typer.Option(help="Their license, such as CC0-1.0.")] = "",
    source: Annotated[str, typer.Option(help="Where they come from.")] = "",
    picture_width: PictureWidth = 0.0,
    gpus: Annotated[int, typer.Option(help="GPUs of this computer that share every batch.")] = 1,
    home: Home = None,
) -> None:
    """Train a model. Ctrl+C stops and saves, a second one stops at once."""
    folder = runs_folder(home)
    places = tuple(str(place.absolute()) for place in pictures or ())
    require(
        (run is None) != (resume is None),
        "Exactly one of --run NAME and --resume RUN must be given",
        "neither" if run is None else "both",
        "Give --run NAME to start a new run, or --resume RUN to continue one.",
    )
    preparation = parse_preparation(corners, even_light, white_balance)
    if resume is not None:
        _refuse_kept(
            preset=preset,
            scale=scale,
            isotropic=isotropic or None,
            tileable=tileable or None,
            learn_maps=learn_maps or None,
            estimator=estimator or None,
            seed=seed,
            corners=corners or None,
            even_light=even_light or None,
            white_balance=preparation.white_balance or None,
        )
        opened = runs.Run.open(folder, resume)
        opened.check_goes_on()
        config = replace(_resumed(opened, places, minutes, kimg), gpus=gpus, octaves=octaves)
        config.check()
        steps = train_in(_with_facts(config, author, license, source, picture_width), opened, _load)
        _tell(config.preset, opened, steps)
        return
    if minutes is None and kimg is None:
        minutes = TrainingConfig.minutes
    config = TrainingConfig(
        str(run),
        places,
        preset or TrainingConfig.preset,
        minutes,
        kimg,
        scale,
        octaves,
        seed or 0,
        isotropic=isotropic,
        gpus=gpus,
        prepare=preparation,
        tileable=tileable,
        learn_maps=learn_maps,
        estimator=estimator,
    )
    config = _with_facts(config, author, license, source, picture_width)
    steps = start_training(config, folder, _load)
    _tell(config.preset, runs.Run(folder / config.run), steps)


def _with_facts(
    config: TrainingConfig, author: str, license: str, source: str, picture_width: float
) -> TrainingConfig:
    """A resumed run keeps what is not given anew."""
    return replace(
        config,
        author=author or config.author,
        license=license or config.license,
        source=source or config.source,
        picture_width=picture_width or config.picture_width,
    )


def _refuse_kept(**options: object) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    require(
        not given,
        "A resumed run keeps its preset, scale, isotropy and seed, and what is done to its photos",
        ", ".join(given),
        "Leave these options out, or start a new run.",
    )


def _resumed(
    run: runs.Run, places: tuple[str, ...], minutes: float | None, kimg: float | None
) -> TrainingConfig:
    """The saved config, with the budget raised where one is given."""
    config = replace(run.load_config(), run=run.name, resume=True)
    if minutes is not None or kimg is not None:
        config = replace(config, minutes=minutes, kimg=kimg)
    if places:
        config = replace(config, pictures=places)
    _check_budget(run, config)
    return config


def _check_budget(run: runs.Run, config: TrainingConfig) -> None:
    """Say at once that there is nothing left to do; TensorFlow would take its time to say so."""
    try:
        state = read_json(run.path / "checkpoints" / run.checkpoints()[-1] / "state.json")
        minutes = float(state["seconds"]) / 60
        kimg = float(state["step"]) * NETWORKS[config.preset].batch / 1000
    except (OSError, ValueError, LookupError, TypeError):
        return  # none, or a damaged one that training puts aside
    used = []
    if config.minutes and minutes >= config.minutes:
        used.append(f"{minutes:.1f} of {config.minutes:g} minutes")
    if config.kimg and kimg >= config.kimg:
        used.append(f"{kimg:.3g} of {config.kimg:g} kimg")
    if used:
        raise RequestError(
            "wrong_state",
            f"The budget of a run to resume must not be used up; {run.name!r} has had "
            f"{' and '.join(used)}.",
            f"Raise it, for example --minutes {2 * max(1.0, minutes):.0f}; it counts from the "
            "run's start.",
        )


def _load() -> Work:
    from gan_worker.gan.training import loop

    return loop.train


def _tell(preset: str, run: runs.Run, steps: int) -> None:
    told, following = f"Trained {run.name} for {steps} steps", "generate"
    name, more = shlex.quote(run.name), " --seed 1-9"
    if preset == "photo":
        told, more = f"{run.name} is a model now", ""
    elif preset == "estimator":
        told, following = (
            f"{run.name} has learned to estimate in {steps} steps",
            "estimate PHOTO --estimator",
        )
        more = ""
    terminal.output.print(f"{told}; all of it is in {run.path}")
    terminal.output.print(f"Next: gan-worker {following} {name}{more} --out FOLDER")
