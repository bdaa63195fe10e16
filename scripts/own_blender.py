"""Gives Blender's Python module a folder of its own, so that the user's own Blender stays as it is."""

import atexit
import os
import shutil
import tempfile


def use_own_folder() -> None:
    """Call before bpy is imported, which reads this once; the folder is gone when the process ends."""
    if "BLENDER_USER_RESOURCES" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="tilewright-blender-")
    os.environ["BLENDER_USER_RESOURCES"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
