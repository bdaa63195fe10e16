"""Measures how the code is built: folders, imports and functions, held against bounds. Run by scripts/check.

Counted are `gan_worker` and `blender_addon`. A module is a file of Python; in imports a package is one too, its
`__init__`, as in any graph of imports; in a folder only the other files count. An import is an edge from one module of
ours to another, wherever in the file it stands. Those under `TYPE_CHECKING` have no bound, since nothing runs them, and
are shown by themselves: they tell what a reader of the types looks up.
"""

from __future__ import annotations

import ast
import statistics
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("gan_worker", "blender_addon")
LONG = 30


@dataclass(frozen=True)
class Measure:
    """One figure and the most it may be; None: it is only shown."""

    name: str
    value: float
    most: float | None
    where: str = ""

    @property
    def holds(self) -> bool:
        return self.most is None or self.value <= self.most

    def __str__(self) -> str:
        bound = "" if self.most is None else f"(at most {self.most:g})"
        verdict = "" if self.holds else "  TOO MUCH"
        return f"{self.name:<36} {self.value:>7g}  {bound:<16} {self.where}{verdict}"


@dataclass(frozen=True)
class Module:
    """A file of ours: its dotted name (a package's for its `__init__`), its place and what it says."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


def read_modules() -> dict[str, Module]:
    modules = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            modules[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return modules


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below this one that are run, so nothing under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _executed(child)


def imported(module: Module, modules: dict[str, Module], typing: bool = False) -> set[str]:
    """Names of the modules of ours that this one imports; with those for types alone where `typing` says so."""
    found = set()
    for node in ast.walk(module.tree) if typing else _executed(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                base = module.package.split(".")
                base = base[: len(base) - node.level + 1]
                source = ".".join([*base, source] if source else base)
            for alias in node.names:
                inside = f"{source}.{alias.name}"
                found.add(inside if inside in modules else source)
    return {name for name in found if name in modules and name != module.name}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        open_.append(name)
        for target in sorted(graph[name]):
            if target not in order:
                visit(target)
                lowest[name] = min(lowest[name], lowest[target])
            elif target in open_:
                lowest[name] = min(lowest[name], order[target])
        if lowest[name] == order[name]:
            group = open_[open_.index(name) :]
            del open_[open_.index(name) :]
            if len(group) > 1:
                found.append(group)

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return found


def longest_chain(graph: dict[str, set[str]]) -> list[str]:
    """The longest way along imports; the graph has no circle."""

    @cache
    def below(name: str) -> tuple[str, ...]:
        longest: tuple[str, ...] = ()
        for target in sorted(graph[name]):
            longest = max(longest, below(target), key=len)
        return (name, *longest)

    chains: list[tuple[str, ...]] = [below(name) for name in sorted(graph)]
    longest = max(chains, key=len)
    return list(longest)


def configured_layers() -> int:
    """Layers and listed modules that someone has to edit by hand in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    return sum(len(contract.get("layers", ())) for contract in contracts)


def function_lengths(modules: dict[str, Module]) -> list[tuple[int, str]]:
    return [
        (node.end_lineno - node.lineno + 1, f"{module.name}.{node.name}")
        for module in modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]


def measure() -> list[Measure]:
    modules = read_modules()
    files = [m for m in modules.values() if m.path.name != "__init__.py"]
    folders: dict[str, int] = {}
    for module in files:
        folders[module.package] = folders.get(module.package, 0) + 1
    largest = max(folders, key=lambda folder: folders[folder])
    graph = {name: imported(module, modules) for name, module in modules.items()}
    circular = circles(graph)
    chain = [] if circular else longest_chain(graph)
    edges = sum(map(len, graph.values()))
    read = {name: imported(module, modules, typing=True) for name, module in modules.items()}
    read_chain = [] if circles(read) else longest_chain(read)
    read_edges = sum(map(len, read.values()))
    lengths = sorted(function_lengths(modules))
    plain = [length for length, _ in lengths]
    longest = lengths[-1]
    return [
        Measure("modules", len(files), None, f"in {len(folders)} folders"),
        Measure("modules in the largest folder", folders[largest], 16, largest),
        Measure("longest chain of imports", len(chain), 13, " > ".join(chain)),
        Measure("imports a module", round(edges / len(graph), 2), 4),
        Measure("longest chain, with types", len(read_chain), None),
        Measure("imports a module, with types", round(read_edges / len(read), 2), None),
        Measure("circles of imports", len(circular), 0, "; ".join(map(" ".join, circular))),
        Measure("layers in the configuration", configured_layers(), 25),
        Measure("function's lines, median", statistics.median(plain), 10),
        Measure("function's lines, 90th percentile", plain[int(len(plain) * 0.9)], 25),
        Measure("function's lines, longest", longest[0], 110, longest[1]),
        Measure(
            f"% of functions over {LONG} lines",
            round(100 * sum(length > LONG for length in plain) / len(plain), 1),
            5,
        ),
    ]


def main() -> int:
    measures = measure()
    print("\n".join(map(str, measures)))
    return 0 if all(one.holds for one in measures) else 1


if __name__ == "__main__":
    sys.exit(main())
