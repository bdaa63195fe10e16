"""Table of maps: all that sets one map of a material apart, from its words in file names to its place in a shader.

Whatever else tells maps apart looks it up here, so a new map is a new row; only what no row can say needs code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What the numbers of a map mean, and so how it is read, learned, averaged and written.

    Attributes:
        color: three channels as a screen shows them (sRGB); files of light, such as EXR, hold them linear.
        direction: three channels, unit vectors in tangent space as OpenGL has them, -1..1 stored as 0..1; learned
            are x and y.
        value: one linear channel.
    """

    color = "color"
    direction = "direction"
    value = "value"


class Connection(StrEnum):
    """How a map reaches its input of the shader.

    Attributes:
        direct: by a link.
        multiplied: multiplied into the map that is linked to the same input.
        normal_map: by a node that turns it from tangent space.
        displacement: by a node that moves the surface, to the material's output.
    """

    direct = "direct"
    multiplied = "multiplied"
    normal_map = "normal_map"
    displacement = "displacement"


@dataclass(frozen=True, kw_only=True)
class MaterialMap:
    """One map of a material.

    Attributes:
        name: our word for it, also used on the wire and in file names.
        flag: stands for it in sets of maps that .blend files hold: a power of two that no other map has or had, for
            life.
        kind: what its numbers mean.
        words: what ambientCG, Poly Haven and artists call it at the end of a file name, lower case.
        file_word: how the names of our files and images end, so that Blender's Node Wrangler knows them.
        neutral: what each channel holds where a material has no such map, 0..1 as in its files; shaders without it
            show the same.
        socket: the input of Blender's Principled BSDF that it feeds; of its material output for a displacement.
        connection: how it gets there.
        strength: the input of the same shader that weighs it, where there is one; 1 when the map first comes.
        bits: how many bits a value has on the wire; 16 where 8 would show steps.
        any_range: whether files of floating-point numbers hold it in any unit, so that only its relation is kept.
        shows_pattern: whether bonds, tilings and grain are looked for in it.
        shows_edges: whether its edges tell if the material has a direction.
    """

    name: str
    flag: int
    kind: Kind
    words: tuple[str, ...]
    file_word: str
    neutral: tuple[float, ...]
    socket: str
    connection: Connection = Connection.direct
    strength: str = ""
    bits: int = 8
    any_range: bool = False
    shows_pattern: bool = False
    shows_edges: bool = False

    @property
    def channels(self) -> int:
        """How many channels its picture has."""
        return 1 if self.kind is Kind.value else 3

    @property
    def label(self) -> str:
        """What people read."""
        return self.name.replace("_", " ").title()


# In the order in which they are learned, listed and laid out in node trees. Saved files do not depend on it.
MAPS: dict[str, MaterialMap] = {
    m.name: m
    for m in (
        MaterialMap(
            name="base_color",
            flag=1,
            kind=Kind.color,
            words=(
                *("color", "basecolor", "base_color", "colour", "basecolour"),
                *("diff", "diffuse", "albedo", "col"),
            ),
            file_word="basecolor",
            neutral=(0.9, 0.9, 0.9),
            socket="Base Color",
            shows_pattern=True,
            shows_edges=True,
        ),
        MaterialMap(
            name="roughness",
            flag=2,
            kind=Kind.value,
            words=("roughness", "rough"),
            file_word="roughness",
            neutral=(0.5,),
            socket="Roughness",
            shows_edges=True,
        ),
        MaterialMap(
            name="metallic",
            flag=4,
            kind=Kind.value,
            words=("metalness", "metallic", "metal"),
            file_word="metallic",
            neutral=(0.0,),
            socket="Metallic",
        ),
        MaterialMap(
            name="normal",
            flag=8,
            kind=Kind.direction,
            words=(
                *("normalgl", "normal_gl", "normal_opengl", "normalopengl", "nor_gl"),
                *("normal", "nor", "nrm"),
            ),
            file_word="normal",
            neutral=(0.5, 0.5, 1.0),
            socket="Normal",
            connection=Connection.normal_map,
        ),
        MaterialMap(
            name="height",
            flag=16,
            kind=Kind.value,
            words=("displacement", "disp", "height", "bump"),
            file_word="height",
            neutral=(0.5,),
            socket="Displacement",
            connection=Connection.displacement,
            bits=16,
            any_range=True,
            shows_pattern=True,
            shows_edges=True,
        ),
        MaterialMap(
            name="ambient_occlusion",
            flag=32,
            kind=Kind.value,
            words=("ambientocclusion", "ambient_occlusion", "occlusion", "ao"),
            file_word="ao",
            neutral=(1.0,),
            socket="Base Color",
            connection=Connection.multiplied,
        ),
        MaterialMap(
            name="opacity",
            flag=64,
            kind=Kind.value,
            # Not "mask": what Poly Haven calls so is a mix of two looks here, a cut-out there.
            words=("opacity", "alpha", "opacitymask", "opacity_mask", "alphamask", "alpha_mask"),
            file_word="opacity",
            neutral=(1.0,),
            socket="Alpha",
            shows_pattern=True,
            shows_edges=True,
        ),
        MaterialMap(
            name="emission",
            flag=128,
            kind=Kind.color,
            words=(
                *("emission", "emissive", "emit"),
                *("emissioncolor", "emission_color", "emissivecolor", "emissive_color"),
            ),
            file_word="emission",
            neutral=(0.0, 0.0, 0.0),
            socket="Emission Color",
            strength="Emission Strength",
            shows_pattern=True,
            shows_edges=True,
        ),
    )
}

# One file, three maps: red ambient occlusion, green roughness, blue metallic (Poly Haven, glTF).
PACKED_WORDS = ("arm", "orm")
PACKED_MAPS = ("ambient_occlusion", "roughness", "metallic")

# Normals with green pointing down: the green channel is inverted when they are read.
DIRECTX_WORDS = ("normaldx", "normal_dx", "normal_directx", "normaldirectx", "nor_dx")

# Maps that sets come with and that are not learned; beside a set they are no photos.
UNUSED_WORDS = (
    *("spec", "specular", "spec_ior", "gloss", "glossiness", "mask", "transparency"),
    *("scattering", "translucent", "translucency", "transmission"),
    *("cavity", "curvature", "anisotropy", "sheen", "thickness", "idmap"),
    *("vectordisplacement", "preview", "sphere"),
)

_MEANINGS = {
    **{word: m.name for m in MAPS.values() for word in m.words},
    **dict.fromkeys(DIRECTX_WORDS, "normal_directx"),
    **dict.fromkeys(PACKED_WORDS, "packed"),
    **dict.fromkeys(UNUSED_WORDS, "unused"),
}
_WORD = re.compile(rf"(?:^|[_\-. ])({'|'.join(map(re.escape, _MEANINGS))})$", re.IGNORECASE)

# Bare numbers count only where they are a power of two: `Bricks_008` is a name.
_RESOLUTION = re.compile(
    r"[_\-. ](\d{1,2}k([-_](jpg|png|exr))?|\d{3,5}px|256|512|1024|2048|4096|8192)$", re.IGNORECASE
)


def split_file_stem(stem: str) -> tuple[str, str | None]:
    """Split a file stem into the material's name and which map it is.

    Args:
        stem: file name without extension, such as `Bricks008_1K-JPG_NormalGL` or
            `brick_wall_nor_gl_1k`.

    Returns:
        The material's name without map word and resolution (empty where the stem is but a word),
        and one of `MAPS`, `normal_directx`, `packed`, `unused`, or None where no word is recognised
        (a plain photo).
    """
    rest = _RESOLUTION.sub("", stem)
    word = _WORD.search(rest)
    if word is None:
        return stem, None
    return _RESOLUTION.sub("", rest[: word.start()]), _MEANINGS[word[1].lower()]
