"""Trains a model on a picture without the regions that are held back from it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from quality_training import Stopwatch, TimedTraining

from gan_worker.config import MATERIAL_PRESETS, TrainingConfig
from gan_worker.gan.data.dataset import (
    Dataset,
    Material,
    MeasuredPictures,
    measure_element,
    suggest_scale,
)
from gan_worker.gan.data.statistics import Statistics
from gan_worker.gan.training.pipelines import MaterialPipeline
from gan_worker.materials.pictures import read_picture, resize, write_picture
from gan_worker.runs.run import Run

CROP = MATERIAL_PRESETS["tiny"].crop
# Side of a held-back region, and of the part of a picture that is used at most, pixels at training scale.
HOLE, SIDE = 64, 320


class KnownCrops(Dataset):
    """Crops of one picture that show nothing of what is hidden.

    Args:
        material: the only one.
        statistics: of it.
        hidden: (height, width) bool.
        crop: side of a crop, pixels.
    """

    def __init__(self, material: Material, statistics: Statistics, hidden: np.ndarray, crop: int):
        super().__init__([material], statistics)
        area = np.lib.stride_tricks.sliding_window_view(hidden, (crop, crop)).any(axis=(2, 3))
        self._spots = tf.constant(np.argwhere(~area), tf.int32)
        self._picture = tf.constant(statistics.standardise(material).astype(np.float16))

    def crops(self, seed: tf.Tensor, batch: int, crop: int) -> tf.Tensor:
        """As in the base class."""
        last = len(self._spots)
        chosen = tf.random.stateless_uniform((batch,), seed + [0, 2], 0, last, dtype=tf.int32)
        spots = tf.gather(self._spots, chosen)
        steps = tf.range(crop)
        rows = spots[:, 0, None, None] + steps[None, :, None] + 0 * steps[None, None, :]
        columns = spots[:, 1, None, None] + steps[None, None, :] + 0 * steps[None, :, None]
        index = tf.stack([rows, columns], axis=-1)
        return tf.cast(tf.gather_nd(self._picture, index), tf.float32)


def read_at_training_scale(file: Path) -> np.ndarray:
    """The upper left part of a picture, at the scale that training would take it, (height, width, 3) in 0..1."""
    picture = read_picture(file)
    scale = suggest_scale(measure_element(picture), min(picture.shape[:2]), CROP)
    picture = resize(picture, scale)[:SIDE, :SIDE]
    return np.repeat(picture, 3 // picture.shape[-1], axis=-1)


def hide(picture: np.ndarray) -> np.ndarray:
    """Where the two held-back squares lie, (height, width) bool."""
    hidden = np.zeros(picture.shape[:2], bool)
    for share in (0.3, 0.7):
        top, left = (round(share * n) - HOLE // 2 for n in hidden.shape)
        hidden[top : top + HOLE, left : left + HOLE] = True
    return hidden


def train(
    name: str, picture: np.ndarray, hidden: np.ndarray, home: Path, minutes: float, pace: float
) -> None:
    """Train `tiny` as the command line does, but never show it what is hidden.

    The statistics and the pattern are measured on the picture with the regions painted over by OpenCV.

    Args:
        name: of the run.
        picture: (height, width, 3) in 0..1.
        hidden: (height, width) bool.
        home: folder of the runs.
        minutes: of an idle computer.
        pace: steps in a second of an idle computer.
    """
    file = home / f"{name}_without.png"
    levels = np.rint(picture * 255).astype(np.uint8)
    painted = cv2.inpaint(levels, hidden.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    write_picture(file, painted)
    tiny = MATERIAL_PRESETS["tiny"]

    class HeldBack(MaterialPipeline):
        def new_dataset(self, pictures: MeasuredPictures) -> Dataset:
            return KnownCrops(pictures.materials[0], pictures.statistics, hidden, tiny.crop)

    config = TrainingConfig(name, (str(file),), minutes=minutes, scale=1.0, octaves=0)
    run = Run.create(home / "runs", name)
    watch, pipeline = Stopwatch({"small": 1 / pace}), HeldBack(tiny)
    TimedTraining(watch, config, run, lambda news: None, pipeline).loop(lambda: False)
