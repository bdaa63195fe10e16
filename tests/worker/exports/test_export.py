"""Materials as other tools take them: packed rightly, told rightly, and accepted by the formats' own validators."""

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from memory_peaks import peak_memory
from PIL import Image

from gan_worker.cli import app
from gan_worker.config import Credits, GenerationConfig, Recipe
from gan_worker.exports.export import export_pieces, textures_of
from gan_worker.exports.sources import (
    ExportedMaterial,
    ExportTarget,
    export_material,
    find_in_folder,
    from_generated,
    read_exported,
)
from gan_worker.exports.targets import TOOLS
from gan_worker.exports.textures import Texture
from gan_worker.materials.files import Format, save_material
from gan_worker.materials.maps import FILE_KINDS, MAPS
from gan_worker.materials.metadata import read_metadata
from gan_worker.materials.pictures import read_header, read_picture, read_stored, write_picture
from gan_worker.materials.pixels import as_floats
from gan_worker.progress import GeneratedMaterial

VALIDATOR = Path(__file__).parents[3] / ".venv" / "node_modules" / "gltf-validator"
VALIDATE = """
const fs = require('fs'), path = require('path'), validator = require(process.argv[1]);
const file = process.argv[2], read = f => new Uint8Array(fs.readFileSync(f));
const beside = uri => Promise.resolve(read(path.join(path.dirname(file), decodeURIComponent(uri))));
validator.validateBytes(read(file), {externalResourceFunction: beside})
    .then(report => console.log(JSON.stringify(report)));
"""
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and VALIDATOR.is_dir()),
    reason="needs node and the package gltf-validator, which scripts/test installs where npm is",
)
needs_usd = pytest.mark.skipif(
    importlib.util.find_spec("pxr") is None, reason="needs usd-core of the extra 'export'"
)

RECIPE = Recipe(
    GenerationConfig("old oak", 7, 16, 8, origin=(0, 0)),
    "a" * 64,
    "0.1.0",
    Credits("c", 1, 0, ("Zoë",), ("MIT",)),
)
NAME = "old oak_7_16x8"
MATERIALS = {
    "all": ("base_color", "roughness", "metallic", "normal", "height", "ambient_occlusion"),
    "photo": ("base_color",),
    "stone": ("base_color", "roughness", "normal"),
    "grey": ("height",),
    "lantern": ("base_color", "roughness", "opacity", "emission"),
    "holes": ("opacity",),
}


def material(*names):
    """Maps of 16×8 in which no two channels and no two pixels are alike."""
    made = {}
    for number, name in enumerate(names or MATERIALS["all"]):
        channels = MAPS[name].channels
        values = np.arange(8 * 16 * channels).reshape(8, 16, channels)
        kind, most = (np.uint16, 65535) if name == "height" else (np.uint8, 255)
        made[name] = ((values * 7 + number * 31) % most).astype(kind)
    return GeneratedMaterial(made, RECIPE)


@pytest.mark.parametrize("target", list(ExportTarget))
def test_estimated_maps_of_a_photo_are_in_every_target_which_says_so(target, tmp_path):
    if TOOLS[target].package and importlib.util.find_spec(TOOLS[target].package) is None:
        pytest.skip(f"needs {TOOLS[target].package} of the extra 'export'")
    names = ("base_color", "roughness", "normal", "height", "ambient_occlusion")
    estimated = {"roughness": 0.12, "normal": 14.2, "height": 14.2, "ambient_occlusion": 0.08}
    recipe = replace(RECIPE, estimated=estimated)
    made = from_generated(replace(material(*names), recipe=recipe))
    files = [file for file, _ in export_material(made, target, tmp_path)]
    assert {m for t in textures_of(target, names) for m in t.maps} >= set(names)
    line = "Normal (±14°), Height, Ambient Occlusion (±0.08)."
    pictures = [file for file in files if file.suffix == ".png"]
    for file in pictures:
        assert read_metadata(read_header(file)[2])["estimated"].endswith(line)
    for document in set(files) - set(pictures):
        assert line in json.dumps(document.read_text(encoding="utf-8"), ensure_ascii=False)
    if target is ExportTarget.gltf:
        (shown,) = json.loads(files[-1].read_text(encoding="utf-8"))["materials"]
        used = {"normalTexture", "occlusionTexture"} <= shown.keys()
        assert used and "metallicRoughnessTexture" in shown["pbrMetallicRoughness"]


def test_a_large_texture_is_written_as_it_is_encoded(tmp_path):
    color = np.random.default_rng(1).integers(0, 256, (2048, 2048, 3), np.uint8)
    made = ExportedMaterial("old oak", {"base_color": color}, {})
    held = peak_memory(lambda: list(export_material(made, ExportTarget.unity, tmp_path)))
    assert held < 2 * color.nbytes
    (file,) = tmp_path.iterdir()
    assert np.array_equal(read_stored(file), color)


def test_an_export_that_is_given_up_leaves_the_old_file(tmp_path):
    made = ExportedMaterial("old oak", {"base_color": np.zeros((2048, 64, 3), np.uint8)}, {})
    (file,) = (file for file, _ in export_material(made, ExportTarget.unity, tmp_path))
    before = file.read_bytes()
    steps = export_pieces(made, ExportTarget.unity, tmp_path)
    while list(tmp_path.iterdir()) == [file]:
        next(steps)
    steps.close()
    assert list(tmp_path.iterdir()) == [file] and file.read_bytes() == before


@pytest.fixture
def folder(tmp_path):
    """What `gan-worker generate` leaves: a picture of each map, and the recipe."""
    (tmp_path / "maps").mkdir()
    save_material(material(), tmp_path / "maps", Format.png)
    return tmp_path / "maps"


def exported(target, out, names=(), bits=None, metadata=None):
    out.mkdir(exist_ok=True)
    made = ExportedMaterial("old oak", material(*names).maps, metadata or {})
    return [file for file, _ in export_material(made, target, out, bits)]


def channels(file):
    with Image.open(file) as opened:
        return np.moveaxis(np.asarray(opened), -1, 0)


class TestTextures:
    def test_gltf_and_godot_pack_occlusion_roughness_and_metallic(self, tmp_path):
        maps = material().maps
        for target in (ExportTarget.gltf, ExportTarget.godot):
            exported(target, tmp_path)
            packed = channels(tmp_path / "old oak_orm.png")
            for channel, name in zip(
                packed, ("ambient_occlusion", "roughness", "metallic"), strict=True
            ):
                assert np.array_equal(channel, maps[name][..., 0])

    def test_maps_of_any_depth_are_packed_one_after_the_other(self):
        """Colors with one channel more are how engines take what is cut out."""
        maps = material("base_color", "height").maps
        texture = Texture("cut", ("base_color", "height"), "", only_with="height")
        assert texture.depth == 4
        picture = texture.picture(maps)
        np.testing.assert_allclose(picture[..., :3] * 255, maps["base_color"], atol=1e-4)
        np.testing.assert_allclose(picture[..., 3:] * 65535, maps["height"], atol=0.01)
        without = texture.picture({"height": maps["height"]})
        assert np.allclose(without[..., :3], 0.9)
        assert not texture.fits({"base_color"})
        assert texture.fits({"height"})

    def test_what_is_not_there_is_neutral(self, tmp_path):
        exported(ExportTarget.gltf, tmp_path, ("roughness",))
        occlusion, roughness, metallic = channels(tmp_path / "old oak_orm.png")
        assert (occlusion.min(), metallic.max()) == (255, 0)
        assert np.array_equal(roughness, material("roughness").maps["roughness"][..., 0])
        exported(ExportTarget.unity, tmp_path, ("metallic",))
        assert np.all(channels(tmp_path / "old oak_MaskMap.png")[3] == 128)

    def test_unreal_gets_normals_of_directx(self, tmp_path):
        names = [file.name for file in exported(ExportTarget.unreal, tmp_path)]
        assert names == [f"T_old oak_{w}.png" for w in ("BaseColor", "Normal", "ORM", "Height")]
        red, green, blue = channels(tmp_path / "T_old oak_Normal.png")
        ours = np.moveaxis(material().maps["normal"], -1, 0)
        assert np.array_equal(green, 255 - ours[1])
        assert np.array_equal((red, blue), ours[::2])

    @pytest.mark.parametrize(
        ("target", "names"),
        [
            (
                ExportTarget.unreal,
                ("T_old oak_BaseColor", "T_old oak_Opacity", "T_old oak_Emissive"),
            ),
            (ExportTarget.unity, ("old oak_BaseMap", "old oak_EmissionMap")),
            (ExportTarget.godot, ("old oak_albedo", "old oak_emission")),
        ],
    )
    def test_engines_get_what_is_cut_out_and_what_glows(self, target, names, tmp_path):
        color, *_ = exported(target, tmp_path, ("base_color", "opacity", "emission"))
        assert {file.stem for file in tmp_path.iterdir()} == set(names)
        assert len(channels(color)) == (3 if target is ExportTarget.unreal else 4)

    def test_unity_gets_smoothness_in_alpha_that_changes_no_other_channel(self, tmp_path):
        exported(ExportTarget.unity, tmp_path)
        metallic, occlusion, black, smoothness = channels(tmp_path / "old oak_MaskMap.png")
        maps = material().maps
        assert np.array_equal(metallic, maps["metallic"][..., 0])
        assert np.array_equal(occlusion, maps["ambient_occlusion"][..., 0])
        assert not black.any()
        assert np.array_equal(smoothness, 255 - maps["roughness"][..., 0])
        ours = np.moveaxis(maps["normal"], -1, 0)
        assert np.array_equal(channels(tmp_path / "old oak_NormalMap.png"), ours)

    @pytest.mark.parametrize(("bits", "depth"), [(None, 8), (8, 8), (16, 16)])
    def test_bits_are_as_chosen_and_height_has_sixteen_otherwise(self, bits, depth, tmp_path):
        found = {
            # Of a PNG the byte after its size.
            file.stem.split("_")[-1]: file.read_bytes()[24]
            for file in exported(ExportTarget.godot, tmp_path, bits=bits)
        }
        assert found == dict.fromkeys(("albedo", "normal", "orm"), depth) | {"height": bits or 16}

    def test_sixteen_bits_are_kept(self, tmp_path):
        exported(ExportTarget.godot, tmp_path)
        height = np.round(read_picture(tmp_path / "old oak_height.png") * 65535)
        assert np.array_equal(height, material().maps["height"])


class TestReadingBack:
    """What was exported is read back as it was, whatever its names say."""

    @pytest.mark.parametrize("target", [t for t in ExportTarget if TOOLS[t].package != "pxr"])
    @pytest.mark.parametrize("names", MATERIALS.values(), ids=MATERIALS)
    def test_all_maps_come_back(self, target, names, tmp_path):
        list(exported(target, tmp_path, names))
        kept = {c for texture in textures_of(target, names) for c in texture.maps}
        ((only,), _) = find_in_folder(tmp_path)
        back = read_exported(only).maps
        assert kept.intersection(names) <= set(back)
        for name in kept.intersection(names):
            wanted = as_floats(material(*names).maps[name])
            np.testing.assert_allclose(back[name], wanted, atol=1 / 255, err_msg=name)

    def test_each_texture_says_what_is_in_it(self):
        for tool in TOOLS.values():
            for texture in tool.textures:
                (kind,) = texture.metadata.values()
                assert FILE_KINDS[kind].maps == texture.maps

    def test_a_model_named_as_unreal_names_textures_makes_normals_of_opengl(self, tmp_path):
        recipe = replace(RECIPE, config=replace(RECIPE.config, model="T_oak"))
        for format in Format:
            made = GeneratedMaterial(material("base_color", "normal").maps, recipe)
            save_material(made, tmp_path, format)
            ((only,), _) = find_in_folder(tmp_path)
            assert "normal" in only.files
            [file.unlink() for file in tmp_path.iterdir()]


class TestGltf:
    @pytest.mark.parametrize("names", MATERIALS.values(), ids=MATERIALS)
    @needs_node
    def test_the_validator_of_khronos_finds_nothing(self, names, tmp_path):
        file = exported(ExportTarget.gltf, tmp_path, names, 16, {"Copyright": "© Zoë"})[-1]
        command = ["node", "-e", VALIDATE, str(VALIDATOR), str(file)]
        done = subprocess.run(command, capture_output=True, check=True, timeout=120)
        report = json.loads(done.stdout)
        assert report["issues"]["messages"] == []
        used = {"base_color", "normal", "roughness", "emission"}.intersection(names)
        used |= {"base_color"} & {"base_color" if "opacity" in names else ""}
        images = [r for r in report["info"]["resources"] if r["mimeType"] == "image/png"]
        assert len(images) == len(used)

    def test_it_names_its_textures_its_size_and_its_rights(self, tmp_path):
        *_, file = exported(ExportTarget.gltf, tmp_path, metadata={"Copyright": "© Zoë"})
        document = json.loads(file.read_text("utf-8"))
        uris = [image["uri"] for image in document["images"]]
        assert uris == [f"old%20oak_{w}.png" for w in ("basecolor", "normal", "orm")]
        (made,) = document["materials"]
        assert made["occlusionTexture"] == made["pbrMetallicRoughness"]["metallicRoughnessTexture"]
        assert document["asset"]["copyright"] == "© Zoë"
        # Twice as wide as high, as the maps are.
        assert document["accessors"][0]["max"] == [1.0, 0.5, 0.0]

    def test_what_is_cut_out_lies_in_the_alpha_of_the_color_and_what_glows_is_as_bright(
        self, tmp_path
    ):
        *_, file = exported(ExportTarget.gltf, tmp_path, MATERIALS["lantern"])
        document = json.loads(file.read_text())
        (made,) = document["materials"]
        assert made["alphaMode"] == "MASK"
        assert made["emissiveFactor"] == [1.0, 1.0, 1.0]
        assert document["images"][made["emissiveTexture"]["index"]]["uri"].endswith("emission.png")
        maps = material(*MATERIALS["lantern"]).maps
        pixels = np.moveaxis(channels(tmp_path / "old oak_basecolor.png"), 0, -1)
        assert np.array_equal(pixels[..., :3], maps["base_color"])
        assert np.array_equal(pixels[..., 3:], maps["opacity"])
        assert np.array_equal(
            np.moveaxis(channels(tmp_path / "old oak_emission.png"), 0, -1), maps["emission"]
        )

    def test_without_them_nothing_is_said_of_them(self, tmp_path):
        *_, file = exported(ExportTarget.gltf, tmp_path)
        (made,) = json.loads(file.read_text())["materials"]
        assert not {"alphaMode", "emissiveFactor", "emissiveTexture"} & made.keys()
        assert len(channels(tmp_path / "old oak_basecolor.png")) == 3

    def test_a_photo_alone_is_no_metal(self, tmp_path):
        *_, file = exported(ExportTarget.gltf, tmp_path, ("base_color",))
        shading = json.loads(file.read_text())["materials"][0]["pbrMetallicRoughness"]
        assert (shading["metallicFactor"], shading["roughnessFactor"]) == (0.0, 0.5)


@pytest.fixture(scope="module")
def library():
    """MaterialX's own nodes."""
    mx = pytest.importorskip("MaterialX", reason="needs MaterialX of the extra 'export'")
    library = mx.createDocument()
    mx.loadLibraries(mx.getDefaultDataLibraryFolders(), mx.getDefaultDataSearchPath(), library)
    return library


class TestMaterialX:
    @pytest.mark.parametrize("names", MATERIALS.values(), ids=MATERIALS)
    def test_the_document_is_valid_and_every_node_is_known(self, names, library, tmp_path):
        import MaterialX as mx

        *textures, file = exported(ExportTarget.materialx, tmp_path, names)
        document = mx.createDocument()
        mx.readFromXmlFile(document, str(file))
        document.setDataLibrary(library)
        assert document.validate() == (True, "")
        nodes = [e for e in document.traverseTree() if isinstance(e, mx.Node)]
        assert all(node.getNodeDef() for node in nodes)
        files = {node.getInputValue("file") for node in nodes if node.getCategory() == "image"}
        assert files == {t.name for t in textures if not t.stem.endswith("_ao")}
        colored = [n for n in nodes if n.getInput("file") and n.getInput("file").getColorSpace()]
        colors = {"base_color", "emission"}.intersection(names)
        assert [n.getType() for n in colored] == ["color3"] * len(colors)

    def test_what_is_cut_out_and_what_glows_reach_the_surface(self, library, tmp_path):
        import MaterialX as mx

        *_, file = exported(ExportTarget.materialx, tmp_path, MATERIALS["lantern"])
        document = mx.createDocument()
        mx.readFromXmlFile(document, str(file))
        (surface,) = document.getNodes("standard_surface")
        assert surface.getInputValue("emission") == 1.0
        for target in ("opacity", "emission_color"):
            assert surface.getInput(target).getConnectedOutput().getType() == "color3"

    def test_the_middle_of_the_height_stays_where_the_surface_is(self, library, tmp_path):
        import MaterialX as mx

        *_, file = exported(ExportTarget.materialx, tmp_path)
        document = mx.createDocument()
        mx.readFromXmlFile(document, str(file))
        (displaced,) = document.getNodes("displacement")
        moved = displaced.getInput("displacement").getConnectedOutput().getConnectedNode()
        assert moved.getCategory() == "subtract"
        assert (moved.getInputValue("in2"),) == MAPS["height"].neutral
        height = moved.getInput("in1").getConnectedNode()
        assert height.getInputValue("file").endswith("_height.png")


@needs_usd
class TestUsd:
    @pytest.mark.parametrize("names", MATERIALS.values(), ids=MATERIALS)
    def test_no_validator_of_usd_finds_anything(self, names, tmp_path):
        from pxr import Usd, UsdValidation

        *_, file = exported(ExportTarget.usd, tmp_path, names, metadata={"Copyright": "© Zoë"})
        stage = Usd.Stage.Open(str(file))
        validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
        assert len(validators) > 10
        found = UsdValidation.ValidationContext(validators).Validate(stage)
        assert [(error.GetName(), error.GetMessage()) for error in found] == []
        assert stage.GetRootLayer().comment == "© Zoë"

    def test_the_square_shows_the_material_with_all_its_textures(self, tmp_path):
        from pxr import Usd, UsdShade

        *textures, file = exported(ExportTarget.usd, tmp_path)
        stage = Usd.Stage.Open(str(file))
        bound = UsdShade.MaterialBindingAPI(stage.GetPrimAtPath("/old_oak/Square"))
        surface = bound.ComputeBoundMaterial()[0].ComputeSurfaceSource()[0]
        assert {
            i.GetBaseName(): str(i.GetConnectedSources()[0][0].sourceName)
            for i in surface.GetInputs()
        } == {
            "diffuseColor": "rgb",
            "normal": "rgb",
            "occlusion": "r",
            "roughness": "g",
            "metallic": "b",
        }
        shaders = [UsdShade.Shader(p) for p in stage.Traverse() if p.IsA(UsdShade.Shader)]
        found = {s.GetInput("file").Get().resolvedPath for s in shaders if s.GetInput("file")}
        assert {Path(f) for f in found} == {t for t in textures if "height" not in t.name}

    def test_what_is_cut_out_and_what_glows_reach_the_surface(self, tmp_path):
        from pxr import Usd, UsdShade

        *_, file = exported(ExportTarget.usd, tmp_path, MATERIALS["lantern"])
        stage = Usd.Stage.Open(str(file))
        surface = UsdShade.Shader(stage.GetPrimAtPath("/old_oak/old_oak/Surface"))
        assert surface.GetInput("opacityThreshold").Get() == 0.5
        for target, word, channel in (
            ("opacity", "opacity", "r"),
            ("emissiveColor", "emission", "rgb"),
        ):
            source = surface.GetInput(target).GetConnectedSources()[0][0]
            assert source.sourceName == channel
            picture = UsdShade.Shader(source.source.GetPrim()).GetInput("file").Get().path
            assert picture == f"./old oak_{word}.png"


class TestCommand:
    def export(self, *arguments):
        return app.main(["export", *map(str, arguments)])

    def test_a_folder_of_maps_becomes_files_that_keep_their_marks(self, folder, tmp_path, capsys):
        out = tmp_path / "new" / "out"
        assert self.export(folder, "--to", "unreal", "--out", out) == 0
        shown = capsys.readouterr().out
        assert "DirectX (-Y)" in shown
        assert "4 files in" in shown
        maps = material().maps
        assert np.array_equal(
            np.moveaxis(channels(out / f"T_{NAME}_BaseColor.png"), 0, -1), maps["base_color"]
        )
        for file in out.iterdir():
            assert read_metadata(read_header(file)[2])["recipe"]["seed"] == 7

    def test_the_same_export_gives_the_same_bytes(self, folder, tmp_path):
        for target in ("gltf", "materialx"):
            for name in ("first", "second"):
                assert self.export(folder, "--to", target, "--out", tmp_path / name) == 0
        first, second = (
            {f.name: f.read_bytes() for f in (tmp_path / name).iterdir()}
            for name in ("first", "second")
        )
        assert first == second

    def test_every_material_of_a_folder_keeps_the_maps_that_it_has(self, folder, tmp_path, capsys):
        (folder / "photos").mkdir()
        for photo in ("photos/sheet.png", "preview.png"):
            write_picture(folder / photo, np.zeros((4, 4, 3)))
        assert self.export(folder, "--to", "godot", "--out", tmp_path / "out") == 0
        names = {file.name for file in (tmp_path / "out").iterdir()}
        wanted = {f"{NAME}_{word}.png" for word in ("albedo", "normal", "orm", "height")}
        assert names == wanted | {"sheet_albedo.png"}

    @needs_usd
    def test_materials_of_one_name_do_not_overwrite_each_other(self, folder, tmp_path):
        for sub in ("a", "b"):
            (folder / sub).mkdir()
            write_picture(
                folder / sub / "odd (1)_basecolor.png", np.full((4, 4, 3), ord(sub) / 255)
            )
        assert self.export(folder, "--to", "usd", "--out", tmp_path / "out") == 0
        for name, value in (("odd (1)", ord("a")), ("odd (1) 2", ord("b"))):
            assert (tmp_path / "out" / f"{name}.usda").exists()
            assert np.all(channels(tmp_path / "out" / f"{name}_basecolor.png") == value)

    def test_pictures_that_cannot_be_read_are_named(self, folder, tmp_path, capsys):
        (folder / "torn_roughness.png").write_bytes(b"\x89PNG")
        assert self.export(folder, "--to", "godot", "--out", tmp_path / "out") == 0
        assert "torn_roughness.png is left out" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("options", "code", "says"),
        [
            (["--to", "blender"], "invalid_config", "gltf"),
            (["--to", "gltf", "--seed", "1"], "invalid_config", "--seed"),
            (["--to", "gltf", "--bits", "12"], "invalid_config", "--bits 16"),
            (["--to", "gltf", "--out", "FOLDER"], "invalid_config", "--out"),
            (["--to", "gltf", "--out", "FOLDER/deep"], "invalid_config", "--out"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options, code, says, folder, tmp_path, capsys):
        chosen = [option.replace("FOLDER", str(folder)) for option in options]
        before = sorted(tmp_path.rglob("*"))
        out = [] if "--out" in options else ["--out", tmp_path / "out"]
        assert self.export(folder, *chosen, *out) == 2
        shown = capsys.readouterr().err
        assert f"[{code}]" in shown
        assert says in shown
        assert sorted(tmp_path.rglob("*")) == before

    def test_an_empty_folder_is_refused(self, tmp_path, capsys):
        (tmp_path / "none").mkdir()
        assert self.export(tmp_path / "none", "--to", "gltf", "--out", tmp_path / "out") == 2
        assert "[dataset_empty]" in capsys.readouterr().err

    def test_a_missing_package_has_a_cure(self, folder, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert self.export(folder, "--to", "usd", "--out", tmp_path / "out") == 2
        shown = "".join(capsys.readouterr().err.split())  # wherever the terminal broke its lines
        assert f"{sys.executable}-mpipinstall" in shown
        assert "usd-core" in shown

    def test_a_folder_that_cannot_be_written_says_so(self, folder, tmp_path, capsys):
        (tmp_path / "file").write_text("")
        assert self.export(folder, "--to", "gltf", "--out", tmp_path / "file") == 1
        assert "[file_unwritable]" in capsys.readouterr().err
