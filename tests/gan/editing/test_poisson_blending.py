"""Filling a hole in the gradient domain, against the equations solved directly."""

import numpy as np
import pytest

from gan_worker.gan.editing.poisson_blending import blend

OPEN, TORUS = (False, False), (True, True)


def hole(height, width, *squares):
    hidden = np.zeros((height, width), bool)
    for top, bottom, left, right in squares:
        hidden[np.ix_(np.arange(top, bottom) % height, np.arange(left, right) % width)] = True
    return hidden


def solved_directly(known, source, hidden, closed):
    """Poisson's equation, pixel by pixel, as a dense system."""
    places = np.argwhere(hidden)
    index = {tuple(place): number for number, place in enumerate(places)}
    matrix, right = np.zeros((len(places),) * 2), np.zeros((len(places), known.shape[-1]))
    for (y, x), number in index.items():
        for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            place = [y + down, x + across]
            if any(
                not c and not 0 <= p < n
                for p, n, c in zip(place, hidden.shape, closed, strict=True)
            ):
                continue
            place = tuple(p % n for p, n in zip(place, hidden.shape, strict=True))
            matrix[number, number] += 1
            right[number] += source[y, x] - source[place]
            if place in index:
                matrix[number, index[place]] -= 1
            else:
                right[number] += known[place]
    filled = known.copy()
    filled[hidden] = np.linalg.solve(matrix, right)
    return filled


@pytest.mark.parametrize("closed", [OPEN, TORUS, (True, False)])
@pytest.mark.parametrize(
    "squares", [[(5, 17, 4, 20)], [(-4, 6, -7, 3)], [(0, 21, 3, 9), (12, 14, 0, 26)]]
)
def test_it_solves_the_equations_at_any_border(closed, squares):
    known, source = np.random.default_rng(1).random((2, 21, 26, 2)).astype(np.float32)
    hidden = hole(21, 26, *squares)
    expected = solved_directly(known, source, hidden, closed)
    np.testing.assert_allclose(blend(known, source, hidden, closed), expected, atol=2e-5)


def test_what_is_known_keeps_its_bits_whatever_lies_hidden():
    known, source = np.random.default_rng(2).random((2, 32, 40, 3)).astype(np.float32)
    hidden = hole(32, 40, (10, 20, 12, 31))
    filled = blend(np.where(hidden[..., None], np.nan, known), source, hidden)
    assert np.isfinite(filled).all()
    assert filled[~hidden].tobytes() == known[~hidden].tobytes()


def test_the_same_picture_in_another_light_gives_the_picture():
    y, x = np.mgrid[0:64, 0:64] * 2 * np.pi / 64
    truth = (0.5 + 0.2 * np.sin(3 * x) * np.cos(2 * y))[..., None].astype(np.float32)
    hidden = hole(64, 64, (50, 80, 50, 90))
    filled = blend(truth, truth + np.float32(0.3), hidden, TORUS)
    np.testing.assert_allclose(filled, truth, atol=1e-5)
