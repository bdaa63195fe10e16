"""One button is one class is one call to a plain function, which scripts can call as well."""

from . import (
    assets,
    doctor,
    exploring,
    exporting,
    generation,
    installation,
    keeping,
    memory,
    motion,
    painting,
    regeneration,
    runs,
    scenes,
    steering,
    surface,
    training,
    worker,
)

_MODULES = (
    worker,
    doctor,
    installation,
    memory,
    training,
    runs,
    generation,
    steering,
    regeneration,
    surface,
    assets,
    exporting,
    exploring,
    keeping,
    motion,
    painting,
    scenes,
)


def register() -> None:
    for module in _MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(_MODULES):
        module.unregister()
