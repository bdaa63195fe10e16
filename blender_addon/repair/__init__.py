"""Repair: the masked part of a material filled by its own model, in all maps; one undo takes it back."""

from ..ui.registration import in_order

register, unregister = in_order(__name__, "operators", "panels")
