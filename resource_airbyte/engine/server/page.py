"""The status page: one self-contained HTML document on the web port, without scripts."""

from __future__ import annotations

import base64
import hashlib
import shlex
import time
from collections.abc import Sequence
from html import escape

from fastapi import APIRouter, Request, Response

from resource_airbyte import __version__
from resource_airbyte.engine.control import Control
from resource_airbyte.engine.control.overview import Row
from resource_airbyte.errors import NotFound

STYLE = """
:root { color-scheme: light dark; --line: light-dark(#ddd, #3a3a42); --soft: light-dark(#666, #a0a0aa);
  --ground: light-dark(#fff, #17171b); --raised: light-dark(#f6f6f8, #222228); --ink: light-dark(#1b1b1f, #ececf1);
  --good: light-dark(#14783c, #5fd38d); --bad: light-dark(#b3261e, #ff8a80); --busy: light-dark(#1a5fb4, #8ab8ff); }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem; font: 1rem/1.5 system-ui, sans-serif;
  background: var(--ground); color: var(--ink); }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
header p, .soft { color: var(--soft); margin: .2rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--soft); font-size: .85rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.succeeded { color: var(--good); } .failed, .cancelled { color: var(--bad); }
.running, .pending, .incomplete { color: var(--busy); }
pre { background: var(--raised); border-radius: .5rem; padding: .75rem 1rem; overflow-x: auto; margin: .5rem 0; }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REFRESH_SECONDS = 10


def routes(api: APIRouter, control: Control, port: int) -> None:
    """`port` is the API's own, which has no page. Behind the stack's web root the Host is still the browser's."""

    @api.get("/")
    def status_page(request: Request) -> Response:
        if (request.scope.get("server") or (None, None))[1] is None or request.url.port == port:
            raise NotFound("there is no page on this port", hint="the API is under /api/v1")
        html = document(control.overview.rows(), time.time())
        headers = {"content-security-policy": POLICY}
        return Response(html, media_type="text/html", headers=headers)


def document(rows: Sequence[Row], now: float) -> str:
    """The whole page; every name comes from a user and is escaped. `now` is in epoch seconds."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{REFRESH_SECONDS}">
<title>resource-airbyte</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>resource-airbyte</h1><p>Version {escape(__version__)}, running.</p></header>
<main>
<h2>Connections</h2>
{_table(rows, now) if rows else '<p class="soft">There are no connections yet.</p>'}
<h2>Next</h2>
<pre>{escape(chr(10).join(_commands(rows)))}</pre>
</main>
</body>
</html>
"""


def _table(rows: Sequence[Row], now: float) -> str:
    body = "\n".join(_row(row, now) for row in rows)
    return f"""<div class="scroll"><table>
<thead><tr><th>Connection</th><th>From, to</th><th>Schedule</th><th>Last job</th><th class="number">Records</th>
<th>When</th></tr></thead>
<tbody>
{body}
</tbody></table></div>"""


def _row(row: Row, now: float) -> str:
    name = escape(row.name) + ("" if row.status == "active" else f' <span class="soft">({escape(row.status)})</span>')
    job = '<span class="soft">none yet</span>'
    if row.job is not None:
        job = f'<span class="{escape(str(row.job_status))}">{escape(str(row.job_status))}</span> '
        job += f'<span class="soft">{escape(str(row.job_type))} {row.job}</span>'
    records = "" if row.records is None else f"{row.records:,}"
    return (
        f"<tr><td>{name}</td><td>{escape(row.source)} → {escape(row.destination)}</td><td>{escape(row.schedule)}</td>"
        f'<td>{job}</td><td class="number">{records}</td><td>{escape(_ago(row.updated_at, now))}</td></tr>'
    )


def _ago(moment: float | None, now: float) -> str:
    if moment is None:
        return ""
    seconds = max(0, int(now - moment))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _commands(rows: Sequence[Row]) -> list[str]:
    """What one would type next."""
    if not rows:
        return ["resource-airbyte content execute --config config/examples/faker-to-duckdb.yaml"]
    name = shlex.quote(rows[0].name)
    failed = next((row for row in rows if row.job_status in ("failed", "incomplete")), None)
    looks = [f"resource-airbyte logs --job {failed.job}"] if failed else []
    return [*looks, f"resource-airbyte content execute --name {name}", "resource-airbyte status --verbose"]
