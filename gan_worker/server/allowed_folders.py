"""Allowed folders: which files a client may name, and how it is told of files."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from gan_worker.errors import RequestError
from gan_worker.files import check_places

# Two characters at least: `C:` is a drive, not an alias.
_ALIAS = re.compile(r"([A-Za-z0-9_-]{2,40}):(.*)\Z", re.DOTALL)
# What begins like an absolute path where a word begins; addresses of the web do not. In quotes it may have spaces.
_BEGINS = r"(?:[A-Za-z]:[\\/]|\\\\|/)"
_QUOTED = re.compile(rf"""(?<=(['"])){_BEGINS}(?:(?!\1).)*?([^\\/'"]*)[\\/]*(?=\1)""")
_BARE = re.compile(
    rf"""(?<![^\s'"(\[{{<=,;|]){_BEGINS}(?:[^\s'"()<>|\\/]*[\\/])*([^\s'"()<>|\\/]+)"""
)


class AllowedFolders:
    """Folders that clients may read below, by alias.

    Args:
        folders: alias → folder.
        local: public keys of clients that are the same user on the same computer. They name absolute paths too, and
            are told of them; all others are guests, from wherever they come.
        home: of the worker; guests are told of what is in it by its relative name.
    """

    def __init__(
        self, folders: Mapping[str, Path], local: Collection[str], home: Path | None = None
    ) -> None:
        self._folders = {alias: folder.resolve() for alias, folder in folders.items()}
        self._local = local
        self._aliases = _prefixes({f"{a}:": [f] for a, f in self._folders.items()})
        own = [home, home.resolve()] if home is not None else []
        # So that spaces in the name of a person hide nothing from what looks for paths.
        self._places = _prefixes({"…/": own, "/~/": [Path(os.path.expanduser("~"))]})  # noqa: PTH111 — never raises

    @property
    def folders(self) -> list[Path]:
        """Where they are."""
        return list(self._folders.values())

    def is_local(self, key: str) -> bool:
        """Whether this is the key of a client that is the same user on the same computer."""
        return key in self._local

    def resolve(self, key: str, names: Sequence[str]) -> tuple[str, ...]:
        """Turn names of pictures into paths.

        Args:
            key: of the client that names them.
            names: of pictures and folders.

        Raises:
            RequestError: `not_allowed` for a path outside the roots.
            PictureError: `picture_missing`.
        """
        paths = [self._resolve(key, name) for name in names]
        check_places(paths)
        return tuple(str(path) for path in paths)

    def names(self, key: str, paths: Sequence[str]) -> tuple[str, ...]:
        """How the client with this key may name these paths; what it may not name is left out."""
        if self.is_local(key):
            return tuple(paths)
        return tuple(
            f"{alias}:{Path(path).relative_to(root).as_posix()}"
            for path in paths
            for alias, root in self._folders.items()
            if Path(path).is_relative_to(root)
        )

    def told(self, key: str, text: str) -> str:
        """A text as the client with this key may read it.

        What is below a shared folder is called by its alias. Guests learn of other files their names alone, not where
        they lie on this computer.
        """
        for pattern, name in self._aliases:
            text = pattern.sub(name, text)
        if self.is_local(key):
            return text
        for pattern, name in self._places:
            text = pattern.sub(name, text)
        return _BARE.sub(r"\1", _QUOTED.sub(r"\2", text))

    def tells_all(self, key: str) -> bool:
        """Whether `told` changes nothing for this client."""
        return not self._folders and self.is_local(key)

    def _resolve(self, key: str, name: str) -> Path:
        if "\0" in name:
            raise self._refusal(key, name)
        alias = _ALIAS.match(name)
        if alias is not None:
            root = self._folders.get(alias[1])
            if root is None:
                raise self._refusal(key, name)
            try:
                path = (root / alias[2]).resolve()
            except (OSError, RuntimeError):  # a loop of links, or too long a name
                raise self._refusal(key, name) from None
            if not path.is_relative_to(root) or path.is_symlink():  # from Python 3.13 on, a loop
                raise self._refusal(key, name)
            return path
        path = Path(name)
        if not (self.is_local(key) and path.is_absolute()):
            raise self._refusal(key, name)
        return path

    def _refusal(self, key: str, name: str) -> RequestError:
        aliases = ", ".join(self._folders) or "none"
        absolute = "an absolute path or " if self.is_local(key) else ""
        return RequestError(
            "not_allowed",
            f"A picture must be named by {absolute}alias:relative/name below a folder the worker "
            f"was started with (its aliases: {aliases}); received {name!r}.",
            "Start the worker with --root alias=folder, or name a picture below such a folder.",
        )


def _prefixes(names: Mapping[str, Sequence[Path]]) -> list[tuple[re.Pattern[str], str]]:
    """Patterns of folders at the beginning of a path, the innermost first, each with what stands for it."""
    found = {str(folder): name for name, folders in names.items() for folder in folders}
    found.pop("/", None)
    inner_first = sorted(found, key=len, reverse=True)
    return [(re.compile(rf"{re.escape(f)}(?:[\\/]|(?![\w.-]))"), found[f]) for f in inner_first]
