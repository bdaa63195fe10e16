"""NumPy arrays, top row first, to Blender images and back, in pieces that hold nobody up."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import bpy
import numpy as np

from gan_worker.errors import StorageError
from gan_worker.files import patiently
from gan_worker.materials.maps import MAPS, Kind
from gan_worker.materials.pixels import quantise
from gan_worker.materials.png import encode_png as encode_png
from gan_worker.materials.png import png_pieces as png_pieces

from .. import state

# Pixels converted or compressed between two looks at the clock: 1 to 2 ms each.
PIXELS_PER_STEP = 64 * 1024

# Custom properties that say what an image is; looked up instead of holding references.
JOB_KEY = "tilewright_job"
MAP_KEY = "tilewright_map"
# Folder that a packed image goes to once the .blend is saved.
FOLDER_KEY = "tilewright_folder"
LIVE_PREFIX = "live "
# Bytes of a name that stay whole. Blender keeps 63, or 255 from 5.0 on, as file systems do; room is left for a number
# such as .001 that may follow, and for a file's ending.
LONGEST_NAME = 59 if bpy.app.version < (5, 0, 0) else 200


def texture_folder(scene: bpy.types.Scene) -> str | None:
    """Where the panel wants pictures as files; None where they are packed."""
    chosen = scene.tilewright
    return chosen.texture_folder if chosen.storage == "FILES" else None


def folder_obstacle(folder: str) -> str:
    """Why nothing can be saved in a folder of Blender's; empty where it can.

    What is relative to nothing that was saved would land wherever Blender was started.
    """
    if Path(bpy.path.abspath(folder)).is_absolute():
        return ""
    if folder.startswith("//"):
        return f"Save the file first: {folder} lies beside it"
    return "Choose a folder: a whole path, or // and what lies beside the .blend"


def check_folder(folder: str) -> None:
    """Check that files can go to a folder, as far as its name tells.

    Raises:
        StorageError: `file_unwritable`.
    """
    hindrance = folder_obstacle(folder)
    if hindrance:
        where = f"the place of {folder!r} is not known" if folder else "none is chosen"
        raise StorageError(
            "file_unwritable",
            f"Files must have a folder to go to; {where}.",
            f"{hindrance}. Then try again.",
        )


def image_name(model: str, seed: int, width: int, height: int, map_name: str) -> str:
    """Name of a map's image, such as `bricks_7_1024x512_basecolor`."""
    return name_in_set(model, f"_{seed}_{width}x{height}", map_name)


def name_in_set(start: str, end: str, map_name: str, ending: str = "") -> str:
    """Name of the image of a map: those of one set differ in the map's word alone, also where they are shortened.

    Args:
        start: of the set; is shortened where the name is too long.
        end: of the set, before the map's word.
        map_name: of the image.
        ending: after the map's word.
    """
    word = MAPS[map_name].file_word
    spare = max(len(kind.file_word) for kind in MAPS.values()) - len(word)
    return whole_name(start, f"{end}_{word}{ending}", spare)


def whole_name(start: str, end: str, spare: int = 0) -> str:
    """A name that Blender keeps as a whole: where it is too long its start is shortened, never its end.

    Args:
        start: what is left of it is whole characters.
        end: what tells it from others of the start, with what is to be between them.
        spare: bytes that stay free.
    """
    room = LONGEST_NAME - len(end.encode()) - spare
    return start.encode()[:room].decode(errors="ignore") + end


@dataclass
class _Found(state.FilePart):
    """Job → map → name of its image; in a large scene, looking through all for each map takes long.

    None while they are still to be looked through. What is made here notes itself.
    """

    names: dict[str, dict[str, str]] | None = None

    def undone(self) -> None:
        self.names = None

    appended = undone

    def note(self, image: bpy.types.Image) -> None:
        if self.names is not None:
            self.names.setdefault(image[JOB_KEY], {})[image[MAP_KEY]] = image.name

    def look(self) -> dict[str, dict[str, str]]:
        """Look through all images, where that is still to be done."""
        if self.names is None:
            self.names = {}
            ours = [i for i in bpy.data.images if i.get(JOB_KEY) and i.get(MAP_KEY)]
            for image in reversed(ours):  # of several, the first counts
                if not image.library:
                    self.note(image)
        return self.names


def find_image(job: str, map_name: str) -> bpy.types.Image | None:
    """The image that holds this map of this job, if it still exists."""
    found = state.of_file.get(_Found)
    while (name := found.look().get(job, {}).get(map_name)) is not None:
        # With None, none of a library that has this name too.
        image = bpy.data.images.get((name, None))
        if image and image.get(JOB_KEY) == job and image.get(MAP_KEY) == map_name:
            return image
        found.names = None  # renamed by somebody, or gone
    return None


def rename_image(image: bpy.types.Image, name: str) -> None:
    """Give an image of a job another name."""
    image.name = name
    state.of_file.get(_Found).note(image)


def new_image(name: str, map_name: str, pixels: np.ndarray, job: str = "") -> bpy.types.Image:
    """An empty image fit for these pixels, in the map's color space.

    16-bit maps become float images, so that nothing of their depth is lost.
    """
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(
        name, width, height, alpha=False, float_buffer=pixels.dtype != np.uint8
    )
    set_color_space(image, map_name)
    image[JOB_KEY] = job
    image[MAP_KEY] = map_name
    state.of_file.get(_Found).note(image)
    return image


# ---- color spaces: what they are called is up to the color management that Blender was started with


def set_color_space(image: bpy.types.Image, map_name: str) -> None:
    """Tell Blender how a map's numbers are meant: as data, or as colors of a byte image."""
    if MAPS[map_name].kind is Kind.color:
        image.colorspace_settings.name = _space_of_colors()
    else:
        image.colorspace_settings.is_data = True


@cache
def _space_of_colors() -> str:
    """The same for as long as Blender runs. Removing the image takes longer the more there is in the file."""
    fresh = bpy.data.images.new("tilewright", 1, 1)
    try:
        return fresh.colorspace_settings.name
    finally:
        bpy.data.images.remove(fresh)


@contextmanager
def keeping_color_space(image: bpy.types.Image) -> Iterator[None]:
    """Leave an image in its color space while it becomes a file or is packed, which may set another."""
    space = image.colorspace_settings.name
    yield
    if space:  # there is none while Blender does not know its name
        image.colorspace_settings.name = space


class _ColorSpaces(state.FilePart):
    """Files that were saved under another color management name spaces that this one may lack."""

    def opened(self) -> None:
        for image in bpy.data.images:
            if image.get(MAP_KEY) in MAPS and not _has_space(image):
                set_color_space(image, image[MAP_KEY])

    appended = opened


def _has_space(image: bpy.types.Image) -> bool:
    return image.colorspace_settings.is_data or bool(image.colorspace_settings.name)


def live_image(target: str, map_name: str, pixels: np.ndarray) -> bpy.types.Image:
    """The image that a material's previews of a map are written into, made where there is none."""
    job, size = LIVE_PREFIX + target, (pixels.shape[1], pixels.shape[0])
    image = find_image(job, map_name)
    if image and tuple(image.size) != size:
        image[JOB_KEY] = LIVE_PREFIX  # nobody's, and removed once no material shows it
        image = None
    return image or new_image(f"preview_{MAPS[map_name].file_word}", map_name, pixels, job)


def is_live(image: bpy.types.Image) -> bool:
    """Whether previews are written into this image."""
    return image.get(JOB_KEY, "").startswith(LIVE_PREFIX)


def pack_live_images() -> None:
    """Pack previews that are shown while the file is saved: their pixels are nowhere else."""
    for image in bpy.data.images:
        if is_live(image) and image.users and not image.library:
            with keeping_color_space(image):
                image.pack()


def rgba_pieces(pixels: np.ndarray, out: np.ndarray) -> Iterator[None]:
    """Fill `out` with what Blender wants: float RGBA in 0..1, bottom row first.

    Args:
        pixels: uint8 or uint16, shape (height, width, 1 or 3), top row first.
        out: float32, shape (height, width, 4).

    Yields:
        Nothing, after each piece.
    """
    height, width = pixels.shape[:2]
    rows = max(1, PIXELS_PER_STEP // width)
    for bottom in range(0, height, rows):
        top = max(0, height - bottom - rows)
        piece = pixels[top : height - bottom][::-1]
        _convert(piece, out[bottom : bottom + len(piece)])
        yield


def _convert(piece: np.ndarray, out: np.ndarray) -> None:
    # One contiguous multiplication is several times faster than three strided ones.
    if piece.dtype == np.uint8 and piece.shape[2] == 1:
        words = piece[..., 0].astype("<u4")
        words *= np.uint32(0x00010101)
        words |= np.uint32(0xFF000000)
        np.multiply(words.view(np.uint8).reshape(out.shape), np.float32(1 / 255), out=out)
    elif piece.dtype == np.uint8:
        rgba = np.full(out.shape, 255, np.uint8)
        rgba[..., :3] = piece
        np.multiply(rgba, np.float32(1 / 255), out=out)
    else:
        out[..., :3] = piece * np.float32(1 / np.iinfo(piece.dtype).max)
        out[..., 3] = 1


_scratch: list[np.ndarray] = []


def scratch(height: int, width: int) -> np.ndarray:
    """A float RGBA buffer, kept for the next map: touching fresh memory costs as much as filling.

    One at a time; what it held before is overwritten.
    """
    if not _scratch or _scratch[0].shape[:2] != (height, width):
        _scratch[:] = [np.empty((height, width, 4), np.float32)]
    return _scratch[0]


def free_scratch() -> None:
    """Give the buffer's memory back."""
    _scratch.clear()


def set_pixels(image: bpy.types.Image, rgba: np.ndarray) -> None:
    """Hand float RGBA, bottom row first, to an image of the same size."""
    image.pixels.foreach_set(rgba.reshape(-1))
    image.update()


def write_pixels(image: bpy.types.Image, pixels: np.ndarray) -> None:
    """Write a whole array, top row first, into an image of the same size, at once."""
    rgba = np.empty((*pixels.shape[:2], 4), np.float32)
    for _ in rgba_pieces(pixels, rgba):
        pass
    set_pixels(image, rgba)


def read_pixels(image: bpy.types.Image) -> np.ndarray:
    """The image as float32 RGBA, shape (height, width, 4), 0..1, top row first."""
    width, height = image.size
    rgba = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(rgba)
    return rgba.reshape(height, width, 4)[::-1].copy()


def read_pieces(find_image: Callable[[], bpy.types.Image]) -> Generator[bool, None, np.ndarray]:
    """The same as `read_pixels`, for what goes on beside the artist.

    Fresh memory takes several times as long to touch as to fill, so that it is touched a few rows at a time.

    Args:
        find_image: gives the same image at each call.
    """
    width, height = find_image().size
    rgba = np.empty((height, width, 4), np.float32)
    for top in range(0, height, rows := max(1, PIXELS_PER_STEP // width)):
        rgba[top : top + rows] = 0
        yield False
    find_image().pixels.foreach_get(rgba.reshape(-1))
    return rgba[::-1]


def stored_pieces(
    find_image: Callable[[], bpy.types.Image], map_name: str, as_held: bool = False
) -> Generator[bool, None, np.ndarray]:
    """The whole numbers that an image has in files, a few rows at a time.

    Args:
        find_image: gives the same image at each call.
        map_name: which map it is.
        as_held: with as many bits as Blender holds, not with those that the map has in files.

    Returns:
        uint8 or uint16, (height, width, channels), top row first.
    """
    rgba = yield from read_pieces(find_image)
    kind, held = MAPS[map_name], 16 if find_image().is_float else 8
    bits = held if as_held else kind.bits
    whole = np.empty((*rgba.shape[:2], kind.channels), np.uint8 if bits == 8 else np.uint16)
    for top in range(0, len(rgba), rows := max(1, PIXELS_PER_STEP // rgba.shape[1])):
        band = slice(top, top + rows)
        whole[band] = quantise(rgba[band, :, : kind.channels], bits)
        yield False
    return whole


def is_lost(image: bpy.types.Image) -> bool:
    """Whether its pixels cannot be read, or will not be there the next time: its file is gone."""
    file = Path(bpy.path.abspath(image.filepath, library=image.library))
    in_file = image.source in ("FILE", "SEQUENCE") and not image.packed_file
    return (in_file and not file.is_file()) or not image.size[0]


def copy_image(image: bpy.types.Image) -> bpy.types.Image:
    """A copy with its pixels, also those that were painted and are in no file."""
    made = image.copy()
    rgba = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(rgba)
    set_pixels(made, rgba)
    return made


def pack_png(image: bpy.types.Image, png: bytes) -> None:
    """Put an encoded picture into the .blend, so that it is kept when the file is saved."""
    with keeping_color_space(image):
        image.pack(data=png, data_len=len(png))
        # A generated image would forget its pixels; one with a file reads them from what was packed.
        image.source = "FILE"


def pack_until_saving(image: bpy.types.Image, png: bytes, folder: str) -> None:
    """Pack an encoded picture, and let it become a file when the .blend is saved.

    While sliders move, every rest would leave files otherwise that nothing shows any more.
    """
    pack_png(image, png)
    image[FOLDER_KEY] = folder


def write_waiting_files() -> None:
    """Write what waits for the .blend to be saved; what cannot be written stays packed.

    Raises:
        StorageError: of the last that could not be written.
    """
    problem: StorageError | None = None
    waiting = [i for i in bpy.data.images if FOLDER_KEY in i and i.users and not i.library]
    for image in waiting:
        folder = image[FOLDER_KEY]
        if folder_obstacle(folder):
            continue  # where that is may be known the next time
        try:
            _unpack(image, folder)
        except StorageError as error:
            problem = error
    if problem:
        raise problem


def _unpack(image: bpy.types.Image, folder: str) -> None:
    if image.packed_file:
        save_png(image, bytes(image.packed_file.data), folder)
        image.unpack(method="REMOVE")
    del image[FOLDER_KEY]


def save_png(image: bpy.types.Image, png: bytes, folder: str) -> Path:
    """Write an encoded picture beside the .blend and let the image point at it.

    Args:
        image: named like the file that comes out of it.
        png: the file's bytes.
        folder: Blender path, such as `//textures`, that has no `folder_obstacle`.

    Raises:
        StorageError: `file_unwritable` when the folder or file cannot be written.
    """
    target = _free_path(Path(bpy.path.abspath(folder)), image.name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(target.name + ".tmp")
        draft.write_bytes(png)
        patiently(draft.replace, target)
    except OSError as error:
        raise StorageError(
            "file_unwritable",
            f"The texture {target} must be writable; {error.strerror or error}.",
            "Choose another texture folder, or pack the textures into the .blend.",
        ) from error
    with keeping_color_space(image):
        image.filepath_raw = relative_path(target)
        image.source = "FILE"
    return target


def relative_path(file: Path) -> str:
    """A file as the .blend names it: from its own folder on, or whole where that was never saved."""
    try:
        return bpy.path.relpath(str(file)) if bpy.data.filepath else str(file)
    except ValueError:  # on another drive
        return str(file)


def _free_path(folder: Path, name: str) -> Path:
    """A file name that is not taken: an older texture may still be used by another .blend."""
    clean = bpy.path.clean_name(name.rsplit(".", 1)[0] if _has_number(name) else name)
    stem, _, kind = clean.rpartition("_")
    path, number = folder / f"{clean}.png", 2
    while path.exists():
        # The map word stays last, where Node Wrangler looks for it.
        path, number = folder / f"{stem}-{number}_{kind}.png", number + 1
    return path


def _has_number(name: str) -> bool:
    """Whether Blender made the name unique with an end such as `.001`."""
    return len(name) > 4 and name[-4] == "." and name[-3:].isdigit()
