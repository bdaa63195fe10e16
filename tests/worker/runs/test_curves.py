"""The curves of a run become a picture, whatever of them there is."""

import numpy as np
import pytest

from gan_worker.errors import StorageError
from gan_worker.materials.pictures import read_picture
from gan_worker.progress import TrainingProgress
from gan_worker.runs.curves import POINTS, Ticks, draw_curves


def tick(step, **figures):
    losses = {"generator": 1 / step, "r1_penalty": 9.0}
    return TrainingProgress(step, 0.1, 60.0 * step, 0.5, None, 9.0, losses, figures=figures)


def colored(file):
    """Pixels that are neither grey nor white: the curves."""
    picture = read_picture(file)
    return int(np.sum(np.ptp(picture, axis=-1) > 0.2))


def test_figures_add_their_curves_to_those_of_the_losses(tmp_path):
    losses = [tick(step) for step in range(1, 5000)]
    figures = [tick(step, diversity=0.5 + step / 10) for step in range(1, 5)]
    for name, ticks in {"none": [], "losses": losses, "figures": figures}.items():
        draw_curves(ticks, {"swd/0": 3.0}, tmp_path / f"{name}.png")
    none, alone, more = (colored(tmp_path / f"{n}.png") for n in ("none", "losses", "figures"))
    assert none == 0 < alone < more
    assert {f.name for f in tmp_path.iterdir()} == {"none.png", "losses.png", "figures.png"}


def test_few_ticks_are_all_kept():
    told = [tick(step, **({"diversity": 0.5} if step % 10 == 1 else {})) for step in range(1, 500)]
    assert list(Ticks(told)) == told


def test_of_a_long_run_as_many_ticks_are_kept_as_are_drawn():
    told = [tick(step, **({"swd/0": 0.5} if step % 12 == 1 else {})) for step in range(1, 18_000)]
    kept = list(Ticks(told))
    assert POINTS < len(kept) <= 4 * POINTS
    steps = [one.step for one in kept]
    assert steps == sorted(set(steps))
    assert max(np.diff(steps)) <= 2 * 18_000 / POINTS
    assert len([one for one in kept if one.figures]) > POINTS / 2


def test_ticks_that_are_made_again_take_the_place_of_the_first_ones():
    ticks = Ticks(map(tick, (1, 2, 3)))
    ticks.add(tick(2, diversity=0.5))
    ticks.add(tick(4))
    assert list(ticks) == [tick(1), tick(2, diversity=0.5), tick(4)]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(StorageError) as caught:
        draw_curves([], {}, tmp_path / "nowhere" / "progress.png")
    assert caught.value.code == "file_unwritable"
