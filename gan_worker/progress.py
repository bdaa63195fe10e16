"""Progress that long work tells while it runs: frozen dataclasses, given to a `report` function."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

# A model that copies more than this share of its pieces has learned its pictures by heart.
MOST_COPIED = 0.05


if TYPE_CHECKING:  # the server reads these classes too, and NumPy would double its start-up time
    from numpy.typing import NDArray

    from gan_worker.config import Recipe
    from gan_worker.errors import ErrorInfo


@dataclass(frozen=True)
class Stage:
    """The work entered a new stage, such as `reading pictures` or `building the networks`."""

    text: str


@dataclass(frozen=True)
class MaterialEntry:
    """One material that was found: its name, size in pixels, and the maps it has."""

    name: str
    width: int
    height: int
    maps: tuple[str, ...]


@dataclass(frozen=True)
class SkippedFile:
    """One file that is not used, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class DataReport:
    """What was found in the pictures before training starts.

    Attributes:
        materials: what will be learned.
        skipped: what will not, each with its reason.
        maps: the maps that are learned together.
        scale: factor on the pictures' size.
        notes: sentences a person should read, such as a guess that was made.
        isotropic: whether they look the same turned and mirrored, as measured; None where that was not.
        turned: whether they are learned turned and mirrored too.
        octaves: times they are halved for the generator; the detail stage learns what is lost by it.
        learned: whether anything is learned from them; a photo that is its own model is kept instead.
    """

    materials: tuple[MaterialEntry, ...]
    skipped: tuple[SkippedFile, ...]
    maps: tuple[str, ...]
    scale: float
    notes: tuple[str, ...] = ()
    isotropic: bool | None = None
    turned: bool = False
    octaves: int = 0
    learned: bool = True

    def in_words(self, chosen: bool = False) -> tuple[str, ...]:
        """What was suggested for the pictures, as sentences.

        Args:
            chosen: whether the scale was chosen by a person.
        """
        if not self.learned:
            kept = "its full size" if self.scale == 1 else f"{self.scale:.3g} of its size"
            return (f"The photo is the model, kept at {kept}. Nothing is learned from it.",)
        if self.scale == 1:
            size = "The pictures are learned at their full size."
        else:
            lost = (
                ", and what is finer is left out"
                if self.scale < 1
                else ": it is finer than they are"
            )
            reason = ", as chosen" if chosen else lost
            size = f"The pictures are learned at {self.scale:.0%} of their size{reason}."
        if self.octaves:
            size += (
                f" Their shapes are learned {1 << self.octaves} times smaller, where the main ones fit into what the "
                "networks see at once, and the finer detail on top of them."
            )
        ways = {
            True: "They look the same turned and mirrored. Learned in all these ways, small pictures give more.",
            False: "They have a direction, and are learned upright.",
            None: "",
        }[self.isotropic]
        if self.turned:
            ways = "They are learned turned and mirrored too, as chosen."
        return (size, ways) if ways else (size,)


@dataclass(frozen=True)
class TrainingProgress:
    """One tick of training.

    Attributes:
        step: updates so far, over all resumes.
        kimg: thousands of real crops seen so far.
        seconds: time spent in training steps so far, over all resumes.
        fraction: how much of the budget is used, 0..1.
        eta: seconds left, or None where the budget has no end.
        images_per_second: real crops a second over the last tick.
        losses: name → value averaged over the last tick.
        memory_mb: resident memory of the process, MiB.
        figures: metric → value of the preview, where there was one since the last tick.
        stopped_for: seconds of training since the previews stopped getting better; None while they do, or before that
            can be known.
    """

    step: int
    kimg: float
    seconds: float
    fraction: float
    eta: float | None
    images_per_second: float
    losses: dict[str, float]
    memory_mb: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    stopped_for: float | None = None

    def advice(self) -> str:
        """What a person should know and may do where the training has stopped getting better; else empty."""
        if self.stopped_for is None:
            return ""
        return (
            f"It has not improved for {max(1, round(self.stopped_for / 60))} min: stop and keep it, or give it more "
            "pictures or more detail."
        )


@dataclass(frozen=True)
class GenerationProgress:
    """Pieces done and pieces in all of one generation."""

    done: int
    total: int


@dataclass(frozen=True)
class BatchProgress:
    """How far a scene recipe is.

    Attributes:
        done: materials that are there or have failed.
        total: materials in all.
        made: of those done, made now.
        kept: found on the disk.
        failed: not to be had.
        eta: seconds left, None while that is not known.
    """

    done: int
    total: int
    made: int = 0
    kept: int = 0
    failed: int = 0
    eta: float | None = None


@dataclass(frozen=True, eq=False)
class Preview:
    """A picture of the fixed latents at this step: uint8, shape (height, width, 3), top row first."""

    step: int
    pixels: NDArray[Any]


@dataclass(frozen=True, eq=False)
class LiveModel:
    """The model that is being trained, usable between two steps (a `gan.generation.Model`)."""

    name: str
    model: Any


@dataclass(frozen=True)
class Notice:
    """Something a person should know and nothing is lost by, such as a checkpoint that was put aside."""

    text: str


@dataclass(frozen=True, eq=False)
class GeneratedMaterial:
    """Maps and how they were made.

    Attributes:
        maps: map name → array of shape (height, width, channels), top row first: float32 in 0..1, or uint8 or
            uint16 where whole numbers were asked for.
        recipe: what to ask for to get the same again.
        seam_ratios: map name → wrap step over interior step (the larger of both axes).
        forward_seconds: time of the generator's forward pass.
    """

    maps: dict[str, NDArray[Any]]
    recipe: Recipe
    seam_ratios: dict[str, float] = field(default_factory=dict)
    forward_seconds: float = 0.0


Row = dict[str, float]


@dataclass(frozen=True)
class Likeness:
    """A small piece of generated material, and the place of a real one that is most like it.

    Attributes:
        seed: of the generated picture.
        place: column and row of the piece's first pixel in it.
        picture: name of the real material.
        picture_place: column and row in it, at the model's scale.
        correlation: of the two, −1..1, where 1 is a copy.
    """

    seed: int
    place: tuple[int, int]
    picture: str
    picture_place: tuple[int, int]
    correlation: float


@dataclass(frozen=True)
class Evaluation:
    """How good a model is, beside what the same metrics give for other things.

    Attributes:
        model: the model's name.
        model_hash: sha256 of its weights, hex.
        step: updates it was trained for.
        pictures: names of the real materials it was compared with.
        scale: factor on the pictures' size.
        seeds: of the generated pictures.
        rows: `model`, `floor` (half of the real pictures against the other half), `random_phase` (noise with the
            right spectrum) and `noise` → metric → value.
        nearest: the real material that most of the generated pieces are copies of or, with no copies, nearest to.
        likenesses: the generated pieces that are most like a real one, the most alike first.
    """

    model: str
    model_hash: str
    step: int
    pictures: tuple[str, ...]
    scale: float
    seeds: tuple[int, ...]
    rows: dict[str, Row]
    nearest: str = ""
    likenesses: tuple[Likeness, ...] = ()


@dataclass(frozen=True)
class Waiting:
    """A training waits until something can be written, which the error says; None: it goes on."""

    error: ErrorInfo | None


Working = Stage | DataReport | TrainingProgress | GenerationProgress | Notice | Waiting
Report = Working | Preview | LiveModel


def copy_warning(share: float | None, picture: str = "") -> str:
    """What a person should know of a model that copies, and what to do about it; empty for one that does not.

    Args:
        share: of its pieces that are copies, 0..1; None where that was not measured.
        picture: the one that most were copied from, where it is known.
    """
    if share is None or share <= MOST_COPIED:
        return ""
    most = f", mostly from {picture}" if picture else ""
    return (
        f"{share:.0%} of what this model makes is copied from its training pictures{most}, so it may fall under "
        "their rights. Train on more or larger pictures, or for a shorter time."
    )
