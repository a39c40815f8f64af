"""Published checkpoints: a file, a folder or a name on the Hugging Face hub -> named arrays.

Only safetensors are read. Pickles (``.bin``, ``.pth``, ``.pt``, ``.ckpt``) can run any code when
they are opened, so they are refused.
"""

import json
from hashlib import blake2b
from pathlib import Path

import numpy as np
from huggingface_hub import errors, hf_hub_download
from safetensors import SafetensorError, safe_open

from rdepth_keras.naming import shorten

FILE = "model.safetensors"
PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".pkl")


def load(source: str | Path) -> dict[str, np.ndarray]:
    """All arrays of a checkpoint by name; floating point ones in float32.

    ``source`` is a safetensors file, a folder with ``model.safetensors`` (or with the index of
    several), or a hub name such as ``timm/convnext_base.fb_in22k``, which is downloaded once.

    Raises FileNotFoundError where there is nothing of that name or no network to ask for it,
    ValueError for a pickle, a damaged file, or files of several that hold an array twice; both in
    one line that says what to do.
    """
    arrays: dict[str, np.ndarray] = {}
    for path in find(source):
        more = _read(path)
        if twice := sorted(arrays.keys() & more.keys()):
            raise ValueError(
                f"{path} holds arrays that another file of the same checkpoint holds, too: "
                f"{shorten(twice)}. Is one of them of another version? Download all of them again."
            )
        arrays |= more
    return arrays


def find(source: str | Path) -> list[Path]:
    """The safetensors files of a checkpoint, downloaded where ``source`` names a repository."""
    path = Path(source).expanduser()
    if path.is_dir():
        return _find_in(path)
    if path.is_file():
        if path.suffix in PICKLES:
            raise ValueError(_refusal(path))
        return [path]
    if _looks_like_path(str(source)):
        raise FileNotFoundError(f"There is no checkpoint {source}: no such file or folder.")
    return [_download(str(source))]


def fingerprint(source: str | Path) -> str:
    """16 hex digits that depend on every byte of a checkpoint; raises as :func:`load`."""
    digest = blake2b(digest_size=8)
    for path in find(source):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def find_file(source: str | Path, name: str) -> Path:
    """Another file of a checkpoint, such as ``config.json``: in its folder, or downloaded."""
    path = Path(source).expanduser()
    if not path.is_dir() and not _looks_like_path(str(source)):
        return _download(str(source), name, folder_remedy(str(source)))
    if not (path / name).is_file():
        raise FileNotFoundError(f"{path / name} is missing; the folder must hold it and {FILE}.")
    return path / name


def _find_in(folder: Path) -> list[Path]:
    if (folder / FILE).is_file():
        return [folder / FILE]
    index = folder / f"{FILE}.index.json"
    if index.is_file():
        return _find_shards(index)
    pickles = sorted(path for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        raise ValueError(_refusal(pickles[0]))
    raise FileNotFoundError(f"The folder {folder} holds no {FILE}.")


def _find_shards(index: Path) -> list[Path]:
    """The files that an index names, all of them there."""
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        paths = [index.with_name(name) for name in sorted(names)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{index} is damaged or no index of a checkpoint ({error!r}). Download it again."
        ) from None
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{index} names files that are not in its folder: {', '.join(missing)}. Put them there."
        )
    return paths


def _looks_like_path(source: str) -> bool:
    """Hub names are ``owner/name``; anything else that does not exist is a wrong path."""
    return source.count("/") != 1 or source[0] in "./~" or Path(source).suffix == ".safetensors"


def folder_remedy(name: str) -> str:
    """What to do where a repository with a configuration cannot be reached, in a sentence."""
    return (
        f"Download config.json and {FILE} of https://huggingface.co/{name}/tree/main elsewhere, "
        "into one folder, and give that folder instead of the name."
    )


def _download(name: str, file: str = FILE, remedy: str = "") -> Path:
    url = f"https://huggingface.co/{name}/resolve/main/{file}"
    remedy = remedy or f"Download {url} elsewhere and give the path of that file instead."
    try:
        return Path(hf_hub_download(name, file, local_files_only=True))
    except (OSError, ValueError):
        pass  # not in the cache, or no name of a repository: the download below says which
    try:
        return Path(hf_hub_download(name, file))
    except errors.RepositoryNotFoundError:
        problem = f"There is no file or folder {name}, and no public repository of that name."
        raise FileNotFoundError(problem) from None
    except errors.LocalEntryNotFoundError:
        problem = f"The hub cannot be reached for {name}, which is not in its cache. {remedy}"
        raise FileNotFoundError(problem) from None
    except errors.EntryNotFoundError:
        raise FileNotFoundError(
            f"The repository {name} holds no {file}, only perhaps a pickle, which is not read; "
            "timm's repositories (timm/...) hold safetensors."
        ) from None
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise FileNotFoundError(f"Cannot download {name} ({reason}). {remedy}") from None


def _refusal(path: Path) -> str:
    return (
        f"{path} is a pickle, which can run any code when opened, so it is not read. Give the "
        "safetensors file of the same weights; timm's repositories (timm/...) hold one."
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: _as_float32(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        if path.suffix == ".keras":
            raise ValueError(
                f"{path} is a whole Keras model, and weights are a safetensors file's: load it "
                "with keras.saving.load_model."
            ) from None
        raise ValueError(
            f"{path} is damaged or no safetensors file ({error}). Download it again, or, if it "
            "is of another format, name a safetensors file of the same weights."
        ) from None


def _as_float32(array: np.ndarray) -> np.ndarray:
    # bfloat16 has a NumPy type of its own kind, "V"
    return array.astype(np.float32) if array.dtype.kind in "fV" else array
