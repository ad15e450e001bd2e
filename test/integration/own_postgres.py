"""A PostgreSQL server of a test's own, with TLS and rules of its own, and the certificates for it."""

from __future__ import annotations

import datetime
import glob
import ipaddress
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.UTC)
# Root may not run the server; the system's package of it makes this user to do so.
SERVANT = "postgres"
INSTALLED = "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def key_pem(self, password: str | None = None) -> str:
        lock = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock).decode()


def certificate(name: str, by: Certificate | None = None, hosts: tuple[str, ...] = ()) -> Certificate:
    """A certificate, signed by another one or, without, an authority of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if hosts:
        named = [_general(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(named), critical=False)
    return Certificate(builder.sign(by.key if by else key, hashes.SHA256()), key)


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class Server:
    """A server that listens on 127.0.0.1, and whose rules can be changed."""

    def __init__(self, place: Path, programs: Path, port: int, user: str | None) -> None:
        self.data, self._programs, self.port, self._user = place / "data", programs, port, user

    def run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as said:  # not a pipe: the server would keep it open
            argv = [str(self._programs / program), *arguments]
            done = subprocess.run(argv, user=self._user, stdout=said, stderr=said, cwd=self.data.parent, check=False)
            said.seek(0)
            assert done.returncode == 0, said.read().decode()

    def write(self, name: str, text: str) -> None:
        path = self.data / name
        path.touch(mode=0o600)
        path.write_text(text)
        if self._user:
            shutil.chown(path, self._user)

    def rules(self, *lines: str) -> None:
        """Who may connect, and how, as pg_hba.conf says it; the test's own way in is always open."""
        self.write("pg_hba.conf", "\n".join(["local all all trust", *lines, ""]))

    def prepare(self) -> None:
        """Make an empty database cluster."""
        self.data.mkdir(mode=0o700)
        if self._user:
            shutil.chown(self.data, self._user)
        self.run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D", str(self.data))

    def sql(self, text: str) -> None:
        arguments = ("-h", str(self.data), "-p", str(self.port), "-U", "postgres", "-v", "ON_ERROR_STOP=1")
        self.run("psql", "-X", "-q", *arguments, "-c", text)


@contextmanager
def server(port: int, certificates: dict[str, str], rules: list[str], **settings: str) -> Iterator[Server]:
    """A running server. `certificates` are files to lie beside its data, `settings` lines of its configuration."""
    programs, user = _programs(), SERVANT if os.geteuid() == 0 else None
    if user and not _exists(user):
        pytest.skip(f"root may not run PostgreSQL, and there is no user {user}")
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        place = Path(directory)
        place.chmod(0o755)  # started by root, the server runs as another user
        made = Server(place, programs, port, user)
        made.prepare()
        for name, text in certificates.items():
            made.write(name, text)
        made.rules(*rules)
        lines = {"listen_addresses": "127.0.0.1", "port": str(port), "fsync": "off", **settings}
        lines["unix_socket_directories"] = str(made.data)
        made.write("postgresql.auto.conf", "".join(f"{name} = '{value}'\n" for name, value in lines.items()))
        made.run("pg_ctl", "-D", str(made.data), "-l", str(made.data / "log"), "-w", "start")
        try:
            yield made
        finally:
            made.run("pg_ctl", "-D", str(made.data), "-m", "immediate", "stop")


def _programs() -> Path:
    """Where the system's PostgreSQL is: the one from the package registry was built without TLS."""
    found = [Path(path) for pattern in INSTALLED for path in sorted(glob.glob(pattern), reverse=True)]
    found += [Path(program).parent for program in [shutil.which("pg_ctl")] if program]
    for directory in found:
        if (directory / "initdb").exists():
            return directory
    pytest.skip("there is no PostgreSQL server with TLS here (Debian: apt-get install postgresql)")


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
