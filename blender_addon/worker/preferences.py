"""What belongs to this computer: how the worker is started or reached, where models are kept."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from gan_worker.errors import RequestError, WorkerError
from gan_worker.wire.keys import WorkerConnection, read_connection

from . import setup_program

if TYPE_CHECKING:
    from .session import Session

_LOOPBACK = ("127.", "localhost", "[::1]", "::1")


# The name Blender knows the add-on by: that of the package around this one.
ADDON = __package__.rpartition(".")[0]


class TilewrightPreferences(bpy.types.AddonPreferences):
    """Preferences of the extension."""

    bl_idname = ADDON

    location: EnumProperty(
        name="Worker",
        description="Where the worker runs",
        items=[
            ("LOCAL", "On This Computer", "Blender starts the worker and ends it"),
            ("REMOTE", "Already Running", "Connect to a worker that was started by hand"),
        ],
        default="LOCAL",
    )
    worker_python: StringProperty(
        name="Worker Python",
        description=(
            "The Python of the environment where the worker is installed. Left empty, "
            "the one that Set Up Worker made, or the program gan-worker on the path"
        ),
        subtype="FILE_PATH",
    )
    home_folder: StringProperty(
        name="Models Folder",
        description=(
            "Where the worker keeps runs and models. "
            "Left empty, the folder that the command gan-worker uses too"
        ),
        subtype="DIR_PATH",
    )
    free_before_render: BoolProperty(
        name="Free GPU Memory before Rendering",
        description=(
            "Give back the memory on the GPU that the idle worker holds when a render starts. "
            "The next material then takes some seconds longer"
        ),
        default=True,
    )
    remote_address: StringProperty(
        name="Address",
        description=(
            "Name or address of the computer with the worker. Left empty, the one in the key folder"
        ),
    )
    key_folder: StringProperty(
        name="Key Folder",
        description="Folder with connection.json and client.key, made by pairing or by gan-worker serve",
        subtype="DIR_PATH",
    )

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "location", expand=True)
        if self.location == "LOCAL":
            layout.prop(self, "worker_python")
            layout.prop(self, "home_folder")
        else:
            layout.operator("tilewright.pair_worker", icon="LINKED")
            layout.prop(self, "remote_address")
            layout.prop(self, "key_folder")
        layout.prop(self, "free_before_render")


def get() -> TilewrightPreferences:
    """The preferences of this Blender."""
    return bpy.context.preferences.addons[ADDON].preferences


def keep(**chosen: str) -> None:
    """Set preferences as if a person had: Blender saves them at its end, unlike those that a script sets alone."""
    known = get()
    for name, value in chosen.items():
        setattr(known, name, value)
    bpy.context.preferences.is_dirty = True


def worker_command(preferences: TilewrightPreferences) -> list[str]:
    """The command that starts the worker.

    Raises:
        WorkerError: `worker_command` when none is set and none is on the path.
    """
    if preferences.worker_python:
        return [bpy.path.abspath(preferences.worker_python), "-m", "gan_worker"]
    if is_set_up():
        return [str(environment_python()), "-m", "gan_worker"]
    found = shutil.which("gan-worker")
    if found:
        return [found]
    raise WorkerError(
        "worker_command",
        "The worker must be installed in an environment of its own; none was found.",
        "Press Set Up Worker in the Worker panel, or set Worker Python in the preferences.",
    )


def home_folder(preferences: TilewrightPreferences) -> Path | None:
    """Where the worker keeps its models; None for its own default."""
    chosen = preferences.home_folder
    return Path(bpy.path.abspath(chosen)) if chosen else None


def check_reads_files(now: "Session", what: str, cure: str) -> None:
    """Check that the worker reads files of this computer by their places.

    Args:
        now: its worker is asked about; where none is connected, the one that Start reaches.
        what: that must be read, such as "the maps".
        cure: where they cannot be.

    Raises:
        RequestError: `not_allowed` where it is on another computer, or Blender was paired with it.
    """
    host, guest = _chosen_worker(get()) if now.host is None else (now.host, now.guest)
    if host and not host.startswith(_LOOPBACK):
        why = f"it runs on {host}, and they are on this computer"
    elif guest:
        why = "to a Blender that was paired with it, it opens only folders that it was started with"
    else:
        return
    raise RequestError("not_allowed", f"The worker must be able to read {what}; {why}.", cure)


def _chosen_worker(preferences: TilewrightPreferences) -> tuple[str, bool]:
    """The host of the worker that Start reaches, empty for one of ours, and whether Blender is its guest."""
    if preferences.location == "LOCAL":
        return "", False
    try:
        found = chosen_connection(preferences)
    except WorkerError:  # there is no connection yet, and Start will say why
        return preferences.remote_address, False
    return preferences.remote_address or host_of(found.control), not found.own


def chosen_connection(preferences: TilewrightPreferences) -> WorkerConnection:
    """What is kept in the key folder.

    Raises:
        WorkerError: `worker_silent` where it has no address.
    """
    return read_connection(Path(bpy.path.abspath(preferences.key_folder)))


def host_of(address: str) -> str:
    """The host of an address such as `tcp://127.0.0.1:5555`."""
    return address.removeprefix("tcp://").rpartition(":")[0]


def may_reach(host: str) -> bool:
    """Whether Blender may talk to that host: this computer does not count as online."""
    return bpy.app.online_access or host.startswith(_LOOPBACK)


def log_folder() -> Path:
    """Where logs go; made if it is not there."""
    return _user_folder("logs", create=True)


def picture_folder() -> Path:
    """Where pictures to learn from are kept that are in no file of their own; it need not be there.

    A training that is continued reads its pictures again.
    """
    return _user_folder("pictures")


def pairing_folder(host: str) -> Path:
    """Where the keys of the connection to that host are kept; it need not be there."""
    return _user_folder("keys") / bpy.path.clean_name(host)


def environment_folder() -> Path:
    """Where Set Up Worker puts the worker's environment; it need not be there."""
    usual = _user_folder("worker")
    return worker_place(usual, os.environ) if os.name == "nt" else usual


def worker_place(usual: Path, environ: Mapping[str, str]) -> Path:
    """Where Windows has room for the worker: its paths end at 260 letters, and roaming folders go over the network.

    Args:
        usual: the folder of the user's for it, where one that was set up before stays.
        environ: what says where the user's roaming and local folders are.
    """
    roaming, local = environ.get("APPDATA", ""), environ.get("LOCALAPPDATA", "")
    roams = roaming and usual.is_relative_to(roaming)
    if not (roams and local) or setup_program.holds_worker(usual):
        return usual
    return Path(local, "tilewright", "worker")


def environment_python() -> Path:
    """The Python of the worker's environment, which need not be there."""
    return Path(setup_program.environment_python(environment_folder()))


def is_set_up(version: str = "*") -> bool:
    """Whether the worker's environment is whole, and of that version."""
    folder = environment_folder()
    packages = "Lib" if os.name == "nt" else "lib/python3.*"
    found = folder.glob(f"{packages}/site-packages/tilewright-{version}.dist-info")
    return any(found) and not (folder / setup_program.UNFINISHED).exists()


def _user_folder(name: str, create: bool = False) -> Path:
    """A folder of the user's that outlives updates of the extension."""
    try:
        return Path(bpy.utils.extension_path_user(ADDON, path=name, create=create))
    except ValueError:  # enabled from a source folder, not installed as an extension
        path = f"tilewright/{name}"
        return Path(bpy.utils.user_resource("DATAFILES", path=path, create=create))


def register() -> None:
    bpy.utils.register_class(TilewrightPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(TilewrightPreferences)
