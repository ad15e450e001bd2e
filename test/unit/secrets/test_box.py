from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from resource_airbyte.engine.secrets import Box, keyfile
from resource_airbyte.errors import DataDirUnusable


def test_what_is_sealed_opens_again_and_does_not_show_what_it_holds(tmp_path: Path) -> None:
    box = Box.create(tmp_path / "master.key")
    value = {"password": "s3cret", "n": [1, 2.5, None, "ä"]}
    token = box.seal(value)
    assert b"s3cret" not in token
    assert Box.load(tmp_path / "master.key").open(token) == value
    assert "s3cret" not in repr(box)


def test_the_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    Box.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(DataDirUnusable, match="can be read by others"):
        Box.load(path)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    Box.create(path)
    before = path.read_bytes()
    with pytest.raises(DataDirUnusable, match="cannot write"):
        Box.create(path)
    assert path.read_bytes() == before


def test_a_key_whose_making_was_cut_short_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "master.key"

    def cut(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keyfile.os, "fsync", cut)  # type: ignore[attr-defined]
        with pytest.raises(KeyboardInterrupt):
            Box.create(path)
    Box.create(path)
    assert [file.name for file in tmp_path.iterdir()] == ["master.key"]


@pytest.mark.parametrize("content", [None, b"", b"not a key"])
def test_a_missing_or_broken_key_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "master.key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(DataDirUnusable, match=r"master\.key"):
        Box.load(path)


def test_another_key_or_an_altered_token_does_not_open() -> None:
    token = Box(Fernet.generate_key()).seal({"a": 1})
    with pytest.raises(DataDirUnusable, match="another key"):
        Box(Fernet.generate_key()).open(token)


def test_a_fingerprint_is_the_same_for_the_same_value_and_differs_between_keys() -> None:
    key = Fernet.generate_key()
    assert Box(key).fingerprint({"a": 1, "b": 2}) == Box(key).fingerprint(json.loads('{"b": 2, "a": 1}'))
    assert Box(key).fingerprint({"a": 1}) != Box(key).fingerprint({"a": 2})
    assert Box(key).fingerprint({"a": 1}) != Box(Fernet.generate_key()).fingerprint({"a": 1})
