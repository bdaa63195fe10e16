"""What generated files say of themselves, read again as others would read it, and always the same."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image

from gan_worker.config import Credits, GenerationConfig, Recipe
from gan_worker.materials.files import Format, save_material
from gan_worker.materials.metadata import (
    SOURCE_TYPE,
    credit_line,
    model_metadata,
    read_metadata,
    repair_metadata,
)
from gan_worker.materials.pictures import read_header, read_picture
from gan_worker.progress import GeneratedMaterial
from gan_worker.style import Latent

CREDITS = Credits("c" * 64, 3, 1, ("Zoë & Sons <z@a.org>", "Ann\x07"), ("CC0-1.0",))
RECIPE = Recipe(
    GenerationConfig("oak", 7, 8, 4, style=Latent((0.5,)), origin=(1, 2)),
    "a" * 64,
    "0.1.0",
    CREDITS,
)


def material(bits):
    kind = np.uint8 if bits == 8 else np.uint16
    maps = {"base_color": np.full((4, 8, 3), 77, kind), "height": np.full((4, 8, 1), 99, np.uint16)}
    return GeneratedMaterial(maps, RECIPE)


def saved(folder, bits=8, format=Format.png):
    folder.mkdir()
    return save_material(material(bits), folder, format)


@pytest.mark.parametrize(("bits", "format"), [(8, Format.png), (16, Format.png), (16, Format.exr)])
def test_every_map_says_how_it_was_made(bits, format, tmp_path):
    for file in saved(tmp_path / "out", bits, format):
        texts = read_header(file)[2]
        found = read_metadata(texts)
        assert found["source_type"] == SOURCE_TYPE
        assert (found["model"], found["model_hash"]) == ("oak", "a" * 64)
        assert found["software"] == "Tilewright 0.1.0"
        assert "Zoë & Sons" in found["rights"]
        assert (found["recipe"]["seed"], found["recipe"]["z"]) == (7, [0.5])
        assert found["recipe"]["credits"]["provenance"] == "c" * 64


def test_estimated_maps_are_named_with_how_sure_they_are(tmp_path):
    estimated = {"ambient_occlusion": 0.081, "normal": 14.2, "height": 14.2, "metallic": 0.0}
    made = replace(material(8), recipe=replace(RECIPE, estimated=estimated))
    line = (
        "Estimated from the base color: Metallic, Normal (±14°), Height, Ambient Occlusion (±0.08)."
    )
    (tmp_path / "out").mkdir()
    for file in save_material(made, tmp_path / "out", Format.png):
        texts = read_header(file)[2]
        found = read_metadata(texts)
        assert found["estimated"] == line
        assert found["recipe"]["estimated"] == estimated
        with Image.open(file) as opened:
            assert line in opened.info["XML:com.adobe.xmp"]
        # What is repaired later keeps saying so.
        again = repair_metadata("oak", "a" * 64, CREDITS, texts, version="0.1.0")
        assert read_metadata(again)["estimated"] == line
    assert "estimated" not in read_metadata(read_header(saved(tmp_path / "plain")[0])[2])


def test_marks_leave_the_pixels_alone(tmp_path):
    file, _ = saved(tmp_path / "out")
    assert np.array_equal(np.round(read_picture(file) * 255), np.full((4, 8, 3), 77))
    with Image.open(file) as opened:
        opened.verify()


@pytest.mark.parametrize("format", list(Format))
def test_the_same_request_gives_the_same_bytes_at_any_time(format, tmp_path):
    first, second = (saved(tmp_path / name, 16, format) for name in ("first", "second"))
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]
    # OpenImageIO writes the time into EXR by itself, in whole seconds.
    assert not any(read_header(file)[2].get("DateTime") for file in first)


def test_the_xmp_is_where_others_look_and_well_formed(tmp_path):
    file, _ = saved(tmp_path / "out")
    with Image.open(file) as opened:
        assert opened.info["Software"] == "Tilewright 0.1.0"
        line = credit_line(CREDITS).replace("\x07", " ")
        assert opened.info["Copyright"] == line
        packet = opened.info["XML:com.adobe.xmp"]
    assert packet.startswith('<?xpacket begin="\ufeff"')
    root = ElementTree.fromstring(packet[packet.index("<x:xmpmeta") : packet.rindex("<?xpacket")])
    iptc = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
    assert root.findtext(f".//{iptc}DigitalSourceType") == SOURCE_TYPE
    assert root.findtext(f".//{iptc}AISystemVersionUsed") == "0.1.0"
    items = root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li")
    assert [item.text for item in items] == [line, "Zoë & Sons <z@a.org>", "Ann "]


def test_exr_carries_the_same_packet(tmp_path):
    file = saved(tmp_path / "out", 16, Format.exr)[0]
    opened = oiio.ImageInput.open(str(file))
    assert (
        opened.spec().getattribute("xmp")
        == model_metadata("oak", "a" * 64, CREDITS, RECIPE, "0.1.0")["xmp"]
    )
    opened.close()


def test_a_photo_has_no_marks_and_a_cut_recipe_loses_only_itself():
    assert read_metadata({"Software": "Camera 1"}) is None
    texts = model_metadata("oak", "", CREDITS, RECIPE, "0.1.0")
    found = read_metadata({**texts, "tilewright:Recipe": json.dumps({"a": 1})[:4]})
    assert found["recipe"] is None
    assert found["model"] == "oak"


@pytest.mark.parametrize(
    ("credits", "line"),
    [
        (Credits(), "training pictures are not recorded."),
        (Credits("h", 1, 1), "on 1 picture; its license is not recorded."),
        (Credits("h", 2, 0, ("Ann",), ("MIT",)), "on 2 pictures by Ann; license: MIT."),
        (Credits("h", 3, 1, (), ("MIT", "CC0-1.0")), "licenses: MIT; CC0-1.0; of 1 not recorded."),
        (
            Credits("h", 2, 0, ("Ann",), ("MIT",), contained=True),
            "on 2 pictures by Ann, with pieces of them; license: MIT.",
        ),
        (
            Credits("h", 1, 1, contained=True),
            "on 1 picture, with pieces of it; its license is not recorded.",
        ),
        (
            Credits("h", 5, 0, ("Ann",), ("CC0-1.0",), contained=True, materials=1),
            "trained on 1 material with 5 pictures by Ann, with pieces of them; license: CC0-1.0.",
        ),
        (
            Credits("h", 12, 12, materials=4),
            "on 4 materials with 12 pictures; their license is not recorded.",
        ),
        (
            Credits("h", 1, 0, ("Ann",), ("MIT",), contained=True, trained=False),
            "Made from 1 picture by Ann; license: MIT.",
        ),
    ],
)
def test_the_line_of_rights_says_what_is_known_and_what_is_not(credits, line):
    assert credit_line(credits).endswith(line)
