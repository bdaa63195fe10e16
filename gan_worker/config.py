"""What was chosen for a training run or a generation: frozen dataclasses, saved beside the result."""

from __future__ import annotations

from dataclasses import dataclass

from gan_worker.errors import RequestError
from gan_worker.style import Directions, Mix, StyleMap, Sway


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the two networks and of what they see; saved with every model.

    Attributes:
        generator_channels: features a level, from the latent grid to the full size; one level doubles the size.
        discriminator_channels: features a level, from the full size down.
        crop: side of a training crop, pixels, a multiple of the stride.
        batch: crops a step.
        local_channels: channels of the local latent on the latent grid.
        z_dim: length of the latent z.
        w_dim: length of the style w.
    """

    generator_channels: tuple[int, ...]
    discriminator_channels: tuple[int, ...]
    crop: int
    batch: int
    local_channels: int = 16
    z_dim: int = 64
    w_dim: int = 64

    @property
    def stride(self) -> int:
        """Pixels a cell of the latent grid is wide and high."""
        return 1 << (self.levels - 1)

    @property
    def levels(self) -> int:
        """Sizes at which the generator draws, each with noise of its own after the first."""
        return len(self.generator_channels)


@dataclass(frozen=True)
class ClassicConfig:
    """Sizes of the plain dense GAN, which makes one small grey picture from each cell of the latent grid.

    Attributes:
        generator_widths: units a layer between the random numbers and the picture.
        discriminator_widths: units a layer between the picture and the logit.
        side: of a picture, pixels.
        batch: pictures a step.
        local_channels: random numbers for a picture.
    """

    generator_widths: tuple[int, ...] = (256, 256, 128, 64)
    discriminator_widths: tuple[int, ...] = (256, 128)
    side: int = 28
    batch: int = 64
    local_channels: int = 100

    # It knows no style.
    z_dim = w_dim = 0
    levels = 1

    @property
    def stride(self) -> int:
        """Pixels a cell of the latent grid is wide and high."""
        return self.side


Network = NetworkConfig | ClassicConfig

# Networks of materials, by preset.
MATERIAL_PRESETS: dict[str, NetworkConfig] = {
    "nano": NetworkConfig((24, 16, 16, 12), (12, 16, 24, 32), crop=32, batch=4, z_dim=16, w_dim=16),
    "tiny": NetworkConfig((96, 64, 48, 24), (24, 48, 64, 96), crop=64, batch=8),
    "full": NetworkConfig(
        (256, 256, 192, 128, 64, 32), (32, 64, 128, 192, 256, 256), crop=256, batch=16
    ),
}
PRESETS: dict[str, Network] = {**MATERIAL_PRESETS, "classic": ClassicConfig()}


@dataclass(frozen=True)
class TrainingConfig:
    """One training job.

    Attributes:
        run: name of the run, and of the model that comes out of it.
        pictures: files or folders to learn from; `alias:relative/name` where a worker is remote.
        preset: size of the networks: `nano` (tests), `tiny` (2 cores), `full` (one GPU); `classic` is
            the plain dense GAN on small grey pictures.
        minutes: stop after this time spent in training steps, counted over all resumes; None for no bound.
        kimg: stop after this many thousand real crops, counted over all resumes; None for no bound.
        scale: factor on the pictures' size before training; None measures it from the pictures. Not with
            `classic`, which brings all pictures to one size.
        seed: fixes the first weights, the crops and the latents of training.
        resume: continue the run of that name from its newest good checkpoint.
        author: who made all of the pictures; empty where each tells by itself, as the following.
        license: their SPDX identifier or terms.
        source: where they come from.
        isotropic: learn the pictures turned and mirrored too. More to learn from where they are small, but light
            that falls from one side falls from all sides then. Not with `classic`.
        gpus: of one computer, among which every batch is divided; where there are fewer, those.
    """

    run: str
    pictures: tuple[str, ...] = ()
    preset: str = "tiny"
    minutes: float | None = 5.0
    kimg: float | None = None
    scale: float | None = None
    seed: int = 0
    resume: bool = False
    author: str = ""
    license: str = ""
    source: str = ""
    isotropic: bool = False
    gpus: int = 1


@dataclass(frozen=True)
class GenerationConfig:
    """One generated material.

    Attributes:
        model: name of a model (a run that has one).
        seed: fixes style and local latent; drawn with NumPy alone, so it is the same everywhere.
        width: pixels, a multiple of the model's stride.
        height: pixels, a multiple of the model's stride.
        maps: which maps; empty for all that the model has.
        truncation_psi: 0 gives the mean style, 1 the full variety, as in StyleGAN.
        z: explicit style latent instead of the seed's, as many numbers as the model says; empty for the seed's.
        origin: column and row of the endless pattern that become the left and top edge of the picture;
            None puts the border where the material is calm, and the recipe says where that was. With a
            style map None is (0, 0): what was painted stays where it was painted, with looks whatever it is.
        material: name of a training material whose style is used instead of the seed's.
        mix: styles and their weights, whose mean in w is used instead of the seed's style.
        style_map: a style for each place instead of the seed's everywhere.
        directions: names such as `pca 1` or `factor 2`, each with how many steps to move the style along
            it, whichever style that is; truncation does not weaken it. A step is one standard deviation of w.
        sway: how far things lie from where the seed puts them, 0 to 1, and in which direction, in turns of a circle:
            all layouts of one distance are a closed path around the seed's.
    """

    model: str
    seed: int = 1
    width: int = 512
    height: int = 512
    maps: tuple[str, ...] = ()
    truncation_psi: float = 1.0
    z: tuple[float, ...] = ()
    origin: tuple[int, int] | None = None
    material: str = ""
    mix: Mix = ()
    style_map: StyleMap | None = None
    directions: Directions = ()
    sway: Sway = (0.0, 0.0)


@dataclass(frozen=True)
class RepairConfig:
    """One repair of a material, whose pictures the worker reads.

    Attributes:
        model: name of a model that makes all of the maps.
        picture: the one picture, or the folder with a material's maps; named as pictures to train on are.
        mask: a picture of the same size, white where to fill it; named in the same way.
        tileable: whether it is seamless, and stays so; None lets its borders tell.
        scale: the model's pixels of one of the picture, 0.01 to 4; 1 for what a model has made, None for the scale
            of the model's training.
        seed: another one fills it in another way.
        steps: of the search, 1 to `MOST_STEPS`.
    """

    model: str
    picture: str
    mask: str
    tileable: bool | None = None
    scale: float | None = None
    seed: int = 1
    steps: int = 150


JobConfig = TrainingConfig | GenerationConfig | RepairConfig

# Of the search for what fits into a hole.
MOST_STEPS = 10_000

# Seeds are what fits into an integer property of Blender.
LARGEST_SEED = 2**31 - 1

# Windows opens a device for these, with any extension too.
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³"))
)


def check_name(name: str, what: str) -> str:
    """Return the name if it can be a folder's name on every system.

    Raises:
        RequestError: `invalid_config` when it is empty, too long, holds a path or odd characters, or names
            a device of Windows.
    """
    good = (
        0 < len(name) <= 80
        and all(c.isalnum() or c in "-_. " for c in name)
        and name == name.strip(". ")
    )
    if not good:
        raise RequestError(
            "invalid_config",
            f"The name of a {what} must be 1 to 80 letters, digits, spaces, '-', '_' or '.', and neither "
            f"start nor end with a dot or space; received {name!r}.",
            "Choose a plainer name.",
        )
    if name.split(".")[0].rstrip().lower() in _DEVICES:
        raise RequestError(
            "invalid_config",
            f"The name of a {what} must be one that every system takes for a folder; Windows keeps {name!r} "
            "for a device.",
            "Choose another name.",
        )
    return name


def check_size(width: int, height: int, stride: int) -> None:
    """Check the size of a picture against a model's stride.

    Raises:
        RequestError: `invalid_size`, naming the nearest sizes that work.
    """
    if width > 0 and height > 0 and width % stride == 0 and height % stride == 0:
        return
    nearest = tuple(max(stride, round(v / stride) * stride) for v in (width, height))
    raise RequestError(
        "invalid_size",
        f"Width and height must be multiples of {stride} pixels for this model; received {width}×{height}.",
        f"Try {nearest[0]}×{nearest[1]}.",
    )
