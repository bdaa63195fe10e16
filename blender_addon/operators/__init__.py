"""One button is one class is one call to a plain function, which scripts can call as well."""

from . import (
    assets,
    doctor,
    exploring,
    exporting,
    generation,
    installation,
    keeping,
    material_pictures,
    memory,
    motion,
    painting,
    pairing,
    regeneration,
    repair,
    runs,
    scenes,
    steering,
    surface,
    training,
    worker,
)

_MODULES = (
    worker,
    pairing,
    doctor,
    installation,
    memory,
    training,
    material_pictures,
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
    repair,
    scenes,
)


def register() -> None:
    for module in _MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(_MODULES):
        module.unregister()
