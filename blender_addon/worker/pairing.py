"""Pair with a worker that was started by hand, here or on another computer: its address and a code, once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from gan_worker.errors import TilewrightError
from gan_worker.wire.pairing import PATIENCE, Pairing, split_address

from .. import state
from . import preferences, pump, session
from .connection import check_online_access, connect
from .reporting import Action, unless, when


@dataclass
class _UnderWay(state.Part):
    """The pairing that is under way, if one is."""

    pairing: Pairing | None = None

    def closing(self) -> None:
        if self.pairing:
            self.pairing.close()
        self.pairing = None


def _here() -> _UnderWay:
    return state.of_blender.get(_UnderWay)


def pair_worker(address: str, code: str) -> Iterator[bool]:
    """Learn a worker's keys, keep them, and connect to it; `pump.run_along` advances it.

    Args:
        address: `host:port`, as the worker's console says.
        code: from there, good once and for ten minutes.

    Raises:
        RequestError: `pairing_failed` for what is no address or no code; `not_allowed` where Blender is offline.
        StorageError: `file_unwritable`.
    """
    host, _ = split_address(address)
    check_online_access(host)
    folder = preferences.pairing_folder(host)
    pairing = Pairing(address, code, folder, f"Blender on {socket.gethostname()}")
    _here().pairing = pairing
    return _steps(pairing, folder)


def _steps(pairing: Pairing, folder: Path) -> Iterator[bool]:
    try:
        while pairing.poll() is None:
            yield True
        preferences.keep(location="REMOTE", key_folder=str(folder), remote_address="")
        connect(folder)
    except TilewrightError as error:
        session.current.fail(error)
    finally:
        _here().closing()


class TILEWRIGHT_OT_pair_worker(Action, bpy.types.Operator):
    """Connect to a worker that was started with gan-worker serve --pair, for the first time"""

    bl_idname = "tilewright.pair_worker"
    bl_label = "Pair with Worker"
    # Not among the commands that the Info editor lists: the code is nobody else's business.
    bl_options = {"INTERNAL"}

    address: StringProperty(
        name="Address",
        description="As the console says where gan-worker serve --pair was started, such as 192.168.1.20:47111",
        options={"SKIP_SAVE"},
    )
    code: StringProperty(
        name="Code",
        description="From the same console. It is good once, and for ten minutes",
        options={"SKIP_SAVE"},
    )
    wait: BoolProperty(name="Wait", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def obstacle(cls, _context: bpy.types.Context) -> str:
        return unless(
            session.current.state == "stopped", "A worker is connected: press Stop first"
        ) or when(_here().pairing, "Pairing is under way")

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, confirm_text="Pair")

    def draw(self, _context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.prop(self, "address")
        self.layout.prop(self, "code")
        self.layout.label(text="Both stand where gan-worker serve --pair was started", icon="INFO")

    def act(self, _context: bpy.types.Context) -> None:
        session.current.dismiss()
        pump.run_along(pair_worker(self.address, self.code))
        if self.wait:
            self._wait()
        pump.wake()

    @staticmethod
    def _wait() -> None:
        now = session.current
        pump.wait(lambda: now.connected or bool(now.last_error), PATIENCE)


register, unregister = bpy.utils.register_classes_factory((TILEWRIGHT_OT_pair_worker,))
