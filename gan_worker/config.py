"""Configs, what was chosen for a training run or a generation: frozen dataclasses that check themselves."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from gan_worker import __version__
from gan_worker.dataclass_json import dump, flat, from_json, sparse, to_json
from gan_worker.errors import RequestError, require
from gan_worker.estimation import Estimation
from gan_worker.limits import (
    DETAILS,
    GPUS,
    MOST_PIXELS,
    OCTAVES,
    PICTURE_WIDTHS,
    REPAIR_SCALES,
    SEARCH_STEPS,
    SEEDS,
    SIDES,
    SWAYS,
    TRAINING_SCALES,
)
from gan_worker.names import check_name, composed
from gan_worker.preparation import AS_IT_IS, Preparation
from gan_worker.style import (
    CellMap,
    Choice,
    Directions,
    Latent,
    LookMap,
    Material,
    Sway,
    check_materials,
    check_seed,
    check_style,
    check_truncation,
    chosen_styles,
)


@dataclass(frozen=True)
class DetailConfig:
    """Sizes of the detail stage, which draws what the pictures have beyond the generator's own size.

    Attributes:
        width: features of the upsampler.
        blocks: of the upsampler. With two, or with two thirds of the features, three materials came out as near.
        discriminator_channels: features a level, from the full size down.
        crop: side of what is judged, pixels.
        batch: crops a step.
    """

    width: int = 48
    blocks: int = 1
    discriminator_channels: tuple[int, ...] = (16, 32, 48)
    crop: int = 64
    batch: int = 8


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
        detail: sizes of the stage that draws what is finer than the generator's own pictures.
        toned: whether each of several materials is drawn at a spread of its own, and given its colors at the end.
    """

    generator_channels: tuple[int, ...]
    discriminator_channels: tuple[int, ...]
    crop: int
    batch: int
    local_channels: int = 16
    z_dim: int = 64
    w_dim: int = 64
    detail: DetailConfig = DetailConfig()
    toned: bool = field(default=False, metadata=sparse())

    # Its pictures have a style and close at their borders.
    has_styles = seamless = True

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

    # Its pictures have no style, and lie side by side on a sheet.
    has_styles = seamless = False
    z_dim = w_dim = 0
    levels = 1

    @property
    def stride(self) -> int:
        """Pixels a cell of the latent grid is wide and high."""
        return self.side

    @property
    def crop(self) -> int:
        """Side of what is seen at once in training, pixels: all of a picture."""
        return self.side


@dataclass(frozen=True)
class PhotoConfig:
    """A photo that is its own model: nothing is learned of it, its pixels come back with the maps estimated from them.

    Attributes:
        seamless: whether its borders meet.
    """

    seamless: bool = True

    has_styles = False
    z_dim = w_dim = 0


@dataclass(frozen=True)
class EstimatorConfig:
    """An estimator of maps that learns on, from material sets; it makes nothing itself, others estimate with it."""


Network = NetworkConfig | ClassicConfig

# Networks of materials, by preset.
MATERIAL_PRESETS: dict[str, NetworkConfig] = {
    "nano": NetworkConfig(
        *((24, 16, 16, 12), (12, 16, 24, 32)),
        crop=32,
        batch=4,
        z_dim=16,
        w_dim=16,
        detail=DetailConfig(16, 1, (8, 12, 16), crop=32, batch=4),
    ),
    # With (96, 64, 48, 24) and (24, 48, 64, 96) a step takes half as long again, a picture too, and after equal minutes
    # what comes out is no nearer.
    "tiny": NetworkConfig((96, 64, 32, 16), (16, 32, 64, 96), crop=64, batch=8),
    "full": NetworkConfig(
        *((256, 256, 192, 128, 64, 32), (32, 64, 128, 192, 256, 256)),
        crop=256,
        batch=16,
        detail=DetailConfig(96, 3, (32, 64, 96), crop=128, batch=16),
    ),
}
# What a preset was when checkpoints did not tell the sizes of their networks.
EARLIER = {
    "tiny": replace(
        MATERIAL_PRESETS["tiny"],
        generator_channels=(96, 64, 48, 24),
        discriminator_channels=(24, 48, 64, 96),
    )
}
# Networks that learn, and all that a training can be.
NETWORKS: dict[str, Network] = {**MATERIAL_PRESETS, "classic": ClassicConfig()}
PRESETS: dict[str, Network | PhotoConfig | EstimatorConfig] = {
    **NETWORKS,
    "photo": PhotoConfig(),
    "estimator": EstimatorConfig(),
}


def network_of(preset: str, state: Mapping[str, Any]) -> Network:
    """The sizes of the networks that a run goes on with: those it was begun with.

    Args:
        preset: one of `NETWORKS`.
        state: of the checkpoint to go on from; empty at the start.
    """
    if preset in MATERIAL_PRESETS and "network" in state:
        return from_json(NetworkConfig, state["network"])
    return EARLIER.get(preset, NETWORKS[preset]) if state else NETWORKS[preset]


@dataclass(frozen=True)
class TrainingConfig:
    """One training job.

    Attributes:
        run: name of the run, and of the model that comes out of it.
        pictures: files or folders to learn from; `alias:relative/name` where a worker is remote.
        preset: size of the networks: `nano` (tests), `tiny` (2 cores), `full` (one GPU); `classic` is
            the plain dense GAN on small grey pictures, and `photo` has no networks: the one photo is the model.
            `estimator` makes no model: the estimator of maps learns on, from the material sets among the pictures.
        minutes: stop after this time spent in training steps, counted over all resumes; None for no bound.
        kimg: stop after this many thousand real crops, counted over all resumes; None for no bound.
        scale: factor on the pictures' size before training; None leaves it as it is. Not with `classic`, which brings
            all pictures to one size.
        octaves: how often the size doubles from what the generator draws, where the main shapes fit into a crop, to
            what the detail stage adds; None measures it. Without a scale, fewer than that leave out the finest. A
            resumed run may get octaves, or more of them, up to the pictures' own size. Not with `classic`.
        seed: fixes the first weights, the crops and the latents of training.
        resume: continue the run of that name from its newest good checkpoint.
        author: who made all of the pictures; empty where each tells by itself, as the following.
        license: their SPDX identifier or terms.
        source: where they come from.
        isotropic: learn the pictures turned and mirrored too. More to learn from where they are small, but light
            that falls from one side falls from all sides then. Not with `classic`.
        gpus: of one computer, among which every batch is divided; where there are fewer, those.
        prepare: what is done to photos first; sets of several maps stay as they are. A resumed run keeps it.
        tileable: whether the borders of a photo are made to meet; with `photo` alone, all others learn to.
        learn_maps: learn photos with all maps, which are estimated from them first, and not their color alone. A
            resumed run keeps it. Not with `classic`.
        estimator: name of the run that learned to estimate, where maps are estimated first: with `photo`, and to
            `learn_maps`; empty for the estimator that comes with the program.
        picture_width: meters that the first of the pictures shows from left to right, between its corners where it is
            straightened by such, so that what is generated can be laid on objects as large as it is; 0 where nobody
            knows, and a resumed run keeps what it was told.
    """

    run: str
    pictures: tuple[str, ...] = ()
    preset: str = "tiny"
    minutes: float | None = 5.0
    kimg: float | None = None
    scale: float | None = None
    octaves: int | None = None
    seed: int = 0
    resume: bool = False
    author: str = ""
    license: str = ""
    source: str = ""
    isotropic: bool = False
    gpus: int = 1
    prepare: Preparation = AS_IT_IS
    tileable: bool = False
    learn_maps: bool = False
    estimator: str = field(default="", metadata=sparse())
    picture_width: float = field(default=0.0, metadata=sparse())

    def __post_init__(self) -> None:
        object.__setattr__(self, "run", composed(self.run))

    def check(self) -> None:
        """Check all that can be known of it alone, before anything is read.

        Raises:
            RequestError: `invalid_config`.
        """
        check_name(self.run, "run")
        require(
            self.preset in PRESETS,
            f"The preset must be one of {', '.join(PRESETS)}",
            repr(self.preset),
            "Choose one of these.",
        )
        require(
            self.resume or self.pictures,
            "A new run must have pictures to learn from",
            "none",
            "Name or add a picture or a folder.",
        )
        self._check_budget()
        self.prepare.check()
        require(self.seed in SEEDS, f"The seed of a training must be {SEEDS}", self.seed)
        require(self.gpus in GPUS, f"The number of GPUs must be {GPUS}", self.gpus)
        # A resumed run keeps its scale and its turns, whatever is said here.
        if self.scale is not None and not self.resume:
            rule = (
                f"The scale of the pictures must be {TRAINING_SCALES}, or left out to be measured"
            )
            require(self.scale in TRAINING_SCALES, rule, self.scale)
        if self.octaves is not None:
            rule = f"Octaves of detail must be {OCTAVES}, or left out to be measured"
            require(self.octaves in OCTAVES, rule, self.octaves)
        if self.preset == "classic":
            self._check_classic()
        if self.preset == "photo":
            self._check_photo()
        if self.preset == "estimator":
            self._check_estimator()
        if self.estimator:
            check_name(self.estimator, "run")
            rule = "An estimator is chosen for a photo that is its own model, or to learn all maps of photos"
            cure = "Leave it out, or learn all maps."
            estimates = self.preset == "photo" or self.learn_maps
            require(estimates, rule, f"preset {self.preset}, which estimates none", cure)
        rule = f"The width that a picture shows must be {PICTURE_WIDTHS} meters, or 0 where it is not known"
        require(
            not self.picture_width or self.picture_width in PICTURE_WIDTHS, rule, self.picture_width
        )
        rule = "Only a photo that is its own model is made tileable: other presets learn to make what tiles"
        cure = "Leave it out, or choose the preset photo."
        require(not self.tileable or self.preset == "photo", rule, f"preset {self.preset}", cure)

    def _check_budget(self) -> None:
        given = [value for value in (self.minutes, self.kimg) if value is not None]
        require(
            given,
            "A training must have an end, in minutes or in thousands of crops (kimg)",
            "neither",
            "Give one of them, or both.",
        )
        require(
            all(math.isfinite(value) and value > 0 for value in given),
            "Minutes and thousands of crops (kimg) must be above 0",
            " and ".join(map(str, given)),
        )

    def _check_classic(self) -> None:
        require(self.gpus == 1, "The preset classic trains on 1 GPU", self.gpus, "Ask for one.")
        if self.resume:
            return
        cure = "Leave it out, or choose another preset."
        rule = "The preset classic brings all pictures to one size and takes no scale"
        require(self.scale is None, rule, self.scale, cure)
        rule = "The preset classic draws no detail beyond its own size"
        require(not self.octaves, rule, f"octaves {self.octaves}", cure)
        rule = "The preset classic learns pictures upright, not turned and mirrored"
        require(not self.isotropic, rule, "turned and mirrored", cure)
        rule = "The preset classic takes pictures as they are"
        require(self.prepare.is_empty, rule, "what to do to photos first", cure)
        rule = "The preset classic learns one map"
        require(not self.learn_maps, rule, "all maps of photos", cure)

    def _check_photo(self) -> None:
        if self.resume:
            return
        cure = "Leave it out, or choose another preset."
        rule = "The preset photo keeps a photo as it is, so it"
        require(self.scale is None, f"{rule} takes no scale", self.scale, cure)
        require(self.octaves is None, f"{rule} takes no octaves", self.octaves, cure)
        require(not self.isotropic, f"{rule} stays upright", "turned and mirrored", cure)
        require(self.gpus == 1, f"{rule} takes 1 GPU", self.gpus, cure)
        require(not self.learn_maps, f"{rule} learns no maps", "all maps of photos", cure)

    def _check_estimator(self) -> None:
        require(self.minutes, "An estimator learns for so many minutes", "none", "Give minutes.")
        require(self.kimg is None, "An estimator learns by time alone", "kimg", "Leave it out.")
        cure = "Leave it out, or choose another preset."
        rule = "The preset estimator learns material sets as they are, so it"
        require(self.scale is None, f"{rule} takes no scale", self.scale, cure)
        require(self.octaves is None, f"{rule} takes no octaves", self.octaves, cure)
        require(not self.isotropic, f"{rule} takes no turns", "turned and mirrored", cure)
        require(self.gpus == 1, f"{rule} takes 1 GPU", self.gpus, cure)
        require(self.prepare.is_empty, f"{rule} prepares no photos", "what to do to them", cure)
        require(not self.learn_maps, f"{rule} estimates no maps first", "all maps of photos", cure)


# Letters that a training material's name takes of a file's, and digits of a hash that tells two looks apart.
_NAME_LETTERS, _HASH_DIGITS = 40, 8


@dataclass(frozen=True)
class GenerationConfig:
    """One generated material.

    Attributes:
        model: name of a model (a run that has one).
        seed: fixes style and local latent; drawn with NumPy alone, so it is the same everywhere.
        width: pixels, a multiple of the model's stride at this level of detail.
        height: pixels, the same.
        maps: which maps; empty for all that the model has.
        truncation_psi: 0 gives the mean style, 1 the full variety, as in StyleGAN.
        style: what chooses the style instead of the seed, if anything: a latent, a training material, styles and
            their weights, whose mean in w is used, or a style for each place.
        mip: level of detail, as of a mipmap: 0 is the model's own size, and each further one halves the picture and
            shows the same of the pattern.
        origin: column and row of the endless pattern that become the left and top edge of the picture;
            None puts the border where the material is calm, and the recipe says where that was. With a
            style map None is (0, 0): what was painted stays where it was painted, with looks whatever it is.
        directions: names such as `pca 1` or `factor 2`, each with how many steps to move the style along
            it, whichever style that is; truncation does not weaken it. A step is one standard deviation of w.
        sway: how far things lie from where the seed puts them, 0 to 1, and in which direction, in turns of a circle:
            all layouts of one distance are a closed path around the seed's.
        steady: whether it is one of the frames of a sequence: the real detail of an octave is chosen for the seed's
            own layout in the mean style then, so that it keeps its place while look and layout move.
        estimation: what is made of maps that the model was not given, which are estimated from its base color, whose
            light is taken out; None leaves them out, and the color as it is.
    """

    model: str
    seed: int = 1
    width: int = 512
    height: int = 512
    maps: tuple[str, ...] = ()
    truncation_psi: float = 1.0
    style: Choice = field(default=None, metadata=flat())
    mip: int = 0
    origin: tuple[int, int] | None = None
    directions: Directions = ()
    sway: Sway = (0.0, 0.0)
    steady: bool = False
    estimation: Estimation | None = None

    @property
    def has_map(self) -> bool:
        """Whether each place has a style of its own."""
        return isinstance(self.style, CellMap | LookMap)

    @property
    def still(self) -> GenerationConfig:
        """The same seed's own layout in the mean style: what all steady frames of a sequence have in common."""
        return replace(self, truncation_psi=0.0, directions=(), sway=(0.0, 0.0), steady=False)

    def of_material(self, name: str) -> GenerationConfig:
        """The same in the look of a training material."""
        return replace(self, style=Material(name))

    @property
    def z(self) -> tuple[float, ...]:
        """The latent that chooses the style; empty where something else does."""
        return self.style.z if isinstance(self.style, Latent) else ()

    @property
    def size(self) -> str:
        """Pixels, and the level of detail where it is not all, as the names of files say them: `512x256_half`."""
        detail = f"_{DETAILS[self.mip]}" if self.mip else ""
        return f"{self.width}x{self.height}{detail}"

    def file_stem(self, usual: Estimation | None = None) -> str:
        """What the names of its files begin with, such that no look has the name of another.

        The border is found for all, so where it lies is no choice.

        Args:
            usual: what is made of estimates with this model where nothing else is chosen.

        Returns:
            `<model>_<seed>_<size>`; after the model the training material whose look was chosen, and last a short hash
            of what else was.
        """
        usually = GenerationConfig(self.model, self.seed, estimation=usual)
        usually = replace(usually, width=self.width, height=self.height, mip=self.mip)
        name = self.style.name if isinstance(self.style, Material) else ""
        shown = "".join(c if c.isalnum() or c in "-_. " else "-" for c in name[:_NAME_LETTERS])
        if name and shown == name:  # it says all of the style
            usually = replace(usually, style=self.style)
        plain = to_json(usually)
        written = to_json(replace(self, maps=(), origin=None))
        chosen = {field: value for field, value in written.items() if plain.get(field) != value}
        digest = hashlib.sha256(dump(chosen).encode()).hexdigest()[:_HASH_DIGITS] if chosen else ""
        return "_".join(filter(None, (self.model, shown, str(self.seed), self.size, digest)))

    def check(self) -> None:
        """Check all that can be known of it without the model.

        Raises:
            RequestError: `invalid_config` or `invalid_size`.
        """
        check_name(self.model, "model")
        size = f"{self.width}×{self.height}"
        for is_right, rule in (
            (
                self.width in SIDES and self.height in SIDES,
                f"Width and height must be {SIDES} pixels",
            ),
            (
                self.width * self.height <= MOST_PIXELS,
                f"A picture may have {MOST_PIXELS} pixels at most",
            ),
        ):
            require(is_right, rule, size, "Choose a smaller size: it tiles.", "invalid_size")
        require(self.mip in OCTAVES, f"The level of detail must be {OCTAVES}", self.mip)
        check_seed(self.seed)
        check_truncation(self.truncation_psi)
        require(
            self.sway[0] in SWAYS and math.isfinite(self.sway[1]),
            f"The layout may sway {SWAYS}, in any number of turns",
            " and ".join(map(str, self.sway)),
            "Use 0 to leave things where the seed puts them.",
        )
        check_style(self.style, self.directions)
        _check_estimation(self.estimation)

    def check_for(self, model: ModelFacts) -> None:
        """Check what depends on the model that shall make it.

        Raises:
            RequestError: `invalid_size`, `invalid_latent` or `invalid_config`.
        """
        require(
            0 <= self.mip <= model.octaves,
            f"The level of detail must be from 0 to {model.octaves} for this model",
            self.mip,
            "Use 0 for all the detail it has.",
        )
        check_size(self.width, self.height, *size_step(model, self.mip))
        estimated: tuple[str, ...] = ()
        if self.estimation:
            require(
                "base_color" in model.maps,
                "Maps are estimated from a base color, which the model must make",
                ", ".join(model.maps),
                "Leave estimation out, or use a model that was trained on base colors.",
            )
            estimated = self.estimation.maps(model.maps)
        known = {*model.maps, *estimated}
        unknown = [name for name in self.maps if name not in known]
        require(
            not unknown,
            f"Maps must be among those this model makes ({', '.join(model.maps)})",
            ", ".join(name or "an empty name" for name in unknown),
            "Ask for maps that were among the training pictures, or have the others estimated.",
        )
        require(
            len({*self.maps}) == len(self.maps),
            "Each map can be asked for once",
            ", ".join(self.maps),
            "Name each once.",
        )
        if self.style is not None or self.directions:
            check_has_styles(model.z_dim)
        styles = list(chosen_styles(self.style))
        check_materials(styles, model.styles)
        for z in (style.z for style in styles if isinstance(style, Latent)):
            require(
                len(z) == model.z_dim and all(map(math.isfinite, z)),
                f"A latent of this model must have {model.z_dim} finite numbers",
                len(z),
                "Use a seed, or a latent of this very model.",
                "invalid_latent",
            )


@dataclass(frozen=True)
class Credits:
    """Whose pictures a model was trained on: its provenance, summed up.

    Attributes:
        provenance: hash of its provenance, hex; empty where none is kept.
        pictures: how many it has learned from.
        unlicensed: how many of them name no license.
        authors: each once, those of most pictures first, ten at most and how many others.
        licenses: the same of SPDX identifiers or what the pictures say of their terms.
        contained: whether the model keeps pieces of them, of which its detail is made.
        materials: how many materials they are the maps of; 0 where each is one by itself, or that is not known.
        trained: whether it has learned from them at all: the model of one photo is made of it.
    """

    provenance: str = ""
    pictures: int = 0
    unlicensed: int = 0
    authors: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    contained: bool = False
    materials: int = field(default=0, metadata=sparse())
    trained: bool = field(default=True, metadata=sparse())


@dataclass(frozen=True)
class Recipe:
    """How a material was made, enough to make it again anywhere.

    Attributes:
        config: what to ask for to get the same again, with the origin that was found. Its `maps` are empty: which of
            them were asked for is no part of how a material was made.
        model_hash: sha256 of the model's weights, hex.
        version: version of Tilewright that made it.
        credits: of the model.
        estimated: map that was estimated → the mean error that is expected: in degrees for normals and for the height
            that is made of the same slopes, else of values 0..1; 0 for metallic, which a person has chosen.
        estimator: which estimator did it: letters of the hash of its weights; empty where nothing was estimated, or by
            a version that did not say.
    """

    config: GenerationConfig = field(metadata=flat("maps"))
    model_hash: str
    version: str
    credits: Credits = Credits()
    estimated: dict[str, float] = field(default_factory=dict)
    estimator: str = field(default="", metadata=sparse())

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", replace(self.config, maps=()))

    @classmethod
    def of_now(
        cls,
        config: GenerationConfig,
        model_hash: str,
        credits: Credits,
        estimated: Mapping[str, float] = MappingProxyType({}),
        estimator: str = "",
    ) -> Recipe:
        """Of what this version makes."""
        return cls(config, model_hash, __version__, credits, dict(estimated), estimator)

    @property
    def model(self) -> str:
        """The model's name."""
        return self.config.model


@dataclass(frozen=True)
class RepairConfig:
    """One repair of a material, whose pictures the worker reads.

    Attributes:
        model: name of a model that makes all of the maps, but for those that are estimated.
        picture: the one picture, or the folder with a material's maps; named as pictures to train on are.
        mask: a picture of the same size, white where to fill it; named in the same way.
        tileable: whether it is seamless, and stays so; None lets its borders tell.
        scale: the model's pixels of one of the picture, within `REPAIR_SCALES`; 1 for what a model has made, None for
            the scale of the model's training.
        seed: another one fills it in another way.
        steps: of the search, within `SEARCH_STEPS`.
        estimation: what was made of maps that the model does not make: they are estimated anew from the filled base
            color, and taken where it was filled. None where there are none.
    """

    model: str
    picture: str
    mask: str
    tileable: bool | None = None
    scale: float | None = None
    seed: int = 1
    steps: int = 150
    estimation: Estimation | None = None

    def check(self) -> None:
        """Check all that can be known of it before anything is read.

        Raises:
            RequestError: `invalid_config`.
        """
        check_name(self.model, "model")
        check_seed(self.seed)
        require(self.steps in SEARCH_STEPS, f"Steps must be {SEARCH_STEPS}", self.steps)
        if self.scale is not None:
            rule = f"The scale of a picture must be {REPAIR_SCALES}"
            require(self.scale in REPAIR_SCALES, rule, self.scale, "Use 1, or leave it out.")
        _check_estimation(self.estimation)

    def check_for(self, model: ModelFacts) -> None:
        """Check what depends on the model that shall do it.

        Raises:
            RequestError: `invalid_config`.
        """
        check_learned(model)


def _check_estimation(chosen: Estimation | None) -> None:
    if chosen:
        chosen.check()
        if chosen.estimator:
            check_name(chosen.estimator, "run")


JobConfig = TrainingConfig | GenerationConfig | RepairConfig


class ModelFacts(Protocol):
    """What must be known of a model to say whether it can make something."""

    @property
    def stride(self) -> int:
        """Pixels a cell of the latent grid; sizes are multiples of it."""

    @property
    def octaves(self) -> int:
        """Times its size doubles above what the generator draws."""

    @property
    def z_dim(self) -> int:
        """Length of the latent z; 0 where there are no styles."""

    @property
    def maps(self) -> Collection[str]:
        """Maps it makes."""

    @property
    def styles(self) -> Collection[str]:
        """Names of training materials whose style it knows."""

    @property
    def tile(self) -> tuple[int, int] | None:
        """Width and height of the one picture that it has, pixels; None where it draws any size."""


def size_step(model: ModelFacts, mip: int) -> tuple[int, int]:
    """What widths and what heights of a model's pictures are multiples of, pixels, at a level of detail."""
    across, down = model.tile or (model.stride, model.stride)
    return max(1, across >> mip), max(1, down >> mip)


def check_size(width: int, height: int, across: int, down: int) -> None:
    """Check the size of a picture against what it must be a multiple of.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
        across: of `size_step`.
        down: of `size_step`.

    Raises:
        RequestError: `invalid_size`, naming the nearest sizes that work.
    """
    if width > 0 and height > 0 and width % across == 0 and height % down == 0:
        return
    nearest = (max(1, round(v / n)) * n for v, n in ((width, across), (height, down)))
    steps = f"{across}" if across == down else f"{across}×{down}"
    raise RequestError(
        "invalid_size",
        f"Width and height must be multiples of {steps} pixels for this model; received {width}×{height}.",
        f"Try {'×'.join(map(str, nearest))}.",
    )


def check_learned(model: ModelFacts) -> None:
    """Refuse what a photo that is its own model cannot do.

    Raises:
        RequestError: `invalid_config`.
    """
    require(
        model.tile is None,
        "This needs a model that has learned its material",
        "one of the preset photo, which has nothing but its one picture",
        "Train the picture with another preset, such as tiny, or use another model.",
    )


def check_has_styles(z_dim: int) -> None:
    """Refuse what a model without styles cannot do.

    Args:
        z_dim: length of its latent z; 0 where there are no styles.

    Raises:
        RequestError: `invalid_config`.
    """
    require(
        z_dim,
        "This needs a model with styles",
        "one of the preset classic or photo, which has none",
        "Leave its style as it is, or use a model of another preset.",
    )
