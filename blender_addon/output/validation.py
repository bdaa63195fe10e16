"""Validation of a material: its maps are read a piece at a time, whatever made them, and what is wrong is told."""

from __future__ import annotations

from collections.abc import Generator

import bpy
import numpy as np

from gan_worker.errors import RequestError
from gan_worker.materials.maps import MAPS, Kind
from gan_worker.materials.pixels import to_screen
from gan_worker.validation.material import Finding, State, validate

from ..shader import images, inputs, node_tree
from ..worker.background_task import BackgroundTask

_DIRECTX = "normal_directx"


class Validation(BackgroundTask):
    """One look at a material.

    Args:
        material: of any origin.

    Attributes:
        findings: what was found, the worst first.
        left_out: what was not looked at, and why: a sentence each.
    """

    stage = "reading"

    def __init__(self, material: bpy.types.Material) -> None:
        super().__init__()
        self.findings: tuple[Finding, ...] = ()
        self.left_out: tuple[str, ...] = ()
        self._uid = material.session_uid

    @property
    def told(self) -> str:
        return f"Looking at map {min(self.progress.done + 1, self.progress.total)}"

    def work(self) -> Generator[bool]:
        feeds, self.left_out = _feeds(self._material())
        self.expect(len(feeds))
        maps: dict[str, np.ndarray] = {}
        found: list[Finding] = []
        for name in feeds:
            feed = _feeds(self._material())[0].get(name)
            if feed is None:
                raise _changed()
            problem = _problem_of_image(name, feed.image)
            found += problem
            if not any(each.state is State.bad and not feed.image.size[0] for each in problem):
                maps[name.removesuffix("_directx")] = yield from _read(name, feed)
            self.advance()
            yield False
        self.findings = _sorted([*found, *validate(maps)]) if maps else tuple(found)

    def _material(self) -> bpy.types.Material:
        material = next((m for m in bpy.data.materials if m.session_uid == self._uid), None)
        if material is None or not material.node_tree:
            raise _changed()
        return material


def check(material: bpy.types.Material | None) -> bpy.types.Material:
    """Check that there is something to look at.

    Raises:
        RequestError: `invalid_config` without a material that has nodes, `wrong_state` for one of ours that moves.
    """
    if material is None or not material.node_tree:
        rule = "The active object must have a material with nodes; it has none."
        raise RequestError("invalid_config", rule, "Choose or make one.")
    if node_tree.is_ours(material):
        node_tree.check_still(material)
    return material


def start(material: bpy.types.Material) -> Validation:
    """Begin to look at a material, of any origin; one look at a time.

    Raises:
        RequestError: `invalid_config` where none of its inputs is fed by an image.
    """
    feeds, left_out = _feeds(check(material))
    if not feeds:
        why = f" ({'; '.join(left_out)})" if left_out else ""
        rule = f"An image must feed an input of the shader; in {material.name} none does{why}."
        raise RequestError("invalid_config", rule, "Connect the image nodes to a Principled BSDF.")
    about = str(material.session_uid)
    return Validation.running(about) or Validation(material).start(about)


def newest(material: bpy.types.Material) -> Validation | None:
    """The last look at it."""
    return Validation.newest(str(material.session_uid))


def _changed() -> RequestError:
    message = "A material must stay as it is while it is looked at; it was changed or deleted."
    return RequestError("wrong_state", message, "Press Validate Material again.")


def _feeds(material: bpy.types.Material) -> tuple[dict[str, inputs.Feed], tuple[str, ...]]:
    """Map name → the image that is looked at; and what is not."""
    if node_tree.is_ours(material) and node_tree.images_of(material):
        ours = node_tree.images_of(material)
        return {name: inputs.Feed(image) for name, image in ours.items()}, ()
    surveyed = inputs.survey(material)
    left_out = list(surveyed.left_out)
    for name, feed in surveyed.found.items():
        if feed.baked is not None:
            label = MAPS[name.removesuffix("_directx")].label
            left_out.append(f"{label}: nodes change its image, so that it was not looked at")
    found = {name: feed for name, feed in surveyed.found.items() if feed.baked is None}
    return found, tuple(left_out)


def _problem_of_image(name: str, image: bpy.types.Image) -> list[Finding]:
    """What is wrong with how Blender reads it."""
    kind = MAPS[name.removesuffix("_directx")]
    if not image.size[0]:
        if image.source not in ("FILE", "GENERATED"):
            message = f"{kind.label}: {image.name} is no single picture, and was not looked at."
            cure = "Save one picture of it as a file, and use that to look at it."
            return [Finding(kind.name, State.bad, message, cure)]
        message = f"{kind.label}: the picture {image.name} cannot be read."
        cure = "Find its file with File > External Data > Find Missing Files."
        return [Finding(kind.name, State.bad, message, cure)]
    is_data, space = image.colorspace_settings.is_data, image.colorspace_settings.name
    if (kind.kind is Kind.color) == is_data:
        wanted = "sRGB" if is_data else "Non-Color"
        message = f"{kind.label} is read as {space or 'an unknown color space'}."
        cure = f"Set Color Space to {wanted} in its image node."
        return [Finding(kind.name, State.bad, message, cure)]
    return []


def _read(name: str, feed: inputs.Feed) -> Generator[bool, None, np.ndarray]:
    """A map as `validate` takes it: whole numbers where Blender holds such, else floats."""
    kind, image = MAPS[name.removesuffix("_directx")], feed.image
    linear = image.is_float and kind.kind is Kind.color and not image.colorspace_settings.is_data
    is_float = image.is_float
    channels = (
        slice(kind.channels) if feed.channel is None else slice(feed.channel, feed.channel + 1)
    )
    rgba = images.read_pixels(image)
    yield False
    whole = np.empty(
        (*rgba.shape[:2], len(range(4)[channels])), np.float32 if is_float else np.uint8
    )
    for top in range(0, len(rgba), rows := max(1, images.PIXELS_PER_STEP // rgba.shape[1])):
        band = rgba[top : top + rows, :, channels]
        band = to_screen(band) if linear else band
        band = 1 - band if feed.inverted else band
        if name == _DIRECTX:
            band = band * (1, -1, 1) + np.array((0, 1, 0), np.float32)
        whole[top : top + rows] = band if is_float else np.rint(band * 255)
        yield False
    return whole


def _sorted(found: list[Finding]) -> tuple[Finding, ...]:
    """The worst first; nothing is said to be right with a map that something is wrong with."""
    faulty = {finding.map for finding in found if not finding.is_ok}
    kept = [f for f in found if not (f.is_ok and f.map in faulty)]
    return tuple(sorted(kept, key=lambda finding: list(State)[::-1].index(finding.state)))
