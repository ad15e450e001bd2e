"""Which directory belongs to which stream: chosen once, kept in the ledger, and never shared.

Names that a file system takes for the same, if only in their case, are the same here too: whoever comes second gets a
hash added. So does a stream whose name is that of a namespace, since one would lie in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConnectorError
from ..sql.failure import refused
from ..sql.ledger import REFRESH
from .database import Database
from .layout import Layout, marked, ours, safe
from .ledger import Columns, dumped, loaded


@dataclass(frozen=True)
class Directory:
    """A stream's directory, relative to the destination's; `columns` and `dialect` are those of its files."""

    path: str
    dialect: str | None
    columns: Columns


class Directories:
    """The directories of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, namespace: str | None, name: str | None) -> Directory | None:
        """The directory of a stream, or (without a name) of a namespace."""
        sql = "SELECT directory, dialect, columns FROM directories WHERE namespace IS ? AND name IS ?"
        rows = self._database.rows(sql, namespace, name)
        return Directory(rows[0][0], rows[0][1], loaded(rows[0][2])) if rows else None

    def claim(self, namespace: str | None, name: str) -> Directory:
        """The directory of a stream; one is chosen if it has none yet."""
        found = self.find(namespace, name)
        if found:
            return found
        parent = ""
        if namespace is not None:
            above = self.find(namespace, None)
            parent = (above.path if above else self._choose("", namespace, None, namespace)) + "/"
        return Directory(self._choose(parent, namespace, name, name), None, ())

    def _choose(self, parent: str, namespace: str | None, name: str | None, plain: str) -> str:
        for candidate in (safe(plain), marked(safe(plain), plain)):
            path = f"{parent}{candidate}"
            if not self._database.rows("SELECT 1 FROM directories WHERE folded = ?", path.casefold()):
                row = path.casefold(), path, namespace, name
                self._database.execute(
                    "INSERT INTO directories (folded, directory, namespace, name) VALUES (?, ?, ?, ?)", *row
                )
                return path
        raise refused(f"There is no free directory for {plain} in {parent or 'the destination'}")

    def describe(self, path: str, dialect: str, columns: Columns) -> None:
        """Note what the files of a directory are like from now on."""
        self._database.execute(
            "UPDATE directories SET dialect = ?, columns = ? WHERE directory = ?", dialect, dumped(columns), path
        )


def refuse_foreign(layout: Layout, directory: Directory) -> None:
    """Raise unless what lies in the directory can be added to: its parts are in the ledger, or there are none."""
    path = layout.path / directory.path
    if directory.dialect is None and path.is_dir() and any(ours(entry.name) for entry in path.iterdir()):
        raise refused(
            f"{path} has files of an earlier sync which {layout.ledger} does not know: it was removed or replaced",
            hint=f"Move the directory away, or: {REFRESH[0].lower()}{REFRESH[1:]}",
        )


def usable(layout: Layout, directory: Directory) -> ConnectorError | None:
    """Why nothing can be written there, if so."""
    path = layout.path / directory.path
    if path.is_symlink():
        return refused(f"{path} is a symbolic link; the directory of a stream cannot be one")
    if path.exists() and not path.is_dir():
        return refused(f"{path} is a file, but the files of a stream are to go into a directory of that name")
    return None
