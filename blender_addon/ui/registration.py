"""Registration: the parts of a subject in order, and in reverse when the add-on goes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType


def in_order(package: str, *names: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """`register` and `unregister` of what is made of several parts.

    The parts are named, and imported when they are registered: a subject's modules import those of
    others, which would meet a package that is only half there if it imported all of its own at once.

    Args:
        package: whose parts they are.
        names: of its modules or packages with a `register` and an `unregister`.
    """

    def parts() -> list[ModuleType]:
        return [import_module(f".{name}", package) for name in names]

    def register() -> None:
        for part in parts():
            part.register()

    def unregister() -> None:
        for part in reversed(parts()):
            part.unregister()

    return register, unregister
