"""Names of texture sets as vendors and tools give them: each folder is whole materials, with all maps they have."""

from __future__ import annotations

import numpy as np
import pytest

from gan_worker.materials.pictures import write_picture
from gan_worker.materials.sets import find_materials

# Whose names: the files, and how many maps each material of theirs has.
VENDORS = {
    "ambientCG": (
        5,
        """
        Bricks008_4K-PNG_Color
        Bricks008_4K-PNG_NormalGL
        Bricks008_4K-PNG_NormalDX
        Bricks008_4K-PNG_Roughness
        Bricks008_4K-PNG_Displacement
        Bricks008_4K-PNG_AmbientOcclusion
        Bricks008_PREVIEW
        Bricks008
        """,
    ),
    "CC0Textures": (
        5,
        """
        Bricks21_col
        Bricks21_nrm
        Bricks21_rgh
        Bricks21_disp
        Bricks21_AO
        """,
    ),
    "Poly Haven": (
        6,
        """
        brick_wall_02_diff_1k
        brick_wall_02_nor_gl_1k
        brick_wall_02_rough_1k
        brick_wall_02_disp_1k
        brick_wall_02_ao_1k
        brick_wall_02_arm_1k
        brick_wall_02_spec_1k
        """,
    ),
    "Texture Haven": (
        4,
        """
        rock_05_diff_2k
        rock_05_nor_2k
        rock_05_rough_2k
        rock_05_bump_2k
        rock_05_rough_ao_2k
        """,
    ),
    "Poliigon specular": (
        5,
        """
        GroundForest003_COL_VAR1_3K
        GroundForest003_COL_VAR2_3K
        GroundForest003_AO_3K
        GroundForest003_DISP_3K
        GroundForest003_DISP16_3K
        GroundForest003_GLOSS_3K
        GroundForest003_NRM_3K
        GroundForest003_NRM16_3K
        GroundForest003_REFL_3K
        GroundForest003_Sphere
        GroundForest003_Flat
        """,
    ),
    "Poliigon metalness": (
        5,
        """
        MetalSpotty001_COL_2K_METALNESS
        MetalSpotty001_METALNESS_2K_METALNESS
        MetalSpotty001_ROUGHNESS_2K_METALNESS
        MetalSpotty001_NRM_2K_METALNESS
        MetalSpotty001_NRM16_2K_METALNESS
        MetalSpotty001_DISP_2K_METALNESS
        MetalSpotty001_DISP16_2K_METALNESS
        MetalSpotty001_Sphere
        MetalSpotty001_Flat
        MetalSpotty001_Cube
        """,
    ),
    "Poliigon new": (
        6,
        """
        Poliigon_BrickWallReclaimed_8320_BaseColor
        Poliigon_BrickWallReclaimed_8320_Normal
        Poliigon_BrickWallReclaimed_8320_Roughness
        Poliigon_BrickWallReclaimed_8320_Metallic
        Poliigon_BrickWallReclaimed_8320_AmbientOcclusion
        Poliigon_BrickWallReclaimed_8320_Displacement
        Poliigon_BrickWallReclaimed_8320-preview1
        """,
    ),
    "Megascans surface": (
        6,
        """
        vxyzabc_4K_Albedo
        vxyzabc_4K_AO
        vxyzabc_4K_Bump
        vxyzabc_4K_Cavity
        vxyzabc_4K_Displacement
        vxyzabc_4K_Gloss
        vxyzabc_4K_Normal
        vxyzabc_4K_Roughness
        vxyzabc_4K_Specular
        vxyzabc_Preview
        vxyzabc_4K_Translucency
        vxyzabc_4K_Opacity
        vxyzabc_4K_Fuzz
        vxyzabc_4K_Mask
        """,
    ),
    "Megascans Unreal": (
        5,
        """
        T_Mossy_Rock_vxyzabc_2K_D
        T_Mossy_Rock_vxyzabc_2K_N
        T_Mossy_Rock_vxyzabc_2K_ORDp
        """,
    ),
    "Megascans, newer": (
        5,
        """
        Albedo_4K__tgmkdfx
        AO_4K__tgmkdfx
        Displacement_4K__tgmkdfx
        Normal_4K__tgmkdfx
        Roughness_4K__tgmkdfx
        Specular_4K__tgmkdfx
        Bump_4K__tgmkdfx
        """,
    ),
    "Unreal, packed otherwise": (
        5,
        """
        T_Rock_BC
        T_Rock_N
        T_Rock_OMR
        """,
    ),
    "Sketchfab": (
        5,
        """
        wood_mat_baseColor
        wood_mat_metallicRoughness
        wood_mat_normal
        wood_mat_emissive
        """,
    ),
    "Textures.com": (
        5,
        """
        TexturesCom_Wall_ConcreteBunker3_4x4_B_2K_albedo
        TexturesCom_Wall_ConcreteBunker3_4x4_B_2K_ao
        TexturesCom_Wall_ConcreteBunker3_4x4_B_2K_height
        TexturesCom_Wall_ConcreteBunker3_4x4_B_2K_normal
        TexturesCom_Wall_ConcreteBunker3_4x4_B_2K_roughness
        """,
    ),
    "FreePBR": (
        6,
        """
        sci-fi-panel1-albedo
        sci-fi-panel1-ao
        sci-fi-panel1-height
        sci-fi-panel1-metallic
        sci-fi-panel1-normal-ogl
        sci-fi-panel1-roughness
        sci-fi-panel1-preview
        """,
    ),
    "FreePBR Unreal": (
        6,
        """
        worn_metal_Albedo
        worn_metal_Ao
        worn_metal_Height
        worn_metal_Metallic
        worn_metal_Normal-dx
        worn_metal_Roughness
        """,
    ),
    "FreePBR numbered": (
        4,
        """
        rustediron2_basecolor
        rustediron2_metallic
        rustediron2_normal
        rustediron2_roughness
        """,
    ),
    "cgbookcase": (
        5,
        """
        WoodenPlanks01_2K_BaseColor
        WoodenPlanks01_2K_AO
        WoodenPlanks01_2K_Height
        WoodenPlanks01_2K_Normal
        WoodenPlanks01_2K_Roughness
        """,
    ),
    "ShareTextures": (
        5,
        """
        wood_floor_32-diffuse
        wood_floor_32-normal
        wood_floor_32-roughness
        wood_floor_32-displacement
        wood_floor_32-ambientocclusion
        wood_floor_32-specular
        """,
    ),
    "ShareTextures 4K": (
        5,
        """
        Ceramic_2_Diffuse-4K
        Ceramic_2_Normal-4K
        Ceramic_2_Roughness-4K
        Ceramic_2_Displacement-4K
        Ceramic_2_Ao-4K
        """,
    ),
    "TextureCan": (
        5,
        """
        wood_0066_color_2k
        wood_0066_normal_opengl_2k
        wood_0066_normal_directx_2k
        wood_0066_roughness_2k
        wood_0066_height_2k
        wood_0066_ao_2k
        wood_0066_preview
        """,
    ),
    "3dtextures.me": (
        5,
        """
        Stone_Wall_015_BaseColor
        Stone_Wall_015_AmbientOcclusion
        Stone_Wall_015_Height
        Stone_Wall_015_Normal
        Stone_Wall_015_Roughness
        Material_1968
        """,
    ),
    "3dtextures.me spec": (
        5,
        """
        Wood_Roof_Tiles_001_COLOR
        Wood_Roof_Tiles_001_OCC
        Wood_Roof_Tiles_001_DISP
        Wood_Roof_Tiles_001_NORM
        Wood_Roof_Tiles_001_ROUGH
        Wood_Roof_Tiles_001_SPEC
        Material_221
        """,
    ),
    "RealDisplacement": (
        5,
        """
        RDT_Gravel_01_4K_Albedo
        RDT_Gravel_01_4K_Displacement
        RDT_Gravel_01_4K_Normal
        RDT_Gravel_01_4K_Roughness
        RDT_Gravel_01_4K_AO
        RDT_Gravel_01_4K_Specular
        """,
    ),
    "GameTextures": (
        6,
        """
        brick_wall_basecolor
        brick_wall_normal
        brick_wall_roughness
        brick_wall_metallic
        brick_wall_height
        brick_wall_ao
        """,
    ),
    "Arroway": (
        2,
        """
        concrete-002_d100
        concrete-002_b015
        concrete-002_s100-g100-r100
        concrete-002_preview
        """,
    ),
    "Substance Designer": (
        6,
        """
        Old_Planks_basecolor
        Old_Planks_normal
        Old_Planks_roughness
        Old_Planks_metallic
        Old_Planks_height
        Old_Planks_ambientocclusion
        Old_Planks_specularlevel
        """,
    ),
    "Substance Source": (
        6,
        """
        Brick_Wall_BaseColor
        Brick_Wall_AmbientOcclusion
        Brick_Wall_Normal
        Brick_Wall_Roughness
        Brick_Wall_Metallic
        Brick_Wall_Height
        Brick_Wall_SpecularLevel
        """,
    ),
    "Painter glTF": (
        6,
        """
        DefaultMaterial_baseColor
        DefaultMaterial_occlusionRoughnessMetallic
        DefaultMaterial_normal
        DefaultMaterial_emissive
        """,
    ),
    "Painter Unreal": (
        6,
        """
        Wood_BaseColor
        Wood_OcclusionRoughnessMetallic
        Wood_Normal
        Wood_Emissive
        """,
    ),
    "Painter Unity HDRP": (
        6,
        """
        Wood_BaseMap
        Wood_MaskMap
        Wood_Normal
        Wood_Emissive
        """,
    ),
    "Painter Unity Standard": (
        6,
        """
        Wood_AlbedoTransparency
        Wood_MetallicSmoothness
        Wood_Normal
        Wood_Emission
        Wood_AO
        """,
    ),
    "Painter Unity Specular": (
        3,
        """
        Wood_AlbedoTransparency
        Wood_SpecularSmoothness
        Wood_Normal
        """,
    ),
    "Painter Document": (
        7,
        """
        low_Wood_Base_color
        low_Wood_Normal_DirectX
        low_Wood_Roughness
        low_Wood_Metallic
        low_Wood_Mixed_AO
        low_Wood_Height
        low_Wood_Opacity
        """,
    ),
    "Painter UDIM": (
        4,
        """
        Rock_BaseColor.1001
        Rock_Normal.1001
        Rock_Roughness.1001
        Rock_Height.1001
        Rock_BaseColor.1002
        Rock_Normal.1002
        Rock_Roughness.1002
        Rock_Height.1002
        """,
    ),
    "Painter UDIM one": (
        3,
        """
        Rock_BaseColor_1001
        Rock_Normal_1001
        Rock_Roughness_1001
        """,
    ),
    "Painter ACES": (
        3,
        """
        Wood_BaseColor_Utility - sRGB - Texture.1001
        Wood_Roughness_Utility - Raw.1001
        Wood_Normal_Utility - Raw.1001
        """,
    ),
    "Painter Arnold": (
        6,
        """
        Wood_BaseColor
        Wood_Metalness
        Wood_Roughness
        Wood_Normal
        Wood_Height
        Wood_Emissive
        """,
    ),
    "V-Ray spec gloss": (
        4,
        """
        Wood_Diffuse
        Wood_Reflection
        Wood_Glossiness
        Wood_ior
        Wood_Normal
        Wood_Height
        """,
    ),
    "Spec gloss": (
        3,
        """
        Wood_Diffuse
        Wood_Specular
        Wood_Glossiness
        Wood_Normal
        """,
    ),
    "Unreal letters": (
        6,
        """
        T_Rock_D
        T_Rock_N
        T_Rock_R
        T_Rock_M
        T_Rock_AO
        T_Rock_H
        """,
    ),
    "Unreal BC": (
        7,
        """
        T_Rock_01_BC
        T_Rock_01_N
        T_Rock_01_R
        T_Rock_01_MT
        T_Rock_01_AO
        T_Rock_01_H
        T_Rock_01_E
        """,
    ),
    "Unreal number last": (
        5,
        """
        T_Sand_BC_01
        T_Sand_N_01
        T_Sand_ORM_01
        T_Sand_BC_02
        T_Sand_N_02
        T_Sand_ORM_02
        """,
    ),
    "Unreal MRA": (
        5,
        """
        T_Rock_BaseColor
        T_Rock_Normal
        T_Rock_MRA
        """,
    ),
    "Unreal lower": (
        5,
        """
        t_rock_bc
        t_rock_n
        t_rock_orm
        """,
    ),
    "RMA": (
        5,
        """
        Wall_Albedo
        Wall_Normal
        Wall_RMA
        """,
    ),
    "glTF": (
        6,
        """
        wall_baseColor
        wall_metallicRoughness
        wall_normal
        wall_occlusion
        wall_emissive
        """,
    ),
    "Terrain3D": (
        4,
        """
        ground037_alb_ht
        ground037_nrm_rgh
        """,
    ),
    "words alone": (
        6,
        """
        BaseColor
        Normal
        Roughness
        Height
        AO
        Metallic
        """,
    ),
    "words alone short": (
        5,
        """
        diff
        nor
        rough
        disp
        ao
        """,
    ),
    "words alone packed": (
        5,
        """
        albedo
        normal
        orm
        """,
    ),
    "old school": (
        3,
        """
        bricks2
        bricks2_normal
        bricks2_disp
        """,
    ),
    "downloaded twice": (
        3,
        """
        Bricks_Color
        Bricks_Color (1)
        Bricks_Normal
        Bricks_Normal (1)
        Bricks_Roughness
        """,
    ),
    "downloaded twice all": (
        3,
        """
        Bricks_Color (1)
        Bricks_Normal (1)
        Bricks_Roughness (1)
        """,
    ),
    "mixed numbers": (
        3,
        """
        Bricks_Color (1)
        Bricks_Normal (2)
        Bricks_Roughness
        """,
    ),
    "windows copies": (
        3,
        """
        Bricks_Color
        Bricks_Color - Copy
        Bricks_Color - Copy (2)
        Bricks_Normal
        Bricks_Roughness
        """,
    ),
    "spaces": (
        5,
        """
        Old Wall Base Color 2K
        Old Wall Normal 2K
        Old Wall Roughness 2K
        Old Wall Ambient Occlusion 2K
        Old Wall Height 2K
        """,
    ),
    "spaces dashes": (
        4,
        """
        Old Wall - Base Color
        Old Wall - Normal (OpenGL)
        Old Wall - Roughness
        Old Wall - Metallic
        """,
    ),
    "hyphens": (
        4,
        """
        old-wall-base-color-2k
        old-wall-normal-gl-2k
        old-wall-roughness-2k
        old-wall-ambient-occlusion-2k
        """,
    ),
    "dots": (
        4,
        """
        wall.basecolor
        wall.normal
        wall.roughness
        wall.height
        """,
    ),
    "camel": (
        6,
        """
        WallBaseColor
        WallNormal
        WallRoughness
        WallMetallic
        WallAmbientOcclusion
        WallHeight
        """,
    ),
    "camel maps": (
        6,
        """
        WallColorMap
        WallNormalMap
        WallRoughnessMap
        WallMetalnessMap
        WallAOMap
        WallDisplacementMap
        """,
    ),
    "prefixes": (
        4,
        """
        BaseColor_Wall
        Normal_Wall
        Roughness_Wall
        Metallic_Wall
        """,
    ),
    "Metal name": (
        4,
        """
        Rusty_Metal_Color
        Rusty_Metal_Rough
        Rusty_Metal_Metal
        Rusty_Metal_Normal
        Rusty_Metal
        """,
    ),
    "Base name": (
        3,
        """
        Lamp_Base_Color
        Lamp_Base_Normal
        Lamp_Base_Roughness
        """,
    ),
    "ours Unreal": (
        8,
        """
        T_oak_7_1024_BaseColor
        T_oak_7_1024_Normal
        T_oak_7_1024_ORM
        T_oak_7_1024_Height
        T_oak_7_1024_Emissive
        T_oak_7_1024_Opacity
        """,
    ),
    "ours": (
        6,
        """
        oak_7_1024x512_basecolor
        oak_7_1024x512_roughness
        oak_7_1024x512_metallic
        oak_7_1024x512_normal
        oak_7_1024x512_height
        oak_7_1024x512_ao
        """,
    ),
    "ours Godot": (
        7,
        """
        oak_albedo
        oak_normal
        oak_orm
        oak_height
        oak_emission
        """,
    ),
    "BlenderKit": (
        3,
        """
        brick-wall_2k_Base_Color
        brick-wall_2k_Normal
        brick-wall_2k_Roughness
        """,
    ),
    "Quixel Mixer": (
        6,
        """
        MyMix_Albedo
        MyMix_AO
        MyMix_Displacement
        MyMix_Normal
        MyMix_Roughness
        MyMix_Metalness
        """,
    ),
    "unknown words": (
        3,
        """
        wall_color
        wall_rough
        wall_normal
        wall_grunge
        wall_wetness
        wall
        """,
    ),
    "Architextures": (
        2,
        """
        brick-diffuse
        brick-bump
        """,
    ),
    "LOD": (
        3,
        """
        rock_Albedo_LOD0
        rock_Normal_LOD0
        rock_Normal_LOD1
        rock_Roughness_LOD0
        """,
    ),
    "16 bit": (
        4,
        """
        rock_Color_8bit
        rock_Normal_16bit
        rock_Displacement_16bit
        rock_Roughness_8-bit
        """,
    ),
    "resolutions twice": (
        2,
        """
        rock_1K_Color
        rock_1K_Normal
        rock_2K_Color
        rock_2K_Normal
        """,
    ),
    "versions": (
        3,
        """
        rock_basecolor_v01
        rock_normal_v01
        rock_roughness_v02
        """,
    ),
    "seamless": (
        3,
        """
        rock_color_seamless
        rock_normal_seamless
        rock_rough_seamless
        """,
    ),
    "dx gl apart": (
        3,
        """
        rock_color
        rock_normal_directx
        rock_normal_opengl
        rock_rough
        """,
    ),
    "DX front": (
        3,
        """
        rock_color
        rock_DirectX_Normal
        rock_rough
        """,
    ),
    "BaseColor words": (
        3,
        """
        rock_BaseColor_Summer
        rock_Normal_Summer
        rock_Roughness_Summer
        """,
    ),
}


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """The bytes of a picture that looks like nothing."""
    file = tmp_path_factory.mktemp("picture") / "noise.png"
    write_picture(file, np.random.default_rng(0).random((16, 16, 3)).astype(np.float32))
    return file.read_bytes()


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_file_of_a_set_is_a_map_or_is_left_out_with_a_reason(vendor, picture, tmp_path):
    count, names = VENDORS[vendor]
    stems = [line.strip() for line in names.strip().splitlines()]
    for stem in stems:
        (tmp_path / f"{stem}.png").write_bytes(picture)
    sets, skipped, notes = find_materials([tmp_path])
    assert {len(material.maps) for material in sets} == {count}
    assert len(stems) == len(skipped) + sum(len(material.files) for material in sets)
    assert all(file.reason for file in skipped)
    assert not any("left out" in note for note in notes)
