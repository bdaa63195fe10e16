"""Runs inside Blender: answers what a test asks about its data, one question a turn of the main loop."""

import importlib
import json
import logging
import os
import select
import socket

import bpy
import numpy as np

log = logging.getLogger(__name__)
PERIOD = 0.005  # seconds from one question to the next
drawn = set()  # labels of panels, see `watch_panels`
remembered = []  # the map that `changes` compares with


class Bridge:
    """One connection, looked at from a timer: everything happens on Blender's main thread."""

    def __init__(self, path: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.link = None

    def turn(self) -> float:
        """Answer one question, if there is one."""
        readable, _, _ = select.select(
            [self.listener if self.link is None else self.link], [], [], 0
        )
        if not readable:
            return PERIOD
        if self.link is None:
            self.link = self.listener.accept()[0]
            self.lines = self.link.makefile("rb")
            return PERIOD
        line = self.lines.readline()
        if line:
            self.link.sendall(json.dumps(answer(json.loads(line)), default=repr).encode() + b"\n")
        return PERIOD if line else None


def answer(code: str) -> dict:
    """The value of an expression, None for statements, or what went wrong."""
    try:
        try:
            compiled = compile(code, "<test>", "eval")
        except SyntaxError:
            exec(compile(code, "<test>", "exec"), globals())
            return {"value": None}
        return {"value": eval(compiled, globals())}
    except Exception as error:
        log.exception("%s", code)  # into Blender's output, which is kept
        return {"error": f"{code}: {error!r}"}


def addon(module: str) -> object:
    """A module of the extension as it is installed."""
    return importlib.import_module(f"bl_ext.user_default.tilewright.{module}")


def session() -> object:
    return addon("worker.session").current


def view() -> tuple:
    """The window, and the largest editor, the 3D View at first, with its sidebar."""
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda area: area.width * area.height)
    return window, area, next(r for r in area.regions if r.type == "UI")


def open_tab(name: str) -> bool:
    """Turn the sidebar to a tab; only a sidebar that was drawn has tabs."""
    region = view()[2]
    if region.active_panel_category == "UNSUPPORTED":
        return False
    if region.active_panel_category != name:
        region.active_panel_category = name
        region.tag_redraw()
        return False
    return True


def show_image_editor() -> None:
    """Turn the editor to an Image Editor with a sidebar."""
    area = view()[1]
    area.type = "IMAGE_EDITOR"
    area.spaces.active.show_region_ui = True


def show_view() -> None:
    """Turn the editor to a 3D View again."""
    area = view()[1]
    area.type = "VIEW_3D"
    area.spaces.active.show_region_ui = True


def photo() -> object:
    """The photo that the Image Editor shows, before or after it is prepared."""
    return addon("photos.preparation").photo_of(view()[1].spaces.active.image)


def corners() -> list:
    """Corners of the part of the photo that is used, as shares of its width and height."""
    return addon("photos.preparation").corners_of(photo())


def places(shares: list) -> list:
    """Where places of the photo lie, in pixels from the window's upper left corner."""
    window, area, _ = view()
    region = next(r for r in area.regions if r.type == "WINDOW")
    found = addon("photos.overlay").places(region, shares)
    return [[round(region.x + x), round(window.height - region.y - y)] for x, y in found]


def look_at_light() -> float:
    """By how much the right side of what the Image Editor shows is brighter than the left one."""
    image = view()[1].spaces.active.image
    rows = pixels(image).reshape(image.size[1], image.size[0], 3)
    left, right = (part.mean() for part in np.array_split(rows, 2, axis=1))
    return abs(float(right - left))


def sidebar() -> list:
    """Left, top, width and height in pixels from the window's upper left corner."""
    window, _, region = view()
    return [region.x, window.height - region.y - region.height, region.width, region.height]


def watch_panels() -> None:
    """From now on, the panels of the tab that are drawn open are kept in `drawn`; Blender tells nobody."""
    for panel in bpy.types.Panel.__subclasses__():
        if panel.__module__.startswith("bl_ext.user_default.tilewright"):
            panel.draw = watched(panel.draw)


def watched(draw: object) -> object:
    def draw_and_tell(panel: bpy.types.Panel, context: bpy.types.Context) -> None:
        if context.region.type == "UI":  # a popover may show the same panel
            drawn.add(panel.bl_label)
        draw(panel, context)

    return draw_and_tell


def forget_panels() -> None:
    """Empty `drawn`, and have the sidebar drawn."""
    drawn.clear()
    view()[2].tag_redraw()


def hidden_panels() -> list[str]:
    """Labels of panels in the 3D View that the active object has no use for."""
    return [
        panel.bl_label
        for panel in bpy.types.Panel.__subclasses__()
        if panel.__module__.startswith("bl_ext.user_default.tilewright")
        and panel.bl_space_type == "VIEW_3D"
        and not panel.poll(bpy.context)
    ]


def under_pointer() -> str:
    """The operator call or the data path of the button that the pointer is on, else nothing."""
    window, area, region = view()
    manager = bpy.context.window_manager
    manager.clipboard = ""
    with bpy.context.temp_override(window=window, area=area, region=region):
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
        elif bpy.ops.ui.copy_data_path_button.poll():
            bpy.ops.ui.copy_data_path_button(full_path=True)
    return manager.clipboard


def middle() -> list:
    """The middle of the largest editor, in pixels from the window's upper left corner."""
    window, area, _ = view()
    return [area.x + area.width // 3, window.height - area.y - area.height // 2]


def shade(kind: str) -> None:
    """Show the 3D View in that way; one sample is enough, and all that a slow computer can do."""
    bpy.context.scene.eevee.taa_samples = 1
    view()[1].spaces.active.shading.type = kind


def file_browser() -> object:
    """Where the file browser that is open stands, once it is there."""
    areas = [a for w in bpy.context.window_manager.windows for a in w.screen.areas]
    return next((a.spaces.active.params for a in areas if a.type == "FILE_BROWSER"), None)


def browse(path: str) -> bool:
    """Go to a file in the file browser that is open."""
    found = file_browser()
    if found is None:
        return False
    found.directory, found.filename = os.path.split(path)[0].encode(), os.path.split(path)[1]
    return True


def look() -> dict:
    """What the active object wears: seed of the recipe, sliders, and size, color space and spread of every map."""
    material = bpy.context.view_layer.objects.active.active_material
    if material is None:
        return {}
    return {
        "seed": material.tilewright.seed,
        "directions": directions(material),
        "maps": maps(material),
    }


def directions(material: bpy.types.Material) -> dict:
    """Where the sliders stand that are moved."""
    amounts = {d.name: round(d.amount, 4) for d in material.tilewright.latents.directions}
    return {name: amount for name, amount in amounts.items() if amount}


def is_quiet() -> bool:
    """Whether nothing is being generated, shown or packed."""
    waiting = addon("worker.pump").pending() or session().running("generate")
    return addon("steering.live").is_settled() and not waiting


def maps(material: bpy.types.Material) -> dict:
    return {
        name: {
            "size": list(image.size),
            "space": image.colorspace_settings.name,
            "kept": image.packed_file is not None,
            "spread": float(pixels(image).std()),
            "mean": float(pixels(image).mean()),
        }
        for name, image in addon("shader.node_tree").images_of(material).items()
    }


def base_color() -> np.ndarray:
    """The map on the active object, shape (height, width, 3)."""
    image = addon("shader.node_tree").images_of(bpy.context.object.active_material)["base_color"]
    return pixels(image).reshape(image.size[1], image.size[0], 3)


def remember() -> None:
    """Keep how the base color looks now, for `changes`."""
    remembered[:] = [base_color()]


def train_briefly(run: str, *pictures: str, octaves: int) -> None:
    """Train the smallest networks for some seconds, with detail that is so many octaves finer than what they draw."""
    from gan_worker.config import TrainingConfig

    config = TrainingConfig(run, pictures, "nano", 0.1, scale=1.0, octaves=octaves)
    addon("training.training").start_training(config)


def more_detail() -> list:
    """How alike the base color is, shrunk, to what was remembered, and how strong what is finer is beside that."""
    large, small = base_color(), remembered[0]
    height, width = small.shape[:2]
    factor = large.shape[0] // height
    shrunk = large.reshape(height, factor, width, factor, 3).mean((1, 3))
    flat = [(picture - picture.mean((0, 1))).ravel() for picture in (shrunk, small)]
    finer = large - shrunk.repeat(factor, 0).repeat(factor, 1)
    return [float(np.corrcoef(*flat)[0, 1]), float(finer.std() / flat[0].std())]


def ready_to_paint() -> None:
    """Let the mouse paint on an image of the active object, with a brush: Debian's Blender comes without."""
    window, area, _ = view()
    image_paint = bpy.context.scene.tool_settings.image_paint
    image_paint.mode, image_paint.canvas = "IMAGE", bpy.data.images.new("canvas", 64, 64)
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.object.mode_set(mode="TEXTURE_PAINT")
        brush = bpy.data.brushes.new("Brush", mode="TEXTURE_PAINT")
        brush.asset_mark()
        bpy.ops.brush.asset_activate(
            asset_library_type="LOCAL", relative_asset_identifier=f"Brush/{brush.name}"
        )
    bpy.ops.ed.undo_push(message="Ready")


def modal_operators() -> list[str]:
    """What holds the mouse or keys in any window."""
    return [m.bl_idname for w in bpy.context.window_manager.windows for m in w.modal_operators]


def changes(share: float = 1.0) -> list:
    """By how much the left and the right half of the base color have changed since, a pixel on average, 0..1.

    Of each half that share of its columns is looked at, in its middle.
    """
    moved = np.abs(base_color() - remembered[0]).mean((0, 2))
    edge = int(len(moved) * (1 - share) / 4)
    return [float(half[edge : len(half) - edge].mean()) for half in np.split(moved, 2)]


def paint(image: bpy.types.Image, color: tuple, rows: float, columns: float) -> None:
    """What a brush would do to that share of an image, from its lower left corner on."""
    rgba = np.empty((image.size[1], image.size[0], 4), np.float32)
    image.pixels.foreach_get(rgba.reshape(-1))
    rgba[: int(rows * len(rgba)), : int(columns * rgba.shape[1]), :3] = color
    image.pixels.foreach_set(rgba.reshape(-1))
    image.update()


def pixels(image: bpy.types.Image) -> np.ndarray:
    """Color without alpha, shape (height * width, 3)."""
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(-1, 4)[:, :3]


preferences = bpy.context.preferences
preferences.view.show_splash = False
preferences.view.filebrowser_display_type = "SCREEN"  # a second window would lie over the first
preferences.system.use_region_overlap = False  # else the view is drawn again with every button
preferences.inputs.use_mouse_continuous = False  # the pointer would jump back after every drag
preferences.use_preferences_save = False
watch_panels()
bpy.app.timers.register(Bridge(os.environ["TILEWRIGHT_GUI_SOCKET"]).turn, persistent=True)
