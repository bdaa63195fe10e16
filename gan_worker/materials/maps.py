"""Table of maps: all that sets one map of a material apart, from its words in file names to its place in a shader.

Whatever else tells maps apart looks it up here, so a new map is a new row; only what no row can say needs code.
"""

from __future__ import annotations

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
        words: what vendors, tools and artists call it in file names, lower case and without separators; where a
            material has several such files, the earliest word's is taken.
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
                *("basecolor", "basecolour", "color", "colour", "albedo", "diffuse", "diff", "col"),
                *("basemap", "basecol", "bcol", "albedocolor", "diffusecolor", "maincolor"),
                *("maintex", "alb", "dif", "clr", "bc", "c", "d", "a"),
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
            words=("roughness", "rough", "specularroughness", "rgh", "roug", "rougness", "r"),
            file_word="roughness",
            neutral=(0.5,),
            socket="Roughness",
            shows_edges=True,
        ),
        MaterialMap(
            name="metallic",
            flag=4,
            kind=Kind.value,
            words=("metalness", "metallic", "metal", "metallness", "met", "mtl", "mt", "m"),
            file_word="metallic",
            neutral=(0.0,),
            socket="Metallic",
        ),
        MaterialMap(
            name="normal",
            flag=8,
            kind=Kind.direction,
            words=(
                *("normal", "normals", "nor", "nrm", "norm", "nrml", "nml", "normaltangent"),
                *("tangentnormal", "normaltangentspace", "tangentspacenormal", "nm"),
                *("normalbump", "bumpnormal", "n"),
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
            words=(
                *("displacement", "disp", "height", "displ", "displace", "dsp", "hgt", "parallax"),
                *("dp", "h", "depth", "bump", "bmp", "b"),
            ),
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
            words=(
                *("ambientocclusion", "occlusion", "ao", "occ", "ambocc", "mixedao", "bakedao"),
                *("mixedambientocclusion", "meshao", "o"),
            ),
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
            words=("opacity", "alpha", "opacitymask", "alphamask", "cutout", "opac", "op"),
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
                *("emission", "emissive", "emit", "emissioncolor", "emissivecolor", "emis"),
                *("emiss", "glow", "selfillumination", "incandescence", "luminosity", "em", "e"),
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

# What a channel can hold beside maps: one minus roughness.
SMOOTHNESS = "smoothness"


@dataclass(frozen=True)
class FileKind:
    """What a picture file holds.

    Attributes:
        channels: maps, `smoothness`, and empty names for what is not used, one after the other with all channels
            they have; a file of one map may have any number of channels.
        words: what its kind is called in file names, as in `MaterialMap`.
        directx: whether the green of its normals points down, as DirectX has it.
    """

    channels: tuple[str, ...]
    words: tuple[str, ...]
    directx: bool = False

    @property
    def maps(self) -> tuple[str, ...]:
        """The maps that it gives."""
        return tuple("roughness" if c == SMOOTHNESS else c for c in self.channels if c)

    @property
    def depth(self) -> int:
        """How many channels are looked at."""
        return sum(MAPS[c].channels if c in MAPS else 1 for c in self.channels)


# By this name a file's metadata say of which kind it is, where it is one of ours.
FILE_KIND_KEY = "Tilewright File Kind"
# Kinds of files by name: a map as it is by the map's own; names are written into files, so they stay.
FILE_KINDS: dict[str, FileKind] = {
    **{m.name: FileKind((m.name,), m.words) for m in MAPS.values()},
    # No words: they are those of normals, and what is said of their convention.
    "normal_directx": FileKind(("normal",), (), directx=True),
    "glossiness": FileKind(
        (SMOOTHNESS,), ("glossiness", "gloss", "smoothness", "glossy", "gls", "microsurface", "g")
    ),
    # glTF, Unreal, Poly Haven.
    "packed": FileKind(
        ("ambient_occlusion", "roughness", "metallic"),
        (
            *("orm", "arm", "aorm", "occlusionroughnessmetallic", "occlusionroughnessmetalness"),
            *("aoroughnessmetallic", "aoroughnessmetalness", "ambientocclusionroughnessmetallic"),
        ),
    ),
    "metallic_roughness": FileKind(
        ("", "roughness", "metallic"),
        ("metallicroughness", "metalnessroughness", "metalroughness", "mr"),
    ),
    "packed_rma": FileKind(
        ("roughness", "metallic", "ambient_occlusion"),
        ("rma", "rmo", "rmao", "roughnessmetallicao"),
    ),
    "packed_mra": FileKind(
        ("metallic", "roughness", "ambient_occlusion"),
        ("mra", "mro", "mrao", "metallicroughnessao", "metallicroughnessocclusion"),
    ),
    "packed_omr": FileKind(("ambient_occlusion", "metallic", "roughness"), ("omr", "amr", "aomr")),
    "packed_mor": FileKind(("metallic", "ambient_occlusion", "roughness"), ("mor", "mar", "maor")),
    "packed_rom": FileKind(("roughness", "ambient_occlusion", "metallic"), ("rom", "ram", "raom")),
    # Megascans for Unreal.
    "packed_height": FileKind(
        ("ambient_occlusion", "roughness", "height"), ("ordp", "ord", "orh", "ordisp")
    ),
    # Unity: HDRP, URP and the older Standard.
    "mask_map": FileKind(
        ("metallic", "ambient_occlusion", "", SMOOTHNESS),
        ("maskmap", "masksmap", "mads", "hdrpmask", "metallicocclusionsmoothness"),
    ),
    "metallic_smoothness": FileKind(
        ("metallic", "", "", SMOOTHNESS),
        ("metallicsmoothness", "metalnesssmoothness", "metallicgloss", "metallicglossiness"),
    ),
    "specular_smoothness": FileKind(
        ("", "", "", SMOOTHNESS),
        ("specularsmoothness", "specularglossiness", "specularglossmap", "specgloss"),
    ),
    "base_color_smoothness": FileKind(
        ("base_color", SMOOTHNESS), ("albedosmoothness", "basecolorsmoothness", "diffusegloss")
    ),
    "base_color_opacity": FileKind(
        ("base_color", "opacity"),
        (
            *("albedotransparency", "basecoloropacity", "basecoloralpha", "albedoopacity"),
            *("albedoalpha", "diffusealpha", "coloralpha", "alphamasked", "colalphamasked"),
        ),
    ),
    # Terrain3D.
    "base_color_height": FileKind(("base_color", "height"), ("albht", "albedoheight")),
    "normal_roughness": FileKind(("normal", "roughness"), ("nrmrgh", "normalroughness")),
}

# Maps that sets come with and that are not learned; beside a set they are no photos.
UNUSED_WORDS = (
    *("spec", "specular", "specularcolor", "specularlevel", "specularlevels", "speclevel", "s"),
    *("refl", "reflection", "reflect", "reflectivity", "ior", "specior", "f0", "specularf0"),
    *("mask", "masks", "maskid", "id", "idmap", "matid", "colorid", "colormask", "blendmask"),
    *("transparency", "transmission", "trans", "translucency", "translucent", "scattering"),
    *("sss", "subsurface", "subsurfacecolor", "fuzz", "sheen", "sheencolor", "sheenroughness"),
    *("cavity", "curvature", "curv", "thickness", "thick", "position", "flow", "direction"),
    *("anisotropy", "anisotropic", "anisotropylevel", "anisotropyangle", "diffuseroughness"),
    *("coat", "clearcoat", "coatroughness", "clearcoatroughness", "coatnormal", "coatcolor"),
    *("vectordisplacement", "vdisp", "bentnormal", "bentnormals", "normalobject", "objectnormal"),
    *("normalobjectspace", "objectspacenormal", "worldspacenormal", "worldspacenormals"),
    *("wsnormal", "normalworld", "detailnormal", "detailmask", "lightmap", "roughao"),
    *("roughnessmetallic", "preview", "sphere", "thumb", "thumbnail", "render", "rendered"),
)
