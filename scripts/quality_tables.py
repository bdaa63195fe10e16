"""Tables of the benchmark of quality: a line for each material, medians of all rows, and how many reach the goals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from categories import category, held_back_by

WEIGHTS = Path(__file__).resolve().parent.parent / "gan_worker/pretrained/tiny.safetensors"
RECIPES = ("tiny", "full", "scale_1")
# Recipes that compare all maps of a photo, and which maps are compared.
MAPS_OF_PHOTOS = {
    "tiny maps=learned": "learned with the color",
    "tiny maps=estimated": "estimated on the generated color",
}
MAPS_TOLD = {"color": "color alone", "result": "all maps"}
COLUMNS = {
    "color/0": "color SWD, finest",
    "color/1": "2nd",
    "color/2": "3rd",
    "swd/0": "SWD, finest",
    "swd/1": "2nd band",
    "swd/2": "3rd band",
    "contrast": "contrast",
    "dots": "dots",
    "melted": "melted",
    "critic/32": "critic 32 px",
    "critic/64": "critic 64 px",
    "correlations": "finest correlations off by",
    "normal_height": "normals to height off by",
    "copied/16": "copied 16 px",
    "copied/32": "copied 32 px",
    "seam": "seam",
}
ROWS = {
    "result": "result",
    "transfer": "moved detail alone",
    "scale_1": "trained at scale 1",
    "lanczos": "small picture, resized",
    "patch_matching": "patch matching, no network",
    "random_phase": "random phase",
    "held_back": "held back",
    "floor": "floor",
}
TOLD = """# Quality of what is trained, at the pictures' own resolution

Eight pictures of each material, of its own size and 1024² at most, against the real one; lower is better, and 0.5 is
best of critics. In brackets and as `floor`: one half of the real picture against its other half. `moved detail alone`
is real detail put into place without the network, `small picture, resized` what the generator draws, enlarged by
Lanczos, `trained at scale 1` a generator that learned the pictures at their own size in as many minutes;
`patch matching` moves pixels until their patches are distributed as the real ones (GPDM), two pictures in as many
minutes together; `random phase` has the picture's spectrum and no shapes. `held back` is the real small picture of one
half, with detail drawn from what the other half has for it, against that real half: what the detail stage does where
the small picture is right.
SWD compares the patches of a band, the finest first, of the color alone and of all maps together, `contrast` how busy
small windows are. `dots` says how much single pixels stand out, as a multiple of the real picture's, and `melted` how
far the edges and sizes of shapes are from it, in standard deviations, both of the worst map. A critic is a network
trained afresh to tell patches of that side from real ones. `copied` is the share of patches of that side that are far
nearer to the real picture than its halves are to each other; `seam` the step at the border over steps inside, of the
worst map. Minutes are those of two idle cores in all, for small pictures and detail together. Seconds are those of
1024² with warm graphs. Rows of levers but `noise=gated` start from weights whose detail stage had learned for 8,000
steps; now it has for 24,000, see
[what that gave](bench_weights_before.md#the-detail-stage-its-parts-and-octaves).
All rows have as many steps as fitted into their minutes on an EPYC whose two cores reach 235 GFLOP/s in convolutions,
before patches were compared by NumPy's sort. That sort saves 6 to 26 % of a step, and with it two idle cores that reach
538 GFLOP/s make 1.4 to 2 times as many steps in the same minutes: their five are the nine of these tables (seven, where
there are no octaves), their two are three and a half. Nine minutes were measured for all kinds of materials that the
pre-trained weights do not know, and for some of the others, chosen by their place in the alphabet. Of two trainings
that differ in their seed alone, critics of 32 px told `Plaster002` with .86 and with .66, and `Asphalt026C` with .94
and .95: read medians, and single rows with care. `RoofingTiles010` has no seam: at its border, which lies where the
small picture is calm, the steps of the normals are 1.5 times the mean, and so are those of the four lines on either
side.
"""
Items = Mapping[str, Mapping[str, Any]]


def tables(kept: Mapping[str, Any]) -> str:
    """All that is known, as Markdown."""
    text, results = TOLD, kept["results"]
    for recipe in (r for r in RECIPES if r != "scale_1" and r in results):
        for minutes in _marks(results[recipe]):
            items = _items(kept, recipe, minutes)
            text += f"\n## {recipe}, {minutes} minutes\n\n" + _goals(items, GOALS)
            for kind, some in _kinds(items).items():
                text += f"\n### {recipe}, {minutes} minutes, {kind}\n\n" + table(some)
            text += _of_new_kinds(items, minutes)
    return text + _curve(kept) + _maps_of_photos(kept) + _levers(kept)


def _marks(measured: Items) -> list[str]:
    return sorted({mark for item in measured.values() for mark in item}, key=float)


def _items(kept: Mapping[str, Any], name: str, minutes: str) -> dict[str, dict[str, Any]]:
    """What was measured at that time, with all rows of each item that there are."""
    found = {}
    for item, marks in kept["results"].get(name, {}).items():
        if minutes not in marks:
            continue
        rows = {**marks[minutes]["rows"], **kept["real"].get(item, {})}
        if matched := kept.get("matched", {}).get(item, {}).get(minutes):
            rows["patch_matching"] = matched
        old = kept["results"].get("scale_1", {}).get(item, {}).get(minutes)
        if old:
            rows["scale_1"] = old["rows"]["result"]
        found[item] = {**marks[minutes], "rows": rows}
    return found


def _kinds(items: Items) -> dict[str, dict[str, Any]]:
    kinds: dict[str, dict[str, Any]] = {}
    for name, item in items.items():
        kind = "material sets" if item["maps"] > 1 else "photos"
        kinds.setdefault(kind, {})[name] = item
    return dict(sorted(kinds.items()))


def table(items: Items) -> str:
    """One line for each picture or set, then medians.

    Args:
        items: name → what was measured, with all rows.
    """
    columns = [c for c in COLUMNS if any(c in i["rows"]["result"] for i in items.values())]
    heads = ["octaves", "steps", *(COLUMNS[c] for c in columns), "seconds", "MB"]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for name, item in items.items():
        rows = item["rows"]
        cells = [cell(rows["result"].get(c), rows.get("floor", {}).get(c)) for c in columns]
        steps = "+".join(str(n) for _, n in sorted(item["steps"].items(), reverse=True))
        cells = [str(item["octaves"]), steps, *cells]
        cells += [cell(item["seconds"]), cell(item["megabytes"])]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for kind, label in ROWS.items():
        rows = [item["rows"][kind] for item in items.values() if kind in item["rows"]]
        if not rows:
            continue
        cells = [median_cell([row[c] for row in rows if c in row]) for c in columns]
        more = f" of {len(rows)}" if len(rows) < len(items) else ""
        last = ["", ""]
        if kind == "result":
            last = [median_cell([i[n] for i in items.values()]) for n in ("seconds", "megabytes")]
        lines.append(f"| **median{more}, {label}** | | | " + " | ".join([*cells, *last]) + " |")
    return "\n".join(lines) + "\n"


def cell(value: float | None, floor: float | None = None) -> str:
    """A figure with its floor in brackets; a dash where it was not measured, as where a picture is too small for it."""
    if value is None:
        return "–"
    text = f"{value:.3g}"
    return text if floor is None else f"{text} ({floor:.3g})"


def median_cell(values: Sequence[float]) -> str:
    return cell(median(values)) if values else "–"


def _of(figure: str) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda item: item["rows"]["result"].get(figure)


def _over(figure: str, row: str) -> Callable[[Mapping[str, Any]], float | None]:
    def ratio(item: Mapping[str, Any]) -> float | None:
        own, other = item["rows"]["result"].get(figure), item["rows"].get(row, {}).get(figure)
        return own / other if own is not None and other else None

    return ratio


def _worst_critic(item: Mapping[str, Any]) -> float:
    return max(v for figure, v in item["rows"]["result"].items() if figure.startswith("critic/"))


def _behind(item: Mapping[str, Any]) -> float | None:
    """In how many figures the small picture, resized, is nearer to the real one."""
    lanczos = item["rows"].get("lanczos")
    if lanczos is None:
        return None
    others = ("copied/16", "copied/32", "seam", "dots")
    result = {f: v for f, v in item["rows"]["result"].items() if f in lanczos and f not in others}
    return float(sum(value > lanczos[figure] for figure, value in result.items()))


Goal = tuple[str, Callable[[Mapping[str, Any]], float | None], float]
GOALS: Sequence[Goal] = (
    ("critic 32 px ≤ 0.65", _of("critic/32"), 0.65),
    ("critic 64 px ≤ 0.75", _of("critic/64"), 0.75),
    ("no critic above 0.85", _worst_critic, 0.85),
    ("finest SWD ≤ 2 × floor", _over("swd/0", "floor"), 2.0),
    ("finest color SWD ≤ 2 × floor", _over("color/0", "floor"), 2.0),
    ("finest SWD ≤ ⅛ of the small picture, resized", _over("swd/0", "lanczos"), 0.125),
    ("finest color SWD ≤ ⅛ of it", _over("color/0", "lanczos"), 0.125),
    ("contrast ≤ 2.5 × floor", _over("contrast", "floor"), 2.5),
    ("dots ≤ 1.3", _of("dots"), 1.3),
    ("melted ≤ 2 × floor", _over("melted", "floor"), 2.0),
    ("copied 16 px ≤ 2 %", _of("copied/16"), 0.02),
    ("copied 32 px ≤ 2 %", _of("copied/32"), 0.02),
    ("seam ≤ 1.05", _of("seam"), 1.05),
    ("model ≤ 12 MB", lambda item: item["megabytes"], 12.0),
    ("figures behind the small picture, resized: none", _behind, 0.0),
)


# Of kinds of materials that the pre-trained weights have never learned from: of all of them, of photos and of sets.
GOALS_OF_NEW_KINDS: Mapping[str, Sequence[Goal]] = {
    "photos": (
        ("critic 32 px ≤ 0.55", _of("critic/32"), 0.55),
        ("contrast ≤ 1.2 × floor", _over("contrast", "floor"), 1.2),
        ("finest SWD ≤ 1.2 × floor", _over("swd/0", "floor"), 1.2),
        ("copied 32 px ≤ 2 %", _of("copied/32"), 0.02),
    ),
    "material sets": (
        ("critic 32 px ≤ 0.7", _of("critic/32"), 0.7),
        ("contrast ≤ 1.2 × floor", _over("contrast", "floor"), 1.2),
        ("finest correlations ≤ 0.08 off", _of("correlations"), 0.08),
        ("copied 32 px ≤ 2 %", _of("copied/32"), 0.02),
    ),
}


def _of_new_kinds(items: Items, minutes: str) -> str:
    """Those of categories that were held back from the pre-trained weights, by themselves."""
    held_back, text = held_back_by(WEIGHTS), ""
    new = {name: item for name, item in items.items() if category(name) in held_back}
    for kind, some in _kinds(new).items():
        text += (
            f"\n### {minutes} minutes, {kind} of kinds that the pre-trained weights do not know\n\n"
        )
        text += ", ".join(some) + "\n\n" + _goals(some, GOALS_OF_NEW_KINDS[kind])
    return text


def _goals(items: Items, goals: Sequence[Goal]) -> str:
    """How many reach each goal, and the median and the worst, with whose it is."""
    lines = ["| goal | reached by | median | worst |", "|---|---|---|---|"]
    for label, measure, limit in goals:
        values = {name: v for name, item in items.items() if (v := measure(item)) is not None}
        if not values:
            continue
        reached = sum(value <= limit for value in values.values())
        worst = max(values, key=values.__getitem__)
        lines.append(
            f"| {label} | {reached} of {len(values)} | {median_cell(list(values.values()))} | "
            f"{cell(values[worst])} ({worst}) |"
        )
    return "\n".join(lines) + "\n"


CURVE: Mapping[str, Callable[[Mapping[str, Any]], float | None]] = {
    "critic 32 px": _of("critic/32"),
    "critic 64 px": _of("critic/64"),
    "contrast over floor": _over("contrast", "floor"),
    "finest SWD over floor": _over("swd/0", "floor"),
    "melted over floor": _over("melted", "floor"),
    "dots": _of("dots"),
    "finest correlations off by": _of("correlations"),
}


def _curve(kept: Mapping[str, Any]) -> str:
    """What more minutes give: medians over all that was measured after each of them."""
    marks, held_back = _marks(kept["results"]["tiny"]), held_back_by(WEIGHTS)
    after = {minutes: _items(kept, "tiny", minutes) for minutes in marks}
    shared = sorted(set.intersection(*map(set, after.values())))
    heads = ["medians of", "minutes", "steps", *CURVE]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for kind, some in _kinds({name: after[marks[0]][name] for name in shared}).items():
        for told, is_new in (("new", True), ("known", False)):
            names = [name for name in some if (category(name) in held_back) is is_new]
            for minutes in marks if names else ():
                items = [after[minutes][name] for name in names]
                found = [[measure(item) for item in items] for measure in CURVE.values()]
                cells = [f"{len(names)} {kind} of {told} kinds", minutes]
                cells += [f"{median(sum(item['steps'].values()) for item in items):.0f}"]
                cells += [median_cell([v for v in values if v is not None]) for values in found]
                lines.append("| " + " | ".join(cells) + " |")
    told = (
        "The same materials after each number of minutes. New are kinds that the pre-trained weights have never\n"
        "learned from.\n\n"
    )
    return "\n## What more minutes give\n\n" + told + "\n".join(lines) + "\n"


def _maps_of_photos(kept: Mapping[str, Any]) -> str:
    """Medians of both ways to all maps of a photo, over the photos that both were tried on."""
    both = [kept["results"].get(name, {}) for name in MAPS_OF_PHOTOS]
    figures = ("critic/32", "critic/64", "swd/0", "contrast", "correlations", "normal_height")
    lines = []
    for minutes in sorted({m for items in both for marks in items.values() for m in marks}):
        shared = [i for i in both[0] if all(minutes in items.get(i, {}) for items in both)]
        for items, label in zip(both, MAPS_OF_PHOTOS.values(), strict=True):
            for kind, told in MAPS_TOLD.items():
                rows = [items[i][minutes]["rows"][kind] for i in shared]
                cells = [median_cell([row[f] for row in rows if f in row]) for f in figures]
                lines.append(
                    f"| {label}, {told} | {len(shared)} | {minutes} | {' | '.join(cells)} |"
                )
    heads = ["all maps of a photo", "photos", "minutes", *(COLUMNS[f] for f in figures)]
    head = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    told = (
        "Against the photo and what is estimated of it. Maps that are learned beside the color vary with it; those\n"
        "that are estimated follow from it.\n\n"
    )
    return "\n## Maps of photos\n\n" + told + "\n".join(head + lines) + "\n" if lines else ""


def _levers(kept: Mapping[str, Any]) -> str:
    """What each lever gives: medians over the pictures it was tried on, with it and without it."""
    lines: list[str] = []
    for name in (n for n in kept["results"] if n not in (*RECIPES, *MAPS_OF_PHOTOS)):
        plain, lever = name.rsplit(" ", 1)
        for minutes in _marks(kept["results"][name]):
            lines += _pair(kept, minutes, (plain, plain), (lever, name))
    heads = ["lever (materials)", "minutes", *COLUMNS.values()]
    head = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    told = (
        "Each stands below the recipe that it changes; `bench_quality --help` and `levers.py` tell what they are. How\n"
        "levers act on small pictures stands in the [tables before](bench_quality_small.md#levers).\n\n"
    )
    return "\n## Levers\n\n" + told + "\n".join(head + lines) + "\n" if lines else ""


def _pair(kept: Mapping[str, Any], minutes: str, *labels: tuple[str, str]) -> Iterator[str]:
    both = [_items(kept, name, minutes) for _, name in labels]
    shared = sorted(set.intersection(*map(set, both)))
    for (label, _), items in zip(labels, both, strict=True):
        if shared:
            rows = [items[item]["rows"]["result"] for item in shared]
            cells = [median_cell([row[c] for row in rows if c in row]) for c in COLUMNS]
            yield f"| {label} ({len(shared)}) | {minutes} | " + " | ".join(cells) + " |"
