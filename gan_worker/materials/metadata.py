"""Metadata of generated files: made by a trained algorithm, which one, from whose pictures, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from gan_worker import __version__
from gan_worker.dataclass_json import to_json
from gan_worker.errors import counted
from gan_worker.materials.maps import FILE_KIND_KEY, MAPS, Kind, MaterialMap

if TYPE_CHECKING:
    from gan_worker.config import Credits, Recipe

# IPTC NewsCodes, Digital Source Type: made by a model that was trained on sampled content.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
# The same for a picture of which parts were made so.
COMPOSITE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
SOURCE_TYPE_KEY = "Iptc4xmpExt:DigitalSourceType"
MODEL_KEY, HASH_KEY, RECIPE_KEY = "tilewright:Model", "tilewright:ModelHash", "tilewright:Recipe"
# Which maps were estimated and the mean errors that are expected, in words; and what was made of the estimates.
ESTIMATED_KEY, ESTIMATION_KEY = "tilewright:Estimated", "tilewright:Estimation"
# Which estimator did it: letters of the hash of its weights.
ESTIMATOR_KEY = "tilewright:Estimator"

_LABELS = {
    "source_type": SOURCE_TYPE_KEY,
    "software": "Software",
    "model": MODEL_KEY,
    "model_hash": HASH_KEY,
    "estimated": ESTIMATED_KEY,
    "estimation": ESTIMATION_KEY,
    "estimator": ESTIMATOR_KEY,
    "rights": "Copyright",
}

_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "tilewright": "urn:tilewright:xmp:1.0:",
}
_PACKET = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{}\n<?xpacket end="w"?>'


def model_metadata(
    model: str,
    model_hash: str,
    credits: Credits,
    recipe: Recipe | None = None,
    version: str = __version__,
) -> dict[str, str]:
    """The texts that a generated picture carries; the same for the same request, so without a time.

    Args:
        model: the model's name.
        model_hash: sha256 of its weights, hex; empty for one in training.
        credits: of the model.
        recipe: of a material; None for pictures that show several.
        version: of Tilewright.

    Returns:
        Name as OpenImageIO has it → text, and under `xmp` a packet of XMP that says the same.
    """
    texts = {
        "Software": f"Tilewright {version}",
        "Copyright": credit_line(credits),
        SOURCE_TYPE_KEY: SOURCE_TYPE,
        MODEL_KEY: model,
        HASH_KEY: model_hash,
    }
    if recipe:
        texts[RECIPE_KEY] = json.dumps(to_json(recipe), sort_keys=True)
        texts |= estimated_text(recipe.estimated, recipe.estimator)
    return _with_packet(texts, version, credits.authors)


def repair_metadata(
    model: str,
    model_hash: str,
    credits: Credits,
    before: Mapping[str, str],
    estimated: Mapping[str, float] | None = None,
    estimator: str = "",
    version: str = __version__,
) -> dict[str, str]:
    """The texts of a picture of which a model has made a part; see `model_metadata`.

    Args:
        model: the model's name.
        model_hash: sha256 of its weights, hex.
        credits: of the model.
        before: what the picture said of itself, of `pictures.read_header`.
        estimated: as in `Recipe`, where there is what was estimated of it.
        estimator: as in `Recipe`.
        version: of Tilewright.
    """
    whole = before.get(SOURCE_TYPE_KEY) == SOURCE_TYPE
    old, new = before.get("Copyright", ""), credit_line(credits)
    texts = {
        "Software": f"Tilewright {version}",
        "Copyright": old if new in old else f"{old} Parts of it: {new}" if old else new,
        SOURCE_TYPE_KEY: SOURCE_TYPE if whole else COMPOSITE_TYPE,
        MODEL_KEY: model,
        HASH_KEY: model_hash,
    }
    kept = ("Artist", FILE_KIND_KEY, ESTIMATED_KEY, ESTIMATOR_KEY)
    texts |= {key: before[key] for key in kept if key in before}
    texts |= estimated_text(estimated or {}, estimator)
    return _with_packet(texts, version, credits.authors)


def estimate_metadata(recipe: Recipe, name: str) -> dict[str, str]:
    """The texts of one map of a photo; see `model_metadata`.

    Args:
        recipe: of what was made of it, of a model that nobody keeps.
        name: of the map; one that is the photo's own and was not changed is not marked as made by an algorithm.
    """
    chosen, error = recipe.config.estimation, recipe.estimated.get(name)
    texts = {
        "Software": f"Tilewright {recipe.version}",
        "Copyright": credit_line(replace(recipe.credits, trained=False)),
    }
    if error is not None:
        texts |= {SOURCE_TYPE_KEY: SOURCE_TYPE} | estimated_text({name: error}, recipe.estimator)
    elif name == "base_color" and chosen and chosen.light > 0:
        texts[SOURCE_TYPE_KEY] = COMPOSITE_TYPE
    if chosen and SOURCE_TYPE_KEY in texts:
        texts[ESTIMATION_KEY] = json.dumps(to_json(chosen), sort_keys=True)
        texts |= {ESTIMATOR_KEY: recipe.estimator} if recipe.estimator else {}
    return _with_packet(texts, recipe.version, recipe.credits.authors)


def _with_packet(texts: dict[str, str], version: str, authors: Sequence[str]) -> dict[str, str]:
    texts = {name: _printable(text) for name, text in texts.items()}
    return {**texts, "xmp": _packet(texts, version, tuple(map(_printable, authors)))}


def material_metadata(recipe: Recipe) -> dict[str, str]:
    """What the maps of a material carry; see `model_metadata`."""
    return model_metadata(recipe.model, recipe.model_hash, recipe.credits, recipe, recipe.version)


def read_metadata(texts: Mapping[str, str]) -> dict[str, Any] | None:
    """What a picture says of how it was generated; None where it does not say that it was.

    Args:
        texts: of `pictures.read_header`.
    """
    if texts.get(SOURCE_TYPE_KEY) not in (SOURCE_TYPE, COMPOSITE_TYPE):
        return None
    found: dict[str, Any] = {label: texts[key] for label, key in _LABELS.items() if texts.get(key)}
    try:
        found["recipe"] = json.loads(texts.get(RECIPE_KEY, "null"))
    except ValueError:
        # A picture editor may have cut it; the rest still counts.
        found["recipe"] = None
    return found


def credit_line(credits: Credits) -> str:
    """One sentence that says whose pictures the model has learned from or is made of, and under which licenses."""
    if not credits.pictures:
        return "Made by a trained model whose training pictures are not recorded."
    if not credits.trained:
        return f"Made from {_pictures_and_terms(replace(credits, contained=False))}"
    return f"Made by a model trained on {_pictures_and_terms(credits)}"


def _pictures_and_terms(credits: Credits) -> str:
    count = counted(credits.pictures, "picture")
    if credits.materials:
        count = f"{counted(credits.materials, 'material')} with {count}"
    authors = f" by {', '.join(credits.authors)}" if credits.authors else ""
    known = credits.pictures - credits.unlicensed
    licenses = "; ".join(credits.licenses)
    if not known:
        terms = (
            "their license is not recorded"
            if credits.pictures > 1
            else "its license is not recorded"
        )
    elif credits.unlicensed:
        terms = f"licenses: {licenses}; of {credits.unlicensed} not recorded"
    else:
        terms = f"license: {licenses}" if len(credits.licenses) == 1 else f"licenses: {licenses}"
    pieces = ", with pieces of " + ("it" if credits.pictures == 1 else "them")
    return f"{count}{authors}{pieces * credits.contained}; {terms}."


def estimated_text(errors: Mapping[str, float], estimator: str) -> dict[str, str]:
    """The texts that say which maps were estimated, and by what, under their names; nothing where none was.

    Args:
        errors: as `Recipe.estimated`.
        estimator: as `Recipe.estimator`.
    """
    if not errors:
        return {}
    words = [f"{kind.label}{_error(kind, errors[n])}" for n, kind in MAPS.items() if n in errors]
    said = {ESTIMATED_KEY: f"Estimated from the base color: {', '.join(words)}."}
    return said | ({ESTIMATOR_KEY: estimator} if estimator else {})


def _error(kind: MaterialMap, error: float) -> str:
    """How wrong a map may be; of a height nothing, because its unit is free."""
    if kind.any_range or not error:
        return ""
    return f" (±{error:.0f}°)" if kind.kind is Kind.direction else f" (±{error:.2f})"


def _packet(texts: dict[str, str], version: str, authors: Sequence[str]) -> str:
    """XMP (ISO 16684-1) of the texts, with IPTC's fields for generated pictures."""
    root = ElementTree.Element(_name("x:xmpmeta"))
    rdf = ElementTree.SubElement(root, _name("rdf:RDF"))
    description = ElementTree.SubElement(rdf, _name("rdf:Description"), {_name("rdf:about"): ""})
    _add(description, "xmp:CreatorTool", texts["Software"])
    _add(description, "dc:rights", texts["Copyright"], kind="rdf:Alt")
    if authors:
        _add(description, "dc:contributor", *authors, kind="rdf:Bag")
    _add(description, "Iptc4xmpExt:AISystemUsed", "Tilewright")
    _add(description, "Iptc4xmpExt:AISystemVersionUsed", version)
    keys = (SOURCE_TYPE_KEY, MODEL_KEY, HASH_KEY, ESTIMATED_KEY, ESTIMATOR_KEY, ESTIMATION_KEY)
    for key in (*keys, RECIPE_KEY):
        if key in texts:
            _add(description, key, texts[key])
    for prefix, uri in _NAMESPACES.items():
        ElementTree.register_namespace(prefix, uri)
    return _PACKET.format(ElementTree.tostring(root, "unicode"))


def _add(parent: ElementTree.Element, name: str, *values: str, kind: str = "") -> None:
    element = ElementTree.SubElement(parent, _name(name))
    if not kind:
        element.text = values[0]
        return
    container = ElementTree.SubElement(element, _name(kind))
    for value in values:
        item = ElementTree.SubElement(container, _name("rdf:li"))
        item.text = value
        if kind == "rdf:Alt":
            item.set("xml:lang", "x-default")


def _name(prefixed: str) -> str:
    prefix, name = prefixed.split(":")
    return f"{{{_NAMESPACES[prefix]}}}{name}"


def _printable(text: str) -> str:
    """Neither XML nor PNG has a place for control characters."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
