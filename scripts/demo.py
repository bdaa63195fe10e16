"""The main job from the command line: a material in, a rendered scene with generated materials out."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gan_worker.errors import PictureError, RequestError, TilewrightError

LOG_EVERY = 15.0
# Another stretch of the paving than the one that the starter model learned.
SOURCE, SOURCE_SIZE, SOURCE_SEED, SOURCE_DETAIL = "Cobblestone", 512, 7, 2


def draw_source(folder: Path) -> Path:
    """Draw the material that the demo learns from: cobblestone with all its maps, CC0.

    Returns:
        Its folder.
    """
    from starter_materials import write_material

    return write_material(folder, SOURCE, SOURCE_SIZE, SOURCE_SEED, SOURCE_DETAIL)


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
        help="pictures or folders (default: a cobblestone that it draws)",
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
            if not (options.quick or options.images):
                report("drawing a material to learn from", None)
            images = [] if options.quick else options.images or [draw_source(out / "source")]
            result = demo_scene.run(
                [image.resolve() for image in images],
                options.minutes,
                options.size,
                out,
                report,
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
