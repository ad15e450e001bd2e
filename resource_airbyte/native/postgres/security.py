"""`ssl` and `ssl_mode`: whether the connection is encrypted, and whose certificate is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..sql.failure import refused
from .keys import branch, one_of, secret

if TYPE_CHECKING:
    from .parameters import Parameters

CERTIFICATES = {
    "ca_certificate": secret(
        "CA Certificate", "PEM text of the authority that signed the server's certificate.", multiline=True
    ),
    "client_certificate": secret("Client Certificate", "PEM text of our own certificate.", multiline=True),
    "client_key": secret("Client Key", "PEM text of the private key of our own certificate.", multiline=True),
    "client_key_password": secret("Client Key Password", "The password of client_key, if that is encrypted."),
}
PLAIN = {
    "disable": "Never encrypted.",
    "allow": "Encrypted only if the server insists.",
    "prefer": "Encrypted unless the server cannot.",
    "require": "Always encrypted, whoever the server is.",
}
VERIFIED = {
    "verify-ca": "Always encrypted, with a server whose certificate the given authority has signed.",
    "verify-full": "As verify-ca, and the certificate must be for this very host.",
}
KINDS = [
    *(branch("mode", mode, mode, description, {}, []) for mode, description in PLAIN.items()),
    *(branch("mode", m, m, description, CERTIFICATES, ["ca_certificate"]) for m, description in VERIFIED.items()),
]
SSL_MODES: dict[str, Any] = {
    "type": "object",
    "title": "SSL Modes",
    "description": "How strictly the connection is encrypted. Without it: prefer, or as ssl says.",
    "oneOf": KINDS,
}
ENCRYPTED = ("require", *VERIFIED)


@dataclass(frozen=True)
class Security:
    """libpq's sslmode, and PEM texts."""

    mode: str
    ca_certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    client_key_password: str | None = None


def security(ssl: bool | None, ssl_mode: dict[str, Any] | None, more: Parameters) -> Security:
    """What ssl, ssl_mode and the parameters say together; ConnectorError when they contradict each other."""
    if more.ssl and not ssl and ssl_mode is None and more.sslmode is None:
        raise refused(  # to the Java driver that means verify-full, and less is not what was asked for
            "ssl=true in jdbc_url_params does not say whose certificate is believed",
            hint="Give ssl_mode verify-full with its ca_certificate, or add sslmode=require to jdbc_url_params",
        )
    ssl = more.ssl if ssl is None else ssl
    if ssl_mode is None:
        return Security(_agreed(ssl, more.sslmode))
    values = one_of(KINDS, "mode", ssl_mode, "ssl_mode")
    if more.sslmode not in (None, values["mode"]):
        raise refused(f"ssl_mode says {values['mode']}, but sslmode in jdbc_url_params says {more.sslmode}")
    if ("client_certificate" in values) != ("client_key" in values):
        raise refused("Of client_certificate and client_key in ssl_mode one is missing; they belong together")
    if "client_key_password" in values and "client_key" not in values:
        raise refused("client_key_password in ssl_mode is for a client_key, which is not there", hint="Leave it out")
    return Security(**{**values, "mode": _agreed(ssl, values["mode"])})


def _agreed(ssl: bool | None, mode: str | None) -> str:
    if mode is None:
        return {None: "prefer", True: "require", False: "disable"}[ssl]
    if ssl is False and mode in ENCRYPTED:
        raise refused(f"ssl is false, but the SSL mode is {mode}", hint="Set ssl to true, or choose the mode disable")
    if ssl is True and mode == "disable":
        raise refused("ssl is true, but the SSL mode is disable", hint="Set ssl to false, or choose another mode")
    return mode
