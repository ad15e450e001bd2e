"""Do the Python sources that are published still start? Each is installed into an empty cache and asked for its spec.

    $(./cli.sh --dev-python) bench/pypi.py [--few] [--root DIRECTORY] [NAME …]

Each in the version written here, the way the program itself does it. uv's own cache of downloads is used, so the times
of a first run are those of the network. Of those named in `CONNECTORS` at least 24 must answer, or the exit code is 1;
`--few` takes the handful that stands for the kinds there are.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from resource_airbyte import process
from resource_airbyte.engine.connectors import probe
from resource_airbyte.engine.connectors.environments import disk
from resource_airbyte.engine.connectors.environments.package import Package
from resource_airbyte.engine.connectors.environments.venv import Environments
from resource_airbyte.engine.connectors.launch import Launch
from resource_airbyte.errors import ResourceError

ENOUGH = 24  # of them; what is published may break any day, without anybody here having done anything
CONNECTORS = {
    "faker": "7.2.1",
    "hardcoded-records": "0.0.48",
    "smoke-test": "0.1.2",
    "github": "2.7.1",
    "salesforce": "2.10.3",
    "shopify": "4.3.0",
    "facebook-marketing": "6.1.9",
    "google-ads": "6.1.7",
    "google-drive": "0.6.1",
    "s3": "4.16.1",
    "file": "0.6.0",
    "gcs": "0.10.39",
    "mixpanel": "4.0.2",
    "asana": "1.7.2",
    "okta": "0.3.26",
    "recharge": "3.0.12",
    "iterable": "1.0.1",
    "surveymonkey": "0.3.48",
    "commcare": "0.1.39",
    "webflow": "0.1.46",
    "azure-table": "0.1.57",
    "rss": "1.0.31",
    "pokeapi": "0.2.15",
    "stripe": "5.14.1",
    "hubspot": "5.7.0",
    "jira": "4.0.0",
    "slack": "3.0.0",
    "google-sheets": "0.11.0",
    "notion": "3.2.0",
    "airtable": "4.5.1",
    "declarative-manifest": "6.5.2",
    "destination-pgvector": "0.1.13",
}
# A new one, a frozen one, a wrong pin, and two on old libraries. None that needs a Python which may not be there.
FEW = ("hardcoded-records", "airtable", "s3", "iterable", "commcare")


@dataclass(frozen=True)
class Outcome:
    """One line of the table; `said` is what the user would be told while waiting."""

    name: str
    version: str
    install: float
    megabytes: float
    spec: float
    error: str
    said: list[str]

    def line(self) -> str:
        result = self.error or "ok"
        return f"{self.name:22} {self.version:8} {self.install:8.1f} {self.megabytes:6.0f} {self.spec:6.1f}  {result}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these, as NAME or NAME==VERSION")
    parser.add_argument("--few", action="store_true", help="only the handful that stands for the kinds there are")
    parser.add_argument("--root", type=Path, help="install here and keep it; otherwise it is removed afterwards")
    parser.add_argument("--python", default="", help="the interpreter, as AIRBYTE_CONNECTOR_PYTHON takes it")
    parser.add_argument("--newest", action="store_true", help="with the libraries of today")
    given = parser.parse_args(arguments)
    names = given.names or (FEW if given.few else tuple(CONNECTORS))
    root = given.root or Path(tempfile.mkdtemp(prefix="resource-airbyte-pypi-"))
    environments = Environments(root, python=given.python, libraries="newest" if given.newest else "published")
    print(f"{'source':22} {'version':8} {'install':>8} {'MB':>6} {'spec s':>6}  result", flush=True)
    started, outcomes = time.monotonic(), []
    try:
        for name in names:
            outcomes.append(outcome(environments, *_pinned(name)))
            print(outcomes[-1].line(), flush=True)
    finally:
        if given.root is None:
            shutil.rmtree(root, ignore_errors=True)
    good = [one for one in outcomes if not one.error]
    print(f"{len(good)} of {len(outcomes)} answer, in {time.monotonic() - started:.0f} s")
    enough = ENOUGH if names == tuple(CONNECTORS) else len(outcomes)
    return 0 if len(good) >= enough else 1


def _pinned(name: str) -> tuple[str, str]:
    bare, _, version = name.partition("==")
    return bare, version or CONNECTORS[bare]


def outcome(environments: Environments, name: str, version: str) -> Outcome:
    """Install one and ask it."""
    short = name if name.startswith("destination-") else f"source-{name}"
    package = Package(f"airbyte-{short}", version, short, folder=short)
    said: list[str] = []
    started = time.monotonic()
    installed, error = 0.0, ""
    try:
        argv = environments.prepare_package(package, said.append)
        installed = time.monotonic() - started
        launch = Launch(argv, process.environment({"PYTHONUTF8": "1"}), name=short, version=version)
        payload = probe.spec(launch, 120.0).payload
        error = "" if "connectionSpecification" in payload else "answered something else"
    except ResourceError as failure:
        error = " ".join(failure.message.split())[:300]
    total = time.monotonic() - started
    size, _ = disk.measure(environments.package_path(package))
    return Outcome(name, version, installed or total, size / 1e6, total - installed if installed else 0.0, error, said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
