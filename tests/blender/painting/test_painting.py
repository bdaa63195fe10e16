"""Painted looks: the material follows what is painted on its style map, and keeps it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import MagicMock

import bpy
import numpy as np
import pytest

from blender_addon.generation import requests
from blender_addon.painting import painting, panels, vertex_colors
from blender_addon.shader import images, node_tree, projection
from blender_addon.steering import favourites, live, sliders
from blender_addon.worker import pump, session
from gan_worker.config import GenerationConfig
from gan_worker.errors import TilewrightError
from gan_worker.style import Look, Seed, read_weights

from ..conftest import add_lightmap, as_in_another_window

FULL = GenerationConfig("bricks", seed=5, width=512, height=512)
LOOKS = (
    Look(((Seed(7), 1.0),), 1.0, (("pca 1", 1.5),)),
    Look(((Seed(8), 1.0),), 0.5),
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Every tick looks at the image, and nothing rests by itself, however slow the computer is."""
    monkeypatch.setattr(painting, "INTERVAL", 0.0)
    monkeypatch.setattr(live, "REST", 1000.0)


class Painter:
    """Paints on the style map and lets the stand-in worker answer."""

    def __init__(self, worker, obj) -> None:
        self.worker, self.obj = worker, obj
        session.current.protocol = (1, 2)
        requests.generate_for_objects([obj], FULL)
        self.answer()
        scene = bpy.context.scene
        for number, look in enumerate(LOOKS):
            ((style, _),) = look.mix
            kept = favourites.add(scene, self.material, f"look {number}")
            config = replace(
                FULL,
                seed=style.number,
                truncation_psi=look.truncation_psi,
                directions=look.directions,
            )
            kept.config = favourites.as_text(config)
            bpy.ops.tilewright.add_look(uid=kept.uid)
        self.answer()
        worker.submitted.clear()

    @property
    def material(self) -> bpy.types.Material:
        return bpy.data.objects[0].active_material

    @property
    def image(self) -> bpy.types.Image:
        return self.material.tilewright.style_image

    def answer(self) -> None:
        """Finish what was asked for until nothing more is asked."""
        for _ in range(20):
            pump.tick()
            pump.finish()
            for job, config in self.worker.submitted.items():
                if not session.current.jobs[job].done:
                    size = (config.height, config.width, 3)
                    self.worker.finish(job, {"base_color": np.full(size, 50, np.uint8)})

    def rest(self) -> None:
        live.let_rest()
        self.answer()

    def stroke(self, share: float, color=(1, 0, 0)) -> None:
        """Paint the left part of the image."""
        pixels = images.read_pixels(self.image)
        pixels[:, : round(share * pixels.shape[1]), :3] = color
        images.set_pixels(self.image, np.ascontiguousarray(pixels[::-1]))
        pump.tick()

    @property
    def asked(self) -> list[GenerationConfig]:
        return [c for c in self.worker.submitted.values() if c.width != favourites.SIDE]

    def shares(self) -> list[float]:
        """How much of the map each look has, in what was asked for last."""
        style_map = self.asked[-1].style
        weights = np.frombuffer(read_weights(style_map), np.uint8).reshape(-1, len(style_map.looks))
        return (weights / 255).mean(axis=0).round(2).tolist()


@pytest.fixture
def painter(stand_in, plane) -> Painter:
    return Painter(stand_in, plane)


def test_paint_takes_up_a_brush_and_starts_with_the_first_look(painter):
    assert bpy.ops.tilewright.paint_looks() == {"FINISHED"}
    image, tools = painter.image, bpy.context.scene.tool_settings.image_paint
    assert painter.obj.mode == "TEXTURE_PAINT"
    assert (tools.mode, tools.canvas) == ("IMAGE", image)
    assert image.name == f"{painter.material.name} Style Map"
    assert tuple(image.size) == (256, 256)
    assert image.colorspace_settings.name == "Non-Color"
    assert not images.read_pixels(image)[..., :3].any()
    assert painting.picked() == 1
    bpy.ops.tilewright.pick_look(place=0)
    assert painting.picked() == 0
    (asked,) = painter.asked
    assert (asked.width, asked.style.looks) == (256, LOOKS)
    assert painter.shares() == [1, 0]
    # The looks bring their own sliders, and the map covers the tile once.
    assert (asked.directions, asked.truncation_psi) == ((), 1.0)
    assert tuple(bpy.context.scene.tilewright.scale) == (1, 1)


def test_material_follows_the_brush_small_and_then_at_full_size(painter):
    bpy.ops.tilewright.paint_looks()
    painter.answer()
    painter.stroke(0.5)
    assert painter.asked[-1].width == 256
    assert painter.shares() == [0.5, 0.5]
    asked = len(painter.asked)
    painter.answer()
    assert node_tree.is_preview(painter.material)
    # Nothing moves while it is shown: what is painted stays where it is.
    scale = painter.material.node_tree.nodes[node_tree.MAPPING].inputs["Scale"]
    assert tuple(scale.default_value) == (1, 1, 1)
    assert len(painter.asked) == asked, "nothing was painted since"
    painter.rest()
    assert painter.asked[-1].width == 512
    assert sliders.is_shown(painter.material)
    recipe = node_tree.read_recipe(painter.material)
    assert recipe.config.style == painter.asked[-1].style
    assert recipe.config.style.looks == LOOKS


@pytest.mark.parametrize("side", [256, 1024])
def test_what_is_painted_stays_where_it_was_painted_at_another_resolution(painter, side):
    bpy.ops.tilewright.paint_looks()
    painter.stroke(0.5)
    painter.rest()
    scale = painter.material.node_tree.nodes[node_tree.MAPPING].inputs["Scale"]
    bpy.ops.tilewright.switch_size(side=side)
    assert tuple(scale.default_value) == (1, 1, 1)
    bpy.ops.tilewright.cancel_regeneration()
    assert tuple(scale.default_value) == (1, 1, 1)
    bpy.ops.tilewright.switch_size(side=side)
    painter.rest()
    assert node_tree.images_of(painter.material)["base_color"].size[0] == side
    assert tuple(scale.default_value) == (1, 1, 1)


def test_a_tile_that_got_another_size_is_said_to_show_strokes_elsewhere_until_paint_is_pressed(
    painter,
):
    bpy.ops.tilewright.paint_looks()
    painter.rest()
    bpy.ops.object.mode_set(mode="OBJECT")
    assert "Strokes show elsewhere" not in drawn()
    painter.material.tilewright.tile_size = 0.5
    assert "Strokes show elsewhere" in drawn()
    bpy.ops.tilewright.paint_looks()
    assert projection.repeats(painter.material) == (1.0, 1.0)
    assert "Strokes show elsewhere" not in drawn()


def test_looks_are_not_painted_on_a_box(painter):
    bpy.ops.tilewright.set_projection(projection="BOX")
    assert not bpy.ops.tilewright.paint_looks.poll()
    assert "Choose UV as Projection" in drawn()


def test_soft_strokes_mix_looks(painter):
    bpy.ops.tilewright.paint_looks()
    painter.answer()
    painter.stroke(1.0, (0.25, 0, 0))
    assert painter.shares() == [0.75, 0.25]


def test_strokes_leave_no_backlog_and_the_last_wins(painter):
    bpy.ops.tilewright.paint_looks()
    painter.answer()
    before = len(painter.asked)
    for number in range(40):
        painter.stroke((number + 1) / 40)
    assert len(painter.asked) == before + 1
    painter.answer()
    assert painter.shares() == [0, 1]
    assert len(painter.asked) == before + 2
    assert not session.current._backlog


def test_taking_a_stroke_back_brings_the_texture_back(painter):
    bpy.ops.tilewright.paint_looks()
    painter.rest()
    blank = painter.material.tilewright.recipe
    painter.stroke(0.5)
    painter.rest()
    assert painter.material.tilewright.recipe != blank
    painter.stroke(0.5, (0, 0, 0))
    painter.rest()
    assert painter.material.tilewright.recipe == blank


def test_undo_of_painting_brings_the_plain_look_back_and_redo_the_paint(painter):
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.tilewright.paint_looks()
    painter.rest()
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.ed.undo_push(message="paint")
    bpy.ops.ed.undo()
    painter.rest()
    assert not painting.is_painted(painter.material)
    assert sliders.is_shown(painter.material)
    assert node_tree.read_recipe(painter.material).config.style is None
    bpy.ops.ed.redo()
    painter.rest()
    assert painting.is_painted(painter.material)
    assert sliders.is_shown(painter.material)


def test_what_was_painted_is_in_the_file(painter, tmp_path):
    bpy.ops.tilewright.paint_looks()
    painter.stroke(0.5)
    painter.rest()
    recipe, path = painter.material.tilewright.recipe, str(tmp_path / "painted.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    painter.worker.submitted.clear()
    painter.rest()
    assert painter.asked == [], "what is shown is what is painted"
    assert painter.material.tilewright.recipe == recipe
    assert images.read_pixels(painter.image)[:, :128, 0].min() == 1
    painter.stroke(0.25, (0, 0, 0))
    assert painter.shares() == [0.75, 0.25]


def test_copied_material_has_a_picture_of_its_own_to_paint_on(painter):
    bpy.ops.tilewright.paint_looks()
    painter.stroke(0.5)
    painter.answer()
    painted, original = painter.image, painter.material
    copy = original.copy()
    painter.obj.active_material = copy
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.tilewright.paint_looks()
    assert painter.image not in (None, painted)
    assert bpy.context.scene.tool_settings.image_paint.canvas == painter.image
    np.testing.assert_array_equal(images.read_pixels(painter.image), images.read_pixels(painted))
    painter.stroke(1.0)
    painter.answer()
    assert painter.shares() == [0, 1]
    assert original.tilewright.style_image == painted
    assert images.read_pixels(painted)[..., 0].mean() == 0.5


def test_material_copied_while_it_is_painted_leaves_the_originals_picture_alone(painter):
    bpy.ops.tilewright.paint_looks()
    painter.stroke(0.5)
    painter.answer()
    painted, original = painter.image, painter.material
    painter.obj.active_material = original.copy()
    painter.answer()  # the next look at what is painted
    canvas = bpy.context.scene.tool_settings.image_paint.canvas
    assert canvas == painter.image != painted
    painter.stroke(1.0)
    painter.answer()
    assert painter.shares() == [0, 1]
    assert images.read_pixels(painted)[..., 0].mean() == 0.5


def test_removed_look_gives_its_place_to_the_first_of_the_others(painter):
    bpy.ops.tilewright.add_look(uid=bpy.context.scene.tilewright.favourites[0].uid)
    bpy.ops.tilewright.paint_looks()
    painter.stroke(0.5)
    painter.answer()
    bpy.ops.tilewright.remove_look(place=1)
    assert painter.asked[-1].style.looks == (LOOKS[0], LOOKS[0])
    assert painter.shares() == [1, 0]
    painter.answer()
    # The next look is painted with the color that is free again.
    bpy.ops.tilewright.add_look(uid=bpy.context.scene.tilewright.favourites[1].uid)
    assert painter.shares() == [0.5, 0.5, 0]


def test_applying_a_favourite_ends_the_painting_until_paint_is_pressed_again(painter):
    bpy.ops.tilewright.paint_looks()
    painter.stroke(0.5)
    painter.rest()
    favourites.apply(painter.material, bpy.context.scene.tilewright.favourites[0])
    painter.rest()
    assert painter.asked[-1].style is None
    assert not painting.is_painted(painter.material)
    bpy.ops.tilewright.paint_looks()
    assert painter.shares() == [0.5, 0.5]


def test_sliders_move_the_whole_painted_material(painter):
    bpy.ops.tilewright.paint_looks()
    painter.answer()
    painter.material.tilewright.latents.directions["pca 1"].amount = 1.0
    assert painter.asked[-1].directions == (("pca 1", 1.0),)
    assert painter.asked[-1].style.looks == LOOKS


def test_with_live_off_the_paint_waits_for_apply(painter):
    bpy.ops.tilewright.paint_looks()
    painter.rest()
    bpy.context.scene.tilewright.live = False
    asked = len(painter.asked)
    painter.stroke(0.5)
    painter.answer()
    assert len(painter.asked) == asked
    bpy.ops.tilewright.apply_latents()
    assert painter.shares() == [0.5, 0.5]


def test_what_is_missing_is_said_with_its_cure(painter):
    def says() -> str:
        assert not bpy.ops.tilewright.paint_looks.poll()
        with pytest.raises(TilewrightError) as caught:
            painting.start(bpy.context.object)
        return f"{caught.value.info.message} {caught.value.info.cure}"

    mesh = painter.obj.data
    while mesh.uv_layers:
        mesh.uv_layers.remove(mesh.uv_layers[0])
    assert "has none. Unwrap it" in says()
    session.current.protocol = (1, 1)
    assert "update Tilewright" in says()
    session.current.protocol = (1, 2)
    bpy.ops.tilewright.remove_look(place=0)
    assert "received 1. Keep looks" in says()
    assert not painting.is_painted(painter.material)


def test_looks_that_cannot_be_painted_are_refused(painter):
    kept = bpy.context.scene.tilewright.favourites
    favourite, good = kept[0], kept[0].config
    for config, says in (
        (replace(FULL, model="oak"), "bricks; this favorite is of oak"),
        (replace(FULL, style=painting.paint(LOOKS, np.zeros((4, 4, 3)))), "is painted"),
    ):
        favourite.config = favourites.as_text(config)
        with pytest.raises(TilewrightError, match=says):
            painting.add_look(painter.material, favourite)
    favourite.config = good
    for _ in range(2):
        painting.add_look(painter.material, favourite)
    with pytest.raises(TilewrightError, match="4 looks at most"):
        painting.add_look(painter.material, favourite)
    assert [look.place for look in painter.material.tilewright.painted_looks] == [0, 1, 2, 3]


def test_picture_that_is_too_large_to_be_looked_at_is_left_alone(painter):
    bpy.ops.tilewright.paint_looks()
    painter.rest()
    asked = len(painter.asked)
    painter.image.scale(2048, 8)
    painter.stroke(0.5)
    assert len(painter.asked) == asked
    with pytest.raises(TilewrightError, match="this one is 2048×8"):
        painting.start(painter.obj)


def test_style_map_whose_file_is_gone_is_begun_again(painter):
    bpy.ops.tilewright.paint_looks()
    painter.rest()
    asked = len(painter.asked)
    painter.image.source, painter.image.filepath = "FILE", "//gone.png"
    painter.image.reload()
    pump.tick()
    assert len(painter.asked) == asked
    assert session.current.last_error is None
    bpy.ops.tilewright.paint_looks()
    assert tuple(painter.image.size) == (256, 256)


def test_looking_often_only_while_somebody_may_paint(painter, monkeypatch):
    monkeypatch.setattr(painting, "INTERVAL", 0.1)
    bpy.ops.tilewright.paint_looks()
    painter.rest()
    assert pump.tick() == 0.1
    bpy.ops.object.mode_set(mode="OBJECT")
    assert pump.tick() == pump.IDLE_INTERVAL


def test_panel_lists_the_looks_and_says_what_overrules_the_paint(painter):
    assert "look 0" in drawn()
    assert "Paint Vertices" in drawn()
    bpy.ops.tilewright.paint_looks()
    assert "Done" in drawn()
    assert "overrules" not in drawn()
    bpy.context.scene.tilewright.scale = (2, 2)
    assert "Strokes show elsewhere" in drawn()
    painter.material.tilewright.latents.material = "old wall"
    assert "Look Of overrules" in drawn()
    session.current.protocol = (1, 1)
    assert "update Tilewright" in drawn()


def test_panel_says_what_is_missing_to_paint(painter):
    assert "two looks or more" not in drawn()
    bpy.ops.tilewright.remove_look(place=0)
    assert "There must be two looks or more to paint with; received 1." in drawn()


def test_menu_offers_the_favourites_that_fit_and_are_not_there_yet(painter):
    def offered() -> list[str]:
        menu = MagicMock()
        panels.TILEWRIGHT_MT_add_look.draw(menu, bpy.context)
        calls = menu.layout.operator.call_args_list
        return [call.kwargs["text"] for call in calls] or [
            call.kwargs["text"] for call in menu.layout.label.call_args_list
        ]

    assert offered() == ["Keep more looks of bricks with Add Favorite first"]
    scene = bpy.context.scene
    map_of_looks = painting.paint(LOOKS, np.zeros((4, 4, 3)))
    for name, config in (
        ("fits", FULL),
        ("of oak", replace(FULL, model="oak")),
        ("painted", replace(FULL, style=map_of_looks)),
    ):
        kept = favourites.add(scene, painter.material, name)
        kept.config = favourites.as_text(config)
    assert offered() == ["fits"]


def drawn() -> str:
    """All texts of the panel."""
    texts: list[str] = []
    layout = MagicMock()
    for part in ("row", "column"):
        getattr(layout, part).return_value = layout
    layout.label.side_effect = lambda text="", **_: texts.append(text)
    layout.operator.side_effect = lambda _, text="", **__: texts.append(text) or MagicMock()
    context = SimpleNamespace(
        scene=bpy.context.scene, object=bpy.context.object, region=SimpleNamespace(width=1000)
    )
    panel = panels.TILEWRIGHT_PT_painting
    panel.draw(SimpleNamespace(layout=layout), context)
    return "\n".join(texts)


# ---- color attributes


def color(painter, share: float, value=(1, 0, 0, 1)) -> None:
    """Paint the vertices on the left."""
    mesh = painter.obj.data
    attribute = mesh.color_attributes.active_color
    for loop in mesh.loops:
        if mesh.vertices[loop.vertex_index].co.x < 2 * share - 1 + 1e-6:
            attribute.data[loop.index].color_srgb = value
    pump.tick()


@pytest.fixture
def fine_painter(painter):
    """On a plane of 16 by 16 faces."""
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.subdivide(number_cuts=15)
    bpy.ops.object.mode_set(mode="OBJECT")
    return painter


def test_painted_vertices_are_put_onto_the_image(fine_painter):
    bpy.ops.tilewright.paint_looks(on_vertices=True)
    assert fine_painter.obj.mode == "VERTEX_PAINT"
    assert fine_painter.shares() == [1, 0]
    fine_painter.answer()
    color(fine_painter, 0.5)
    # Half, and half of the faces beside it.
    assert fine_painter.shares() == [0.47, 0.53]
    fine_painter.rest()
    assert sliders.is_shown(fine_painter.material)
    pixels = images.read_pixels(fine_painter.image)
    assert pixels[:, :128, 0].min() == 1
    assert pixels[:, 144:, 0].max() == 0
    # Going on with the image is possible, and coming back takes the vertices again.
    bpy.ops.tilewright.paint_looks()
    fine_painter.stroke(1.0)
    assert fine_painter.shares() == [0, 1]
    bpy.ops.tilewright.paint_looks(on_vertices=True)
    pump.tick()
    fine_painter.answer()
    assert fine_painter.shares() == [0.47, 0.53]


def test_colors_of_a_mesh_that_nobody_chose_to_paint_with_are_left_alone(painter):
    bpy.ops.tilewright.paint_looks()
    painter.stroke(0.5)
    painter.answer()
    painter.obj.data.color_attributes.new("dirt", "BYTE_COLOR", "CORNER")
    bpy.ops.object.mode_set(mode="VERTEX_PAINT")
    pump.tick()
    assert painter.shares() == [0.5, 0.5]


def test_looks_are_painted_through_the_uv_map_that_is_rendered(fine_painter):
    add_lightmap(fine_painter.obj.data)
    bpy.ops.tilewright.paint_looks(on_vertices=True)
    assert fine_painter.obj.data.uv_layers.active.active_render
    fine_painter.answer()
    # Choosing the other one while painting changes what brushes paint through, not how vertices lie.
    fine_painter.obj.data.uv_layers.active = fine_painter.obj.data.uv_layers["Lightmap"]
    color(fine_painter, 0.5)
    assert fine_painter.shares() == [0.47, 0.53]


@pytest.mark.parametrize("domain", ["POINT", "CORNER"])
@pytest.mark.parametrize("kind", ["BYTE_COLOR", "FLOAT_COLOR"])
def test_any_color_attribute_can_be_the_source(painter, domain, kind):
    made = painter.obj.data.color_attributes.new("mine", kind, domain)
    painter.obj.data.color_attributes.active_color = made
    for item in made.data:
        item.color = (0, 0, 0, 1)
    bpy.ops.tilewright.paint_looks(on_vertices=True)
    assert painter.shares() == [1, 0]
    painter.answer()
    for item in made.data:
        item.color = (1, 0, 0, 1)
    pump.tick()
    assert painter.shares() == [0, 1]


def test_mesh_without_uv_area_is_refused(painter):
    for corner in painter.obj.data.uv_layers.active.uv:
        corner.vector = (0.5, 0.5)
    with pytest.raises(TilewrightError, match="covers nothing"):
        painting.start(painter.obj, on_vertices=True)


def test_colors_lie_where_the_uv_map_puts_them():
    # Two triangles, a quarter of the square each, the second beyond its right border.
    uvs = np.array([(0, 0), (0.5, 0), (0, 0.5), (1.5, 0.5), (2.0, 0.5), (2.0, 1.0)], np.float32)
    triangles = np.array([(0, 1, 2), (3, 4, 5)])
    unwrapping = vertex_colors.rasterise(uvs, triangles, 64)
    colors = np.repeat(np.array([(1, 0, 0), (0, 0, 1)], np.float32), 3, axis=0)
    colors[1] = (0, 1, 0)
    baked = vertex_colors.bake(unwrapping, colors)
    np.testing.assert_allclose(baked.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(baked[0, 0], (1 - 1 / 64, 1 / 64, 0), atol=1e-6)
    np.testing.assert_allclose(baked[0, 16], (1 - 33 / 64, 33 / 64, 0), atol=1e-6)
    np.testing.assert_allclose(baked[34, 62], (0, 0, 1))
    # What no triangle covers is like the nearest that is covered.
    np.testing.assert_allclose(baked[60, 61], (0, 0, 1))
    assert baked[33, 2, 2] == 0
    assert unwrapping.count == 6


def test_a_mesh_finer_than_the_image_is_baked_without_holes():
    side = 200
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    first = (y * (side + 1) + x).ravel()
    quads = np.stack([first, first + 1, first + side + 2, first + side + 1], axis=-1)
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, side + 1)] * 2), axis=-1).reshape(-1, 2)
    triangles = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    unwrapping = vertex_colors.rasterise(grid.astype(np.float32), triangles, painting.SIDE)
    baked = vertex_colors.bake(unwrapping, np.repeat(grid[:, :1], 3, axis=1).astype(np.float32))
    expected = np.broadcast_to((np.arange(256) + 0.5)[None, :, None] / 256, baked.shape)
    np.testing.assert_allclose(baked, expected, atol=1e-4)


@pytest.mark.parametrize("on_vertices", [False, True])
def test_a_mesh_that_is_edited_is_painted_as_it_is_now(painter, on_vertices):
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.subdivide()
    assert bpy.ops.tilewright.paint_looks(on_vertices=on_vertices) == {"FINISHED"}
    assert painter.obj.mode == ("VERTEX_PAINT" if on_vertices else "TEXTURE_PAINT")
    if on_vertices:
        colors = painter.obj.data.color_attributes.active_color.data
        assert len(colors) == len(painter.obj.data.loops) == 16


def test_a_material_whose_looks_were_all_removed_stays_as_it_is(painter):
    bpy.ops.tilewright.paint_looks()
    painter.answer()
    for place in (0, 1):
        bpy.ops.tilewright.remove_look(place=place)
    painter.answer()
    asked = len(painter.asked)
    painter.stroke(0.5)
    assert session.current.last_error is None
    assert len(painter.asked) == asked


def test_what_is_painted_in_a_second_window_is_followed(painter):
    bpy.ops.tilewright.paint_looks()
    painter.answer()
    with as_in_another_window():
        painter.stroke(0.5)
        assert pump.tick() == painting.INTERVAL, "looked at often"
    assert painter.shares() == [0.5, 0.5]
