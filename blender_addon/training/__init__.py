"""Training: the pictures to learn from, the running training with preview and curves, and the list of runs."""

from ..ui.registration import in_order

register, unregister = in_order(
    __name__, "preview", "curves", "run_pictures", "events", "operators", "run_operators", "panels"
)
