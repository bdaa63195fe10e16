"""Catalogues of assets: finds one in a folder's definition file, or adds it, and leaves all else as it is.

The format is that of Blender's manual: a line `VERSION 1`, and `uuid:path:simple name` for each catalogue.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from gan_worker.errors import StorageError
from gan_worker.files import replace_file, storage_errors

FILE = "blender_assets.cats.txt"
_HEAD = """# This is an Asset Catalog Definition file for Blender.
#
# Empty lines and lines starting with `#` will be ignored.
# The first non-ignored line should be the version indicator.
# Other lines are of the format "UUID:catalog/path/for/assets:simple catalog name"

VERSION 1

"""


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
        f"The catalogues of a library must be understood before one is added; of {file} {reason}.",
        "Move that file away, or choose another library.",
    )
