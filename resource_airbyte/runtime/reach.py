"""Whether the network gives what connectors need: the registry of connectors, and an index of Python packages.

The index is asked as the installation of a connector would ask it, by uv, so that mirrors, proxies and certificates
count. The registry's answer also says what time it is elsewhere.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from resource_airbyte import process
from resource_airbyte.runtime.checks import Check, ok, warn
from resource_airbyte.settings import Settings

# One that is small, pure Python and as old as connectors are.
PACKAGE = "airbyte-source-faker"
PATIENCE = 10.0
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# Seconds by which a clock may be wrong: signatures and tokens of services forgive some minutes.
SKEW = 120.0
PASSWORD = re.compile(r"//[^/@\s]*@")
NETWORK = "look at the network and at HTTPS_PROXY; without one, set AIRBYTE_OFFLINE=true"


def registry(settings: Settings) -> Iterator[Check]:
    """Whether the registry answers at all, and what its clock says."""
    import httpx

    where = urlsplit(settings.registry_url)
    if where.scheme not in ("http", "https"):
        yield ok("connector registry", f"{PASSWORD.sub('//', settings.registry_url)}: not on the network")
        return
    trusted = ssl.create_default_context() if any(map(os.path.exists, CERTIFICATES)) else True
    try:
        answer = httpx.head(settings.registry_url, timeout=PATIENCE, verify=trusted, follow_redirects=True)
    except (httpx.HTTPError, ImportError, ValueError) as error:
        text = f"{where.hostname} does not answer: {PASSWORD.sub('//', str(error)) or type(error).__name__}"
        yield warn("connector registry", f"{text}; what is known of connectors stays as it is", NETWORK)
        return
    yield ok("connector registry", f"{where.hostname} answers")
    yield from clock(answer.headers.get("Date"), time.time())


def clock(date: str | None, now: float) -> Iterator[Check]:
    """Whether this machine's clock agrees with the time that a server has sent (the header Date)."""
    try:
        elsewhere = parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError):
        return  # it did not say
    wrong = now - elsewhere
    if abs(wrong) > SKEW:
        way = "ahead" if wrong > 0 else "behind"
        text = f"this machine's clock is {abs(wrong):.0f} s {way}: schedules are wrong, sources refuse logins"
        yield Check("clock", "warn", text, "sudo timedatectl set-ntp true")
    else:
        yield ok("clock", "right")


def index(settings: Settings) -> Iterator[Check]:
    """Whether a connector's package could be found now. Nothing is installed."""
    import uv

    words = [uv.find_uv_bin(), "pip", "compile", "--no-deps", "--no-cache", "--no-header", "--quiet", "-"]
    wanted = [*words, "--python", settings.connector_python or sys.executable]
    names = [name for name in os.environ if name.startswith("UV_")]
    extra = {"UV_PYTHON_DOWNLOADS": "never"}
    if any(map(os.path.exists, CERTIFICATES)):
        extra["UV_SYSTEM_CERTS"] = os.environ.get("UV_SYSTEM_CERTS", "true")
    try:
        done = process.run(
            wanted, timeout=PATIENCE, env=process.environment(extra, also=names), input=PACKAGE.encode(), cwd="/"
        )
    except process.DeadlineExceeded:
        yield warn("package index", f"no answer within {PATIENCE:g} s; connectors cannot be installed now", NETWORK)
        return
    if done.code == 0:
        yield ok("package index", "it answers, connectors can be installed")
    else:
        said = PASSWORD.sub("//", done.stderr.decode("utf-8", "replace")).strip().splitlines()
        why = " ".join(" ".join(said[:3]).split())[:300]
        yield warn("package index", f"connectors cannot be installed now: {why}", NETWORK)
