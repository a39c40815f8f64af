"""Which checkpoint estimated depth: told from another of the same name."""

from pathlib import Path

from rdepth_keras.data.fingerprints import describe, digest

_START_BYTES, _END_BYTES = 1 << 16, 1 << 18


def describe_origin(origin: str) -> dict[str, str]:
    """What identifies a checkpoint: ``origin``, and of a folder its name and ``checkpoint``.

    That is a digest of names, sizes, starts and ends of the configuration and the weights.
    """
    folder = Path(origin)
    if not folder.is_dir():
        return {"origin": origin}
    files = [*folder.glob("config.json"), *sorted(folder.glob("*.safetensors"))]
    found = digest(describe(path, _START_BYTES, _END_BYTES) for path in files)
    return {"origin": folder.name, "checkpoint": found}
