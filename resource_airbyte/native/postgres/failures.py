"""What PostgreSQL's errors mean to a person. No password is in any of them."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

import psycopg

from ...errors import ConnectorError
from ..sql.failure import failed

CONFIG, SYSTEM, TRANSIENT = "config_error", "system_error", "transient_error"
# What libpq says when it cannot connect, what that is called here, whether to try again, and a hint. {place} is filled
# in, and so are the groups of the pattern.
CONNECTING: Sequence[tuple[str, str, str, str | None]] = (
    (r"certificate verify failed", "{place} showed a certificate that the given ca_certificate did not sign", CONFIG,
     "Give the certificate of the authority that signed the server's, as ca_certificate of ssl_mode"),
    (r'server certificate for "(?P<names>[^"]*)".* does not match host name "(?P<host>[^"]*)"',
     "{place} showed a certificate for {names}, not for {host}", CONFIG,
     "Give the host as the certificate names it, or use ssl_mode verify-ca"),
    (r"does not support SSL", "{place} does not speak SSL, which ssl_mode asks for", CONFIG,
     "Turn on SSL in the server, or choose another ssl_mode"),
    (r"certificate authentication failed|requires a valid client certificate|tlsv1\S* alert certificate required",
     "{place} asks for a client certificate", CONFIG, "Give client_certificate and client_key in ssl_mode"),
    (r"alert unknown ca|alert bad certificate", "{place} does not accept the client certificate", CONFIG,
     "Give a client certificate that an authority known to the server has signed"),
    (r"could not (load|read) private key|bad decrypt|private key file", "The client_key cannot be read", CONFIG,
     "Give it as PEM text, and its password as client_key_password"),
    (r"could not (load|read) (root )?certificate", "A certificate of ssl_mode is no PEM text", CONFIG,
     "Give the text itself, or for the file that holds it: ${file:/absolute/path}"),
    (r"certificate does not match private key|key values mismatch",
     "The client_key is not that of the client_certificate", CONFIG, None),
    (r'no pg_hba\.conf entry for host "(?P<from>[^"]*)", user "(?P<user>[^"]*)", database "(?P<database>[^"]*)"'
     r"(, (?P<how>[^\n]*))?",
     "{place} lets no {user} from {from} into {database} ({how})", CONFIG,
     "Its pg_hba.conf decides; where it says “no encryption”, choose an ssl_mode that encrypts"),
    (r"password authentication failed|no password supplied", "{place} refused the username or the password", CONFIG,
     "Check username and password"),
    (r'role "(?P<user>[^"]*)" (does not exist|is not permitted)', "{place} has no user {user} that may log in", CONFIG,
     "Check username"),
    (r'database "(?P<database>[^"]*)" does not exist', "The server of {place} has no database {database}", CONFIG,
     "Make it (createdb), or name another as database"),
    (r"permission denied for database", "The user may not connect to {place}", CONFIG,
     "Grant it: GRANT CONNECT ON DATABASE …"),
    (r"could not translate host name|Name or service not known|nodename nor servname",
     "The host of {place} is not known", CONFIG, "Check host"),
    (r"Connection refused|No such file or directory", "Nobody answers at {place}", TRANSIENT,
     "Check host and port, and whether the server runs"),
    (r"timeout expired|timed out|No route to host|unreachable", "{place} cannot be reached", TRANSIENT,
     "Check host and port, and whether a firewall is between"),
    (r"too many clients|too many connections|remaining connection slots", "{place} has no free connections", TRANSIENT,
     "Try again later, or raise max_connections"),
    (r"starting up|shutting down|recovery mode", "{place} is starting or stopping", TRANSIENT, None),
    (r"closed the connection unexpectedly|Connection reset|EOF detected", "{place} closed the connection", TRANSIENT,
     "Is it a PostgreSQL server?"),
)  # fmt: skip
# SQLSTATE, or its class, likewise. {text} is the server's own.
RUNNING: Sequence[tuple[str, str, str, str | None]] = (
    ("42501", "{place} does not allow it: {text}", CONFIG,
     "Grant the user CREATE and TEMPORARY on the database, CREATE on its schemas, and make it the tables' owner"),
    ("2BP01", "{place}: {text}", CONFIG,
     "Drop what depends on the table, or set drop_cascade to true, which drops it each time"),
    ("0A000", "{place}: {text}", CONFIG, "Drop the view that uses the column, and make it again after the sync"),
    ("25006", "{place} is read-only: {text}", CONFIG, "Give the host of the primary server"),
    ("53100", "The disk of {place} is full", CONFIG, "Free some space there, then sync again"),
    ("53", "{place} is short of resources: {text}", TRANSIENT, None),
    ("54011", "{place}: {text}, those counted that were dropped", CONFIG,
     "Make the table anew (resource-airbyte content refresh --name CONNECTION), or choose fewer of its fields"),
    ("54000", "{place} cannot hold a value: {text}", CONFIG,
     "If it is an index that cannot, make the table without it: resource-airbyte content refresh --name CONNECTION"),
    ("55P03", "Another program has held a table of {place} for too long: {text}", TRANSIENT,
     "See pg_locks and pg_stat_activity there"),
    ("57014", "{place} broke off a statement: {text}", TRANSIENT, "Is there a statement_timeout for this user?"),
    ("57P", "{place} ended the connection: {text}", TRANSIENT, None),
    ("08", "The connection to {place} was lost: {text}", TRANSIENT, None),
    ("40", "{place}: {text}", TRANSIENT, None),
)  # fmt: skip


def refused_connection(place: str, error: psycopg.Error) -> ConnectorError:
    """The error of a connection that could not be made."""
    text = str(error)
    for pattern, message, kind, hint in CONNECTING:
        found = re.search(pattern, text)
        if found:
            values = {name: value or "" for name, value in found.groupdict().items()}
            return failed(message.format(place=place, **values), kind, hint)
    return failed(f"{place}: {_one_line(text)}", TRANSIENT)


def translated(place: str, error: psycopg.Error) -> ConnectorError:
    """The error of a statement."""
    state = error.sqlstate
    text = _one_line(error.diag.message_primary or str(error))
    if error.diag.message_detail and state == "2BP01":
        text = f"{text} ({_one_line(error.diag.message_detail)})"
    for begins, message, kind, hint in RUNNING:
        if state and state.startswith(begins):
            return failed(message.format(place=place, text=text), kind, hint)
    if state is None and isinstance(error, psycopg.OperationalError):
        return failed(f"The connection to {place} was lost: {text}", TRANSIENT)
    return failed(f"{place}: {text}", SYSTEM)


def without_disk(error: OSError) -> ConnectorError:
    """The error of a file of ours: rows wait in one when they are many and no state covers them."""
    if error.errno == errno.ENOSPC or "[errno 28]" in str(error):
        return failed("The disk for temporary files is full", CONFIG, "Free some space, or set TMPDIR to another place")
    return failed(f"{error.strerror or error}", SYSTEM)


def _one_line(text: str) -> str:
    return " ".join(text.split())
