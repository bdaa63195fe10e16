"""The main job from the command line: a material in, a rendered scene with generated materials out."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gan_worker.errors import PictureError, RequestError, TilewrightError, UnexpectedError
from gan_worker.runs.provenance import TrainingPicture, read_provenance
from gan_worker.runs.run import BUNDLED

ROOT = Path(__file__).resolve().parent.parent
LOG_EVERY = 15.0
# Which of the models that come with the program lends the real material that it holds, under CC0, and the name for it.
LENDER, SOURCE = "Starter Aged Bricks", "AgedBricks"


def write_source(folder: Path) -> tuple[Path, TrainingPicture]:
    """Write the material that the demo learns from: real bricks with all their maps.

    Returns:
        Its folder, and whose it is.

    Raises:
        UnexpectedError: it could not be written.
    """
    model, place = BUNDLED / LENDER, folder / SOURCE
    # In a process of its own: TensorFlow is not loaded beside Blender.
    command: list[str | Path] = [sys.executable, ROOT / "scripts/kept_pictures.py", model, place]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise UnexpectedError(RuntimeError(error.stderr.strip())) from error
    provenance = read_provenance(model)
    assert provenance  # the models that come with the program have one
    return place, provenance.pictures[0]


def size(text: str) -> tuple[int, int]:
    """`512` or `1024x512` as width and height."""
    sides = [int(side) for side in text.lower().split("x")]
    if len(sides) not in (1, 2):
        raise ValueError(text)
    return sides[0], sides[-1]


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Train a GAN on pictures, generate three materials, render a scene with them.",
    )
    parser.add_argument(
        "--images",
        type=Path,
        nargs="+",
        help="pictures or folders (default: the bricks that a starter model has learned from)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="train nothing, take starter models: under two minutes"
    )
    parser.add_argument("--minutes", type=float, default=4.0, help="of training (default: 4)")
    parser.add_argument(
        "--size",
        type=size,
        help="of every map, 512 or 1024x512 (default: a tile with all the detail that was learned)",
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder (default: ./out)")
    options = parser.parse_args(arguments)
    if options.quick and options.images:
        parser.error("--quick trains nothing and takes no --images")
    return options


def main() -> int:
    """Run the demo; 0 done, 2 bad input, 1 anything else that went wrong, 130 interrupted."""
    options = parse(sys.argv[1:])
    console = Console(stderr=True)
    started = time.monotonic()
    bar = Progress(
        BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    )
    try:
        with bar:
            task = bar.add_task("starting Blender", total=None)

            told = 0.0

            def report(text: str, fraction: float | None) -> None:
                nonlocal told
                bar.update(task, description=text, total=1, completed=fraction)
                # In a log there is no bar: every stage gets a line, long ones one now and then.
                if not console.is_terminal and (
                    fraction is None or time.monotonic() - told > LOG_EVERY
                ):
                    told = time.monotonic()
                    share = "" if fraction is None else f"{fraction:4.0%} "
                    console.print(f"{share}{text}", highlight=False, soft_wrap=True)

            import demo_scene  # loads Blender, which takes a second

            out = options.out.resolve()
            images, owner = options.images or [], None
            if not (options.quick or images):
                report("writing a material to learn from", None)
                source, owner = write_source(out / "source")
                images = [source]
            result = demo_scene.run(
                [image.resolve() for image in images],
                options.minutes,
                options.size,
                out,
                report,
                owner=owner,
            )
    except TilewrightError as error:
        console.print(f"[red]{error.info.message}[/red]", highlight=False)
        console.print(f"{error.info.cure} [{error.code}]", highlight=False, markup=False)
        return 2 if isinstance(error, PictureError | RequestError) else 1
    except KeyboardInterrupt:
        console.print("Interrupted. What was trained so far is kept in the worker's folder.")
        return 130
    seconds = time.monotonic() - started
    console.print(
        f"Done in {seconds:.0f} s, worst seam ratio {result.worst_seam_ratio:.2f}. "
        f"Open {result.summary}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
