"""Keep materials as assets: preview, tags, catalogue, and whose pictures they come from."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from gan_worker.errors import RequestError, StorageError
from gan_worker.files import patiently, replace_file, storage_errors
from gan_worker.materials.metadata import credit_line

from ..shader import images, node_tree
from .previews import PREVIEW_SIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from gan_worker.config import Credits, Recipe

# Texts that begin so are ours, and are written anew.
_OURS = "Made by "
FILE = "blender_assets.cats.txt"
_HEAD = """# This is an Asset Catalog Definition file for Blender.
#
# Empty lines and lines starting with `#` will be ignored.
# The first non-ignored line should be the version indicator.
# Other lines are of the format "UUID:catalog/path/for/assets:simple catalog name"

VERSION 1

"""


def check(material: bpy.types.Material | None, library: str) -> None:
    """Check that a material can be kept as an asset now.

    Args:
        material: that is to be kept.
        library: name of an asset library of the preferences; empty for this file.

    Raises:
        RequestError: `wrong_state`.
        StorageError: `file_unwritable`.
    """
    material = node_tree.check_local(material)
    if node_tree.is_preview(material):
        raise RequestError(
            "wrong_state",
            "The material must show its full size; it shows a preview.",
            "Wait until the slider has come to rest.",
        )
    node_tree.check_still(material)
    if library:
        library_folder(library)
    elif not bpy.data.filepath:
        raise StorageError(
            "file_unwritable",
            "The .blend must be saved before it can hold assets; it was not.",
            "Save the file, or choose an asset library.",
        )


def library_folder(name: str) -> Path:
    """Folder of an asset library of the preferences.

    Raises:
        StorageError: `file_unwritable` where there is no such library.
    """
    for library in bpy.context.preferences.filepaths.asset_libraries:
        if library.name == name and library.path:
            return Path(bpy.path.abspath(library.path))
    raise StorageError(
        "file_unwritable",
        f"The asset library must be one of the preferences; {name} is not.",
        "Choose another, or add it under Preferences > File Paths.",
    )


def keep(
    material: bpy.types.Material,
    preview: np.ndarray,
    catalog: str,
    library: str = "",
) -> Path:
    """Keep a material as an asset.

    Args:
        material: one that was generated, at its full size.
        preview: of `previews.preview_pieces`; Blender's own needs seconds of shader compilation.
        catalog: its path, such as `Tilewright/Bricks`; it is added where there is none.
        library: name of an asset library of the preferences, where a copy goes with its pictures packed; empty to
            mark the material in this file.

    Returns:
        The .blend that has the asset.

    Raises:
        RequestError: `wrong_state` for a material that has no recipe, shows a preview, or moves.
        StorageError: `file_unwritable` for a .blend that was never saved, or a library that cannot be written;
            `disk_full`.
    """
    check(material, library)
    node_tree.check_pictures(material)
    folder = library_folder(library) if library else _catalog_folder(Path(bpy.data.filepath))
    _make_folder(folder)
    chosen = catalog_id(folder, catalog)
    here = material.asset_data.catalog_id if material.asset_data else ""
    had_fake_user = material.use_fake_user
    _mark(material, chosen)
    _set_preview(material, preview)
    if not library:
        return Path(bpy.data.filepath)
    try:
        return _write_copy(material, folder)
    finally:
        if here:
            material.asset_data.catalog_id = here  # this file has catalogues of its own
        else:
            material.asset_clear()  # takes the fake user away, whoever wished for it
            material.use_fake_user = had_fake_user


def _catalog_folder(blend: Path) -> Path:
    """Where Blender looks for the catalogues of a file: the root of its library, or its own folder."""
    for library in bpy.context.preferences.filepaths.asset_libraries:
        root = Path(bpy.path.abspath(library.path)) if library.path else None
        if root and blend.is_relative_to(root):
            return root
    return blend.parent


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from error


def _mark(material: bpy.types.Material, catalog: str) -> None:
    recipe = node_tree.recipe_of(material)
    material.asset_mark()
    data = material.asset_data
    data.catalog_id = catalog
    for tag in tags(recipe, list(node_tree.images_of(material))):
        data.tags.new(tag, skip_if_exists=True)
    for name, text in fields(recipe).items():
        present = getattr(data, name)
        if not present or present.startswith(_OURS):  # what somebody wrote there stays
            setattr(data, name, text)


def tags(recipe: Recipe, maps: list[str]) -> list[str]:
    """What an asset can be found by."""
    shown = (name.replace("_", " ").title() for name in maps)
    return ["Tilewright", recipe.model, f"{recipe.config.width}x{recipe.config.height}", *shown]


def fields(recipe: Recipe) -> dict[str, str]:
    """What an asset says of itself, by Blender's names; empty where that is not known."""
    credits = recipe.credits
    config = recipe.config
    made = f"seed {config.seed}, {config.width}×{config.height}, model hash {recipe.model_hash}"
    return {
        "author": ", ".join(credits.authors),
        "license": _license(credits),
        "copyright": credit_line(credits),
        "description": f"{_OURS}Tilewright {recipe.version} with the trained model {recipe.model}: {made}",
    }


def _license(credits: Credits) -> str:
    """Licenses of the training pictures; that of some is not that of all."""
    known = "; ".join(credits.licenses)
    return f"{known}; of some pictures not recorded" if known and credits.unlicensed else known


# ---- preview


def _set_preview(material: bpy.types.Material, pixels: np.ndarray) -> None:
    preview = material.preview_ensure()
    preview.image_size = (PREVIEW_SIDE, PREVIEW_SIDE)
    preview.image_pixels_float.foreach_set(pixels[::-1].reshape(-1))


def find(uid: int) -> bpy.types.Material:
    """The material of a `session_uid`, whatever it is called by now.

    Raises:
        RequestError: `wrong_state` where it is gone.
    """
    material = next((m for m in bpy.data.materials if m.session_uid == uid), None)
    if material is None:
        raise _changed()
    return material


def steady_maps(uid: int) -> Callable[[], dict[str, bpy.types.Image]]:
    """What finds the maps of a material again after each pause, and raises `wrong_state` where they are others.

    Raises:
        RequestError: `wrong_state` where one cannot be read.
    """

    def names(maps: dict[str, bpy.types.Image]) -> dict[str, str]:
        return {name: image.name_full for name, image in maps.items()}

    node_tree.check_pictures(find(uid))
    shown = names(node_tree.images_of(find(uid)))

    def find_maps() -> dict[str, bpy.types.Image]:
        maps = node_tree.images_of(find(uid))
        if names(maps) != shown:
            raise _changed()
        return maps

    return find_maps


def _changed() -> RequestError:
    message = "A material must stay as it is until it is kept; it was changed or deleted meanwhile."
    return RequestError("wrong_state", message, "Press Keep as Asset again.")


# ---- a copy in a library


def _write_copy(material: bpy.types.Material, folder: Path) -> Path:
    name, end = bpy.path.clean_name(material.name), f"_{material.tilewright.uuid[:8]}"
    file = folder / f"{images.whole_name(name, end)}.blend"
    draft = file.with_name(f"{file.name}.tmp")
    loose = [i for i in node_tree.images_of(material).values() if not i.packed_file]
    try:
        for image in loose:
            with images.keeping_color_space(image):
                image.pack()
        bpy.data.libraries.write(str(draft), {material}, fake_user=True, compress=True)
        patiently(draft.replace, file)
    except (OSError, RuntimeError) as error:
        draft.unlink(missing_ok=True)
        raise _unwritable(file, str(error)) from error
    finally:
        for image in loose:
            if image.packed_file and image.filepath:
                image.unpack(method="REMOVE")  # the file beside the .blend is used again
    return file


def _unwritable(place: Path, reason: str) -> StorageError:
    return StorageError(
        "file_unwritable",
        f"The asset library must be writable; {place}: {' '.join(reason.split())}.",
        "Choose another library, or free some space.",
    )


def catalog_id(folder: Path, path: str) -> str:
    """The uuid of a catalogue, which is added where there is none.

    Args:
        folder: root of the asset library, or folder of the .blend.
        path: such as `Tilewright/Bricks`.

    Raises:
        StorageError: `file_unwritable` where the file is there and cannot be understood or written, `disk_full`.
    """
    file, wanted = folder / FILE, tidy_path(path)
    text = _read(file)
    found = _catalogs(text)
    if wanted not in found:
        found[wanted] = str(uuid.uuid4())
        line = f"{found[wanted]}:{wanted}:{wanted.replace('/', '-')}\n"
        whole = text if text.endswith("\n") or not text else f"{text}\n"
        with storage_errors(file):
            replace_file(file, ((whole or _HEAD) + line).encode())
    return found[wanted]


def tidy_path(path: str) -> str:
    """The path as Blender writes it: no spaces around names, no colon, which ends it."""
    names = (name.strip() for name in path.replace(":", "-").replace("\\", "/").split("/"))
    return "/".join(name for name in names if name) or "Tilewright"


def _read(file: Path) -> str:
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _odd(file, f"it cannot be read ({error})") from error
    lines = [line for line in _lines(text) if line.startswith("VERSION")]
    if lines[:1] != ["VERSION 1"]:
        raise _odd(file, f"its version is not 1 but {lines[0] if lines else 'none'}")
    return text


def _lines(text: str) -> list[str]:
    stripped = (line.lstrip("\ufeff").strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _catalogs(text: str) -> dict[str, str]:
    """Path → uuid; of two of one path Blender shows the first."""
    found: dict[str, str] = {}
    for line in _lines(text):
        parts = line.split(":")
        if len(parts) >= 2:
            found.setdefault(parts[1].strip(), parts[0].strip())
    return found


def _odd(file: Path, reason: str) -> StorageError:
    return StorageError(
        "file_unwritable",
        f"The catalogs of a library must be understood before one is added; of {file} {reason}.",
        "Move that file away, or choose another library.",
    )
