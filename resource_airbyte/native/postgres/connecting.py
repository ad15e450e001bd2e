"""A connection to PostgreSQL, through a tunnel if need be."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.conninfo import make_conninfo

from ...errors import ConnectorError
from .failures import refused_connection
from .security import Security
from .specification import Configuration

if TYPE_CHECKING:
    from .digging import OpenTunnel

Log = Callable[[str, str], None]
SSLCERTMODE = 16_00_00
# Seconds for a server to answer.
PATIENCE = "20"
# What this connector's SQL, and the texts that it sends, take for granted.
SESSION = (
    "TimeZone = 'UTC'",
    "client_encoding = 'UTF8'",
    "DateStyle = 'ISO, YMD'",
    "standard_conforming_strings = on",
    "default_transaction_isolation = 'read committed'",
)
# Its statements may take their time, unless `options` says otherwise; another program's lock may not, for ever. And a
# server from which our machine has vanished is to notice that in minutes, not hours: it holds locks for us until then.
LIMITS = {
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "'600s'",
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}


# Those that older servers do not know, and since which version there are.
SINCE = {"idle_session_timeout": 14_00_00, "transaction_timeout": 17_00_00}
# What is reported as committed must stay (rule 1), also where the database is set up to care more for speed.
DURABLE = (
    "SELECT pg_catalog.set_config(name, 'on', false) FROM pg_catalog.pg_settings "
    "WHERE name = 'synchronous_commit' AND setting = 'off'"
)


class Link:
    """An open connection, with what it goes through."""

    def __init__(self, settings: Configuration, connection: psycopg.Connection, tunnel: OpenTunnel | None) -> None:
        self._settings, self.connection, self._tunnel = settings, connection, tunnel
        self._backend = connection.info.backend_pid

    def working(self) -> bool | None:
        """Whether the server works at a statement of ours, and does not only wait for somebody's lock. None: it is not
        its turn. Another connection is made to ask, from any thread.
        """
        try:
            port = self._tunnel.port if self._tunnel else None
            with _connected(self._settings, port) as other:
                found = other.execute(
                    "SELECT state, wait_event_type FROM pg_catalog.pg_stat_activity WHERE pid = $1", [self._backend]
                ).fetchone()
        except (psycopg.Error, ConnectorError):
            return False  # a server that does not answer is no sign of life
        if found is None:
            return False
        state, waits_for = found
        return None if state != "active" or waits_for == "Client" else waits_for != "Lock"

    def interrupt(self) -> None:
        """Give up what the server is doing for us: whoever waits for it, in whatever thread, gets an error now."""
        with suppress(psycopg.Error, OSError):  # it may be lost already
            pgconn = self.connection.pgconn
            if pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                with socket.socket(fileno=os.dup(pgconn.socket)) as ours:
                    ours.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of both."""
        with suppress(psycopg.Error):  # it may be lost already
            self.connection.close()
        if self._tunnel is not None:
            self._tunnel.close()


def connect(settings: Configuration, log: Log) -> Link:
    """Connect. ConnectorError says why that cannot be."""
    tunnel = _tunnel(settings, log)
    try:
        connection = _connected(settings, tunnel.port if tunnel else None)
    except BaseException:
        if tunnel:
            tunnel.close()
        raise
    return Link(settings, connection, tunnel)


def _tunnel(settings: Configuration, log: Log) -> OpenTunnel | None:
    if settings.tunnel is None:
        return None
    from .digging import OpenTunnel  # few need it, and it takes its time to load

    return OpenTunnel(settings.tunnel, settings.host, settings.port, log)


def _connected(settings: Configuration, tunnelled: int | None) -> psycopg.Connection:
    with _certificates(settings.security) as files:
        try:
            connection = psycopg.connect(
                make_conninfo(**_keywords(settings, tunnelled), **files),
                autocommit=True,
                cursor_factory=psycopg.RawCursor,
            )
        except psycopg.Error as error:
            raise refused_connection(settings.place, error) from error
    try:
        connection.prepare_threshold = None  # statements here run once
        connection.execute(_session(settings.parameters.connection.get("options", ""), connection.info.server_version))
    except psycopg.Error as error:
        connection.close()
        raise refused_connection(settings.place, error) from error
    return connection


def _session(options: str, version: int) -> LiteralString:
    limits = (
        f"{name} = {value}"
        for name, value in LIMITS.items()
        if name not in options and version >= SINCE.get(name, version)
    )
    return "; ".join([*(f"SET {setting}" for setting in (*SESSION, *limits)), DURABLE])


def _keywords(settings: Configuration, tunnelled: int | None) -> dict[str, Any]:
    """What libpq is told; the user's own files and variables are not asked."""
    # Through a tunnel, the certificate is still that of the host which was configured.
    way = {"hostaddr": "127.0.0.1", "port": tunnelled} if tunnelled else {"port": settings.port}
    return {
        "application_name": "resource-airbyte",
        "connect_timeout": PATIENCE,
        "gssencmode": "disable",
        **settings.parameters.connection,
        "host": settings.host,
        **way,
        "dbname": settings.database,
        "user": settings.username,
        "password": settings.password or "",
        "passfile": f"{os.devnull}/none",
        "sslmode": settings.security.mode,
    }


@contextmanager
def _certificates(security: Security) -> Iterator[dict[str, str]]:
    """Files of the PEM texts, for as long as it takes to connect: libpq takes them in no other way.

    They are in memory where the system has files in memory; so none stays should we be killed.
    """
    texts = {
        "sslrootcert": security.ca_certificate,
        "sslcert": security.client_certificate,
        "sslkey": security.client_key,
    }
    made = _Files()
    try:
        files = {name: made.holding(name, text) for name, text in texts.items() if text}
        if security.client_key_password:
            files["sslpassword"] = security.client_key_password
        if "sslcert" not in files and psycopg.pq.version() >= SSLCERTMODE:
            files["sslcertmode"] = "disable"  # nor the one that may lie in the user's home
        yield files
    finally:
        made.close()


class _Files:
    """Files that only we can read, and that go with us."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._directory: Path | None = None

    def holding(self, name: str, text: str) -> str:
        """The path of a file with this text."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create(name)
            self._descriptors.append(descriptor)
            os.fchmod(descriptor, 0o600)  # libpq refuses a key that others could read
            os.write(descriptor, text.encode())
            return f"/proc/self/fd/{descriptor}"
        self._directory = self._directory or Path(tempfile.mkdtemp())
        path = self._directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        if self._directory is not None:
            shutil.rmtree(self._directory)
