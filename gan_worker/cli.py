"""The command line: train, generate, evaluate, look at what is there; `serve` and `doctor` come before it."""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gan_worker import (
    __version__,
    evaluation_view,
    provenance_view,
    runs,
    scene_command,
    terminal,
)
from gan_worker.config import PRESETS, GenerationConfig, TrainingConfig
from gan_worker.durable_files import as_json, read_json, storage_errors, write_json
from gan_worker.errors import (
    Cancelled,
    ErrorInfo,
    PictureError,
    ProtocolError,
    RequestError,
    TilewrightError,
    UnexpectedError,
    WorkerError,
)
from gan_worker.exports.targets import (
    ExportedMaterial,
    Target,
    check_target,
    export_material,
    find_in_folder,
    from_generated,
    read_exported,
)
from gan_worker.locks import FolderLock
from gan_worker.marks import marks, read_marks
from gan_worker.material_files import Format, file_bits, save_material
from gan_worker.pictures import Bits, read_header, write_picture
from gan_worker.progress import GeneratedMaterial, GenerationProgress
from gan_worker.provenance import describe_picture, read_provenance
from gan_worker.style_options import parse_direction, parse_mix, read_style_map

logger = logging.getLogger(__name__)

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
MOST_SEEDS = 10_000
MOST_JUDGED = 64
NO_PIXELS = np.empty(0, np.float32)

app = typer.Typer(
    name="gan-worker",
    help="Train a GAN on your own pictures and get endless seamless PBR materials.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


Home = Annotated[
    Path | None, typer.Option(help="Folder of runs and keys; otherwise $TILEWRIGHT_HOME.")
]


def main(argv: list[str]) -> int:
    """Run one command.

    Args:
        argv: what follows `gan-worker`.

    Returns:
        Exit code: 0, or 2 for bad input, 130 when interrupted, 1 for anything else that went wrong.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        # The name alone is a question, not a mistake.
        argv = argv or ["--help"]
        return int(_command()(args=argv, prog_name="gan-worker", standalone_mode=False) or 0)
    except (typer.Abort, KeyboardInterrupt, Cancelled) as error:
        terminal.show_error(Cancelled().info)
        logger.debug("interrupted", exc_info=error)
        return INTERRUPTED
    except TilewrightError as error:
        terminal.show_error(error.info)
        bad_input = isinstance(error, PictureError | RequestError | ProtocolError)
        return BAD_INPUT if bad_input else FAILED
    except Exception as error:  # noqa: BLE001 — whatever it is, a person gets a sentence
        if hasattr(error, "format_message"):  # an option or a command that does not exist
            terminal.show_error(_usage(error))
            return BAD_INPUT
        return _fault(error)


def _runs_folder(home: Path | None) -> Path:
    if home is None:
        return runs.home_folder() / "runs"
    with storage_errors(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home / "runs"


def _command() -> Any:
    return typer.main.get_command(app)


def _usage(error: Any) -> ErrorInfo:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "gan-worker"
    return ErrorInfo("invalid_config", error.format_message(), f"See {path} --help.")


def _fault(error: Exception) -> int:
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        cure = "Ask for a smaller picture or preset, or close other programs."
        terminal.show_error(ErrorInfo("out_of_memory", "There was not enough memory.", cure))
    else:
        logger.error("a fault of the program", exc_info=error)
        terminal.show_error(UnexpectedError(error).info)
    return FAILED


# ---- train


@app.command()
def train(
    pictures: Annotated[list[Path] | None, typer.Argument(help="Pictures, or folders.")] = None,
    run: Annotated[str | None, typer.Option(help="Name of the new run and of its model.")] = None,
    resume: Annotated[str | None, typer.Option(help="Name of the run to continue.")] = None,
    preset: Annotated[
        str | None, typer.Option(help=f"Size of the networks: {', '.join(PRESETS)}. [tiny]")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after these minutes of training. [5]")
    ] = None,
    kimg: Annotated[
        float | None, typer.Option(help="Stop after so many thousand crops were seen.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Factor on the pictures' size; measured if left out.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes the training. [0]")] = None,
    author: Annotated[
        str, typer.Option(help="Who made the pictures, where they do not say it themselves.")
    ] = "",
    license: Annotated[str, typer.Option(help="Their licence, such as CC0-1.0.")] = "",
    source: Annotated[str, typer.Option(help="Where they come from.")] = "",
    home: Home = None,
) -> None:
    """Train a model; Ctrl+C stops and saves, a second one stops at once."""
    folder = _runs_folder(home)
    places = tuple(str(place.absolute()) for place in pictures or ())
    if (run is None) == (resume is None):
        raise RequestError(
            "invalid_config",
            "Exactly one of --run NAME and --resume RUN must be given.",
            "Give --run NAME to start a new run, or --resume RUN to continue one.",
        )
    if resume is not None:
        _refuse_kept(preset=preset, scale=scale, seed=seed)
        opened = runs.Run.open(folder, resume)
        config = _resumed(opened, places, minutes, kimg)
        _train(_with_rights(config, author, license, source), opened)
        return
    if minutes is None and kimg is None:
        minutes = TrainingConfig.minutes
    config = TrainingConfig(
        str(run), places, preset or TrainingConfig.preset, minutes, kimg, scale, seed or 0
    )
    _check_new(config)
    config = _with_rights(config, author, license, source)
    _train(config, runs.Run.create(folder, config.run))


def _with_rights(config: TrainingConfig, author: str, license: str, source: str) -> TrainingConfig:
    """A resumed run keeps what is not given anew."""
    return replace(
        config,
        author=author or config.author,
        license=license or config.license,
        source=source or config.source,
    )


def _refuse_kept(**options: object) -> None:
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given:
        raise RequestError(
            "invalid_config",
            f"A resumed run keeps its preset, scale and seed; received {', '.join(given)}.",
            "Leave these options out, or start a new run.",
        )


def _check_new(config: TrainingConfig) -> None:
    """Find plain mistakes before TensorFlow is loaded; the rest is found in training."""
    if not config.pictures:
        raise RequestError(
            "invalid_config",
            "A new run must have pictures to learn from; received none.",
            "Name pictures or folders: gan-worker train PICTURES --run NAME.",
        )
    _check_places(config.pictures)
    if config.preset not in PRESETS:
        raise RequestError(
            "invalid_config",
            f"The preset must be one of {', '.join(PRESETS)}; received {config.preset!r}.",
            "Choose one of these.",
        )


def _check_places(places: tuple[str, ...]) -> None:
    for place in places:
        if not Path(place).exists():
            raise PictureError(
                "picture_missing",
                f"Pictures must be files or folders that are there; {place} is not.",
                "Check the name and where it lies.",
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
        kimg = float(state["step"]) * PRESETS[config.preset].batch / 1000
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


def _train(config: TrainingConfig, run: runs.Run) -> None:
    wish = terminal.StopWish(config.resume)
    try:
        with _only_writer(run), terminal.TrainingView() as view, wish:
            run.save_config(config)
            with quiet_loading():
                from gan_worker.gan import training

            training.train(config, run, view.report, wish.asked)
    except BaseException as error:
        # The name is free again, unless there is something that can be resumed.
        if not config.resume and not isinstance(error, WorkerError):
            _free_name(run)
        if wish.gave_up and not isinstance(error, Cancelled):
            raise Cancelled from error  # TensorFlow wraps what is raised while it traces
        raise
    steps = view.last.step if view.last else 0
    terminal.output.print(f"Trained {run.name} for {steps} steps; all of it is in {run.path}")
    terminal.output.print(
        f"Next: gan-worker generate {shlex.quote(run.name)} --seed 1-9 --out FOLDER"
    )


def _free_name(run: runs.Run) -> None:
    if not run.checkpoints():
        shutil.rmtree(run.path, ignore_errors=True)


@contextmanager
def _only_writer(run: runs.Run) -> Iterator[None]:
    lock = FolderLock(run.path)
    if not lock.acquire():
        raise WorkerError(
            "busy",
            f"Only one training may write a run; another process trains {run.name!r} now.",
            "Wait until it has ended, or choose another name.",
        )
    try:
        yield
    finally:
        lock.release()


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


# ---- generate


@app.command()
def generate(
    model: Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")],
    seed: Annotated[str, typer.Option(help="Seeds, such as 7, 1-9 or 1,4,7.")] = "1",
    size: Annotated[str, typer.Option(help="Width and height in pixels.")] = "512x512",
    maps: Annotated[str, typer.Option(help="all, or maps such as base_color,normal.")] = "all",
    psi: Annotated[float, typer.Option(help="0: the mean style, 1: full variety.")] = 1.0,
    material: Annotated[
        str, typer.Option(help="Look of this training material; see gan-worker models.")
    ] = "",
    mix: Annotated[
        str, typer.Option(help="Looks of seeds or materials and weights: 1:0.5,7:0.5.")
    ] = "",
    style_map: Annotated[
        Path | None, typer.Option(help="Grey picture that paints the looks of --styles.")
    ] = None,
    styles: Annotated[
        str, typer.Option(help="Seeds or materials from black to white, such as 3,8.")
    ] = "",
    direction: Annotated[
        list[str] | None, typer.Option(help="Such as 'pca 1=2.5'; see gan-worker directions.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(),
    bits: Annotated[
        int | None, typer.Option(help="8 or 16 bits a value; otherwise 16 for height alone.")
    ] = None,
    format: Annotated[Format, typer.Option(help="EXR holds half floats, linear.")] = Format.png,
    home: Home = None,
) -> None:
    """Make seamless materials from a model."""
    seeds, (width, height) = parse_seeds(seed), parse_size(size)
    _checked_bits(bits)
    names = () if maps == "all" else tuple(name.strip() for name in maps.split(","))
    if (style_map is None) != (not styles):
        raise _invalid(
            "--style-map and --styles must be given together; received one of them.",
            "Give both: --style-map PICTURE --styles 3,8.",
        )
    config = GenerationConfig(
        model,
        seeds[0],
        width,
        height,
        names,
        psi,
        material=material,
        mix=parse_mix(mix) if mix else (),
        style_map=read_style_map(style_map, styles) if style_map else None,
        directions=tuple(map(parse_direction, direction or ())),
    )
    folder = runs.open_model(_runs_folder(home), model)
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    loaded = _load(folder)
    made: list[GeneratedMaterial] = []
    with _reporting() as tell:

        def report(piece: GenerationProgress) -> None:
            done = len(made) * piece.total + piece.done
            tell(GenerationProgress(done, len(seeds) * piece.total))

        for number in seeds:
            result = loaded.generate(replace(config, seed=number), file_bits(bits, format), report)
            save_material(result, out, format)
            # The table needs the numbers alone; thousands of pictures would not fit.
            made.append(replace(result, maps=dict.fromkeys(result.maps, NO_PIXELS)))
    terminal.show_materials(made)
    count = len(made) * len(made[0].maps)
    terminal.output.print(f"{count} pictures in {out.absolute()}", soft_wrap=True)


def _checked_bits(bits: int | None) -> Bits | None:
    if bits not in (None, 8, 16):
        raise _invalid(f"--bits must be 8 or 16; received {bits}.", "Use --bits 8 or --bits 16.")
    return None if bits is None else 16 if bits == 16 else 8


def _load(folder: Path) -> Any:
    with quiet_loading():
        from gan_worker.gan import generation
    return generation.load_model(folder)


@contextmanager
def _reporting(text: str = "generating") -> Iterator[Callable[[GenerationProgress], None]]:
    """A bar of pictures or their pieces, drawn in a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=terminal.output,
        disable=not terminal.output.is_terminal,
    ) as bar:
        task = bar.add_task(text, total=None)
        yield lambda news: bar.update(task, completed=news.done, total=news.total)


def parse_seeds(text: str) -> list[int]:
    """`7`, `1-9` and `1,4,7` to seeds, each once and in that order.

    Raises:
        RequestError: `invalid_config`.
    """
    seeds: list[int] = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if not 0 <= last - first < MOST_SEEDS:
            raise _invalid(
                f"Seeds must look like 7, 1-9 or 1,4,7, {MOST_SEEDS} at most; received {text!r}.",
                "Correct --seed.",
            )
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


def _invalid(message: str, cure: str) -> RequestError:
    return RequestError("invalid_config", message, cure)


# ---- other tools


@app.command()
def export(
    of: Annotated[
        str, typer.Argument(metavar="MODEL|FOLDER", help="A model's name, or a folder of maps.")
    ],
    to: Annotated[Target, typer.Option(help="What for.")],
    seed: Annotated[str | None, typer.Option(help="Of a model: 7, 1-9 or 1,4,7. [1]")] = None,
    size: Annotated[
        str | None, typer.Option(help="Of a model: width and height in pixels. [1024x1024]")
    ] = None,
    psi: Annotated[
        float | None, typer.Option(help="Of a model: 0: the mean style, 1: full variety. [1]")
    ] = None,
    material: Annotated[
        str | None, typer.Option(help="Of a model: look of this training material.")
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="8 or 16 bits a value; otherwise 16 for height alone.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("export"),
    home: Home = None,
) -> None:
    """Write materials as glTF, MaterialX, USD, or textures for a game engine."""
    deep = _checked_bits(bits)
    check_target(to)
    folder = Path(of)
    if folder.is_dir():
        given = {"seed": seed, "size": size, "psi": psi, "material": material}
        _refuse_with_folder(folder, out, given)
        count, materials = _read_for_export(folder)
    else:
        config = GenerationConfig(of, truncation_psi=1.0 if psi is None else psi)
        width, height = parse_size(size or "1024")
        config = replace(config, width=width, height=height, material=material or "")
        seeds = parse_seeds(seed or "1")
        model = runs.open_model(_runs_folder(home), of)
        count, materials = len(seeds), _generate_for_export(model, config, seeds, bits)
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    written: list[tuple[Path, str]] = []
    with _reporting(f"exporting to {to}") as tell:
        for done, made in enumerate(materials):
            tell(GenerationProgress(done, count))
            written += export_material(made, to, out, deep)
        tell(GenerationProgress(count, count))
    terminal.show_exported(written)
    terminal.output.print(f"{len(written)} files in {out.absolute()}", soft_wrap=True)


def _refuse_with_folder(folder: Path, out: Path, options: Mapping[str, object]) -> None:
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given:
        raise _invalid(
            f"A folder of maps is exported as it is; received {', '.join(given)} for the folder {folder}.",
            "Leave these options out, or give the name of a model that is no folder here.",
        )
    if out.resolve().is_relative_to(folder.resolve()):
        raise _invalid(
            f"--out must lie outside the folder of the maps, or they would be found together; received {out}.",
            "Give another --out.",
        )


def _read_for_export(folder: Path) -> tuple[int, Iterator[ExportedMaterial]]:
    sets, notes = find_in_folder(folder)
    terminal.show_notes(notes)
    return len(sets), map(read_exported, sets)


def _generate_for_export(
    folder: Path, config: GenerationConfig, seeds: list[int], bits: int | None
) -> Iterator[ExportedMaterial]:
    loaded = _load(folder)
    for number in seeds:
        made = loaded.generate(replace(config, seed=number), file_bits(bits, Format.png))
        yield from_generated(made)


# ---- what a model can do


@app.command()
def sheet(
    model: Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")],
    seeds: Annotated[str, typer.Option(help="Such as 1-12 or 1,4,7.")] = "1-12",
    size: Annotated[str, typer.Option(help="Width and height of each, pixels.")] = "256x256",
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("sheet.png"),
    home: Home = None,
) -> None:
    """Show many seeds side by side in one picture."""
    numbers, (width, height) = parse_seeds(seeds), parse_size(size)
    loaded = _load(runs.open_model(_runs_folder(home), model))
    from gan_worker.gan.sheets import seed_sheet

    config = GenerationConfig(model, width=width, height=height)
    with _reporting() as report:
        _write_sheet(seed_sheet(loaded, numbers, config, report), loaded.info, out)


@app.command()
def directions(
    model: Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")],
    count: Annotated[int, typer.Option(min=1, max=64, help="Strips of each kind.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="The material in the middle.")] = 1,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("directions.png"),
    home: Home = None,
) -> None:
    """Show what each slider of a model changes, in one picture."""
    loaded = _load(runs.open_model(_runs_folder(home), model))
    from gan_worker.gan.sheets import direction_sheet

    with _reporting() as report:
        _write_sheet(direction_sheet(loaded, seed, count, report), loaded.info, out)


def _write_sheet(picture: Any, info: runs.ModelInfo, out: Path) -> None:
    write_picture(out, picture, marks=marks(info.name, info.hash, __version__, info.credits))
    terminal.output.print(f"{out.absolute()}", soft_wrap=True)


# ---- scenes

app.command()(scene_command.batch)


# ---- evaluate


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")],
    against: Annotated[
        list[Path], typer.Option(help="Real picture or folder to compare with; may be repeated.")
    ],
    seeds: Annotated[int, typer.Option(help="How many generated pictures are judged.")] = 4,
    json: Annotated[
        Path | None, typer.Option(help="File for the figures; otherwise in the model's folder.")
    ] = None,
    home: Home = None,
) -> None:
    """Measure how close a model comes to real pictures."""
    if not 2 <= seeds <= MOST_JUDGED:
        raise _invalid(
            f"--seeds must lie between 2 and {MOST_JUDGED}; received {seeds}.", "Use --seeds 4."
        )
    _check_places(tuple(str(place) for place in against))
    folder = runs.open_model(_runs_folder(home), model)
    with quiet_loading():
        from gan_worker.gan import evaluation, generation

    loaded = generation.load_model(folder)
    with evaluation_view.EvaluationView() as view:
        places = [str(place.absolute()) for place in against]
        found = evaluation.evaluate_model(loaded, places, range(1, seeds + 1), view.report)
    evaluation_view.show_evaluation(found)
    file = json or folder / "evaluation.json"
    write_json(file, asdict(found))
    terminal.output.print(f"All figures in {file.absolute()}", soft_wrap=True)


# ---- where it comes from


@app.command()
def provenance(
    of: Annotated[str, typer.Argument(metavar="FILE|MODEL", help="A picture, or a model's name.")],
    json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    home: Home = None,
) -> None:
    """Show whose pictures a model has learned from, or how a picture was generated."""
    if Path(of).is_file():
        _show_origin(Path(of), json)
        return
    folder = runs.open_model(_runs_folder(home), of)
    found = read_provenance(folder)
    if found is None:
        raise RequestError(
            "wrong_state",
            f"The model must have been trained by a version that records where pictures come from; {of!r} "
            "has no provenance.json.",
            f"Resume it with its pictures: gan-worker train --resume {shlex.quote(of)}.",
        )
    if json:
        typer.echo(as_json(asdict(found)))
    else:
        provenance_view.show_provenance(of, found)


def _show_origin(file: Path, json: bool) -> None:
    """How a picture was generated, or what training would record of it."""
    marked = read_marks(read_header(file)[2])
    if json:
        typer.echo(as_json(marked or asdict(describe_picture(file))))
    elif marked:
        provenance_view.show_texts(f"{file.name} was generated", marked)
    else:
        provenance_view.show_picture(describe_picture(file))


# ---- what is there


@app.command()
def models(home: Home = None) -> None:
    """List the models."""
    terminal.show_models(runs.list_models(_runs_folder(home)))


@app.command("runs")
def show_runs(home: Home = None) -> None:
    """List the runs, finished or not."""
    folder = _runs_folder(home)
    terminal.show_runs(runs.Run(folder / name) for name in runs.list_runs(folder))


_PASSED_ON: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
}


@app.command(**_PASSED_ON)
def serve(context: typer.Context) -> None:
    """Serve Blender and scripts; its options: gan-worker serve --help."""
    from gan_worker import server

    sys.exit(server.main(context.args))


@app.command(**_PASSED_ON)
def doctor(context: typer.Context) -> None:
    """Check all that the worker needs, and say what is wrong and the cure."""
    from gan_worker import doctor_view

    sys.exit(doctor_view.main(context.args))
