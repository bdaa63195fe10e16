"""Which pictures become which materials: names, folders, and what is left out with its reason."""

from __future__ import annotations

import os
import time
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image

from gan_worker.errors import PictureError
from gan_worker.materials import sets as material_sets
from gan_worker.materials.grouping import Group
from gan_worker.materials.pictures import write_picture
from gan_worker.materials.sets import MaterialSet, find_materials, read_material

GREY = np.full((8, 8, 1), 0.25, np.float32)
COLOR = np.full((8, 8, 3), (0.8, 0.4, 0.2), np.float32)

AMBIENT_CG = ("Color", "NormalGL", "Roughness", "Displacement", "AmbientOcclusion")


def put(folder, *names, picture=COLOR):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        kind = "exr" if name.endswith("exr") else 8
        write_picture(folder / name, picture, kind)
    return folder


def found(*places):
    sets, _, _ = find_materials(places)
    return {s.name: s.maps for s in sets}


def reasons(skipped):
    return {Path(s.file).name: s.reason for s in skipped}


def test_many_photos_beside_many_sets_are_not_compared_with_each(tmp_path, monkeypatch):
    compared, is_named_like = [], Group.is_named_like

    def counted(group, one):
        compared.append(one)
        return is_named_like(group, one)

    monkeypatch.setattr(Group, "is_named_like", counted)
    sets = [f"wall{n}_{word}.png" for n in range(60) for word in ("roughness", "ao")]
    photos = [f"IMG{n}.png" for n in range(60)]
    put(tmp_path, *sets, *photos)
    sets, skipped, _ = find_materials([tmp_path])
    assert len(sets) == len(skipped) == 60
    assert len(compared) < 4 * 60


class TestSets:
    def test_a_set_of_ambientcg(self, tmp_path):
        put(tmp_path, *(f"Bricks008_1K-JPG_{word}.jpg" for word in AMBIENT_CG))
        assert found(tmp_path) == {
            "Bricks008": ("base_color", "roughness", "normal", "height", "ambient_occlusion")
        }

    def test_a_set_of_poly_haven_with_a_packed_file(self, tmp_path):
        put(
            tmp_path,
            "wall_diff_1k.jpg",
            "wall_nor_gl_1k.exr",
            "wall_arm_1k.jpg",
            "wall_disp_1k.png",
        )
        assert found(tmp_path)["wall"] == (
            *("base_color", "roughness", "metallic", "normal", "height", "ambient_occlusion"),
        )

    def test_files_named_by_the_map_alone_belong_to_their_folder(self, tmp_path):
        put(tmp_path / "oak", "Color.png", "Roughness.png")
        put(tmp_path / "elm", "basecolor.png", "rough.png")
        assert found(tmp_path) == dict.fromkeys(("elm", "oak"), ("base_color", "roughness"))

    def test_sub_folders_are_searched_and_sets_of_two_folders_kept_apart(self, tmp_path):
        for part in ("a/b/c", "d"):
            put(tmp_path / part, "wall_color.png", "wall_rough.png")
        sets, _, _ = find_materials([tmp_path])
        assert [s.name for s in sets] == ["wall", "wall"]
        assert sets[0].files["base_color"] == tmp_path / "a/b/c/wall_color.png"
        assert sets[1].files["roughness"].parent == tmp_path / "d"

    def test_case_and_the_spelling_of_umlauts_do_not_divide_a_set(self, tmp_path):
        names = [unicodedata.normalize(form, "Grüne Wand_") for form in ("NFC", "NFD")]
        put(tmp_path, f"{names[0]}color.png", f"{names[1].lower()}rough.png")
        assert list(found(tmp_path).values()) == [("base_color", "roughness")]

    def test_the_files_of_one_set_may_be_given_one_by_one(self, tmp_path):
        put(tmp_path, "wall_color.png", "wall_rough.png", "other_color.png")
        places = [str(tmp_path / "wall_color.png"), tmp_path / "wall_rough.png"]
        assert found(*places) == {"wall": ("base_color", "roughness")}

    def test_the_rendered_preview_beside_a_set_is_no_photo(self, tmp_path):
        put(tmp_path, "Bricks008.png", picture=np.zeros((4, 4, 3), np.float32))
        put(tmp_path, *(f"Bricks008_1K-JPG_{word}.jpg" for word in AMBIENT_CG))
        sets, skipped, _ = find_materials([tmp_path])
        assert [s.files["base_color"].name for s in sets] == ["Bricks008_1K-JPG_Color.jpg"]
        assert "preview" in reasons(skipped)["Bricks008.png"]

    def test_maps_that_are_not_learned_are_no_photos_either(self, tmp_path):
        put(tmp_path, "wall_diff_1k.png", "wall_rough_1k.png", "wall_spec_1k.png")
        sets, skipped, _ = find_materials([tmp_path])
        assert len(sets) == 1
        assert "not learned" in reasons(skipped)["wall_spec_1k.png"]

    def test_what_glows_or_is_cut_out_in_one_material_alone_is_not_learned(self, tmp_path):
        put(tmp_path, "lava_color.png", "lava_emission.png", "wall_color.png", "wall_alpha.png")
        sets, _, notes = find_materials([tmp_path])
        assert {s.name: s.maps for s in sets} == dict.fromkeys(("lava", "wall"), ("base_color",))
        assert any("opacity is left out" in note for note in notes)
        assert any("emission is left out" in note for note in notes)

    def test_files_that_tell_the_license_are_not_listed_as_left_out(self, tmp_path):
        put(tmp_path, "wall.png")
        for name in ("wall.png.license", "REUSE.toml"):
            (tmp_path / name).write_text("")
        assert not find_materials([tmp_path])[1]

    def test_a_photo_whose_name_ends_like_such_a_map_is_a_photo(self, tmp_path):
        put(tmp_path, "carnival_mask.png")
        assert found(tmp_path) == {"carnival_mask": ("base_color",)}

    def test_two_files_for_one_map_the_second_is_listed(self, tmp_path):
        put(tmp_path, "wall_color.png", "wall_diff.png", "wall_rough.png")
        sets, skipped, _ = find_materials([tmp_path])
        assert sets[0].files["base_color"].name == "wall_color.png"
        assert list(reasons(skipped)) == ["wall_diff.png"]

    def test_of_both_kinds_of_normals_the_opengl_one_is_taken(self, tmp_path):
        put(tmp_path, "wall_color.png", "wall_NormalDX.png", "wall_NormalGL.png")
        sets, skipped, _ = find_materials([tmp_path])
        assert sets[0].files["normal"].name == "wall_NormalGL.png"
        assert list(reasons(skipped)) == ["wall_NormalDX.png"]


class TestBeside:
    """What lies beside a set is never a photo that costs all others their maps."""

    @pytest.mark.parametrize(
        "name", ["wall_grime.png", "Wall preview 2.png", "wallView.png", "IMG_1.jpg"]
    )
    def test_other_pictures_in_the_folder_of_a_set_are_left_out(self, name, tmp_path):
        put(tmp_path, "wall_color.png", "wall_rough.png", name)
        sets, skipped, notes = find_materials([tmp_path])
        assert [(s.name, s.maps) for s in sets] == [("wall", ("base_color", "roughness"))]
        assert list(reasons(skipped)) == [name]
        assert notes == []

    @pytest.mark.parametrize("place", ["", "2K", "2K/png"])
    def test_a_picture_named_like_a_set_above_or_below_it_is_left_out(self, place, tmp_path):
        put(tmp_path / place, "wall_color.png", "wall_rough.png")
        put(tmp_path / place / "renders", "wall_view.png", "wall.png")
        put(tmp_path, "wall_front.png")
        put(tmp_path / "photos", "walls.png")
        sets, skipped, _ = find_materials([tmp_path])
        assert [s.name for s in sets] == ["wall", "walls"]
        assert set(reasons(skipped)) == {"wall_view.png", "wall.png", "wall_front.png"}

    def test_photos_in_a_folder_of_their_own_are_photos(self, tmp_path):
        put(tmp_path / "set", "wall_color.png", "wall_rough.png")
        put(tmp_path / "photos", "wall.png", "wall_2.png")
        assert set(found(tmp_path)) == {"wall", "wall_2"}

    def test_another_variation_of_the_color_is_no_material(self, tmp_path):
        put(tmp_path, "wall_color_01.png", "wall_color_02.png", "wall_rough_01.png")
        put(tmp_path, "door_color.png", "door_rough.png", "door_old_color.png")
        sets, skipped, _ = find_materials([tmp_path])
        assert {s.name: s.maps for s in sets} == dict.fromkeys(
            ("door", "wall_01"), ("base_color", "roughness")
        )
        assert set(reasons(skipped)) == {"wall_color_02.png", "door_old_color.png"}

    def test_numbered_photos_stay_photos_each(self, tmp_path):
        put(tmp_path, *(f"wood_color_{n}.png" for n in (1, 2, 3)), "metal_01.png", "metal_02.png")
        assert len(found(tmp_path)) == 5

    def test_letters_number_photos_where_no_map_lies_beside_them(self, tmp_path):
        put(tmp_path, *(f"wall_{letter}.png" for letter in "ABCDEH"))
        assert set(found(tmp_path)) == {f"wall_{letter}" for letter in "ABCDEH"}

    def test_the_picture_of_just_the_sets_name_is_its_missing_color(self, tmp_path):
        put(tmp_path, "brick.png", "brick_normal.png", "old_metal.png", "old_metal_disp.png")
        assert found(tmp_path) == {
            "brick": ("base_color",),
            "old_metal": ("base_color",),
        }
        maps = {s.name: s.maps for s in find_materials([tmp_path], alike=False)[0]}
        assert maps == {"brick": ("base_color", "normal"), "old_metal": ("base_color", "height")}

    def test_the_only_color_named_like_a_set_without_one_is_its_color(self, tmp_path):
        colors = np.random.default_rng(0).random((8, 8, 3)).astype(np.float32)
        put(tmp_path, "brick_texture.png", "stone_photo.png", "stone_view.png", picture=colors)
        put(tmp_path, "brick_nor_gl.png", "brick_rough.png", picture=GREY)
        put(tmp_path, "stone_nor_gl.png", "stone_rough.png", picture=GREY)
        maps = {s.name: s.maps for s in find_materials([tmp_path], alike=False)[0]}
        assert maps == {
            "brick": ("base_color", "roughness", "normal"),
            "stone": ("roughness", "normal"),
        }

    def test_of_two_resolutions_the_larger_is_taken_for_all_maps(self, tmp_path):
        small, large = np.zeros((4, 4, 3)), np.zeros((8, 8, 3))
        put(tmp_path, "w_1K_Color.png", "w_1K_Rough.png", picture=small)
        put(tmp_path, "w_2K_Color.png", "w_2K_Rough.png", "w_ao.png", picture=large)
        ((only,), skipped, _) = find_materials([tmp_path])
        assert {f.name for f in only.files.values()} == {
            "w_2K_Color.png",
            "w_2K_Rough.png",
            "w_ao.png",
        }
        assert set(reasons(skipped)) == {"w_1K_Color.png", "w_1K_Rough.png"}

    def test_a_smaller_copy_in_a_folder_below_is_left_out(self, tmp_path):
        put(tmp_path, "w_2K_Albedo.png", "w_2K_Normal.png")
        small = np.zeros((4, 4, 3))
        put(tmp_path / "Thumbs" / "1k", "w_1K_Albedo.png", "w_1K_Normal.png", picture=small)
        ((only,), skipped, _) = find_materials([tmp_path])
        assert only.files["normal"].name == "w_2K_Normal.png"
        assert set(reasons(skipped).values()) == {"named like w, which has that map"}

    def test_udim_tiles_are_sets_of_their_own(self, tmp_path):
        put(tmp_path, *(f"w_{m}.{t}.png" for m in ("Color", "Normal") for t in (1001, 1002)))
        assert found(tmp_path) == dict.fromkeys(("w_1001", "w_1002"), ("base_color", "normal"))

    @pytest.mark.parametrize("other", ["w_gloss.png", "w_bump.png", "w_Glossiness.png"])
    def test_what_gives_the_same_map_less_well_is_left_out(self, other, tmp_path):
        put(tmp_path, "w_color.png", "w_rough.png", "w_disp.png", other)
        ((only,), skipped, _) = find_materials([tmp_path])
        assert set(only.files) == {"base_color", "roughness", "height"}
        assert list(reasons(skipped)) == [other]

    def test_a_packed_file_whose_maps_are_all_there_may_have_any_size(self, tmp_path):
        put(tmp_path, *(f"w_{w}.png" for w in ("color", "ao", "rough", "metal")))
        put(tmp_path, "w_orm.png", picture=np.zeros((4, 4, 3)))
        ((only,), skipped, _) = find_materials([tmp_path])
        assert "packed" not in only.files
        assert list(reasons(skipped)) == ["w_orm.png"]


def relief(size=64, seed=0):
    """A height of smooth hills and its normals as OpenGL has them."""
    noise = np.random.default_rng(seed).normal(size=(size, size))
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None]
    smooth = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-200 * (rows**2 + columns**2))).real
    height = (smooth - smooth.min()) / np.ptp(smooth)
    down, right = np.gradient(8 * height)
    vectors = np.stack([-right, down, np.ones_like(height)], axis=-1)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return height[..., None].astype(np.float32), (vectors / 2 + 0.5).astype(np.float32)


def green_turned(normals):
    return normals * (1, -1, 1) + np.array((0, 1, 0), np.float32)


class TestPixels:
    """Names are held against what the files hold."""

    height, normals = relief()
    color = np.random.default_rng(1).random((64, 64, 3)).astype(np.float32)

    def put(self, folder, **pictures):
        for name, picture in pictures.items():
            put(folder, f"{name}.png", picture=picture)
        return find_materials([folder])

    @pytest.mark.parametrize("word", ["Normal", "NormalGL", "NormalDX"])
    @pytest.mark.parametrize("polarity", [1, -1])
    @pytest.mark.parametrize("turned", [False, True])
    def test_green_points_as_the_height_says(self, word, polarity, turned, tmp_path):
        stored = green_turned(self.normals) if turned else self.normals
        height = self.height if polarity > 0 else 1 - self.height
        files = {"w_Color": self.color, f"w_{word}": stored, "w_Height": height}
        (only,), _, notes = self.put(tmp_path, **files)
        assert np.abs(read_material(only)["normal"] - self.normals).max() < 0.01
        assert any("points" in note for note in notes) == (turned != (word == "NormalDX"))

    def test_a_pixel_that_is_infinite_hides_nothing_of_that(self, tmp_path):
        height = self.height.copy()
        height[5, 6] = np.inf
        write_picture(tmp_path / "w_Height.exr", height, "exr32")
        files = {"w_Color": self.color, "w_Normal": green_turned(self.normals)}
        (only,), _, _ = self.put(tmp_path, **files)
        assert np.abs(read_material(only)["normal"] - self.normals).max() < 0.01

    def test_a_height_of_something_else_changes_nothing(self, tmp_path):
        other = relief(seed=7)[0]
        files = {"w_Color": self.color, "w_NormalDX": self.normals, "w_Height": other}
        (only,), _, _ = self.put(tmp_path, **files)
        assert "normal_directx" in only.files

    def test_textures_of_unreal_have_normals_of_directx_where_nothing_says_otherwise(
        self, tmp_path
    ):
        files = {"T_w_BC": self.color, "T_w_N": green_turned(self.normals), "T_w_ORM": self.color}
        (only,), _, notes = self.put(tmp_path, **files)
        assert np.abs(read_material(only)["normal"] - self.normals).max() < 0.01
        assert "DirectX" in notes[0]

    def test_and_those_that_say_opengl_are_believed(self, tmp_path):
        (only,), _, _ = self.put(tmp_path, T_w_BC=self.color, T_w_NormalGL=self.normals)
        assert "normal" in only.files

    @pytest.mark.parametrize("word", ["bump", "Displacement"])
    def test_normals_that_are_called_height_are_normals(self, word, tmp_path):
        (only,), _, notes = self.put(tmp_path, w_color=self.color, **{f"w_{word}": self.normals})
        assert only.maps == ("base_color", "normal")
        assert "normals, not heights" in notes[0]

    def test_heights_that_are_called_normal_are_heights(self, tmp_path):
        (only,), _, _ = self.put(tmp_path, w_color=self.color, w_normal=self.height)
        assert only.maps == ("base_color", "height")

    def test_and_are_left_out_where_there_are_some(self, tmp_path):
        files = {"w_color": self.color, "w_normal": self.height, "w_disp": self.height}
        (only,), skipped, _ = self.put(tmp_path, **files)
        assert only.maps == ("base_color", "height")
        assert list(reasons(skipped)) == ["w_normal.png"]

    def test_normals_without_a_known_word_are_no_photo(self, tmp_path):
        put(tmp_path / "photos", "a.png", picture=self.color)
        sets, skipped, _ = self.put(tmp_path, IMG_7=self.normals)
        assert [s.name for s in sets] == ["a"]
        assert "normals" in reasons(skipped)["IMG_7.png"]

    def test_whatever_words_a_material_is_named_by(self, tmp_path):
        grey = np.repeat(self.height, 3, axis=-1) + 0.01 * self.color
        files = {"photo": grey, "vectors": self.normals, "rough": self.height, "disp": self.height}
        (only,), skipped, _ = self.put(
            tmp_path, **{f"Alpha Metal_{w}": p for w, p in files.items()}
        )
        assert only.maps == ("base_color", "roughness", "normal", "height")
        assert skipped == []

    def test_and_beside_a_set_without_normals_they_are_its_own(self, tmp_path):
        files = {"w_color": self.color, "w_rough": self.height, "w_tangents": self.normals}
        (only,), skipped, notes = self.put(tmp_path, **files)
        assert only.maps == ("base_color", "roughness", "normal")
        assert (skipped, len(notes)) == ([], 1)

    def test_normals_alone_are_learned_as_normals(self, tmp_path):
        (only,), _, _ = self.put(tmp_path, brick_normal=self.normals)
        assert only.maps == ("normal",)

    def test_a_letter_counts_where_the_normals_are_normals(self, tmp_path):
        files = {"stone": self.color, "stone_n": self.normals, "stone_h": self.height}
        (only,), _, _ = self.put(tmp_path, **files)
        assert only.maps == ("base_color", "normal", "height")

    def test_photos_of_rough_and_of_metal_are_photos(self, tmp_path):
        sets, _, notes = self.put(tmp_path, barn_rough=self.color, barn_metal=self.color[::-1])
        assert {s.name for s in sets} == {"barn_rough", "barn_metal"}
        assert "barn_rough.png" in notes[0]

    def test_a_blue_photo_is_a_photo(self, tmp_path):
        sky = np.array((0.42, 0.6, 0.93)) + 0.03 * (self.color - 0.5)
        (only,), _, _ = self.put(tmp_path, sky=sky.astype(np.float32))
        assert only.maps == ("base_color",)

    def test_a_map_that_ends_early_is_told_when_it_is_read(self, tmp_path):
        put(tmp_path, "w_color.png", "w_normal.png", picture=self.color)
        data = (tmp_path / "w_normal.png").read_bytes()
        (tmp_path / "w_normal.png").write_bytes(data[:200] + data[-40:])
        (only,), _, _ = find_materials([tmp_path])
        with pytest.raises(PictureError) as caught:
            read_material(only)
        assert caught.value.code == "picture_unreadable"


class TestPhotos:
    def test_each_photo_is_a_material_of_its_own(self, tmp_path):
        put(tmp_path, "IMG_2001.jpg", "IMG_2002.png")
        put(tmp_path, "grey.png", picture=GREY)
        assert found(tmp_path) == dict.fromkeys(("IMG_2001", "IMG_2002", "grey"), ("base_color",))

    @pytest.mark.parametrize("name", ["old_metal.png", "rough.png", "left_arm.png", "the bump.png"])
    def test_a_lone_picture_is_a_photo_whatever_its_name_ends_in(self, name, tmp_path):
        put(tmp_path, name)
        sets, _, notes = find_materials([tmp_path / name])
        assert sets == [MaterialSet(Path(name).stem, {"base_color": tmp_path / name})]
        assert name in notes[0]

    def test_photos_named_by_what_they_show_are_no_set_of_their_folder(self, tmp_path):
        put(tmp_path, "metal.png", "bump.png", "rough.png")
        assert found(tmp_path) == dict.fromkeys(("bump", "metal", "rough"), ("base_color",))

    def test_a_set_may_lack_its_base_color(self, tmp_path):
        put(tmp_path, "wall_nor_gl.png", "wall_disp.png")
        assert found(tmp_path) == {"wall": ("normal", "height")}


class TestMapsLearnedTogether:
    def test_what_not_all_have_is_left_out_and_said_once(self, tmp_path):
        put(tmp_path, "a_color.png", "a_rough.png", "a_metal.png", "b_color.png", "b_rough.png")
        sets, _, notes = find_materials([tmp_path])
        assert {s.maps for s in sets} == {("base_color", "roughness")}
        assert notes == ["metallic is left out: only 1 of 2 materials has it (a)."]

    def test_a_packed_file_counts_for_each_of_its_maps(self, tmp_path):
        put(tmp_path, "a_color.png", "a_arm.png", "b_color.png", "b_rough.png")
        sets, _, notes = find_materials([tmp_path])
        assert all("roughness" in read_material(s) for s in sets)
        assert len(notes) == 2

    def test_maps_that_are_left_out_may_have_any_size(self, tmp_path):
        put(tmp_path, "a_color.png", "b_color.png")
        put(tmp_path, "a_disp.png", picture=np.zeros((4, 4, 1), np.float32))
        assert len(find_materials([tmp_path])[0]) == 2

    def test_a_hundred_names_fit_one_sentence(self, tmp_path):
        put(tmp_path / "photos", "plain.png")
        put(tmp_path, *(f"m{i:03d}_{w}.png" for i in range(40) for w in ("color", "ao")))
        _, _, notes = find_materials([tmp_path])
        assert len(notes) == 1
        assert "40 of 41" in notes[0]
        assert "35 more" in notes[0]


class TestRefusing:
    def test_what_is_too_small_is_left_out_and_takes_no_map_from_the_rest(self, tmp_path):
        put(tmp_path / "wall", "wall_color.png", "wall_rough.png")
        put(tmp_path / "photos", "thumbnail.png", picture=COLOR[:6])
        ((wall,), skipped, notes) = find_materials([tmp_path], least=7)
        assert (wall.maps, notes) == (("base_color", "roughness"), [])
        told = "it must have 7 pixels along each side, and has 8×6"
        assert reasons(skipped) == {"thumbnail.png": told}
        # Where all is too small, who asked for more says so.
        assert len(find_materials([tmp_path], least=9)[0]) == 2
        # A map that is smaller than the others is another mistake.
        put(tmp_path / "wall", "wall_rough.png", picture=GREY[:6])
        with pytest.raises(PictureError, match="must have one size"):
            find_materials([tmp_path], least=7)

    def test_maps_of_different_sizes_name_both_files(self, tmp_path):
        put(tmp_path, "wall_color.png")
        put(tmp_path, "wall_rough.png", picture=np.zeros((4, 6, 1), np.float32))
        with pytest.raises(PictureError) as caught:
            find_materials([tmp_path])
        assert caught.value.code == "map_size_mismatch"
        for part in ("wall_color.png is 8×8", "wall_rough.png is 6×4"):
            assert part in caught.value.info.message

    def test_and_so_when_a_file_changed_since_it_was_found(self, tmp_path):
        put(tmp_path, "wall_color.png", "wall_rough.png")
        [material], _, _ = find_materials([tmp_path])
        put(tmp_path, "wall_rough.png", picture=np.zeros((4, 6, 1), np.float32))
        with pytest.raises(PictureError) as caught:
            read_material(material)
        assert caught.value.code == "map_size_mismatch"

    def test_a_file_that_vanished_since_it_was_found(self, tmp_path):
        put(tmp_path, "wall.png")
        [material], _, _ = find_materials([tmp_path])
        (tmp_path / "wall.png").unlink()
        with pytest.raises(PictureError) as caught:
            read_material(material)
        assert caught.value.code == "picture_missing"

    @pytest.mark.parametrize("place", ["no/such", "x" * 5000, "nul\0byte"])
    def test_a_place_that_is_not_there(self, place, tmp_path):
        with pytest.raises(PictureError) as caught:
            find_materials([tmp_path / place])
        assert caught.value.code == "picture_missing"

    def test_nothing_usable_says_what_was_looked_at(self, tmp_path):
        (tmp_path / "readme.txt").write_text("hello")
        (tmp_path / "broken.png").write_bytes(b"")
        with pytest.raises(PictureError) as caught:
            find_materials([tmp_path])
        assert caught.value.code == "dataset_empty"
        assert "2 files" in caught.value.info.message
        assert "broken.png" in caught.value.info.message

    @pytest.mark.parametrize("places", [[], ["empty"]])
    def test_no_place_and_an_empty_folder(self, places, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(PictureError) as caught:
            find_materials([tmp_path / place for place in places])
        assert caught.value.code == "dataset_empty"

    def test_the_only_picture_asked_for_has_its_own_error(self, tmp_path):
        (tmp_path / "broken.png").write_bytes(b"\x89PNG")
        with pytest.raises(PictureError) as caught:
            find_materials([tmp_path / "broken.png"])
        assert caught.value.code == "picture_unreadable"

    def test_every_file_left_out_has_its_reason(self, tmp_path):
        put(tmp_path, "good.png")
        (tmp_path / "empty.png").touch()
        (tmp_path / "text.txt").write_text("hello")
        (tmp_path / "film.gif").write_bytes(b"GIF89a")
        Image.new("RGB", (8, 8)).save(
            tmp_path / "moving.png", save_all=True, append_images=[Image.new("RGB", (8, 8), 9)]
        )
        whole = (tmp_path / "good.png").read_bytes()
        (tmp_path / "cut.png").write_bytes(whole[:-30])
        sets, skipped, _ = find_materials([tmp_path])
        assert [s.name for s in sets] == ["good"]
        why = reasons(skipped)
        assert set(why) == {"empty.png", "text.txt", "film.gif", "moving.png", "cut.png"}
        assert "empty" in why["empty.png"]
        assert ".gif" in why["film.gif"]
        assert "animated" in why["moving.png"]

    def test_a_broken_map_leaves_the_rest_of_its_set(self, tmp_path):
        put(tmp_path, "wall_color.png", "wall_rough.png")
        (tmp_path / "wall_nor_gl.png").touch()
        assert found(tmp_path) == {"wall": ("base_color", "roughness")}


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
class TestFolders:
    def test_links_in_circles_end(self, tmp_path):
        put(tmp_path / "a", "one.png")
        (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "a" / "self").symlink_to("self")
        (tmp_path / "gone.png").symlink_to("nowhere")
        sets, skipped, _ = find_materials([tmp_path])
        assert [s.name for s in sets] == ["one"]
        assert "not there" in reasons(skipped)["gone.png"]

    def test_a_file_reached_by_two_ways_counts_once(self, tmp_path):
        put(tmp_path / "a", "one.png")
        (tmp_path / "again").symlink_to(tmp_path / "a", target_is_directory=True)
        (tmp_path / "two.png").symlink_to(tmp_path / "a" / "one.png")
        places = [tmp_path, tmp_path / "a", tmp_path / "a" / "one.png"]
        assert len(find_materials(places)[0]) == 1

    def test_hidden_files_and_folders_are_not_looked_at(self, tmp_path):
        put(tmp_path, "one.png", ".one.png")
        put(tmp_path / ".cache", "two.png")
        sets, skipped, _ = find_materials([tmp_path])
        assert ([s.name for s in sets], skipped) == (["one"], [])

    def test_a_name_that_is_no_text_can_be_reported(self, tmp_path):
        put(tmp_path, "one.png")
        try:
            (tmp_path / os.fsdecode(b"bad\xff.png")).touch()
        except OSError:
            pytest.skip("this file system has no such names")
        _, skipped, _ = find_materials([tmp_path])
        assert skipped[0].file.encode().endswith(b"bad?.png")

    def test_a_folder_that_may_not_be_opened_is_listed(self, tmp_path, monkeypatch):
        put(tmp_path, "one.png")
        put(tmp_path / "closed", "two.png")
        scan = os.scandir

        def guarded(path):
            if Path(path).name == "closed":
                raise PermissionError(13, "Permission denied", str(path))
            return scan(path)

        monkeypatch.setattr(material_sets.os, "scandir", guarded)
        sets, skipped, _ = find_materials([tmp_path])
        assert [s.name for s in sets] == ["one"]
        assert "Permission denied" in reasons(skipped)["closed"]

    def test_a_great_many_other_files_cost_little(self, tmp_path, monkeypatch):
        put(tmp_path, "one.png")
        names = [f"note{i}.txt" for i in range(100_000)]
        walked = [(str(tmp_path), [], ["one.png", *names])]
        monkeypatch.setattr(material_sets.os, "walk", lambda *_, **__: walked)
        monkeypatch.setattr(Path, "is_symlink", lambda _: False)
        started = time.process_time()
        sets, skipped, _ = find_materials([tmp_path])
        assert time.process_time() - started < 10
        assert (len(sets), len(skipped)) == (1, 100_000)


class TestReading:
    def test_maps_come_in_order_with_their_channels(self, tmp_path):
        put(tmp_path, "w_color.png", "w_nor_gl.png", "w_rough.png", "w_disp.png", "w_ao.png")
        [material], _, _ = find_materials([tmp_path])
        shapes = {name: m.shape[-1] for name, m in read_material(material).items()}
        assert list(shapes.items()) == [
            *(("base_color", 3), ("roughness", 1), ("normal", 3)),
            *(("height", 1), ("ambient_occlusion", 1)),
        ]

    def test_a_grey_photo_becomes_three_equal_channels(self, tmp_path):
        put(tmp_path, "photo.png", picture=GREY)
        [material], _, _ = find_materials([tmp_path])
        base_color = read_material(material)["base_color"]
        assert base_color.shape == (8, 8, 3)
        assert base_color == pytest.approx(np.full((8, 8, 3), 0.25), abs=1 / 255)

    def test_a_packed_file_is_taken_apart(self, tmp_path):
        put(tmp_path, "w_color.png", "w_arm.png")
        [material], _, _ = find_materials([tmp_path])
        maps = read_material(material)
        means = [maps[n].mean() for n in ("ambient_occlusion", "roughness", "metallic")]
        assert means == pytest.approx([0.8, 0.4, 0.2], abs=1 / 255)
        assert {maps[n].shape for n in ("roughness", "metallic")} == {(8, 8, 1)}

    @pytest.mark.parametrize("name", ["w_rough.png", "w_Roughness.exr"])
    def test_a_map_of_its_own_wins_over_the_packed_one(self, name, tmp_path):
        put(tmp_path, "w_color.png", "w_arm.png")
        put(tmp_path, name, picture=GREY)
        [material], _, _ = find_materials([tmp_path])
        maps = read_material(material)
        assert maps["roughness"] == pytest.approx(0.25, abs=1 / 255)
        assert maps["metallic"] == pytest.approx(0.2, abs=1 / 255)

    def test_directx_normals_have_their_green_turned(self, tmp_path):
        put(tmp_path, "w_color.png", "w_NormalDX.png")
        [material], _, notes = find_materials([tmp_path])
        normal = read_material(material)["normal"]
        assert normal[0, 0] == pytest.approx((0.8, 0.6, 0.2), abs=1 / 255)
        assert "DirectX" in notes[0]

    def test_materials_with_either_kind_of_normals_agree_in_one_run(self, tmp_path):
        up, down = ((0.5, green, 1.0) for green in (0.8, 0.2))
        put(tmp_path, "a_color.png", "b_color.png")
        put(tmp_path, "a_normalgl.png", picture=np.full((8, 8, 3), up, np.float32))
        put(tmp_path, "b_normaldx.png", picture=np.full((8, 8, 3), down, np.float32))
        sets, _, notes = find_materials([tmp_path])
        for material in sets:
            assert read_material(material)["normal"][0, 0] == pytest.approx(up, abs=1 / 255)
        assert any("DirectX to OpenGL: b" in note for note in notes)

    def test_linear_color_of_an_exr_becomes_srgb(self, tmp_path):
        put(tmp_path, "w_color.exr", picture=np.full((8, 8, 3), 0.2140, np.float32))
        [material], _, _ = find_materials([tmp_path])
        assert read_material(material)["base_color"] == pytest.approx(0.5, abs=1e-3)

    def test_emission_is_color_and_opacity_one_linear_channel(self, tmp_path):
        linear = np.full((8, 8, 3), 0.2140, np.float32)
        put(tmp_path, "w_color.png")
        put(tmp_path, "w_emission.exr", "w_opacity.exr", picture=linear)
        (only,) = find_materials([tmp_path])[0]
        read = read_material(only)
        assert list(read) == ["base_color", "opacity", "emission"]
        np.testing.assert_allclose(read["emission"], np.full((8, 8, 3), 0.5), atol=1e-3)
        np.testing.assert_allclose(read["opacity"], np.full((8, 8, 1), 0.2140), atol=1e-3)

    def test_light_that_is_brighter_than_a_screen_is_white(self, tmp_path):
        put(tmp_path, "w_color.exr", "w_emission.exr", picture=np.full((8, 8, 3), 7, np.float32))
        (only,) = find_materials([tmp_path])[0]
        np.testing.assert_allclose(read_material(only)["emission"], 1, atol=1e-6)

    def test_heights_in_any_unit_keep_their_relation(self, tmp_path):
        height = np.linspace(-3, 5, 64, dtype=np.float32).reshape(8, 8, 1)
        put(tmp_path, "w_color.png")
        put(tmp_path, "w_disp.exr", picture=height)
        [material], _, _ = find_materials([tmp_path])
        assert read_material(material)["height"] == pytest.approx((height + 3) / 8, abs=2e-3)

    def test_normals_stored_with_their_sign_are_moved_into_range(self, tmp_path):
        put(tmp_path, "w_color.png")
        put(tmp_path, "w_nor_gl.exr", picture=np.full((8, 8, 3), (-0.5, 0.5, 1.0), np.float32))
        [material], _, _ = find_materials([tmp_path])
        assert read_material(material)["normal"][0, 0] == pytest.approx((0.25, 0.75, 1.0))

    def test_normals_that_were_sharpened_a_little_below_zero_are_not_taken_for_signed_ones(
        self, tmp_path
    ):
        normals = np.full((8, 8, 3), (0.5, 0.5, 1.0), np.float32)
        normals[0, 0] = (-0.05, 0.55, 0.5)
        put(tmp_path, "w_color.png")
        put(tmp_path, "w_nor_gl.exr", picture=normals)
        [material], _, _ = find_materials([tmp_path])
        read = read_material(material)["normal"]
        np.testing.assert_allclose(read, normals.clip(0, 1), atol=1e-3)

    def test_what_is_no_number_does_not_spread(self, tmp_path):
        broken = np.full((8, 8, 3), np.nan, np.float32)
        broken[0] = np.inf
        put(tmp_path, "w_color.exr", picture=broken)
        [material], _, _ = find_materials([tmp_path])
        base_color = read_material(material)["base_color"]
        assert np.isfinite(base_color).all()
        assert (base_color.min(), base_color.max()) == pytest.approx((0, 1))

    def test_a_photo_on_its_side_fits_maps_that_stand(self, tmp_path):
        exif = Image.Exif()
        exif[0x112] = 6
        Image.new("RGB", (8, 6)).save(tmp_path / "w_color.jpg", exif=exif)
        put(tmp_path, "w_rough.png", picture=np.zeros((8, 6, 1), np.float32))
        [material], _, _ = find_materials([tmp_path])
        assert read_material(material)["base_color"].shape == (8, 6, 3)


@pytest.mark.skipif("TILEWRIGHT_TEST_DATA" not in os.environ, reason="needs real material sets")
class TestRealData:
    """`TILEWRIGHT_TEST_DATA` names a folder with `pbr/<set>/…`, `single/` and `family/`."""

    root = Path(os.environ.get("TILEWRIGHT_TEST_DATA", ""))

    def test_every_set_is_recognised_by_its_folder(self):
        folders = sorted(f for f in (self.root / "pbr").iterdir() if f.is_dir())
        assert folders
        for folder in folders:
            sets, skipped, _ = find_materials([folder])
            files = [f for f in folder.iterdir() if f.is_file()]
            assert ([s.name for s in sets], skipped) == ([folder.name], [])
            assert len(sets[0].files) == len(sets[0].maps) == len(files)
            assert {"base_color", "roughness", "normal"} <= set(sets[0].maps)

    def test_all_sets_together_share_their_maps(self):
        sets, skipped, _ = find_materials([self.root / "pbr"])
        assert len(sets) == len(list((self.root / "pbr").iterdir()))
        assert len({s.maps for s in sets}) == 1
        assert skipped == []

    def test_their_normals_point_up_and_their_sizes_agree(self):
        sets, _, _ = find_materials([self.root / "pbr" / "Bricks008"])
        maps = read_material(sets[0])
        assert len({m.shape[:2] for m in maps.values()}) == 1
        assert maps["normal"][..., 2].mean() > 0.8

    @pytest.mark.parametrize("part", ["single", "family"])
    def test_photos_are_one_material_each(self, part):
        sets, skipped, notes = find_materials([self.root / part])
        files = [f for f in (self.root / part).rglob("*") if f.suffix in (".png", ".jpg")]
        assert Counter(s.name for s in sets) == Counter(f.stem for f in files)
        assert {s.maps for s in sets} == {("base_color",)}
        assert (skipped, notes) == ([], [])


@pytest.mark.parametrize("signed", [True, False])
def test_normals_of_any_range_are_known_by_their_pixels(signed, tmp_path):
    normals = relief()[1].astype(np.float32)
    normals[0, 0] = (-0.05, 0.55, 0.5)  # as a sharpening filter leaves one or two
    put(tmp_path, "wall_color.png", picture=np.full((*normals.shape[:2], 3), 0.5, np.float32))
    put(tmp_path, "wall_height.exr", picture=2 * normals - 1 if signed else normals)
    (material,), _, _ = find_materials([tmp_path])
    assert set(material.files) == {"base_color", "normal"}


class TestTwoChannels:
    """Normals whose blue was left out, as games and EXR have them."""

    @pytest.mark.parametrize("stored", ["RG", "XY", "RGB"])
    @pytest.mark.parametrize("signed", [True, False])
    def test_the_blue_of_normals_follows_from_the_rest(self, stored, signed, tmp_path):
        normals = relief()[1]
        pixels = (2 * normals - 1 if signed else normals).astype(np.float32)
        if stored == "RGB":
            pixels = pixels * np.array([1, 1, 0], np.float32)
        put(tmp_path, "wall_color.png", picture=np.full((*normals.shape[:2], 3), 0.5, np.float32))
        write_channels(tmp_path / "wall_normal.exr", stored, pixels[..., : len(stored)])
        (material,), _, _ = find_materials([tmp_path])
        read = read_material(material)["normal"]
        assert np.abs(read - normals).max() < 0.02

    def test_what_is_grey_is_in_the_first_of_two(self, tmp_path):
        pixels = np.full((64, 64, 2), (0.25, 0.75), np.float32)
        put(tmp_path, "wall_color.png", picture=np.full((64, 64, 3), 0.5, np.float32))
        for word, names in (("roughness", "RG"), ("height", "YA")):
            write_channels(tmp_path / f"wall_{word}.exr", names, pixels)
        (material,), _, _ = find_materials([tmp_path])
        read = read_material(material)
        assert read["roughness"][0, 0] == pytest.approx(0.25)
        assert read["height"][0, 0] == pytest.approx(0.25)


def write_channels(file, names, pixels):
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], len(names), oiio.HALF)
    spec.channelnames = tuple(names)
    output = oiio.ImageOutput.create(str(file))
    assert output.open(str(file), spec)
    assert output.write_image(np.ascontiguousarray(pixels))
    output.close()
