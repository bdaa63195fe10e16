"""Training: pictures, runs, curves and the preview."""

from ..ui.registration import in_order

register, unregister = in_order(
    __name__, "preview", "curves", "run_pictures", "operators", "run_operators", "panels"
)
