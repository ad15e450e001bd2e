"""The data directory of a runtime: what is in it, whether it can be used, how it is made and taken away.

.resource-airbyte   the marker: that this directory is ours, and what install made
token, master.key   0600; the bearer token of the API, the key of the connectors' configurations
airbyte.db          the metadata database, unless another one is set
daemon.lock         held by the daemon as long as it lives
daemon.json         the running daemon: process, ports, socket
api.sock            its Unix socket
logs/               server.log, worker.log, daemon.out, jobs/<job>/<attempt>.log

Of the compose runtime it holds less, because most lies in volumes of the container engine:

stack.env           0600; the variables of docker/compose.yaml and of the containers
secrets/            0700; master.key, token and the passwords of PostgreSQL, which the containers get as files
logs/               build.log, compose.log
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from resource_airbyte import __version__
from resource_airbyte.errors import DataDirUnusable, ResourceError

MARKER = ".resource-airbyte"
# What the runtime makes in its directory, now or while it runs. A trailing * stands for SQLite's companions and copies.
DATA = ("master.key", "master.key.new", "airbyte.db*")
LOCK = "start.lock"  # whoever removes the rest holds it, so that it goes last
REST = ("token*", "daemon.lock", LOCK, "daemon.json*", "api.sock", "logs")
STACK = ("stack.env*", "secrets", LOCK, "logs")
LOG_FILES = ("*.log", "*.log.*", "daemon.out")
# File systems on which neither SQLite's shared memory nor file locks can be relied on.
NETWORK = frozenset(
    "nfs nfs4 cifs smb smb2 smb3 smbfs ncpfs afs afpfs ceph glusterfs lustre gpfs beegfs 9p davfs webdav fuse.sshfs "
    "fuse.rclone fuse.s3fs fuse.gcsfuse fuse.glusterfs fuse.davfs2".split()
)
FREE = 64 * 1024 * 1024
# The kernel's limit is 108 bytes (104 on macOS), the closing zero included.
SOCKET_PATH = 100
MOVE = "set AIRBYTE_DATA_DIR to a directory on a local disk that you may write to"


@dataclass(frozen=True)
class Marker:
    """What `.resource-airbyte` says. `created` holds paths relative to the directory; "." is the directory itself.

    `links` are absolute paths of launchers, each with the target that was given to it. `kept` says that the runtime was
    uninstalled and its data left for the next install. `runtime` is which one it is, `service` the file that makes it
    start with the machine's session, `images` are the container images that install has built. `half` is what has begun
    and not come to its end, "install" or "uninstall": a kill may leave any part of it.
    """

    version: str
    installed_at: float
    created: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    kept: bool = False
    runtime: str = "embedded"
    service: str | None = None
    images: tuple[str, ...] = ()
    half: str | None = None

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Marker:
        """From its JSON. What a version before this one did not write yet has its default."""
        known = cls(raw["version"], raw["installed_at"], tuple(raw["created"]), dict(raw["links"]), raw["kept"])
        runtime, images = str(raw.get("runtime", "embedded")), tuple(raw.get("images", ()))
        return replace(known, runtime=runtime, service=raw.get("service"), images=images, half=raw.get("half"))

    def wire(self) -> dict[str, Any]:
        """Its JSON."""
        return {**asdict(self), "created": list(self.created), "images": list(self.images)}


class DataDir:
    """One data directory, whether it exists or not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.marker_file = path / MARKER
        self.token_file = path / "token"
        self.logs = path / "logs"
        self.output = self.logs / "daemon.out"
        self.instance_file = path / "daemon.json"
        self.start_lock = path / LOCK

    def marker(self) -> Marker | None:
        """The marker; None where there is none, and nothing has been installed."""
        try:
            return Marker.read(json.loads(self.marker_file.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise DataDirUnusable(f"the data directory {self.path} is a file, not a directory.", hint=MOVE) from error
        except PermissionError as error:
            raise self._foreign() from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            hint = "run `resource-airbyte manage install --force` to write it anew"
            raise DataDirUnusable(f"the marker {self.marker_file} cannot be read: {error}", hint=hint) from error

    def installed(self) -> bool:
        """Whether an install has made all of this directory and no uninstall has followed."""
        marker = self.marker()
        return marker is not None and not marker.kept and not marker.half

    def token(self) -> str:
        """The bearer token."""
        return self.token_file.read_text("ascii").strip()

    def socket(self) -> Path:
        """Where the daemon's Unix socket is: in the directory; if that path is too long, in a private temporary one."""
        inside = self.path / "api.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        parent = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        return parent / f"resource-airbyte-{os.geteuid()}-{digest}" / "api.sock"

    def check(self, *, sqlite: bool) -> None:
        """Raise DataDirUnusable unless this is (or can become) a directory of ours on a local disk with free space.

        With `sqlite` False the database is elsewhere, and a network file system will do.
        """
        try:
            nearest = next(path for path in (self.path, *self.path.parents) if path.exists())
        except OSError as error:
            raise self.unusable(error) from error
        if not nearest.is_dir():
            raise DataDirUnusable(f"{nearest} is not a directory.", hint=MOVE)
        if nearest == self.path and nearest.stat().st_uid != os.geteuid():
            raise self._foreign()
        if sqlite:
            self._check_local(nearest)
        self._check_writable(nearest)

    def make(self) -> tuple[str, ...]:
        """Make the directory (0700) and say what was made. Refuses a directory that holds anything that is not ours."""
        if not self.path.exists() and self._made():  # check() has looked whether it can be asked
            return (".",)
        strangers = [entry.name for entry in self.path.iterdir() if not _ours(entry.name)]
        if strangers and self.marker() is None:
            sentence = f"{self.path} holds files that are not resource-airbyte's ({', '.join(sorted(strangers)[:3])})."
            raise DataDirUnusable(sentence, hint="set AIRBYTE_DATA_DIR to a new or empty directory")
        self._attempt(lambda: self.path.chmod(0o700))
        return ()

    def _made(self) -> bool:
        try:
            self.path.mkdir(mode=0o700, parents=True)
        except FileExistsError:  # another install at the same moment
            return False
        except OSError as error:
            raise self.unusable(error) from error
        return True

    def write_marker(self, marker: Marker) -> None:
        self.write(self.marker_file, json.dumps(marker.wire(), indent=2) + "\n")

    def remove_marker(self) -> None:
        """Remove the marker, after what a kill left of one that was being written."""
        for path in self.path.glob(f"{MARKER}.*"):
            path.unlink()
        self.marker_file.unlink()

    def write_token(self) -> None:
        """Make a token, unless there is one."""
        if not self.token_file.exists():
            self.write(self.token_file, secrets.token_urlsafe(32) + "\n")

    def write(self, path: Path, text: str) -> None:
        """Write a file that only its owner can read, whole or not at all."""
        self._attempt(lambda: write_private(path, text))

    def remove(self, names: tuple[str, ...]) -> list[str]:
        """Remove these entries (see DATA and REST) and say which were there. In logs, only log files go."""
        removed = []
        for name in names:
            for path in sorted(self.path.glob(name)):
                removed.append(path.name)
                if path.is_dir() and not path.is_symlink():
                    _remove_logs(path)
                else:
                    path.unlink()
        return removed

    def _check_local(self, path: Path) -> None:
        kind = file_system(path)
        if kind in NETWORK and not (kind == "9p" and os.stat(path).st_dev == os.stat("/").st_dev):
            sentence = f"{self.path} is on a network file system ({kind}), where a SQLite database can be damaged."
            raise DataDirUnusable(sentence, hint=f"{MOVE}, or AIRBYTE_DATABASE_URL to a PostgreSQL database")

    def _check_writable(self, path: Path) -> None:
        """By writing: permissions, read-only mounts, quotas and full disks all show in this one way."""

        def probe() -> None:
            with tempfile.TemporaryFile(dir=path) as file:
                file.write(b"\0" * 65536)
                file.flush()
                os.fsync(file.fileno())

        self._attempt(probe)
        space = os.statvfs(path)
        free = space.f_bavail * space.f_frsize
        if free < FREE:
            sentence = (
                f"the disk of {self.path} is full: {free >> 20} MB are left, and at least {FREE >> 20} are needed."
            )
            raise DataDirUnusable(sentence, hint=f"free some space there, or {MOVE}")

    def _attempt(self, action: Any) -> None:
        try:
            action()
        except OSError as error:
            raise self.unusable(error) from error

    def unusable(self, error: OSError) -> DataDirUnusable:
        """The error that says what this fault of the system means for the directory."""
        causes = {
            errno.EROFS: "is on a read-only file system",
            errno.EACCES: "cannot be used by this user",
            errno.EPERM: "cannot be used by this user",
            errno.ENOSPC: "is on a full disk",
            errno.EDQUOT: "is over the disk quota of this user",
        }
        cause = causes.get(error.errno or 0, f"cannot be used: {error.strerror or error}")
        # What is installed there has its data there: somewhere else it would begin anew.
        room = "free some space there, or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return DataDirUnusable(f"the data directory {self.path} {cause}.", hint=f"{room}{MOVE}")

    def _foreign(self) -> ResourceError:
        import pwd

        try:
            owner = self.path.stat().st_uid
        except OSError as error:  # not even the directory above it lets us look
            return self.unusable(error)
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"user {owner}"
        sentence = f"the data directory {self.path} belongs to {name}, not to this user."
        return DataDirUnusable(sentence, hint=f"run as {name}, or set AIRBYTE_DATA_DIR to a directory of your own")


def write_private(path: Path, text: str) -> None:
    """Write a 0600 file under another name and rename it, so that no reader ever sees half of it."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def file_system(path: Path) -> str:
    """The type of the file system that holds this path, as the system names it; empty if it does not say."""
    import psutil

    device = os.stat(path).st_dev
    holding = [part for part in psutil.disk_partitions(all=True) if path.resolve().is_relative_to(part.mountpoint)]
    same = [part for part in holding if _device(part.mountpoint) == device]
    parts = sorted(same or holding, key=lambda part: len(part.mountpoint))
    return parts[-1].fstype if parts else ""


def new_marker(created: tuple[str, ...], links: dict[str, str], runtime: str = "embedded") -> Marker:
    """The marker of an install that is done now, by this version."""
    return Marker(__version__, time.time(), created, links, runtime=runtime)


def _device(path: str) -> int:
    try:
        return os.stat(path).st_dev
    except OSError:  # a mount that this user may not enter holds no directory of theirs
        return -1


def _ours(name: str) -> bool:
    patterns = (MARKER, *DATA, *REST, *STACK, "lost+found")
    return any(Path(name).match(pattern) for pattern in patterns) or name.startswith(MARKER)


def _remove_logs(directory: Path) -> None:
    """Remove log files and the directories that are empty then; whatever else somebody put there stays."""
    for path in list(_walk(directory)):
        if path.is_dir() and not path.is_symlink():
            remove_if_empty(path)
        elif any(path.match(pattern) for pattern in LOG_FILES):
            path.unlink()
    remove_if_empty(directory)


def _walk(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        yield entry


def remove_if_empty(directory: Path) -> None:
    """Remove a directory, unless somebody has something in it."""
    try:
        directory.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
            raise
