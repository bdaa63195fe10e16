"""Makes the starter model that comes with the program: draws materials, trains on them, puts the model in place.

Takes about an hour on two processor cores. The materials are drawn by `starter_materials.py` and the model learns from
nothing else, so that both are free of anyone's rights.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from gan_worker.runs import BUNDLED, read_model_info, weights_name

NAME, KIMG = "starter", 48
LICENCE = (
    "This model was trained on procedural materials that are part of Tilewright (scripts/starter_materials.py).\n"
    "It is dedicated to the public domain: CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/\n"
)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        materials, home = Path(folder) / "materials", Path(folder) / "home"
        subprocess.run(
            [sys.executable, ROOT / "scripts/starter_materials.py", materials], check=True
        )
        train = [sys.executable, "-m", "gan_worker", "train", str(materials), "--run", NAME]
        train += ["--preset", "tiny", "--kimg", str(KIMG), "--scale", "1", "--home", str(home)]
        subprocess.run(train, cwd=ROOT, check=True)
        put_in_place(home / "runs" / NAME, BUNDLED / NAME)
    return 0


def put_in_place(run: Path, model: Path) -> None:
    """Copy the model of a run, and nothing else of it, to where the program looks for it."""
    shutil.rmtree(model, ignore_errors=True)
    model.mkdir(parents=True)
    for name in ("model.json", weights_name(read_model_info(run).hash)):
        shutil.copy2(run / name, model)
    (model / "LICENSE.txt").write_text(LICENCE)


if __name__ == "__main__":
    sys.exit(main())
