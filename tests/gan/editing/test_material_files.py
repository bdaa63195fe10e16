"""Files that are changed in places keep all else: bits, alpha, channels, direction of normals."""

import numpy as np
import OpenImageIO as oiio
import pytest

from gan_worker.config import Credits
from gan_worker.errors import PictureError, RequestError
from gan_worker.gan.editing.material_files import (
    check_mask,
    read_mask,
    read_one,
    read_texts,
    targets,
    write_changed,
)
from gan_worker.materials.metadata import (
    COMPOSITE_TYPE,
    SOURCE_TYPE,
    model_metadata,
    read_metadata,
    repair_metadata,
)
from gan_worker.materials.pictures import read_header, read_stored, write_picture
from gan_worker.materials.sets import read_material

CHANGED = np.zeros((12, 10), bool)
CHANGED[3:6, 2:9] = True


def noise(channels, dtype, seed=0):
    most = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, most, (12, 10, channels)).astype(dtype)


def save(file, pixels):
    file.parent.mkdir(parents=True, exist_ok=True)
    write_picture(file, pixels, 8 * pixels.dtype.itemsize)
    return file


def changed_to(place, out, value):
    """All maps with one value where they are changed."""
    material = read_one(place)
    maps = {name: np.full_like(picture, value) for name, picture in material.maps.items()}
    files = targets(material, out)
    write_changed(material, maps, CHANGED, files, {kind: {} for kind in files})
    return material, {kind: read_stored(file) for kind, file in files.items()}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_not_changed_keeps_its_bits_and_all_its_alpha(dtype, channels, tmp_path):
    before = noise(channels, dtype)
    file = save(tmp_path / "wall.png", before)
    _, after = changed_to(file, tmp_path / "new.png", 1.0)
    (after,) = after.values()
    assert after.dtype == dtype
    np.testing.assert_array_equal(after[~CHANGED], before[~CHANGED])
    colors = 1 if channels < 3 else 3
    assert (after[CHANGED][:, :colors] == np.iinfo(dtype).max).all()
    np.testing.assert_array_equal(after[..., colors:], before[..., colors:])


def test_packed_maps_and_directx_normals_go_back_where_they_came_from(tmp_path):
    save(tmp_path / "wall/wall_diff.png", noise(3, np.uint8))
    save(tmp_path / "wall/wall_arm.png", noise(3, np.uint8, 1))
    save(tmp_path / "wall/wall_nor_dx.png", noise(3, np.uint8, 2))
    save(tmp_path / "wall/wall_disp.png", noise(1, np.uint16, 3))
    material = read_one(tmp_path / "wall")
    files = targets(material, tmp_path / "out")
    write_changed(material, material.maps, np.ones((12, 10), bool), files, {k: {} for k in files})
    for kind, file in files.items():
        np.testing.assert_array_equal(read_stored(file), material.stored[kind])
    maps = dict(material.maps, roughness=np.ones((12, 10, 1), np.float32))
    write_changed(material, maps, CHANGED, files, {k: {} for k in files})
    packed = read_stored(files["packed"])
    assert (packed[CHANGED][:, 1] == 255).all()
    np.testing.assert_array_equal(packed[..., [0, 2]], material.stored["packed"][..., [0, 2]])


def test_a_jpeg_becomes_a_png_of_the_pixels_that_it_showed(tmp_path):
    file = tmp_path / "wall.jpg"
    write_picture(file, noise(3, np.uint8))
    material, after = changed_to(file, tmp_path / "out", 0.0)
    assert targets(material, tmp_path / "out")["base_color"].name == "wall.png"
    np.testing.assert_array_equal(after["base_color"][~CHANGED], read_stored(file)[~CHANGED])


@pytest.mark.parametrize("out", ["wall.png", "new.jpg", "."])
def test_nothing_is_written_over_what_is_read_or_with_loss(out, tmp_path):
    material = read_one(save(tmp_path / "wall.png", noise(3, np.uint8)))
    with pytest.raises(RequestError) as refused:
        targets(material, tmp_path / out)
    assert refused.value.code == "invalid_config"


def test_several_materials_are_refused_and_a_mask_beside_them_is_none(tmp_path):
    save(tmp_path / "set/wall.png", noise(3, np.uint8))
    mask = save(tmp_path / "set/scratches.png", noise(1, np.uint8))
    with pytest.raises(PictureError, match="scratches, wall"):
        read_one(tmp_path / "set")
    assert read_one(tmp_path / "set", mask).material_set.name == "wall"


def test_floating_point_pictures_are_refused(tmp_path):
    write_picture(tmp_path / "wall.exr", np.ones((12, 10, 3), np.float32), "exr")
    with pytest.raises(PictureError, match="8 or 16 bits"):
        read_one(tmp_path / "wall.exr")


def test_a_photo_that_lies_on_its_side_is_read_upright(tmp_path):
    pixels = noise(3, np.uint8)
    spec = oiio.ImageSpec(10, 12, 3, oiio.UINT8)
    spec.attribute("Orientation", 6)
    out = oiio.ImageOutput.create(str(tmp_path / "wall.tif"))
    assert out.open(str(tmp_path / "wall.tif"), spec) and out.write_image(pixels) and out.close()
    np.testing.assert_array_equal(read_stored(tmp_path / "wall.tif"), np.rot90(pixels, -1))


def test_each_file_is_decoded_once(tmp_path, monkeypatch):
    save(tmp_path / "wall/wall_diff.png", noise(4, np.uint8))
    save(tmp_path / "wall/wall_nor_dx.png", noise(3, np.uint16, 2))
    decoded, decode = [], oiio.ImageInput.read_image

    def counted(opened, *args):
        decoded.append(opened)
        return decode(opened, *args)

    monkeypatch.setattr(oiio.ImageInput, "read_image", counted)
    material = read_one(tmp_path / "wall")
    assert len(decoded) == 2
    for kind, file in material.material_set.files.items():
        np.testing.assert_array_equal(material.stored[kind], read_stored(file))
    for name, picture in read_material(material.material_set).items():
        np.testing.assert_array_equal(material.maps[name], picture)


def test_a_mask_has_the_pictures_size_and_marks_some_of_it(tmp_path):
    file = save(tmp_path / "mask.png", np.where(CHANGED, 255, 90)[..., None].astype(np.uint8))
    np.testing.assert_array_equal(read_mask(file, (12, 10)), CHANGED)
    with pytest.raises(PictureError, match=r"10×13.*10×12") as refused:
        read_mask(file, (13, 10))
    assert refused.value.code == "map_size_mismatch"
    for nothing, says in ((CHANGED & False, "nothing"), (CHANGED | True, "all of the picture")):
        with pytest.raises(RequestError, match=says):
            check_mask(nothing)


def test_a_repaired_photo_is_a_composite_and_keeps_whose_it_is(tmp_path):
    credits = Credits("h", 1, 0, ("Ann",), ("CC0-1.0",))
    before = {"Artist": "Zoë", "Copyright": "© Zoë"}
    file = tmp_path / "wall.png"
    write_picture(file, noise(3, np.uint8), metadata=repair_metadata("oak", "a", credits, before))
    texts = read_header(file)[2]
    assert texts["Artist"] == "Zoë"
    assert texts["Copyright"].startswith("© Zoë Parts of it: Made by a model trained on 1 picture")
    assert read_metadata(texts)["source_type"] == COMPOSITE_TYPE
    again = repair_metadata("oak", "a", credits, read_texts(read_one(file))["base_color"])
    assert again["Copyright"] == texts["Copyright"]
    whole = repair_metadata("oak", "a", credits, model_metadata("oak", "a", credits))
    assert read_metadata(whole)["source_type"] == SOURCE_TYPE
