"""The worker seen from Blender: its session, the pump, preferences, set-up, pairing, memory and doctor.

`session` is what is known of the connection and its jobs, without bpy; `pump` is the timer that brings news in and
hands them to the subjects that have joined it; `background_task` is the life of all long work. `setup` installs the
worker into an environment of its own, `preferences` says how it is started or reached.
"""

from ..ui.registration import in_order

register, unregister = in_order(
    __name__, "preferences", "doctor", "setup", "operators", "pairing", "memory", "panels"
)
