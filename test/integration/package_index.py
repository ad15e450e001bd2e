"""A package registry on this machine, with packages made for the purpose: what real ones do, in a tenth of a second."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"
SPEC = '{"type": "SPEC", "spec": {"connectionSpecification": {"type": "object"}}}'
CONNECTOR = f"""
import json, os, sys
def run():
    print(json.dumps(dict(os.environ)) if "environment" in sys.argv else {SPEC!r})
"""


@dataclass(frozen=True)
class Published:
    """One file of the registry. `at`: when it was uploaded."""

    name: str
    version: str
    at: str
    content: bytes

    @property
    def file(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass
class Index:
    """`tells_times`: whether it knows JSON, and with it when files were uploaded. `breaks`: files whose download ends
    in the middle.
    """

    url: str = ""
    files: list[Published] = field(default_factory=list)
    tells_times: bool = True
    breaks: set[str] = field(default_factory=set)

    def publish(
        self,
        name: str,
        version: str,
        at: str = "2025-01-01T12:00:00Z",
        *,
        requires: Sequence[str] = (),
        python: str = ">=3.8",
        code: str = "",
        script: bool = False,
    ) -> None:
        """Put a package there; `script` gives it the command of its name, as connectors have one."""
        module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        held = {
            f"{module}/__init__.py": code or (CONNECTOR if script else ""),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            f"Requires-Python: {python}\n{needs}",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        if script:
            command = name.removeprefix("airbyte-")
            held[f"{info}/entry_points.txt"] = f"[console_scripts]\n{command} = {module}:run\n"
        held[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*held, f"{info}/RECORD"])
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as wheel:
            for path, text in held.items():
                wheel.writestr(path, text)
        self.files.append(Published(name, version, at, buffer.getvalue()))

    def listing(self, name: str) -> tuple[str, bytes] | None:
        found = [file for file in self.files if file.name == name]
        if not found:
            return None
        if not self.tells_times:
            return HTML, "".join(f'<a href="/files/{file.file}">{file.file}</a>' for file in found).encode()
        files = [
            {
                "filename": file.file,
                "url": f"/files/{file.file}",
                "hashes": {"sha256": hashlib.sha256(file.content).hexdigest()},
                "upload-time": file.at,
            }
            for file in found
        ]
        versions = sorted({file.version for file in found})
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": files, "versions": versions}
        return JSON, json.dumps(page).encode()

    def answer(self, path: str) -> tuple[str, bytes] | None:
        parts = [part for part in path.split("/") if part]
        if parts[:1] == ["simple"]:
            return self.listing(parts[1])
        content = next((file.content for file in self.files if file.file == parts[-1]), None)
        return None if content is None else ("application/octet-stream", content)


@contextmanager
def served() -> Iterator[Index]:
    """An empty registry at a free port."""
    index = Index()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = index.answer(self.path)
            if found is None:
                return self.send_error(404)
            kind, content = found
            whole = len(content)
            if self.path.rsplit("/", 1)[-1] in index.breaks:
                content, self.close_connection = content[: whole // 2], True
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(whole))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            return None

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Requests are not what a test prints."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        index.url = f"http://127.0.0.1:{server.server_port}/simple"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield index
        server.shutdown()
        thread.join()
