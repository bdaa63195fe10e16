"""Tilewright in Blender: registers its subjects in order, and unregisters them in reverse.

A folder is a subject, with what it needs of operators, panels, properties and plain functions: `worker`, `photos`,
`training`, `generation`, `steering`, `shader`, `animation`, `painting`, `repair`, `output`, `scenes`; `ui` is what
their panels are laid out with. A button calls a plain function, and so can a script. Panels only lay out what is
already known.
All of it runs on Blender's main thread: the pump in `worker` takes in, a few milliseconds at a time, what a worker in
another process has sent.

What saved files hold is named once and for life; see `properties`. What is known beside that belongs to the open file,
or to this Blender, and goes with it; see `state`.
"""

from .ui.registration import in_order

# The order of subjects is that of their panels in the sidebar.
register, unregister = in_order(
    __name__,
    "state",
    "training.properties",
    "steering.properties",
    "animation.properties",
    "painting.properties",
    "properties",
    "ui.thumbnails",
    "worker",
    "photos",
    "training",
    "generation",
    "steering",
    "shader",
    "animation",
    "painting",
    "repair",
    "output",
    "scenes",
    "worker.pump",
)
