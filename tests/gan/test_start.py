"""What a start of TensorFlow loads, and what it leaves to others."""

import json
import os
import subprocess
import sys

# Keras takes them along where they are installed; nothing here uses them.
UNUSED = {"matplotlib", "pandas", "scipy", "sklearn"}
START = """
import json, sys
from pathlib import Path
from gan_worker.compute.jobs import GanProgram
GanProgram(Path("unused")).device_name()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
import scipy.ndimage, sklearn.cluster
print(json.dumps(scipy.ndimage.uniform_filter([0.0, 3.0, 0.0]).tolist()))
"""


def test_a_compute_process_loads_no_more_of_keras_than_is_used():
    found = subprocess.run([sys.executable, "-c", START], capture_output=True, check=True)
    loaded, filtered = map(json.loads, found.stdout.splitlines())
    assert "keras" in loaded
    assert UNUSED.isdisjoint(loaded)
    assert filtered == [1.0, 1.0, 1.0], "what was kept out can be loaded later"


WORK = """
import sys
from pathlib import Path
from gan_worker.compute.jobs import GanProgram
from gan_worker.config import GenerationConfig, TrainingConfig
from gan_worker.style import (CellMap, Seed)
home, picture = Path(sys.argv[1]), sys.argv[2]
program = GanProgram(home)
heard = lambda report: None
never = lambda: False
program.train(TrainingConfig("oak", (picture,), "nano", None, 0.004, 1.0), heard, never)
painted = CellMap((Seed(1), Seed(2)), 1, 2, (0.0, 1.0))
for chosen in ({}, {"style": painted}):
    program.generate(GenerationConfig("oak", 1, 64, 64, **chosen), None, heard, never)
"""


def test_work_leaves_nothing_in_the_temporary_folder(striped_file, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path / "home"), str(striped_file)],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        check=True,
    )
    assert list(temporary.iterdir()) == []
