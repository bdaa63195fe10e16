"""One button is one class is one call to a plain function, which scripts can call as well."""

from . import exploring, generation, keeping, steering, training, worker

_MODULES = (worker, training, generation, steering, exploring, keeping)


def register() -> None:
    for module in _MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(_MODULES):
        module.unregister()
