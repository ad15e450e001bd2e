"""An SSH tunnel, open as long as the connection through it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from ...errors import ConnectorError
from ..sql.failure import failed, refused
from .tunnels import Tunnel

Log = Callable[[str, str], None]
Result = TypeVar("Result")
KNOWN_HOSTS = Path(".ssh") / "known_hosts"
# Seconds in which the machine must have let us in, and after which a silent one is given up.
LOGIN, ALIVE, SILENT = 30.0, 15.0, 4


class OpenTunnel:
    """A port of this machine that leads to the database. Its loop runs in a thread of its own."""

    def __init__(self, tunnel: Tunnel, host: str, port: int, log: Log) -> None:
        self._tunnel, self._log = tunnel, log
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tunnel", daemon=True)
        self._connection: asyncssh.SSHClientConnection | None = None
        self._thread.start()
        try:
            self.port = self._wait(self._dig(host, port))
        except BaseException:
            self.close()
            raise

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _dig(self, host: str, port: int) -> int:
        try:
            self._connection = await self._connect()
        except (asyncssh.Error, asyncssh.KeyImportError, OSError) as error:
            raise self._explained(error) from error
        try:
            await self._try(self._connection, host, port)
            listener = await self._connection.forward_local_port("127.0.0.1", 0, host, port)
        except (asyncssh.Error, OSError) as error:
            message = f"The SSH server {self._tunnel} cannot reach {host}:{port}: {_words(error)}"
            raise failed(message, "transient_error", "Check host and port, as they are to be reached from there") from (
                error
            )
        return listener.get_port()

    async def _try(self, connection: asyncssh.SSHClientConnection, host: str, port: int) -> None:
        """Go through once: a port that leads nowhere would only say that it was closed."""
        _, writer = await connection.open_connection(host, port)
        writer.close()
        await writer.wait_closed()

    async def _connect(self) -> asyncssh.SSHClientConnection:
        tunnel, known = self._tunnel, self._known_hosts()
        keys = [asyncssh.import_private_key(tunnel.key)] if tunnel.key else None
        connection = await asyncssh.connect(
            tunnel.host,
            tunnel.port,
            username=tunnel.user,
            client_keys=keys,
            password=tunnel.password,
            known_hosts=known,
            agent_path=None,
            config=None,
            preferred_auth=["publickey"] if keys else ["password", "keyboard-interactive"],
            login_timeout=LOGIN,
            connect_timeout=LOGIN,
            keepalive_interval=ALIVE,
            keepalive_count_max=SILENT,
        )
        key = connection.get_server_host_key()
        if known is None and key is not None:
            self._log(
                "WARN",
                f"The SSH server {tunnel.host}:{tunnel.port} is not in ~/{KNOWN_HOSTS}, so whatever key it shows is "
                f"accepted; this time: {key.get_algorithm()} {key.get_fingerprint()}",
            )
        return connection

    def _known_hosts(self) -> str | None:
        """The file of known hosts if it knows this one: then its key must be the known one."""
        path = Path.home() / KNOWN_HOSTS
        if not path.is_file():
            return None
        try:
            addresses = {str(found[4][0]) for found in socket.getaddrinfo(self._tunnel.host, self._tunnel.port)}
            known = asyncssh.read_known_hosts(str(path))
        except (OSError, ValueError):
            return None  # what is wrong with the name of the host is said when we connect
        port = None if self._tunnel.port == 22 else self._tunnel.port
        return str(path) if any(any(known.match(self._tunnel.host, one, port)) for one in addresses) else None

    def _explained(self, error: Exception) -> ConnectorError:
        where = f"the SSH server {self._tunnel}"
        if isinstance(error, asyncssh.KeyImportError):
            return refused("ssh_key of tunnel_method is no private key", hint="Give it as PEM text, without a password")
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return refused(
                f"The key of {where} is not the one in ~/{KNOWN_HOSTS}",
                hint=f"If it was changed on purpose: ssh-keygen -R {self._tunnel.host}",
            )
        if isinstance(error, asyncssh.PermissionDenied):
            what = "tunnel_user or ssh_key" if self._tunnel.key else "tunnel_user or tunnel_user_password"
            return refused(f"Login refused by {where}", hint=f"Check {what} of tunnel_method")
        if isinstance(error, socket.gaierror):
            return refused(f"The host of {where} is not known", hint="Check tunnel_host")
        return failed(f"{where[0].upper()}{where[1:]} cannot be reached: {_words(error)}", "transient_error")

    def close(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            self._wait(self._hang_up(self._connection))
            self._connection = None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _hang_up(self, connection: asyncssh.SSHClientConnection) -> None:
        connection.abort()
        await connection.wait_closed()


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, asyncssh.Error):
        return error.reason
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
