"""The token's file: what must not be taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from resource_airbyte.engine.secrets import Token
from resource_airbyte.errors import DataDirUnusable


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe"])
def test_a_file_without_a_token_opens_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(DataDirUnusable, match="token") as caught:
        Token(path)
    assert "manage install --force" in str(caught.value.hint)
