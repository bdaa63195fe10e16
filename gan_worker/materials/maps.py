"""Which maps a material has: channels, neutral value, color space, and words in file names."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class MaterialMap:
    """One map of a material.

    Attributes:
        name: our word for it, also used on the wire and in file names.
        channels: how many channels its picture has (3 or 1).
        color_space: Blender's name of the color space its pixels are in.
        bits: how many bits a value has on the wire; 16 where 8 would show steps.
        file_word: how the names of our files and images end, so that Blender's Node Wrangler knows them.
        words: what ambientCG, Poly Haven and artists call it at the end of a file name, lower case.
    """

    name: str
    channels: int
    color_space: str
    bits: int
    file_word: str
    words: tuple[str, ...]


MAPS: dict[str, MaterialMap] = {
    m.name: m
    for m in (
        MaterialMap(
            "base_color",
            3,
            "sRGB",
            8,
            "basecolor",
            (
                *("color", "basecolor", "base_color", "colour", "basecolour"),
                *("diff", "diffuse", "albedo", "col"),
            ),
        ),
        MaterialMap("roughness", 1, "Non-Color", 8, "roughness", ("roughness", "rough")),
        MaterialMap("metallic", 1, "Non-Color", 8, "metallic", ("metalness", "metallic", "metal")),
        MaterialMap(
            "normal",
            3,
            "Non-Color",
            8,
            "normal",
            (
                *("normalgl", "normal_gl", "normal_opengl", "normalopengl", "nor_gl"),
                *("normal", "nor", "nrm"),
            ),
        ),
        MaterialMap(
            "height", 1, "Non-Color", 16, "height", ("displacement", "disp", "height", "bump")
        ),
        MaterialMap(
            "ambient_occlusion",
            1,
            "Non-Color",
            8,
            "ao",
            ("ambientocclusion", "ambient_occlusion", "occlusion", "ao"),
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
    *(
        "spec",
        "specular",
        "spec_ior",
        "gloss",
        "glossiness",
        "mask",
        "opacity",
        "alpha",
        "emission",
    ),
    *(
        "emissive",
        "scattering",
        "translucent",
        "translucency",
        "transmission",
        "cavity",
        "curvature",
    ),
    *("anisotropy", "sheen", "thickness", "idmap", "vectordisplacement", "preview", "sphere"),
)

_KINDS = {
    **{word: m.name for m in MAPS.values() for word in m.words},
    **dict.fromkeys(DIRECTX_WORDS, "normal_directx"),
    **dict.fromkeys(PACKED_WORDS, "packed"),
    **dict.fromkeys(UNUSED_WORDS, "unused"),
}
_WORD = re.compile(rf"(?:^|[_\-. ])({'|'.join(map(re.escape, _KINDS))})$", re.IGNORECASE)

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
    return _RESOLUTION.sub("", rest[: word.start()]), _KINDS[word[1].lower()]
