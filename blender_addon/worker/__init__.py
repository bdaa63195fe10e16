"""The worker seen from Blender: session, pump, preferences, set-up and doctor."""
