"""`test`: the tests of the resource itself. Each phase is a script; its exit code is ours."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resource_airbyte.cli.result import ALREADY, INTERRUPTED, Result
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import application, group, verb
from resource_airbyte.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

app = application(
    group("""
        resource-airbyte test smoke      look at the running instance
        resource-airbyte test all        unit, integration, some faults, and smoke
        resource-airbyte test faults     syncs under fire, compared row by row
        resource-airbyte test stack      the compose runtime, on a real container engine
    """),
    help="Test the resource itself: its health, its connectivity, its code.",
)

# Seconds that the contract allows each phase.
BUDGETS = {"smoke": 30, "unit": 60, "integration": 300, "faults": 600, "stack": 1200, "all": 600}


@app.command("smoke", cls=verb("resource-airbyte test smoke"))
def smoke(context: typer.Context) -> Result:
    """Look at the running instance: health, API, token. Changes nothing."""
    return _phase(of(context), "smoke")


@app.command("unit", cls=verb("resource-airbyte test unit"))
def unit(context: typer.Context) -> Result:
    """Run the tests that need neither network nor containers. Needs a clone of the sources."""
    return _phase(of(context), "unit")


@app.command("integration", cls=verb("resource-airbyte test integration"))
def integration(context: typer.Context) -> Result:
    """Run the tests with real connectors, a real daemon and a real database. Needs a clone of the sources."""
    return _phase(of(context), "integration")


@app.command(
    "faults",
    cls=verb("""
        resource-airbyte test faults
        resource-airbyte test faults --runs 1 --seed 4711      once more, what a failure has printed
        resource-airbyte test faults --seconds 300 --orchestrator temporal
    """),
)
def faults(
    context: typer.Context,
    runs: Annotated[int | None, typer.Option("--runs", metavar="N", min=1, help="How many; 30 by default.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="S", min=0, help="Of the first run; the next have the next.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="T", min=1.0, help="Begin no run after so many seconds.")
    ] = None,
    orchestrator: Annotated[
        Literal["local", "temporal"], typer.Option("--orchestrator", help="Who runs the jobs.")
    ] = "local",
) -> Result:
    """Sync while processes are killed and stopped and sources garble, and compare every row. Needs a clone."""
    given = {"--runs": runs, "--seed": seed, "--seconds": seconds, "--orchestrator": orchestrator}
    return _phase(of(context), "faults", [f"{name}={value}" for name, value in given.items() if value is not None])


@app.command("stack", cls=verb("resource-airbyte test stack"))
def stack(context: typer.Context) -> Result:
    """Bring a stack up, load it, kill its services and take it away again. Needs a clone, and a container engine."""
    return _phase(of(context), "stack")


@app.command("all", cls=verb("resource-airbyte test all"))
def everything(context: typer.Context) -> Result:
    """Run the phases that need no container engine: unit, integration, a minute of faults, and smoke."""
    return _phase(of(context), "all")


def _phase(session: Session, name: str, arguments: Sequence[str] = ()) -> Result:
    from resource_airbyte.settings import shipped

    if name in ("unit", "integration", "faults", "stack") and not shipped(f"test/{name}").is_dir():
        return Result(messages=(f"no {name} tests here: they are in a clone of the sources",), code=ALREADY)
    began = time.monotonic()
    script = shipped("test/run-tests.sh" if name == "all" else f"test/phases/test-{name}.sh")
    code = _run(session, script, ["all"] if name == "all" else arguments)
    took, budget = time.monotonic() - began, BUDGETS[name]
    outcome = {0: "passed", ALREADY: "skipped", INTERRUPTED: "interrupted"}.get(code, "failed")
    over = "" if took <= budget else ": OVER BUDGET"
    return Result(messages=(f"test {name}: {outcome} in {took:.1f} s (budget {budget} s{over})",), code=code)


def _run(session: Session, script: Path, arguments: Sequence[str]) -> int:
    """Run a script with our own streams; its code, or 1 for one that a signal ended."""
    from resource_airbyte import process

    if not script.is_file():
        raise ResourceError(f"{script} is missing", hint="install resource-airbyte again")
    sys.stdout.flush()
    environment = process.own_environment({"AIRBYTE_PYTHON": sys.executable, **session.settings.environment()})
    child = process.start(["bash", str(script), *arguments], env=environment, stdout=None, stderr=None)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        child.end()
        return INTERRUPTED
    return code if code >= 0 else 1
