"""Real manifests through our own launcher: how many answer spec, and discover with an invented configuration.

python bench/manifests.py [--components DIRECTORY] [--only NAME …] [--workers N]

The manifests are those of ../shared/airbyte/manifests.tgz; without them there is nothing to do. Some need Python code
of their own, which is not in there: a directory with <connector>/components.py (and metadata.yaml) brings it; without,
they are only asked for their specification. Every connector reaches for a proxy that is not there instead of for its
own service. Prints each failure with its cause; exit code 1 below 99 % (spec) or 93 % (discover).
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.invention import Inventor
from resource_airbyte import process
from resource_airbyte.engine.connectors import probe
from resource_airbyte.engine.connectors.known.catalog import Connector
from resource_airbyte.engine.connectors.launch import Launch, Launchers
from resource_airbyte.errors import ResourceError
from resource_airbyte.settings import Settings

SHARED = Path(__file__).resolve().parents[2] / "shared" / "airbyte"
LEAST_SPEC, LEAST_DISCOVER = 0.99, 0.93
TIMEOUT = 60.0
NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
OWN_CODE = re.compile(r"class_name:\s*(>-\s+)?['\"]?source_declarative_manifest")


@dataclass
class Tried:
    """How one manifest fared. `why` is by question; `left_out` says why it was not asked to discover."""

    name: str
    why: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    left_out: str = ""
    streams: int = 0
    incremental: int = 0
    code: bool = False
    full: bool = False


def unpacked(archive: Path, components: Path | None, directory: Path) -> list[Path]:
    """The manifests, each with what it needs beside it."""
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")
    manifests = sorted(directory.rglob("manifest.yaml"))
    for path in manifests:
        for name in ("components.py", "metadata.yaml"):
            if components is not None and (components / path.parent.name / name).is_file():
                shutil.copy(components / path.parent.name / name, path.parent)
    return manifests


def attempt(path: Path, launchers: Launchers) -> Tried:
    tried = Tried(path.parent.name)
    tried.code = OWN_CODE.search(path.read_text("utf-8")) is not None
    connector = Connector("0" * 36, "source", tried.name, "file", tried.name, "local", "manifest", manifest=path)
    asked = time.monotonic()
    try:
        launch = launchers.prepare(connector, "local")
    except ResourceError as error:
        tried.why["spec"] = tried.why["discover"] = f"{error.message} [{error.hint}]"
        return tried
    launch = replace(launch, env={**launch.env, **NOWHERE})
    tried.seconds["prepare"] = time.monotonic() - asked
    try:
        asked = time.monotonic()
        specification = probe.spec(launch, TIMEOUT).payload["connectionSpecification"]
        tried.seconds["spec"] = time.monotonic() - asked
    except ResourceError as error:
        tried.why["spec"] = tried.why["discover"] = _short(error)
        return tried
    if tried.code and not path.with_name("components.py").exists():
        tried.left_out = "its Python code is not here"
    else:
        _discover(tried, launch, specification)
    return tried


def _discover(tried: Tried, launch: Launch, specification: dict[str, Any]) -> None:
    """With as little as it asks for; if that is not enough for it, with all that it knows."""
    for everything, branch in ((False, 0), (True, 0), (True, 1)):
        try:
            configuration = Inventor(everything=everything, branch=branch).invent(specification)
            asked = time.monotonic()
            answer = probe.discover(launch, configuration, TIMEOUT, spec=specification)
        except (ResourceError, ValueError) as error:
            tried.why["discover"] = _short(error)
            continue
        tried.seconds["discover"] = time.monotonic() - asked
        tried.why.pop("discover", None)
        streams = answer.payload["streams"]
        tried.streams, tried.full = len(streams), everything
        tried.incremental = sum("incremental" in stream.get("supported_sync_modes", []) for stream in streams)
        return


def _short(error: Exception) -> str:
    text = error.message if isinstance(error, ResourceError) else str(error)
    return " ".join(text.split())[:400]


def report(found: list[Tried], parents: list[int], elapsed: float) -> int:
    """Print what was found; the exit code."""
    asked = [each for each in found if not each.left_out]
    spec = [each for each in found if "spec" not in each.why]
    discovered = [each for each in asked if "discover" not in each.why]
    for each in found:
        for question, why in each.why.items():
            print(f"FAILED {question:8} {each.name}{' (own code)' if each.code else ''}: {why}")
    for question in ("spec", "discover"):
        seconds = sorted(each.seconds[question] for each in found if question in each.seconds)
        slowest = max(found, key=lambda each: each.seconds.get(question, 0.0)).name
        print(
            f"{question:8} {statistics.median(seconds):.2f} s median, {statistics.mean(seconds):.2f} s mean, "
            f"{seconds[-1]:.2f} s at most ({slowest})"
        )
    memory = [f"{(process.memory(pid) or 0) / 1e6:.0f} MB" for pid in parents]
    print(f"warm     {len(parents)} parents: {', '.join(memory)}")
    streams = sum(each.streams for each in found), sum(each.incremental for each in found)
    full = sum(each.full for each in found)
    print(f"streams  {streams[0]}, of them {streams[1]} incremental; {full} needed optional values, too")
    shares = len(spec) / len(found), len(discovered) / len(asked)
    print(f"spec     {len(spec)} of {len(found)}: {shares[0]:.1%} (at least {LEAST_SPEC:.0%})")
    print(f"discover {len(discovered)} of {len(asked)}: {shares[1]:.1%} (at least {LEAST_DISCOVER:.0%})")
    left = [each.name for each in found if each.left_out]
    if left:
        print(f"left out {len(left)}: no Python code of theirs here ({', '.join(left[:5])}, …)")
    print(f"took     {elapsed:.0f} s")
    return 0 if shares[0] >= LEAST_SPEC and shares[1] >= LEAST_DISCOVER else 1


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--components", type=Path, default=SHARED / "components")
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    archive = SHARED / "manifests.tgz"
    if not archive.is_file():
        print(f"skipped: there are no manifests at {archive}")
        return 0
    launchers = Launchers.of(Settings.load({"allow_custom_code": True}))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="manifests-") as directory, ThreadPoolExecutor(chosen.workers) as pool:
        components = chosen.components if chosen.components.is_dir() else None
        manifests = [
            path
            for path in unpacked(archive, components, Path(directory))
            if not chosen.only or path.parent.name in chosen.only
        ]
        found = list(_progress(pool.map(lambda path: attempt(path, launchers), manifests), len(manifests)))
        code = report(found, launchers.warm.pids(), time.monotonic() - began)
    launchers.close()
    return code


def _progress(found: Iterator[Tried], total: int) -> Iterator[Tried]:
    for number, each in enumerate(found, 1):
        if sys.stderr.isatty() or number % 100 == 0:
            print(f"{number} of {total}", end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr)
        yield each


if __name__ == "__main__":
    sys.exit(main())
