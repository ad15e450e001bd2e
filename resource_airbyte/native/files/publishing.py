"""Making the directories what the ledger says, after each commit, and at each start for what a kill has left undone.

Every step can be done again: the ledger forgets a task only in a transaction of its own, after the renames. Whoever
holds that transaction is the only one who moves files.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from .exchange import exchange
from .layout import REPLACED, UNFINISHED, Layout, ours, sync_directory
from .ledger import Ledger

_PENDING = (
    "SELECT EXISTS (SELECT 1 FROM swaps) OR EXISTS (SELECT 1 FROM removals) "
    "OR EXISTS (SELECT 1 FROM parts WHERE dead OR source IS NOT NULL AND stage IS NULL)"
)


def publish(layout: Layout, ledger: Ledger) -> None:
    """Do whatever is pending, of any connection."""
    database = ledger.database
    if not database.rows(_PENDING)[0][0]:
        return
    with database.transaction():
        for swap, directory, place in database.rows("SELECT id, directory, place FROM swaps ORDER BY id"):
            _swap(layout, _names(ledger, directory), layout.path / directory, layout.staged(place), layout.trash(swap))
        _remove_dead(layout, ledger)
        _place(layout, ledger)
        for (path,) in database.rows("SELECT path FROM removals"):
            _remove(layout.path / path)
        database.execute("DELETE FROM swaps")
        database.execute("DELETE FROM removals")


def _names(ledger: Ledger, directory: str) -> set[str]:
    return {part.name for part in ledger.parts(directory, None)}


def _swap(layout: Layout, names: set[str], final: Path, staged: Path, trash: Path) -> None:
    """Put a staged directory in the place of the final one."""
    if staged.is_dir():
        trash.mkdir(parents=True, exist_ok=True)
        if final.exists() and _can_exchange(trash):
            _swap_at_once(names, final, staged, trash)
        else:
            _swap_in_turn(names, final, staged, trash)
        sync_directory(final)
        sync_directory(final.parent)
    if trash.is_dir():
        _retire(trash)
        _give_back(trash, final)
        _remove(trash)


def _can_exchange(trash: Path) -> bool:
    """Tried out, since it depends on the file system. What it takes goes with the trash."""
    tried = trash / "one", trash / "other"
    for directory in tried:
        directory.mkdir(exist_ok=True)
    return exchange(*tried)


def _swap_at_once(names: set[str], final: Path, staged: Path, trash: Path) -> None:
    """Readers of the directory see all of the old rows until they see all of the new ones, and after a kill, too.

    A reader that looks into every directory, ours included, may meanwhile find both.
    """
    if _is_new(staged, names):
        _reveal(staged, names)
        sync_directory(staged)
        exchange(staged, final)
        sync_directory(final.parent)
    os.rename(staged, _into(trash))


def _is_new(staged: Path, names: set[str]) -> bool:
    """Whether the new rows are still there, and not what they have replaced."""
    found = {entry.name for entry in staged.iterdir()}
    if names:
        return any(name.removesuffix(UNFINISHED) in names for name in found)
    return all(ours(name) and name.endswith(UNFINISHED) for name in found)


def _swap_in_turn(names: set[str], final: Path, staged: Path, trash: Path) -> None:
    """In between the directory is not there. A reader that looks into every directory finds no row twice: what is
    replaced loses its name before what replaces it gets one.
    """
    if final.exists():
        os.rename(final, _into(trash))
    _retire(trash)
    _reveal(staged, names)
    final.parent.mkdir(parents=True, exist_ok=True)
    os.rename(staged, final)


def _into(trash: Path) -> Path:
    return trash / str(len(os.listdir(trash)))


def _retire(trash: Path) -> None:
    for entry in trash.glob("*/*"):
        if ours(entry.name) and not entry.name.endswith(REPLACED):
            os.rename(entry, f"{entry}{REPLACED}")


def _reveal(staged: Path, names: set[str]) -> None:
    """Give the committed parts their names; whatever else lies there was never committed."""
    for entry in staged.iterdir():
        if entry.name.removesuffix(UNFINISHED) not in names:
            entry.unlink()
        elif entry.name.endswith(UNFINISHED):
            os.rename(entry, str(entry).removesuffix(UNFINISHED))


def _give_back(trash: Path, final: Path) -> None:
    """What is not ours stays where its owner put it."""
    for entry in trash.glob("*/*"):
        if not ours(entry.name):
            target = final / entry.name
            while target.exists():
                target = target.with_name(f"{target.name}~")
            os.rename(entry, target)


def _remove_dead(layout: Layout, ledger: Ledger) -> None:
    for directory, name, source in ledger.database.rows("SELECT directory, name, source FROM parts WHERE dead"):
        for path in filter(None, (f"{directory}/{name}", source)):
            (layout.path / path).unlink(missing_ok=True)
    ledger.database.execute("DELETE FROM parts WHERE dead")


def _place(layout: Layout, ledger: Ledger) -> None:
    """Rename waiting parts into their directories."""
    waiting = "WHERE source IS NOT NULL AND stage IS NULL"
    touched: set[Path] = set()
    for directory, name, source in ledger.database.rows(f"SELECT directory, name, source FROM parts {waiting}"):
        final = layout.path / directory
        final.mkdir(parents=True, exist_ok=True)
        touched |= {final, final.parent}
        with suppress(FileNotFoundError):  # it was put there before a kill, and may have been taken away since
            os.rename(layout.path / source, final / name)
    for directory in touched:
        sync_directory(directory)
    ledger.database.execute(f"UPDATE parts SET source = NULL {waiting}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep(layout: Layout, ledger: Ledger) -> None:
    """Remove what earlier attempts of this connection wrote and never committed. Nothing may be pending."""
    if layout.writing.is_dir():
        for entry in layout.writing.iterdir():
            if entry != layout.lock(ledger.fence):
                entry.unlink(missing_ok=True)
    needed = ledger.places()
    staged = layout.staged("")
    for entry in staged.glob(f"{layout.mark}-*") if staged.is_dir() else ():
        if entry.name not in needed:
            _remove(entry)
        else:
            _sweep_stage(entry, ledger)


def _sweep_stage(staged: Path, ledger: Ledger) -> None:
    rows = ledger.database.rows("SELECT name FROM parts WHERE stage = ?", staged.name)
    committed = {f"{row[0]}{UNFINISHED}" for row in rows}
    for entry in staged.iterdir():
        if entry.name not in committed:
            entry.unlink(missing_ok=True)
