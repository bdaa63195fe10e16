"""One button is one class is one call to a plain function, which scripts can call as well."""

from . import (
    doctor,
    exploring,
    generation,
    installation,
    keeping,
    material_pictures,
    memory,
    pairing,
    runs,
    scenes,
    steering,
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
    exploring,
    keeping,
    scenes,
)


def register() -> None:
    for module in _MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(_MODULES):
        module.unregister()
