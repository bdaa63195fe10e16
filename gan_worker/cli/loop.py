"""The command `gan-worker loop`: image sequences of a closed path through the looks of a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from gan_worker.cli import terminal
from gan_worker.cli.options import (
    Detail,
    Estimate,
    Estimation,
    Home,
    check_folder,
    estimation_for,
    load,
    model_for,
    parse_detail,
    parse_size,
    reporting,
    takes_estimation,
)
from gan_worker.config import GenerationConfig
from gan_worker.errors import require
from gan_worker.limits import AMOUNTS, SWAYS
from gan_worker.materials.files import Format, file_bits
from gan_worker.materials.sequences import SequenceWriter
from gan_worker.progress import GeneratedMaterial, GenerationProgress
from gan_worker.styles import motion
from gan_worker.styles.mixing import with_style
from gan_worker.styles.text import parse_style


@takes_estimation
def loop(
    model: Annotated[str, typer.Argument(help="Name of a model; see gan-worker models.")],
    frames: Annotated[
        int, typer.Option(min=motion.FEWEST_FRAMES, max=motion.MOST_FRAMES, help="How many.")
    ] = 48,
    styles: Annotated[
        str, typer.Option(help="Seeds or materials to go through, such as 3,8,12.")
    ] = "",
    direction: Annotated[
        list[str] | None,
        typer.Option(help="Instead: the circle's directions, such as 'pca 1'; once or twice."),
    ] = None,
    radius: Annotated[
        float, typer.Option(min=0.0, max=AMOUNTS.most, help="Of the circle, steps.")
    ] = 2.0,
    sway: Annotated[
        float,
        typer.Option(min=SWAYS.least, max=SWAYS.most, help="How far things move; 0: they stay."),
    ] = 0.3,
    seed: Annotated[int, typer.Option(help="Says where things lie.")] = 1,
    size: Annotated[str, typer.Option(help="Width and height in pixels.")] = "512x512",
    detail: Detail = "full",
    maps: Annotated[str, typer.Option(help="all, or maps such as base_color,normal.")] = "all",
    psi: Annotated[float, typer.Option(help="0: the mean style, 1: full variety.")] = 1.0,
    out: Annotated[Path, typer.Option(help="Folder for the frames; it must be new.")] = Path(
        "loop"
    ),
    estimate: Estimate = None,
    home: Home = None,
    estimation: Estimation | None = None,
) -> None:
    """Make image sequences that end where they begin. Their steps are even."""
    width, height = parse_size(size)
    names = () if maps == "all" else tuple(name.strip() for name in maps.split(","))
    base = GenerationConfig(model, seed, width, height, names, psi, mip=parse_detail(detail))
    base = replace(base, estimation=estimation_for(model, home, estimate, estimation))
    path = _path(base, styles, direction or [], radius)
    motion.check_moves(path, sway)
    require(
        not out.exists(),
        "--out must name a new folder",
        f"{out}, which is there",
        "Give another --out.",
    )
    check_folder(out.parent)
    loaded = load(model_for(base, home), home)
    configs = motion.loop_frames(path, _lengths(loaded, path), frames, sway)
    meters: defaultdict[str, motion.StepMeter] = defaultdict(motion.StepMeter)
    with _writing(SequenceWriter(out, _stem(base))) as writer, reporting() as tell:
        origin = None
        for number, config in enumerate(configs, start=1):
            made = loaded.generate(replace(config, origin=origin), file_bits(None, Format.png))
            origin = made.recipe.config.origin  # the border stays where the first frame has it
            for name in _measured(made):
                meters[name].add(made.maps[name])
            for _ in writer.write(number, made.maps, made.recipe):
                pass
            del made  # before the next one is made
            tell(GenerationProgress(number, frames))
        first = writer.publish()
    for name, meter in meters.items():
        label = f"{frames} frames, {name.replace('_', ' ')}"
        terminal.output.print(f"{label}: {meter.evenness(closes=True)}", soft_wrap=True)
    terminal.output.print(f"{len(first) * frames} pictures in {out.absolute()}", soft_wrap=True)


def _measured(made: GeneratedMaterial) -> list[str]:
    """Maps whose steps are told: what is seen, and the normals where they are estimated from that."""
    shown = motion.shown_map(list(made.maps))
    estimated = "normal" in made.recipe.estimated and "normal" in made.maps
    return [shown, "normal"] if estimated and shown != "normal" else [shown]


def _path(
    base: GenerationConfig, styles: str, directions: Sequence[str], radius: float
) -> motion.Path:
    require(
        not (styles and directions),
        "A loop goes through --styles or around in --direction",
        "both",
        "Leave one of them out.",
    )
    if styles:
        chosen = [parse_style(part) for part in styles.split(",") if part.strip()]
        return motion.path_through(base, [with_style(base, style) for style in chosen])
    names = [" ".join(name.split()) for name in directions or ["pca 1"]]
    require(
        len(names) <= 2,
        "A circle has two directions",
        len(names),
        "Give --direction twice at most.",
    )
    replace(base, directions=tuple((name, 0.0) for name in names)).check()
    if len(names) == 1:  # the next weaker one of its kind
        kind, number = names[0].split()
        names.append(f"{kind} {int(number) + 1}")
    return motion.path_around(base, names[0], names[1], radius)


def _lengths(model: Any, path: motion.Path) -> list[float]:
    meter = motion.StepMeter()
    with reporting("measuring the path") as tell:
        for number in range(motion.PROBES):
            small = motion.probe_config(path(number / motion.PROBES), model.info)
            made = model.generate(small, file_bits(None, Format.png))
            meter.add(next(iter(made.maps.values())))
            tell(GenerationProgress(number + 1, motion.PROBES))
    return [*meter.steps, meter.closing()]


def _stem(config: GenerationConfig) -> str:
    return f"{config.model}_loop_{config.size}"


@contextmanager
def _writing(writer: SequenceWriter) -> Iterator[SequenceWriter]:
    try:
        yield writer
    finally:
        writer.discard()
