"""Textures for game engines, named and packed as their standard materials take them.

Unreal Engine: normals as DirectX has them; occlusion, roughness and metallic in one texture, which is the habit of its
own content. Unity: the mask map of HDRP's Lit shader, whose R and A also are the metallic map of URP's Lit and of
Standard, and whose G is their occlusion map. Godot: `ORMMaterial3D`.
"""

from __future__ import annotations

from dataclasses import replace

from gan_worker.exports.textures import BLACK, HEIGHT, ORM, SMOOTHNESS, Texture

UNREAL = (
    Texture("BaseColor", ("base_color",), "Base Color; sRGB on"),
    Texture("Normal", ("normal",), "Normal, DirectX (-Y); compression Normalmap", directx=True),
    replace(ORM, word="ORM", use=f"{ORM.use.partition(';')[0]}; sRGB off, compression Masks"),
    replace(
        HEIGHT, word="Height", use="Height; sRGB off, compression Displacementmap or Grayscale"
    ),
)
UNITY = (
    Texture("BaseMap", ("base_color",), "Base Map; sRGB on"),
    Texture("NormalMap", ("normal",), "Normal Map, OpenGL (+Y); Texture Type Normal map"),
    Texture(
        "MaskMap",
        ("metallic", "ambient_occlusion", BLACK, SMOOTHNESS),
        "R metallic, G ambient occlusion, A smoothness: Mask Map (HDRP), or Metallic Map and Occlusion Map "
        "(URP, Standard); sRGB off",
    ),
    replace(HEIGHT, word="HeightMap", use="Height Map; sRGB off"),
)
GODOT = (
    Texture("albedo", ("base_color",), "Albedo > Texture"),
    Texture("normal", ("normal",), "Normal Map > Texture, OpenGL (+Y)"),
    replace(ORM, use=f"ORM > Texture of an ORMMaterial3D: {ORM.use.partition(';')[0]}"),
    replace(HEIGHT, use="Height > Texture"),
)
