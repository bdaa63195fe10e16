"""One button is one class is one call to a plain function, which scripts can call as well."""

from ..animation import operators as motion
from ..generation import operators as generation
from ..generation import regenerate_operators, surface_operators
from ..output import export_operators
from ..output import operators as assets
from ..painting import operators as painting
from ..repair import operators as repair
from ..scenes import operators as scenes
from ..steering import explore_operators, keep_operators
from ..steering import operators as steering
from ..training import operators as training
from ..training import picture_operators, run_operators
from ..worker import (
    doctor_operators,
    memory_operators,
    operators,
    pairing_operators,
    setup_operators,
)

_MODULES = (
    operators,
    pairing_operators,
    doctor_operators,
    setup_operators,
    memory_operators,
    training,
    picture_operators,
    run_operators,
    generation,
    steering,
    regenerate_operators,
    surface_operators,
    assets,
    export_operators,
    explore_operators,
    keep_operators,
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
