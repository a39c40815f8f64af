"""JSON objects in files: read with what is wrong with them, written whole or not at all."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rdepth_keras.atomic import write_text


def read_text(path: Path) -> str:
    """What a file says; IsADirectoryError for a folder in its place."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected is the JSON file of a run.")
    return path.read_text(encoding="utf-8")


def read_object(path: Path) -> Any:
    """The object in a file, None where there is no file; ValueError for a damaged one."""
    if not path.exists():
        return None
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds no object, but {content!r:.80}")
    return content


def write_object(path: Path, content: Mapping[str, Any]) -> None:
    """Writes an object, and the folder for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=2) + "\n")


def digest(content: Mapping[str, Any]) -> str:
    """Of what JSON says, however it is spaced and ordered."""
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()
