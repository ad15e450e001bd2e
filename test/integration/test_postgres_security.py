"""TLS and SSH tunnels of the PostgreSQL destination, against a real server and a real sshd."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import asyncssh
import pytest
from own_postgres import Certificate, certificate, server

from resource_airbyte import process
from resource_airbyte.errors import ConnectorError
from resource_airbyte.native.postgres import access
from resource_airbyte.native.postgres.specification import configuration

PASSWORD = "pässw0rd with spaces"
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


# ── TLS ──


@pytest.fixture(scope="module")
def authority() -> Certificate:
    return certificate("an authority")


@pytest.fixture(scope="module")
def place(authority: Certificate) -> Iterator[dict[str, Any]]:
    """The configuration of a server that speaks TLS, whose certificate is for localhost; rules go by user."""
    own = certificate("localhost", authority, ("localhost",))
    files = {"server.crt": own.pem, "server.key": own.key_pem(), "root.crt": authority.pem}
    rules = [
        "host    all  anyhow     127.0.0.1/32  scram-sha-256",
        "hostssl all  encrypted  127.0.0.1/32  scram-sha-256",
        "hostnossl all clear     127.0.0.1/32  scram-sha-256",
        "hostssl all  certified  127.0.0.1/32  cert",
    ]
    settings = {"ssl": "on", "ssl_ca_file": "root.crt"}
    with server(port(), files, rules, **settings) as running:
        for user in ("anyhow", "encrypted", "clear", "certified"):
            running.sql(f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        yield {
            "host": "localhost",
            "port": running.port,
            "database": "postgres",
            "schema": "public",
            "username": "anyhow",
            "password": PASSWORD,
        }


def encrypted(given: dict[str, Any]) -> bool:
    """Whether the connection is; ConnectorError when there is none."""
    opened = access.connect(configuration(given))
    try:
        ((found,),) = opened.rows("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    finally:
        opened.close()
    return bool(found)


def mode(name: str, **more: str) -> dict[str, Any]:
    return {"ssl_mode": {"mode": name, **more}}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"ssl": True}, True),
        ({"ssl": False}, False),
        (mode("disable"), False),
        (mode("allow"), False),
        (mode("prefer"), True),
        (mode("require"), True),
        ({**mode("allow"), "username": "encrypted"}, True),
        ({**mode("prefer"), "username": "clear"}, False),
        ({"jdbc_url_params": "sslmode=disable&connectTimeout=5&ApplicationName=x"}, False),
    ],
)
def test_a_connection_is_encrypted_as_the_mode_says(
    place: dict[str, Any], more: dict[str, Any], expected: bool
) -> None:
    assert encrypted({**place, **more}) is expected


def test_a_server_that_the_authority_signed_is_believed(place: dict[str, Any], authority: Certificate) -> None:
    before = set(Path(tempfile.gettempdir()).iterdir())
    for name in ("verify-ca", "verify-full"):
        assert encrypted({**place, **mode(name, ca_certificate=authority.pem)})
    assert encrypted({**place, "host": "127.0.0.1", **mode("verify-ca", ca_certificate=authority.pem)})
    assert {path for path in set(Path(tempfile.gettempdir()).iterdir()) - before if "ssl" in path.name} == set()


def refusal(given: dict[str, Any]) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        encrypted(given)
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in str(caught.value.hint)
    return caught.value


@pytest.mark.parametrize("name", ["verify-ca", "verify-full"])
def test_a_server_that_another_authority_signed_is_not(place: dict[str, Any], name: str) -> None:
    error = refusal({**place, **mode(name, ca_certificate=certificate("another").pem)})
    assert "did not sign" in error.message
    assert error.failure_type == "config_error"


def test_a_certificate_for_another_host_is_refused(place: dict[str, Any], authority: Certificate) -> None:
    error = refusal({**place, "host": "127.0.0.1", **mode("verify-full", ca_certificate=authority.pem)})
    assert "localhost" in error.message
    assert "127.0.0.1" in error.message
    assert error.failure_type == "config_error"


@pytest.mark.parametrize("password", [None, "of the key"])
def test_a_client_certificate_is_shown(place: dict[str, Any], authority: Certificate, password: str | None) -> None:
    own = certificate("certified", authority)
    more = {"client_key_password": password} if password else {}
    texts = {"ca_certificate": authority.pem, "client_certificate": own.pem, "client_key": own.key_pem(password)}
    assert encrypted({**place, "username": "certified", **mode("verify-full", **texts, **more)})


def test_a_client_certificate_that_is_missing_is_asked_for(place: dict[str, Any], authority: Certificate) -> None:
    error = refusal({**place, "username": "certified", **mode("verify-full", ca_certificate=authority.pem)})
    assert "client certificate" in error.message
    assert "client_certificate" in str(error.hint)


def test_a_client_certificate_of_an_unknown_authority_is_refused(place: dict[str, Any], authority: Certificate) -> None:
    own = certificate("certified", certificate("another"))
    texts = {"ca_certificate": authority.pem, "client_certificate": own.pem, "client_key": own.key_pem()}
    assert "client certificate" in refusal({**place, "username": "certified", **mode("verify-full", **texts)}).message


def test_a_key_that_cannot_be_read_is_named(place: dict[str, Any], authority: Certificate) -> None:
    own = certificate("certified", authority)
    texts = {"ca_certificate": authority.pem, "client_certificate": own.pem, "client_key": own.key_pem("secret")}
    assert "client_key" in refusal({**place, **mode("verify-full", **texts, client_key_password="wrong")}).message


def test_a_certificate_that_is_none_is_named(place: dict[str, Any]) -> None:
    assert "certificate" in refusal({**place, **mode("verify-ca", ca_certificate="hello")}).message


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"username": "encrypted", **mode("disable")}, "no encryption"),
        ({"username": "clear", **mode("require")}, "SSL encryption"),
        ({"password": "wrong"}, "refused the username or the password"),
        ({"password": ""}, "refused the username or the password"),
        ({"username": "stranger"}, "lets no stranger"),
    ],
)
def test_a_refusal_is_said_in_plain_words(place: dict[str, Any], more: dict[str, Any], words: str) -> None:
    error = refusal({**place, **more})
    assert words in error.message
    assert error.failure_type == "config_error"


# ── SSH ──


class Sshd:
    """A real sshd that lets us in by one key."""

    def __init__(self, place: Path) -> None:
        self.place, self.port = place, port()
        self.key, self.host_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        self.host_key.write_private_key(place / "host_key")
        (place / "host_key").chmod(0o600)
        self.key.write_public_key(place / "authorized_keys")
        (place / "config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {place}/host_key\nPidFile {place}/pid\n"
            f"AuthorizedKeysFile {place}/authorized_keys\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication yes\nKbdInteractiveAuthentication no\nAllowTcpForwarding yes\nLogLevel ERROR\n"
        )

    def method(self, **more: Any) -> dict[str, Any]:
        given = {"tunnel_host": "127.0.0.1", "tunnel_port": self.port, "tunnel_user": getpass.getuser(), **more}
        if "tunnel_user_password" in given:
            return {"tunnel_method": {"tunnel_method": "SSH_PASSWORD_AUTH", **given}}
        key = self.key.export_private_key().decode()
        return {"tunnel_method": {"tunnel_method": "SSH_KEY_AUTH", "ssh_key": key, **given}}


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    if SSHD is None:
        pytest.skip("there is no sshd here")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # which it wants
    with tempfile.TemporaryDirectory(prefix="sshd-") as directory:
        made = Sshd(Path(directory))
        with subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(made.place / "config")], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        ) as running:
            try:
                wait_for(made.port, running)
                yield made
            finally:
                running.terminate()


def wait_for(number: int, running: subprocess.Popen[bytes]) -> None:
    """Until somebody listens: nothing but trying tells."""
    until, pause = process.deadline(30), Event()
    while process.deadline(0) < until:
        with socket.socket() as probe:
            probe.settimeout(0.05)
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                return
        if running.poll() is not None:
            assert running.stderr is not None
            raise AssertionError(running.stderr.read().decode())
        pause.wait(0.02)
    raise AssertionError("sshd does not listen")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives us a home with this in its known_hosts."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(text: str) -> None:
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh" / "known_hosts").write_text(text)

    return write


def known(sshd: Sshd, key: asyncssh.SSHKey) -> str:
    return f"[127.0.0.1]:{sshd.port} {key.export_public_key().decode()}"


def test_a_tunnel_leads_to_the_server_whose_certificate_still_counts(
    place: dict[str, Any], sshd: Sshd, authority: Certificate
) -> None:
    tunnelled = {**place, **sshd.method()}
    assert access.check(tunnelled) == {"status": "SUCCEEDED"}
    assert encrypted({**tunnelled, **mode("verify-full", ca_certificate=authority.pem)})
    error = refusal({**tunnelled, "host": "127.0.0.1", **mode("verify-full", ca_certificate=authority.pem)})
    assert "localhost" in error.message


def test_the_key_of_an_unknown_host_is_accepted_and_told(
    place: dict[str, Any], sshd: Sshd, home: Callable[[str], None]
) -> None:
    said: list[str] = []
    access.connect(configuration({**place, **sshd.method()}), lambda level, text: said.append(text)).close()
    assert len(said) == 1
    assert sshd.host_key.get_fingerprint() in said[0]


def test_the_key_of_a_known_host_must_be_the_known_one(
    place: dict[str, Any], sshd: Sshd, home: Callable[[str], None]
) -> None:
    home(known(sshd, sshd.host_key))
    said: list[str] = []
    access.connect(configuration({**place, **sshd.method()}), lambda level, text: said.append(text)).close()
    assert said == []


def test_another_key_of_a_known_host_is_refused(place: dict[str, Any], sshd: Sshd, home: Callable[[str], None]) -> None:
    home(known(sshd, sshd.key))
    error = refusal({**place, **sshd.method()})
    assert "known_hosts" in error.message
    assert error.failure_type == "config_error"


def test_a_wrong_key_is_refused(place: dict[str, Any], sshd: Sshd) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    error = refusal({**place, **sshd.method(ssh_key=other)})
    assert "Login refused" in error.message
    assert "ssh_key" in str(error.hint)


def test_a_key_that_is_none_is_named(place: dict[str, Any], sshd: Sshd) -> None:
    assert "ssh_key" in refusal({**place, **sshd.method(ssh_key="hello")}).message


def test_a_wrong_password_is_refused(place: dict[str, Any], sshd: Sshd) -> None:
    error = refusal({**place, **sshd.method(tunnel_user_password="wrong")})
    assert "Login refused" in error.message
    assert "tunnel_user_password" in str(error.hint)


@pytest.fixture
def user_with_password() -> Iterator[str]:
    if os.geteuid() != 0 or not shutil.which("useradd") or not shutil.which("chpasswd"):
        pytest.skip("only root can give a user the password that sshd asks for")
    name = f"tunnel{os.getpid()}"
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/false", name], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{name}:{PASSWORD}".encode(), check=True)
        yield name
    finally:
        subprocess.run(["userdel", "--force", name], check=True)  # sshd may not have hung up yet


def test_a_password_opens_a_tunnel(place: dict[str, Any], sshd: Sshd, user_with_password: str) -> None:
    method = sshd.method(tunnel_user=user_with_password, tunnel_user_password=PASSWORD)
    assert access.check({**place, **method}) == {"status": "SUCCEEDED"}


def test_a_tunnel_that_cannot_be_dug_says_where_it_ends(place: dict[str, Any], sshd: Sshd) -> None:
    nobody = port()
    error = refusal({**place, **sshd.method(tunnel_port=nobody)})
    assert f"127.0.0.1:{nobody} cannot be reached" in error.message
    error = refusal({**place, "port": nobody, **sshd.method()})
    assert f"cannot reach localhost:{nobody}" in error.message
    assert error.failure_type == "transient_error"
    assert "is not known" in refusal({**place, **sshd.method(tunnel_host="no.such.host.invalid")}).message
