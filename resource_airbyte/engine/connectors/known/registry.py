"""The registry of public connectors: what it said last, and asking it again.

    <root>/facts.json     the facts of the last document that was read, and what to ask with "has it changed since?"
    <root>/checked.json   when it was asked last, and what went wrong then

A registry that cannot be reached changes nothing: the facts from before go on to count.
"""

from __future__ import annotations

import os
import re
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

import msgspec

from ....errors import InvalidDocument, NotFound, RegistryUnreachable
from ....settings import Settings
from . import facts
from .catalog import Catalog
from .facts import Fact, Facts
from .versions import Version

if TYPE_CHECKING:
    import httpx

REGISTRY = "registries/v0/oss_registry.json"
FORM = 1  # of what is kept; a program that reads more from a document than this one has a higher number
LARGEST = 64 << 20  # bytes; the whole registry has 5 MB
CONNECT_TIMEOUT, READ_TIMEOUT, DEADLINE = 5.0, 15.0, 120.0  # seconds
# Where systems keep the certificates that they trust; httpx and uv bring their own, which know nothing of a company's
# proxy.
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
StructT = TypeVar("StructT", bound=msgspec.Struct)


class Kept(msgspec.Struct):
    """`facts.json`. Facts of another registry do not count, nor those in another form than this program writes."""

    form: int
    url: str
    as_of: str
    connectors: list[Fact]
    etag: str | None = None
    modified: str | None = None


class Checked(msgspec.Struct):
    """`checked.json`. `at` is an epoch in seconds; `error` what kept us from an answer then."""

    url: str
    at: float
    error: str | None = None


@dataclass(frozen=True)
class Refreshed:
    """How asking went: the names of connectors that are new, and (name, before, after) of those with a newer version.

    `left_out` counts entries that could not be read.
    """

    as_of: str
    new: tuple[str, ...] = ()
    newer: tuple[tuple[str, str, str], ...] = ()
    left_out: int = 0


@dataclass(frozen=True)
class Answer:
    """What the registry answered. `body` None: nothing has changed."""

    body: bytes | None
    etag: str | None = None
    modified: str | None = None


class Registry:
    """One registry, by its base address. What was read from it lies below `root`, which other processes may share."""

    def __init__(self, url: str, root: Path, *, offline: bool = False, hours: float = 24.0) -> None:
        """`hours`: how often it is asked without being told to; 0 never."""
        self._root, self.offline, self._hours = root, offline, hours
        # Apart, because an address is logged, by libraries too. `url` may be shown.
        self.url, self._login = _without_login(url.rstrip("/"))
        self._known: tuple[tuple[int, ...], Catalog, str] | None = None

    @classmethod
    def of(cls, settings: Settings) -> Registry:
        root = settings.cache_dir / "registry"
        return cls(settings.registry_url, root, offline=settings.offline, hours=settings.registry_refresh_hours)

    def catalog(self) -> Catalog:
        """The public connectors as far as they are known now; read anew when another process has asked since."""
        return self._current()[1]

    def as_of(self) -> str:
        """The date of what is known."""
        return self._current()[2]

    def checked(self) -> Checked | None:
        """How it went when the registry was asked last; None if it never was."""
        found = _read(self._root / "checked.json", Checked)
        return found if found is not None and found.url == self.url else None

    def due_in(self) -> float | None:
        """Seconds until it should be asked again, without anybody telling us to; None: never."""
        if self.offline or self._hours <= 0:
            return None
        checked = self.checked()
        age = float("inf") if checked is None else time.time() - checked.at
        # A clock that was set back must not keep us from asking for years.
        return 0.0 if age < 0 else max(self._hours * 3600 - age, 0.0)

    def refresh(self) -> Refreshed:
        """Ask what is new and keep it. Raises RegistryUnreachable, after which all is as before."""
        kept = self._kept()
        try:
            answer = self._ask(REGISTRY, kept)
            if answer.body is None:
                self._check(None)
                return Refreshed(self.as_of())
            day = _date(answer.modified) or time.strftime("%Y-%m-%d", time.gmtime())
            found, left_out = facts.from_registry(answer.body, day)
        except (RegistryUnreachable, NotFound, InvalidDocument) as error:
            with suppress(RegistryUnreachable):  # that this cannot be kept either matters less than the reason
                self._check(error.message)
            raise self._unreachable(error.message) from None
        before = {each.definition_id: each for each in self.catalog()}
        self._write("facts.json", Kept(FORM, self.url, day, found.connectors, answer.etag, answer.modified))
        self._check(None)
        after = self.catalog()
        new = sorted(each.short for each in after if each.definition_id not in before)
        pairs = [(before[each.definition_id], each) for each in after if each.definition_id in before]
        newer = sorted((b.short, b.version, a.version) for b, a in pairs if Version(a.version) > Version(b.version))
        return Refreshed(day, tuple(new), tuple(newer), left_out)

    def fetch(self, path: str) -> bytes:
        """A file of the registry, by its path below the base address ("metadata/airbyte/source-x/1.2.3/manifest.yaml").

        Raises NotFound if there is none, RegistryUnreachable for everything else. Nothing is kept.
        """
        return self._ask(path, None).body or b""

    def _current(self) -> tuple[tuple[int, ...], Catalog, str]:
        mark = self._mark()
        if self._known is None or self._known[0] != mark:
            kept, base = self._kept(), facts.shipped()
            if kept is None:
                self._known = (mark, Catalog.load(), base.as_of)
            else:
                together = facts.merged(base, Facts(kept.as_of, kept.connectors))
                self._known = (mark, Catalog.of(together), together.as_of)
        return self._known

    def _mark(self) -> tuple[int, ...]:
        try:
            status = os.stat(self._root / "facts.json")
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _kept(self) -> Kept | None:
        found = _read(self._root / "facts.json", Kept)
        return found if found is not None and (found.form, found.url) == (FORM, self.url) else None

    def _check(self, error: str | None) -> None:
        self._write("checked.json", Checked(self.url, time.time(), error))

    def _write(self, name: str, content: msgspec.Struct) -> None:
        """Beside and renamed: whoever reads meanwhile finds the one or the other, whole."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._root, prefix=f".{name}.", delete=False) as file:
                file.write(msgspec.json.encode(content))
            os.replace(file.name, self._root / name)
        except OSError as error:
            raise RegistryUnreachable(
                f"what the registry says cannot be kept in {self._root}: {error.strerror or error}",
                hint="make room or set AIRBYTE_CACHE_DIR to a directory that you can write to",
            ) from error

    def _ask(self, path: str, kept: Kept | None) -> Answer:
        if self.offline:
            raise RegistryUnreachable("the setting `offline` is on", hint="AIRBYTE_OFFLINE=false lets it be asked")
        if not self.url.startswith(("http://", "https://")):
            raise RegistryUnreachable(f"the setting registry_url is {self.url!r}, which is no address")
        known = {"If-None-Match": kept and kept.etag, "If-Modified-Since": kept and kept.modified}
        headers = {name: value for name, value in known.items() if value}
        where = f"{self.url}/{path}"
        with (
            _translated(where),
            _client(self._login) as client,
            client.stream("GET", where, headers=headers) as response,
        ):
            if response.status_code == 304 and kept is not None:
                return Answer(None)
            if response.status_code in (403, 404, 410):  # object stores say 403 of what is not there
                raise NotFound(f"{where} answered {response.status_code}: there is no such file")
            if response.status_code != 200:
                raise RegistryUnreachable(f"{where} answered {response.status_code}")
            body = _body(response.iter_bytes, where)
            return Answer(body, response.headers.get("etag"), response.headers.get("last-modified"))

    def _unreachable(self, reason: str) -> RegistryUnreachable:
        hint = "set AIRBYTE_REGISTRY_URL to a copy that can be reached" if not self.offline else None
        message = f"facts as of {self.as_of()}; the registry could not be reached: {reason}"
        return RegistryUnreachable(message, hint=hint, details={"url": self.url, "as_of": self.as_of()})


def _without_login(address: str) -> tuple[str, tuple[str, str] | None]:
    """An address without a name and a password, and those. What is mistyped may hold one as well, and is not shown."""
    found = re.match(r"(\w+://)([^/?#]*)@(.*)", address)
    if found is None:
        return re.sub(r"(?<=://)[^/@]*:(?!\d*/)[^@]*@", "", address), None
    name, _, password = found[2].partition(":")
    return found[1] + found[3], (unquote(name), unquote(password))


def _client(login: tuple[str, str] | None) -> httpx.Client:
    import httpx  # late: a daemon that never asks need not have it in memory

    trusted = ssl.create_default_context() if any(map(os.path.exists, CERTIFICATES)) else True
    timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    return httpx.Client(timeout=timeout, follow_redirects=True, verify=trusted, max_redirects=5, auth=login)


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """What the network does wrong, as an error of ours."""
    import httpx

    try:
        yield
    except httpx.TimeoutException:
        raise RegistryUnreachable(f"{where} did not answer in time") from None
    except (ImportError, ValueError) as error:  # a proxy of a kind that httpx, or this installation of it, cannot use
        raise RegistryUnreachable(f"{where} cannot be asked by way of the proxy that is set: {error}") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise RegistryUnreachable(f"{where}: {str(error) or type(error).__name__}") from None


def _body(chunks: Callable[[], Iterator[bytes]], where: str) -> bytes:
    """All of it, unless it is too much or comes too slowly: a limit for each read alone would let it drip for ever."""
    end, parts, size = time.monotonic() + DEADLINE, list[bytes](), 0
    for chunk in chunks():
        size += len(chunk)
        if size > LARGEST:
            raise RegistryUnreachable(f"{where} is larger than {LARGEST >> 20} MB")
        if time.monotonic() > end:
            raise RegistryUnreachable(f"{where} did not come within {DEADLINE:g} s")
        parts.append(chunk)
    return b"".join(parts)


def _read(path: Path, kind: type[StructT]) -> StructT | None:
    """A file of ours; one that is not there or damaged is as good as none: it is made anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def _date(modified: str | None) -> str | None:
    """`2026-11-20` of a Last-Modified header."""
    try:
        return parsedate_to_datetime(modified).date().isoformat() if modified else None
    except (TypeError, ValueError):
        return None
