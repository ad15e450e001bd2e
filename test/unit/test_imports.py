"""Holds the code to the import table of docs/architecture.md."""

from __future__ import annotations

import ast
import functools
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "resource_airbyte"
ROOT = PACKAGE.name
GROUND = ("model", "errors", "settings", "process", "__init__")
# A room, and the rooms whose modules it may import. The longest name that fits a module is its room; a room may always
# import itself. A trailing dot stands for the package alone, without the modules in it.
TABLE: dict[str, tuple[str, ...]] = {
    "__init__": (),
    "__main__": ("cli",),
    "errors": (),
    "settings": ("errors",),
    "process": ("errors",),
    "model": ("errors",),
    "protocol": ("errors",),
    "client": ("model", "errors", "__init__"),
    "runtime": ("client", *GROUND),
    "pipelines": ("client", *GROUND),
    "cli": ("pipelines", "runtime", "client", *GROUND),
    "native": ("protocol", *GROUND),
    "engine": ("__init__",),
    "engine.secrets": GROUND,
    "engine.notify": GROUND,
    "engine.metrics": GROUND,
    "engine.store": GROUND,
    "engine.schedule": ("engine.store", *GROUND),
    "engine.retention": ("engine.store", *GROUND),
    "engine.connectors": ("protocol", *GROUND),
    "engine.connectors.known": GROUND,
    "engine.connectors.configurations": GROUND,
    "engine.connectors.children": ("protocol", *GROUND),
    "engine.connectors.environments": ("engine.connectors.known", "engine.connectors.configurations", *GROUND),
    "engine.connectors.manifests": (
        *("engine.connectors.environments", "engine.connectors.known", "engine.connectors.children"),
        *GROUND,
    ),
    "engine.schemas": ("engine.store", "engine.secrets", "engine.connectors", *GROUND),
    "engine.replication": ("protocol", *GROUND),
    "engine.orchestrator": (
        *("engine.store", "engine.secrets", "engine.schemas", "engine.connectors", "protocol"),
        *GROUND,
    ),
    "engine.orchestrator.temporal.workflow": ("engine.orchestrator.base",),
    "engine.control": (
        *("engine.orchestrator.base", "engine.schemas", "engine.store", "engine.connectors", "engine.secrets"),
        *("engine.retention", *GROUND),
    ),
    "engine.server": ("engine.control", *GROUND),
    "engine.wiring": ("engine", "native", "protocol", *GROUND),
    "engine.main": ("engine", "native", "protocol", *GROUND),
}
# Libraries that would make every command slow, and the rooms that must do without them.
HEAVY = ("fastapi", "sqlalchemy", "alembic", "uvicorn", "pyarrow", "duckdb", "temporalio")
LIGHT = ("cli", "pipelines", "runtime", "client", "model", "errors", "settings", "process")
# Parts of a declared library's own interface: of FastAPI, and of jsonschema; what the environments of connectors have.
PROVIDED = {"starlette", "anyio", "referencing", "airbyte_cdk"}


@functools.cache
def modules() -> list[str]:
    return sorted(_name(path) for path in PACKAGE.rglob("*.py") if "shipped" not in path.relative_to(PACKAGE).parts)


def _name(path: Path) -> str:
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def room(module: str) -> str:
    """The room of a module: the longest entry of the table that it lies in."""
    fits = [name for name in TABLE if module == name or module.startswith(name + ".")]
    return max(fits, key=len, default="")


def imports(module: str, *, loaded: bool = False) -> Iterator[tuple[int, str]]:
    """Every import of a module, wherever in it, as (line, absolute name); those for type checkers alone included.

    `loaded`: only what is imported as soon as the module is.
    """
    package, tree = _parsed(module)
    for node in tree.body if loaded else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(package, node)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


@functools.cache
def _parsed(module: str) -> tuple[str, ast.Module]:
    """The package that a module's relative imports start from, and its tree."""
    path = PACKAGE / (module.replace(".", "/") + ".py")
    package = module.rpartition(".")[0]
    if not path.is_file():
        path, package = PACKAGE / module.replace(".", "/") / "__init__.py", module
    package = f"{ROOT}.{package}" if package and module != "__init__" else ROOT
    return package, ast.parse(path.read_text("utf-8"))


def _absolute(package: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _target(name: str, known: set[str]) -> str | None:
    """The module of ours that an import reaches; None for somebody else's."""
    if name != ROOT and not name.startswith(ROOT + "."):
        return None
    inner = name[len(ROOT) + 1 :]
    while inner and inner not in known:
        inner = inner.rpartition(".")[0]
    return inner or "__init__"


def _allowed(own: str, target: str) -> bool:
    entries = (own, *TABLE[own])
    return any(target == entry or target.startswith(entry + ".") for entry in entries)


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    own, known = room(module), set(modules())
    assert own, f"{module} lies in no room of the table"
    wrong = []
    for line, name in imports(module):
        target = _target(name, known)
        if target is not None and not _allowed(own, target):
            wrong.append(f"{module}, line {line}: {own} may not import {target}")
    assert not wrong


@pytest.mark.parametrize("module", [module for module in modules() if room(module) in LIGHT])
def test_what_every_command_loads_has_no_heavy_library(module: str) -> None:
    assert not [f"line {line}: {name}" for line, name in imports(module) if name.split(".")[0] in HEAVY]


def test_only_the_stack_loads_what_only_the_stack_has() -> None:
    """Temporal's library is an extra: the daemon, and whatever a user starts, must do without."""
    may = {"engine.main.worker", *(each for each in modules() if each.startswith("engine.orchestrator.temporal."))}
    wrong = []
    for module in set(modules()) - may:
        for line, name in imports(module, loaded=True):
            if name.startswith(("temporalio", f"{ROOT}.engine.orchestrator.temporal.")):
                wrong.append(f"{module}, line {line}: {name}")
    assert not wrong


def test_every_room_of_the_table_is_used_or_planned() -> None:
    planned = {"engine.notify", "__main__"}
    assert set(TABLE) - {room(module) for module in modules()} <= planned


def test_the_package_imports_nothing_that_it_does_not_declare() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {entry.split(">")[0].split("[")[0].lower().replace("-", "_") for entry in declared}
    names = names | {"yaml" if name == "pyyaml" else name for name in names} | PROVIDED
    used = {name.split(".")[0] for module in modules() for _, name in imports(module)}
    assert {name for name in used if name.lower() not in names} <= {ROOT, *sys.stdlib_module_names}
