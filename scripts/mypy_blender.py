"""Mypy plugin: what the stubs of Blender's module say otherwise than Blender does.

The stubs are generated from Blender's own descriptions, which know neither what the add-on gives to Blender's classes,
nor which subclass of a node, a socket or a space it is, nor what is always there where the add-on's code runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mypy.maptype import map_instance_to_supertype
from mypy.nodes import MDEF, SymbolTableNode, Var
from mypy.plugin import AttributeContext, ClassDefContext, FunctionContext, MethodContext, Plugin
from mypy.typeops import make_simplified_union
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    TupleType,
    Type,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

ANYTHING = AnyType(TypeOfAny.explicit)
COLLECTION = "bpy.types.bpy_prop_collection"
# What classes have that the stub does not say.
MEMBERS = {
    # Ours, declared for those that have it when the add-on is registered; and custom properties.
    "bpy.types.ID": ("tilewright", "__contains__"),
    # A subclass's, where only a name or the user's choice says which one it is.
    "bpy.types.Node": (
        *("image", "image_user", "projection", "projection_blend"),
        *("operation", "data_type", "blend_type", "factor_mode", "use_clamp", "clamp_result"),
        *("mapping", "color_ramp", "interpolation_type", "interpolation", "clamp", "clamp_type"),
        *("node_tree", "is_active_output", "invert", "space", "uv_map", "vector_type"),
    ),
    "bpy.types.NodeSocket": ("default_value",),
    "bpy.types.Space": ("shading",),
    "bpy.types.Constraint": ("target",),
    "bpy.types.Modifier": ("subdivision_type", "levels", "render_levels"),
    # Missing.
    "bpy.types.NodeTree": ("get_output_node",),
    "bpy.types.ToolSettings": ("unified_paint_settings",),
    "mathutils.Vector": ("__iter__",),
}
# Arrays, which the stub takes for single numbers, and what is of a class that only who asks knows.
ANY_KIND = {
    "bpy.types.bpy_struct.id_data",
    "bpy.types.Addon.preferences",
    "bpy.types.Image.pixels",
    "bpy.types.RenderSettings.engine",
    "bpy.types.ImagePreview.icon_pixels_float",
    "bpy.types.ImagePreview.image_pixels_float",
}
# They give something, and the stub says None.
GIVING = {"bpy.props.PointerProperty", "bpy_extras.anim_utils.action_get_channelbag_for_slot"}
# May be None elsewhere in Blender, and are not where panels draw and operators run.
ALWAYS_THERE = {
    "bpy.types.Panel.layout",
    "bpy.types.Context.scene",
    "bpy.types.Context.view_layer",
    "bpy.types.Material.node_tree",
    "bpy.types.NodeLink.from_node",
    "bpy.types.NodeLink.from_socket",
    "bpy.types.NodeSocket.links",
    "bpy.types.Object.active_material_index",
    "bpy.types.ToolSettings.image_paint",
    "bpy.types.ViewLayer.depsgraph",
}


def _add_members(names: tuple[str, ...], context: ClassDefContext) -> None:
    for name in names:
        variable = Var(name, ANYTHING)
        variable.info = context.cls.info
        variable.is_initialized_in_class = True
        context.cls.info.names[name] = SymbolTableNode(MDEF, variable, plugin_generated=True)


def _without_none(context: AttributeContext) -> Type:
    kind = get_proper_type(context.default_attr_type)
    if not isinstance(kind, UnionType):
        return kind
    return make_simplified_union(
        [one for one in kind.items if not isinstance(get_proper_type(one), NoneType)]
    )


def _two_functions(context: FunctionContext) -> Type:
    """`register` and `unregister`, which the stub forgets."""
    api = context.api
    function = api.named_generic_type("builtins.function", [])
    call = CallableType([], [], [], NoneType(), function)
    return TupleType([call, call], Instance(function.type.mro[0], []))


def _found_or_default(context: MethodContext) -> Type:
    """The item or the default, of which the stub gives only the default."""
    collection = get_proper_type(context.type)
    bases = collection.type.mro if isinstance(collection, Instance) else []
    base = next((base for base in bases if base.fullname == COLLECTION), None)
    if not isinstance(collection, Instance) or base is None:
        return context.default_return_type
    item = map_instance_to_supertype(collection, base).args[0]
    default = context.arg_types[1][0] if context.arg_types[1] else NoneType()
    return make_simplified_union([item, default])


def _words(context: MethodContext) -> Type:
    """A set of words, as operators give it back; sets of a few known words are no such sets."""
    return context.api.named_generic_type(
        "builtins.set", [context.api.named_generic_type("builtins.str", [])]
    )


class BlenderPlugin(Plugin):
    """Corrects the stubs."""

    def get_customize_class_mro_hook(
        self, fullname: str
    ) -> Callable[[ClassDefContext], None] | None:
        return partial(_add_members, MEMBERS[fullname]) if fullname in MEMBERS else None

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        if fullname in ANY_KIND:
            return lambda _context: ANYTHING
        return _without_none if fullname in ALWAYS_THERE else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        if fullname in GIVING:
            return lambda _context: ANYTHING
        return _two_functions if fullname == "bpy.utils.register_classes_factory" else None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        if fullname.startswith("bpy.types.") and fullname.endswith(".get"):
            return _found_or_default
        return _words if fullname.startswith("bpy.types.WindowManager.invoke_") else None


def plugin(_version: str) -> type[Plugin]:
    """What mypy asks a module of plugins for."""
    return BlenderPlugin
