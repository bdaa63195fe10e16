"""The main job from the command line: a photo in, a rendered scene with generated materials out."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent))

import demo_scene

from gan_worker.errors import TilewrightError


def default_picture() -> Path:
    """A CC0 photo that scikit-image brings along."""
    spec = importlib.util.find_spec("skimage")
    return Path(spec.origin).parent / "data" / "brick.png"


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Train a GAN on a picture, generate three materials, and render a scene with them.",
    )
    parser.add_argument(
        "--images", type=Path, default=None, help="a picture or a folder (default: bricks)"
    )
    parser.add_argument("--minutes", type=float, default=4.0, help="of training (default: 4)")
    parser.add_argument("--size", type=int, default=512, help="of every map, pixels (default: 512)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder (default: ./out)")
    return parser.parse_args(arguments)


def main() -> int:
    """Run the demo; 0 done, 2 bad input, 1 anything else that went wrong."""
    options = parse(sys.argv[1:])
    console = Console(stderr=True)
    started = time.monotonic()
    images = (options.images or default_picture()).resolve()
    try:
        summary = demo_scene.run(
            images, options.minutes, options.size, options.out.resolve(), console
        )
    except TilewrightError as error:
        console.print(f"[red]{error.info.message}[/red]", highlight=False)
        console.print(f"{error.info.cure} ({error.info.code})", highlight=False)
        return 2 if error.code.startswith(("picture", "dataset", "map_", "invalid")) else 1
    console.print(f"Done in {time.monotonic() - started:.0f} s: {summary}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
