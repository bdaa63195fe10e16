"""Options that commands share, loading TensorFlow quietly, a bar, a training and its end, numbers from text."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gan_worker.cli import terminal
from gan_worker.config import GenerationConfig, TrainingConfig, size_step
from gan_worker.errors import Cancelled, RequestError, WorkerError, require
from gan_worker.estimation import LIMITS, SURFACES, adjusted
from gan_worker.estimation import Estimation as Estimation
from gan_worker.files import check_folder as check_folder
from gan_worker.files import check_places, make_private, storage_errors
from gan_worker.limits import DETAILS
from gan_worker.materials.metadata import model_metadata
from gan_worker.materials.pictures import Bits, write_picture
from gan_worker.progress import GenerationProgress, Notice, Report
from gan_worker.runs import run

MOST_SEEDS = 10_000

Home = Annotated[
    Path | None, typer.Option(help="Folder of runs and keys; otherwise $TILEWRIGHT_HOME.")
]

Size = Annotated[
    str, typer.Option(help="Width and height in pixels. [512x512, or that of a photo]")
]

_DETAIL = typer.Option(
    help=f"{', '.join(DETAILS[:4])} or how often halved: a piece of the material has so many times fewer pixels, "
    "and the same size shows more of it."
)
Detail = Annotated[str, _DETAIL]
# `Detail | None` would have no help: what stands in a union is not looked at.
DetailOrNone = Annotated[str | None, _DETAIL]

Estimate = Annotated[
    bool | None,
    typer.Option(
        "--estimate/--no-estimate",
        help="Estimate the maps that are not there from the base color, and take the light out of it. On where there "
        "is a base color alone, or one of the options below is given.",
    ),
]

_ADJUSTMENTS = {
    "depth": "Of estimated normals and height together, {}.",
    "coarse": "Strength of estimated shapes, {}.",
    "fine": "Strength of estimated relief that is finer, {}.",
    "roughness": "Added to the estimated roughness, {}.",
    "roughness_range": "Factor on how far it lies from its mean, {}.",
    "occlusion": "Strength of the estimated ambient occlusion, {}.",
    "metallic": "Of all of the surface, {}; above 0 there is such a map.",
    "light": "Share of the light on the picture that is taken out of the base color, {}.",
}
# Options for the fields of an `Estimation`, in order.
_ESTIMATION_OPTIONS: dict[str, Any] = {
    "surface": Annotated[
        str | None,
        typer.Option(help=f"{', '.join(SURFACES)}: sets what follows, where it is not given."),
    ],
    "invert": Annotated[
        bool | None, typer.Option("--invert/--no-invert", help="What was taken for high is low.")
    ],
    "estimator": Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Of a run that learned to estimate; see estimate --learn-from."
        ),
    ],
} | {
    name: Annotated[float | None, typer.Option(help=text.format(LIMITS[name]))]
    for name, text in _ADJUSTMENTS.items()
}


def takes_estimation(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that has a parameter `estimation` an option for each of an `Estimation`'s fields instead.

    The command gets an `Estimation` that passes `check`, or None where none of the options was given.
    """

    @wraps(command)
    def with_options(**given: Any) -> Any:
        moved = {name: given.pop(name) for name in _ESTIMATION_OPTIONS}
        return command(**given, estimation=_estimation(moved))

    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.name != "estimation"]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _ESTIMATION_OPTIONS.items()
    ]
    own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    with_options.__signature__ = signature.replace(parameters=own + options)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in own + options}
    return with_options


def _estimation(given: dict[str, Any]) -> Estimation | None:
    """What the options say, on top of what the kind of surface sets.

    Raises:
        RequestError: `invalid_config`.
    """
    if all(value is None for value in given.values()):
        return None
    surface = given.pop("surface")
    return adjusted(Estimation.surface if surface is None else surface, given)


def estimation_for(
    model: str, home: Path | None, estimate: bool | None, estimation: Estimation | None
) -> Estimation | None:
    """What is made of estimated maps of a model's materials; None where none are estimated.

    Args:
        model: its name.
        home: folder of runs and keys.
        estimate: what the option `--estimate` says.
        estimation: what the other options say.

    Raises:
        RequestError: `invalid_config`, `unknown_estimator`, or as `run.open_model`.
    """
    chosen = chosen_estimation(estimate, estimation)
    if chosen and chosen.estimator:
        run.open_estimator(runs_folder(home), chosen.estimator)
    if chosen is None:
        info = run.read_model_info(run.open_model(runs_folder(home), model))
        # The sheets of the preset classic are no surfaces.
        if info.maps == ("base_color",) and info.preset != "classic":
            return Estimation()
    return chosen or None


def chosen_estimation(
    estimate: bool | None, estimation: Estimation | None
) -> Estimation | Literal[False] | None:
    """What the options say together: nothing, that none is wanted, or which.

    Raises:
        RequestError: `invalid_config` where they contradict each other.
    """
    require(
        estimate is not False or estimation is None,
        "--no-estimate leaves nothing to adjust",
        "options that adjust estimated maps beside it",
        "Leave either out.",
    )
    if estimate is False:
        return False
    return estimation or (Estimation() if estimate else None)


def runs_folder(home: Path | None) -> Path:
    return (run.home_folder() if home is None else make_private(home)) / "runs"


def model_for(config: GenerationConfig, home: Path | None) -> Path:
    """The folder of the model that shall make it; plain mistakes are found before TensorFlow is loaded.

    Raises:
        RequestError: as `GenerationConfig.check`, `check_for` and `run.open_model`.
    """
    config.check()
    folder = run.open_model(runs_folder(home), config.model)
    config.check_for(run.read_model_info(folder))
    return folder


def open_named(of: str, home: Path | None, other: str) -> Path:
    """The folder of a model, where a place may be given instead of its name: what can be none is told as a place.

    Args:
        of: what was given.
        home: folder of runs and keys.
        other: what may be given instead, in words.

    Raises:
        PictureError: `picture_missing`, where nothing is at that place.
        RequestError: as `run.open_model`; `invalid_config` for a place where something else is.
    """
    try:
        return run.open_model(runs_folder(home), of)
    except RequestError:
        if Path(of).name != of or Path(of).is_file():
            check_places([of])
            rule = f"A model's name or {other} must be given"
            require(False, rule, f"{of}, which is neither", "Give one of these.")
        raise


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Silence stderr while TensorFlow loads: it greets there, whatever its log level is."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules:
        terminal.show_stage("loading TensorFlow")
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def load(folder: Path, home: Path | None) -> Any:
    with quiet_loading():
        from gan_worker.gan.generation import model
    return model.load_model(folder, runs_folder(home))


@contextmanager
def reporting(
    text: str = "generating",
) -> Iterator[Callable[[GenerationProgress | Notice], None]]:
    """A bar of pictures or their pieces, drawn in a terminal."""

    def tell(news: GenerationProgress | Notice) -> None:
        if isinstance(news, Notice):
            terminal.show_notice(news)
        else:
            bar.update(task, completed=news.done, total=news.total)

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=terminal.output,
        disable=not terminal.output.is_terminal,
    ) as bar:
        task = bar.add_task(text, total=None)
        yield tell


def parse_seeds(text: str) -> list[int]:
    """`7`, `1-9` and `1,4,7` to seeds, each once and in that order.

    Raises:
        RequestError: `invalid_config`.
    """
    seeds: list[int] = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        rule = f"Seeds must look like 7, 1-9 or 1,4,7, {MOST_SEEDS} at most"
        require(0 <= last - first < MOST_SEEDS, rule, repr(text), "Correct --seed.")
        seeds += range(first, last + 1)
    return list(dict.fromkeys(seeds))


def parse_size(text: str) -> tuple[int, int]:
    """`1024x512` to width and height; a single number is a square.

    Raises:
        RequestError: `invalid_size`.
    """
    match = re.fullmatch(r"(\d{1,6})(?:[x×*](\d{1,6}))?", text.strip().lower())
    if not match:
        raise RequestError(
            "invalid_size",
            f"A size must look like 1024x512; received {text!r}.",
            "Correct --size.",
        )
    return int(match[1]), int(match[2] or match[1])


def at_own_size(config: GenerationConfig, home: Path | None) -> GenerationConfig:
    """A config for which no size was given: that of a photo that is its own model, else it stays.

    Raises:
        RequestError: as `run.open_model`.
    """
    info = run.read_model_info(run.open_model(runs_folder(home), config.model))
    if not info.tile:
        return config
    width, height = size_step(info, config.mip)
    return replace(config, width=width, height=height)


def parse_detail(text: str) -> int:
    """`full`, `half` and so on, or how often it is halved, to the level of detail.

    Raises:
        RequestError: `invalid_config`.
    """
    word = text.strip().lower()
    if word in DETAILS:
        return DETAILS.index(word)
    rule = f"The detail must be {', '.join(DETAILS)}, or a whole number of halvings"
    require(re.fullmatch(r"-?\d{1,6}", word), rule, repr(text), "Correct --detail.")
    return int(word)


def checked_bits(bits: int | None) -> Bits | None:
    require(bits in (None, 8, 16), "--bits must be 8 or 16", bits, "Use --bits 8 or --bits 16.")
    return None if bits is None else 16 if bits == 16 else 8


def make_folder(folder: Path) -> None:
    """Make the folder that a command writes to, where it is not there.

    Raises:
        StorageError: `disk_full` or `file_unwritable`.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    check_folder(folder)


def check_picture_file(out: Path) -> None:
    """Check that a picture can be written under the name that `--out` gives, before there is one.

    Raises:
        RequestError: `invalid_config` for what is no PNG, the format that says how the picture was made.
        StorageError: as `check_folder`.
    """
    good = out.suffix.lower() == ".png" and not out.is_dir()
    require(good, "--out must name a PNG", repr(str(out)), "Name it FILE.png.")
    check_folder(out.parent, made=False)


def write_sheet(file: Path, picture: NDArray[Any], info: run.ModelInfo) -> None:
    """Write a picture that shows several things a model makes, marked as such."""
    write_picture(file, picture, metadata=model_metadata(info.name, info.hash, info.credits))


# Trains what a config says in a run's folder, given what is told of it and what asks whether to stop.
Work = Callable[[TrainingConfig, run.Run, Callable[[Report], None], Callable[[], bool]], None]


def start_training(config: TrainingConfig, folder: Path, load: Callable[[], Work]) -> int:
    """Train a new run, and show how it goes.

    Args:
        config: what was chosen.
        folder: of the runs.
        load: gives what does it, with TensorFlow.

    Returns:
        The steps that were done.

    Raises:
        TilewrightError: it cannot be started, failed or was cancelled; its name is free again if nothing was saved.
    """
    config.check()
    check_places(config.pictures)
    if config.estimator:
        run.open_estimator(folder, config.estimator)
    return train_in(config, run.Run.create(folder, config.run), load)


def train_in(config: TrainingConfig, opened: run.Run, load: Callable[[], Work]) -> int:
    """The same in the folder of a run that is there."""
    wish = terminal.StopWish(config.resume)
    try:
        with opened.writing(), terminal.TrainingView() as view, wish:
            if not config.resume:  # one that is refused keeps what it had
                opened.save_config(config)
            with quiet_loading():
                work = load()

            def report(news: Report) -> None:
                wish.note(news)
                view.report(news)

            work(config, opened, report, wish.asked)
    except BaseException as error:
        # The name is free again, unless there is something that can be resumed.
        if not config.resume and not isinstance(error, WorkerError):
            _free_name(opened)
        if wish.gave_up and not isinstance(error, Cancelled):
            raise Cancelled from error  # TensorFlow wraps what is raised while it traces
        raise
    return view.last.step if view.last else 0


def _free_name(opened: run.Run) -> None:
    if not opened.checkpoints() and not run.is_estimator(opened.path):
        shutil.rmtree(opened.path, ignore_errors=True)
        terminal.messages.print(terminal.line(f"Nothing of {opened.name} is kept."))
