"""Every setting's value, and where it came from: flag > environment > project file > user file > default.

`config/schema.json` is the one truth of their names, types, defaults, environment variables and meanings; this module
only reads it. Neither a YAML nor a JSON Schema library is imported unless a file asks for it: every command loads this.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from resource_airbyte.errors import UsageError

PROJECT_FILE = "resource-airbyte.yaml"
USER_FILE = "resource-airbyte/config.yaml"
# Where the XDG base directories are when their variable is unset (the specification's own defaults).
XDG = {"XDG_DATA_HOME": ".local/share", "XDG_CACHE_HOME": ".cache", "XDG_CONFIG_HOME": ".config"}
BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
}


_SIZE = re.compile(r"(?P<count>\d+(\.\d+)?)\s*(?P<unit>[kmgt])?(?P<binary>i)?b?", re.IGNORECASE)


class Setting(NamedTuple):
    """One setting as a person may see it: a password inside a URL is masked."""

    name: str
    value: Any
    origin: str
    sentence: str


class Settings:
    """The values, as attributes. Durations are seconds, sizes bytes; paths are absolute."""

    runtime: str
    data_dir: Path
    cache_dir: Path
    webapp_port: int
    server_port: int
    temporal_port: int
    listen: str
    server_url: str
    worker_port: int
    hosts: tuple[str, ...]
    temporal_address: str
    temporal_namespace: str
    secrets_dir: str
    database_url: str
    airbyte_url: str
    log_level: str
    log_max_bytes: int
    log_files: int
    max_concurrent_jobs: int
    max_jobs_in_all: int
    max_jobs_per_workspace: int
    jobs_per_connector: tuple[str, ...]
    max_concurrent_probes: int
    schedule_missed: str
    schedule_jitter: float
    state_history_count: int
    state_history_days: float
    spec_timeout: float
    check_timeout: float
    discover_timeout: float
    preview_timeout: float
    install_timeout: float
    source_silence_timeout: float
    destination_silence_timeout: float
    checkpoint_interval: float
    retry_backoff: tuple[float, ...]
    retry_max_successive_failures: int
    retry_max_failures: int
    retry_max_partial_failures: int
    attempt_memory_limit: int
    min_free_disk: int
    keep_jobs: int
    keep_jobs_days: int
    keep_jobs_most: int
    job_logs_max_bytes: int
    start_timeout: float
    stop_timeout: float
    connector_python: str
    connector_libraries: str
    connector_overrides: Path
    offline: bool
    registry_url: str
    registry_refresh_hours: float
    schema_refresh_hours: float
    allow_custom_code: bool
    warm_idle: float

    def __init__(self, values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
        self.__dict__.update(values)
        self._origins = dict(origins)

    @classmethod
    def load(
        cls,
        flags: Mapping[str, Any] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Settings:
        """Read every layer; a flag that is None was not given. UsageError for an unknown name or an unfit value."""
        environ = os.environ if environ is None else environ
        cwd = Path.cwd() if cwd is None else cwd
        values, origins = {}, {}
        for layer in (
            _defaults(environ),
            *_files(environ, cwd),
            _environment(environ, cwd),
            _flags(flags or {}, cwd, environ),
        ):
            for name, (value, origin) in layer.items():
                values[name], origins[name] = value, origin
        return cls(values, origins)

    def origin(self, name: str) -> str:
        """Where this setting's value came from: "default", "environment AIRBYTE_…", "project file …", "flag --…"."""
        return self._origins[name]

    def __iter__(self) -> Iterator[Setting]:
        for name, entry in properties().items():
            value = getattr(self, name)
            if entry.get("writeOnly"):
                value = _without_password(value)
            yield Setting(name, value, self._origins[name], entry["description"])

    def environment(self) -> dict[str, str]:
        """What is not a default, as environment variables: how a child process of ours gets the same settings."""
        changed = [name for name in properties() if self._origins[name] != "default"]
        return {properties()[name]["env"]: _as_text(getattr(self, name)) for name in changed}


def shipped(relative: str) -> Path:
    """A file that travels with the program (under config/, docker/ or test/), in a clone or in an installed wheel."""
    package = Path(__file__).resolve().parent
    inside = package / "shipped"
    return (inside if inside.is_dir() else package.parent) / relative


@cache
def properties() -> dict[str, dict[str, Any]]:
    """The settings by name, as `config/schema.json` describes them."""
    document = json.loads(shipped("config/schema.json").read_text("utf-8"))
    found: dict[str, dict[str, Any]] = document["properties"]
    return found


def mistyped(environ: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Variables that look like one of ours and are none, each with the one that was probably meant."""
    import difflib

    known = {entry["env"] for entry in properties().values()}
    given = os.environ if environ is None else environ
    strange = [name for name in given if name.startswith("AIRBYTE_") and name not in known]
    found = [(name, difflib.get_close_matches(name, known, 1, 0.88)) for name in sorted(strange)]
    return [(name, near[0]) for name, near in found if near]


def xdg(name: str, environ: Mapping[str, str]) -> Path:
    """One of the XDG base directories; a relative value is void, as the specification says."""
    value = Path(environ.get(name, ""))
    return value if value.is_absolute() else _home(environ) / XDG[name]


Layer = dict[str, tuple[Any, str]]


def _defaults(environ: Mapping[str, str]) -> Layer:
    return {name: (_default(entry, environ), "default") for name, entry in properties().items()}


def _default(entry: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    value = entry["default"]
    if entry.get("format") == "path":
        variable, _, rest = value.removeprefix("$").partition("/")
        return xdg(variable, environ) / rest
    return tuple(value) if isinstance(value, list) else value


def _files(environ: Mapping[str, str], cwd: Path) -> Iterator[Layer]:
    for kind, path in (
        ("user file", xdg("XDG_CONFIG_HOME", environ) / USER_FILE),
        ("project file", cwd / PROJECT_FILE),
    ):
        if _is_there(path):
            yield _file(kind, path, environ)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a home that is somebody else's, as after a careless sudo
        sentence = f"Cannot look for settings in {path}: {error.strerror}."
        raise UsageError(sentence, hint="Set HOME or XDG_CONFIG_HOME to a directory that you may read.") from None


def _file(kind: str, path: Path, environ: Mapping[str, str]) -> Layer:
    layer: Layer = {}
    for name, (value, line) in _read_yaml(path).items():
        where = f"{kind} {path}, line {line}"
        _known(name, where)
        layer[name] = (_fit(name, value, where, path.parent, environ), f"{kind} {path}")
    return layer


def _read_yaml(path: Path) -> dict[str, tuple[Any, int]]:
    """The top-level keys of a YAML file, each with its value and the line it stands on."""
    import yaml

    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"Cannot read the settings in {path}: {error}", hint=f"Correct or remove {path}.") from None
    if node is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"{path} must hold settings as `name: value` lines.", hint=f"Correct or remove {path}.")
    lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    return {str(name): (value, lines.get(str(name), 1)) for name, value in values.items()}


def _environment(environ: Mapping[str, str], cwd: Path) -> Layer:
    layer: Layer = {}
    for name, entry in properties().items():
        variable = entry["env"]
        if environ.get(variable, "") != "":  # an empty variable is how a shell says "not set"
            where = f"environment {variable}"
            layer[name] = (_fit(name, _parse(name, environ[variable], where), where, cwd, environ), where)
    return layer


def _flags(flags: Mapping[str, Any], cwd: Path, environ: Mapping[str, str]) -> Layer:
    layer: Layer = {}
    for name, value in flags.items():
        if value is None:
            continue
        where = f"flag --{name.replace('_', '-')}"
        _known(name, where)
        if isinstance(value, str):
            value = _parse(name, value, where)
        layer[name] = (_fit(name, value, where, cwd, environ), where)
    return layer


def _known(name: str, where: str) -> None:
    if name in properties():
        return
    import difflib

    near = difflib.get_close_matches(name, properties(), n=1)
    hint = f"Did you mean {near[0]}?" if near else "`resource-airbyte info --verbose` lists every setting."
    raise UsageError(f"There is no setting {name!r} ({where}).", hint=hint)


def _parse(name: str, text: str, where: str) -> Any:
    """A value from text, as the environment and flags give it."""
    entry = properties()[name]
    kind = entry["type"]
    try:
        if kind == "integer":
            return _sized(entry, text) if entry.get("format") == "size" else int(text)
        if kind == "number":
            return float(text)
        if kind == "boolean":
            return BOOLEANS[text.strip().lower()]
        if kind == "array":
            parts = text.strip("[] ").replace(",", " ").split()
            return parts if entry["items"]["type"] == "string" else [float(part) for part in parts]
    except (ValueError, KeyError):
        raise _unfit(name, text, where, f"is not {_kind(entry)}") from None
    return text


def _sized(entry: Mapping[str, Any], value: Any) -> Any:
    """Bytes, where they are written with a unit as in `2 GB` or `512 MiB`; what is no size is left as it is."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return value
    base = 1024 if found["binary"] else 1000
    return int(float(found["count"]) * base ** " kmgt".index((found["unit"] or " ").lower()))


def _fit(name: str, value: Any, where: str, base: Path, environ: Mapping[str, str]) -> Any:
    """The value in its final form, if it fits the schema; relative paths start at `base`."""
    entry = properties()[name]
    if entry.get("format") == "size":
        value = _sized(entry, value)
    problem = _problem(entry, value)
    if problem:
        raise _unfit(name, value, where, problem)
    if entry.get("format") == "path":
        return Path(os.path.normpath(base / _expand(value, environ)))
    return tuple(value) if isinstance(value, list) else value


def _problem(entry: Mapping[str, Any], value: Any) -> str | None:
    """What keeps a value from fitting; the few keywords of JSON Schema that `config/schema.json` uses."""
    kind = entry["type"]
    types: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "array": (list, tuple),
    }
    if not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return f"is not {_kind(entry)}"
    if isinstance(value, list | tuple):
        problems = (_problem(entry["items"], item) for item in value)
        found = next((problem for problem in problems if problem), None)
        return found or ("is empty" if len(value) < entry.get("minItems", 0) else None)
    if isinstance(value, float) and not math.isfinite(value):
        return "is not a number"
    if "enum" in entry and value not in entry["enum"]:
        return f"is not one of {', '.join(entry['enum'])}"
    if "pattern" in entry and not re.search(entry["pattern"], str(value)):
        return f"is not like {entry['examples'][0]}"
    return _bounds(entry, value)


def _kind(entry: Mapping[str, Any]) -> str:
    """The type, for a message: "a whole number", "a list of texts"."""
    kind: str = KINDS[entry["type"]]
    return f"{kind} of {entry['items']['type'].replace('string', 'text')}s" if entry["type"] == "array" else kind


def _bounds(entry: Mapping[str, Any], value: Any) -> str | None:
    if "minLength" in entry and len(value) < entry["minLength"]:
        return "is empty"
    if "minimum" in entry and value < entry["minimum"]:
        return f"is less than {entry['minimum']}"
    if "exclusiveMinimum" in entry and value <= entry["exclusiveMinimum"]:
        return f"is not more than {entry['exclusiveMinimum']}"
    if "maximum" in entry and value > entry["maximum"]:
        return f"is more than {entry['maximum']}"
    return None


def _unfit(name: str, value: Any, where: str, problem: str) -> UsageError:
    entry = properties()[name]
    shown = _without_password(str(value)) if entry.get("writeOnly") else repr(value)
    return UsageError(f"{name}: {shown} {problem} ({where}).", hint=f"{name}: {entry['description']}")


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or os.path.expanduser("~"))


def _expand(value: str, environ: Mapping[str, str]) -> Path:
    if value == "~" or value.startswith("~/"):
        return _home(environ) / value[2:]
    return Path(os.path.expanduser(value))


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(part if isinstance(part, str) else f"{part:g}" for part in value)
    return str(value)


def _without_password(url: str) -> str:
    # Beyond a first @ as well: it may be one of the password.
    masked = re.sub(r"(?<=://)([^:/@]*):[^@]*@([^/?#@]*@)*", r"\1:**********@", url)
    return re.sub(r"(?i)([?&]password=)[^&]*", r"\1**********", masked)
