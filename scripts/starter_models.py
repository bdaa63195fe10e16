"""Makes the starter models that come with the program: draws materials, trains on each, puts the models in place.

Takes about 35 minutes on two processor cores. The materials are drawn by `starter_materials.py` and the models learn
from nothing else, so that both are free of anyone's rights.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import numpy as np

from gan_worker.runs import provenance
from gan_worker.runs.run import BUNDLED, Run, load_model_files

# Folder of the drawn material → name of the model. Each is a model of its own, because after minutes of training one
# material alone is far better than one of many.
MODELS = {
    "RedBricks": "Starter Red Bricks",
    "Cobblestone": "Starter Cobblestone",
    "PeelingPaint": "Starter Peeling Paint",
    "WeatheredPlanks": "Starter Weathered Wood",
    "HexagonTiles": "Starter Hexagon Tiles",
    "CrackedMud": "Starter Cracked Mud",
}
KIMG = 6.4
RIGHTS = (
    *("--author", "Tilewright contributors"),
    *("--license", "CC0-1.0"),
    *("--source", "scripts/starter_materials.py"),
)
LICENCE = (
    "This model was trained on procedural materials that are part of Tilewright (scripts/starter_materials.py).\n"
    "It is dedicated to the public domain: CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/\n"
)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        drawn, home = Path(folder) / "materials", Path(folder) / "home"
        subprocess.run([sys.executable, ROOT / "scripts/starter_materials.py", drawn], check=True)
        for material, name in MODELS.items():
            train = [sys.executable, "-m", "gan_worker", "train", str(drawn / material)]
            train += ["--run", name, "--preset", "tiny", "--kimg", str(KIMG), "--scale", "1"]
            subprocess.run([*train, *RIGHTS, "--home", str(home)], cwd=ROOT, check=True)
            put_in_place(home / "runs" / name)
    return 0


def put_in_place(run: Path) -> None:
    """Publish the model of a run where the program looks for those it brings along.

    Weights are rounded to half precision, which halves the wheel and changes no map by more than it could store.
    """
    info, tensors = load_model_files(run)
    model = BUNDLED / run.name
    shutil.rmtree(model, ignore_errors=True)
    model.mkdir(parents=True)
    Run(model).save_model(info, {n: a.astype(np.float16) for n, a in tensors.items()})
    shutil.copy2(run / provenance.FILE, model)
    (model / "LICENSE.txt").write_text(LICENCE)


if __name__ == "__main__":
    sys.exit(main())
