"""Values in node trees: what happens to an image on its way to a socket.

Only what is certain is told: a value that hangs on two images at once, or went through a node that is not known here,
is `UNKNOWN`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import bpy
import numpy as np

from .node_links import Place, source

# Pixel values at which the way of an image's channel to a socket is sampled.
GRID = np.linspace(0.0, 1.0, 33)
# Nodes one behind the other that are looked through.
_DEEPEST = 64
_LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True, eq=False)
class Channel:
    """One number of a value.

    Attributes:
        image: what it is taken from; None for a constant, and where that is not known.
        index: the image's channel, 0 red to 3 alpha; None for the gray of all three colors.
        table: the number for each pixel value of `GRID`.
    """

    image: bpy.types.Image | None
    index: int | None
    table: np.ndarray

    @property
    def picture(self) -> bpy.types.Image:
        """The image of a channel that has one."""
        assert self.image is not None
        return self.image

    @property
    def is_constant(self) -> bool:
        """Whether it is the same everywhere."""
        return self.image is None and self is not UNKNOWN

    @property
    def is_plain(self) -> bool:
        """Whether it is what the image holds."""
        return self.image is not None and bool(np.allclose(self.table, GRID, atol=2e-3))

    @property
    def is_inverted(self) -> bool:
        """Whether it is the image turned around."""
        return self.image is not None and bool(np.allclose(self.table, 1 - GRID, atol=2e-3))


UNKNOWN = Channel(None, None, np.full(GRID.shape, np.nan))

# One number, or three.
Value = tuple[Channel, ...]


def gray(value: Value) -> Channel:
    """The number that an input for numbers makes of a value."""
    first = value[0]
    if len(value) == 1 or all(_alike(first, c) and c.index == first.index for c in value):
        return first
    if all(c.is_constant for c in value):
        mean = sum(w * c.table for w, c in zip(_LUMINANCE, value, strict=True))
        return Channel(None, None, np.asarray(mean))
    of_one = first.image and all(_alike(first, c) and c.index == i for i, c in enumerate(value))
    if of_one and np.allclose(np.diff(first.table, 2), 0, atol=1e-4):  # or the order would matter
        return Channel(first.image, None, first.table)
    return UNKNOWN


def three(value: Value) -> Value:
    """The three numbers that an input for colors makes of a value."""
    return value if len(value) == 3 else value * 3


def _alike(a: Channel, b: Channel) -> bool:
    known = a is not UNKNOWN and b is not UNKNOWN
    return known and a.image == b.image and bool(np.allclose(a.table, b.table))


def _apply(function: Callable[..., np.ndarray], *channels: Channel) -> Channel:
    """What a function of single numbers makes of channels."""
    origins = {(c.image, c.index) for c in channels if c.image}
    if len(origins) > 1 or any(c is UNKNOWN for c in channels):
        return UNKNOWN
    with np.errstate(all="ignore"):
        made = function(*(c.table for c in channels))
    table = np.broadcast_to(made, GRID.shape).astype(float)
    if not np.isfinite(table).all():
        return UNKNOWN
    image, index = origins.pop() if origins and np.ptp(table) > 0 else (None, None)
    return Channel(image, index, table)


def _constant(numbers: object) -> Value:
    flat = np.atleast_1d(np.array(numbers, float))[:3]
    return tuple(Channel(None, None, np.full(GRID.shape, number)) for number in flat)


@dataclass
class Reader:
    """Reads values; what was read once is kept as long as it lives."""

    _known: dict[tuple[int, ...], Value] = field(default_factory=dict)
    _depth: int = 0

    def read(self, place: Place) -> Value:
        """The value of a socket."""
        end = source(place)
        if not end.socket.is_output:
            given = getattr(end.socket, "default_value", None)
            numbers = end.socket.type in ("VALUE", "INT", "RGBA") or (
                end.socket.type == "VECTOR" and not end.socket.hide_value
            )
            return _constant(given) if numbers else (UNKNOWN,)
        if end.key not in self._known:
            self._known[end.key] = (UNKNOWN,)  # for itself, in a circle
            read = _NODES.get(end.node.type) if self._depth < _DEEPEST else None
            if end.node.mute:
                self._known[end.key] = _constant(0.0)
            elif read:
                self._depth += 1
                self._known[end.key] = read(_Inputs(self, end))
                self._depth -= 1
        return self._known[end.key]


@dataclass(frozen=True)
class _Inputs:
    """A node, as seen from one of its outputs."""

    reader: Reader
    place: Place

    @property
    def node(self) -> bpy.types.Node:
        return self.place.node

    def value(self, which: int | str) -> Value:
        inputs = self.node.inputs
        socket = inputs[which] if isinstance(which, int) else _by_identifier(inputs, which)
        return self.reader.read(self.place.input(socket))

    def number(self, which: int | str) -> Channel:
        return gray(self.value(which))

    def color(self, which: int | str) -> Value:
        return three(self.value(which))

    @property
    def output(self) -> int:
        """Which of the node's outputs this is."""
        return [s.identifier for s in self.node.outputs].index(self.place.socket.identifier)


def _by_identifier(inputs: bpy.types.NodeInputs, identifier: str) -> bpy.types.NodeSocket:
    return next(s for s in inputs if s.identifier == identifier)


def _texture(at: _Inputs) -> Value:
    image = at.node.image
    if image is None:
        return _constant(0.0)
    return tuple(Channel(image, n, GRID) for n in ((0, 1, 2) if at.output == 0 else (3,)))


def _invert(at: _Inputs) -> Value:
    share = at.number(0)
    return tuple(_apply(lambda f, c: f * (1 - c) + (1 - f) * c, share, c) for c in at.color(1))


_SUMS: dict[str, Callable[..., np.ndarray]] = {
    "ADD": lambda a, b, c: a + b,
    "SUBTRACT": lambda a, b, c: a - b,
    "MULTIPLY": lambda a, b, c: a * b,
    "DIVIDE": lambda a, b, c: a / b,
    "MULTIPLY_ADD": lambda a, b, c: a * b + c,
}


def _math(at: _Inputs) -> Value:
    function = _SUMS.get(at.node.operation)
    if function is None:
        return (UNKNOWN,)
    used = [at.number(n) if at.node.inputs[n].enabled else _constant(0.0)[0] for n in range(3)]
    return (_clamped(_apply(function, *used), at.node.use_clamp),)


def _vector_math(at: _Inputs) -> Value:
    if at.node.operation == "SCALE":
        return tuple(_apply(lambda a, b: a * b, c, at.number("Scale")) for c in at.color("Vector"))
    function = _SUMS.get(at.node.operation)
    if function is None:
        return (UNKNOWN,)
    used = [at.color(n) if at.node.inputs[n].enabled else _constant([0.0] * 3) for n in range(3)]
    return tuple(_apply(function, *channels) for channels in zip(*used, strict=True))


def _clamped(channel: Channel, wanted: bool = True) -> Channel:
    return _apply(lambda c: np.clip(c, 0, 1), channel) if wanted else channel


def _mix(at: _Inputs) -> Value:
    node = at.node
    if node.type == "MIX_RGB":
        share, blend, clamped = at.number(0), node.blend_type, node.use_clamp
        a, b = at.color(1), at.color(2)
    else:
        kind = {"FLOAT": "Float", "VECTOR": "Vector", "RGBA": "Color"}.get(node.data_type)
        if kind is None or (kind == "Vector" and node.factor_mode == "NON_UNIFORM"):
            return (UNKNOWN,)
        share, a, b = at.number("Factor_Float"), at.color(f"A_{kind}"), at.color(f"B_{kind}")
        is_color = kind == "Color"
        blend, clamped = (node.blend_type, node.clamp_result) if is_color else ("MIX", False)
    return tuple(_clamped(c, clamped) for c in _blend(blend, _clamped(share), a, b))


def _blend(kind: str, share: Channel, a: Value, b: Value) -> Value:
    if share.is_constant and share.table[0] == 0:
        return a
    if kind == "MIX" and share.is_constant and share.table[0] == 1:
        return b
    if kind == "MIX":
        return _channels(lambda f, x, y: x * (1 - f) + y * f, share, a, b)
    if kind == "MULTIPLY":
        return _channels(lambda f, x, y: x * (1 - f) + x * y * f, share, a, b)
    return (UNKNOWN,) * 3


def _channels(function: Callable[..., np.ndarray], share: Channel, a: Value, b: Value) -> Value:
    return tuple(_apply(function, share, x, y) for x, y in zip(a, b, strict=True))


def _curves(at: _Inputs) -> Value:
    mapping = at.node.mapping
    if tuple(mapping.black_level) != (0, 0, 0) or tuple(mapping.white_level) != (1, 1, 1):
        return (UNKNOWN,)
    mapping.initialize()

    def along(number: int, numbers: np.ndarray) -> np.ndarray:
        curve = mapping.curves[number]
        return np.array([mapping.evaluate(curve, x) for x in numbers])

    if at.node.type == "CURVE_FLOAT":
        return (_apply(partial(along, 0), at.number(1)),)
    given = at.color(1)
    if at.node.type == "CURVE_RGB":  # the curve for all of them comes first
        given = tuple(_apply(partial(along, 3), c) for c in given)
    made = tuple(_apply(partial(along, n), c) for n, c in enumerate(given))
    return _blend("MIX", at.number(0), at.color(1), made)


def _ramp(at: _Inputs) -> Value:
    ramp = at.node.color_ramp

    def along(number: int, numbers: np.ndarray) -> np.ndarray:
        return np.array([ramp.evaluate(x)[number] for x in np.clip(numbers, 0, 1)])

    wanted = (0, 1, 2) if at.output == 0 else (3,)
    return tuple(_apply(partial(along, n), at.number(0)) for n in wanted)


def _map_range(at: _Inputs) -> Value:
    node = at.node
    if node.data_type != "FLOAT" or node.interpolation_type != "LINEAR":
        return (UNKNOWN,)

    def mapped(x: np.ndarray, low: np.ndarray, high: np.ndarray, *to: np.ndarray) -> np.ndarray:
        made = to[0] + (x - low) / (high - low) * (to[1] - to[0])
        return np.clip(made, np.minimum(*to), np.maximum(*to)) if node.clamp else made

    return (_apply(mapped, *(at.number(n) for n in range(5))),)


def _separate(at: _Inputs) -> Value:
    return (at.color(0)[at.output],) if getattr(at.node, "mode", "RGB") == "RGB" else (UNKNOWN,)


def _combine(at: _Inputs) -> Value:
    if getattr(at.node, "mode", "RGB") != "RGB":
        return (UNKNOWN,)
    return tuple(at.number(n) for n in range(3))


def _hue_saturation(at: _Inputs) -> Value:
    chosen = [at.number(n) for n in range(3)]
    neutral = all(
        c.is_constant and c.table[0] == n for c, n in zip(chosen, (0.5, 1, 1), strict=True)
    )
    return at.color(4) if neutral else (UNKNOWN,)


def _gamma(at: _Inputs) -> Value:
    return tuple(_apply(lambda c, g: c**g, c, at.number(1)) for c in at.color(0))


def _bright_contrast(at: _Inputs) -> Value:
    return tuple(
        _apply(lambda c, b, k: np.maximum((1 + k) * c + b - k / 2, 0), c, *map(at.number, (1, 2)))
        for c in at.color(0)
    )


def _clamp(at: _Inputs) -> Value:
    if at.node.clamp_type != "MINMAX":
        return (UNKNOWN,)
    return (_apply(np.clip, *(at.number(n) for n in range(3))),)


_NODES: dict[str, Callable[[_Inputs], Value]] = {
    "TEX_IMAGE": _texture,
    "VALUE": lambda at: _constant(at.node.outputs[0].default_value),
    "RGB": lambda at: _constant(at.node.outputs[0].default_value),
    "INVERT": _invert,
    "MATH": _math,
    "VECT_MATH": _vector_math,
    "MIX": _mix,
    "MIX_RGB": _mix,
    "CURVE_RGB": _curves,
    "CURVE_VEC": _curves,
    "CURVE_FLOAT": _curves,
    "VALTORGB": _ramp,
    "MAP_RANGE": _map_range,
    "SEPARATE_COLOR": _separate,
    "SEPRGB": _separate,
    "SEPXYZ": _separate,
    "COMBINE_COLOR": _combine,
    "COMBRGB": _combine,
    "COMBXYZ": _combine,
    "HUE_SAT": _hue_saturation,
    "GAMMA": _gamma,
    "BRIGHTCONTRAST": _bright_contrast,
    "CLAMP": _clamp,
    "RGBTOBW": lambda at: (at.number(0),),
}
