"""Allowed folders: which files a client may name, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gan_worker.errors import RequestError
from gan_worker.files import check_places

# Two characters at least: `C:` is a drive, not an alias.
_ALIAS = re.compile(r"([A-Za-z0-9_-]{2,40}):(.*)\Z", re.DOTALL)


class AllowedFolders:
    """Folders that clients may read below, by alias.

    Args:
        folders: alias → folder.
        local: whether absolute paths are taken too, because clients are the same user on the same
            computer.
    """

    def __init__(self, folders: Mapping[str, Path], local: bool) -> None:
        self._folders = {alias: folder.resolve() for alias, folder in folders.items()}
        self._local = local

    def resolve(self, names: Sequence[str]) -> tuple[str, ...]:
        """Turn names of pictures into paths.

        Raises:
            RequestError: `not_allowed` for a path outside the roots.
            PictureError: `picture_missing`.
        """
        paths = [self._resolve(name) for name in names]
        check_places(paths)
        return tuple(str(path) for path in paths)

    def names(self, paths: Sequence[str]) -> tuple[str, ...]:
        """How clients may name these paths; what they may not name is left out."""
        if self._local:
            return tuple(paths)
        return tuple(
            f"{alias}:{Path(path).relative_to(root).as_posix()}"
            for path in paths
            for alias, root in self._folders.items()
            if Path(path).is_relative_to(root)
        )

    def _resolve(self, name: str) -> Path:
        if "\0" in name:
            raise self._refusal(name)
        alias = _ALIAS.match(name)
        if alias is not None:
            root = self._folders.get(alias[1])
            if root is None:
                raise self._refusal(name)
            try:
                path = (root / alias[2]).resolve()
            except (OSError, RuntimeError):  # a loop of links, or too long a name
                raise self._refusal(name) from None
            if not path.is_relative_to(root) or path.is_symlink():  # from Python 3.13 on, a loop
                raise self._refusal(name)
            return path
        path = Path(name)
        if not (self._local and path.is_absolute()):
            raise self._refusal(name)
        return path

    def _refusal(self, name: str) -> RequestError:
        aliases = ", ".join(self._folders) or "none"
        absolute = "an absolute path or " if self._local else ""
        return RequestError(
            "not_allowed",
            f"A picture must be named by {absolute}alias:relative/name below a folder the worker "
            f"was started with (its aliases: {aliases}); received {name!r}.",
            "Start the worker with --root alias=folder, or name a picture below such a folder.",
        )
