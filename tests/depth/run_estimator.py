"""Runs the estimator on what golden.npz holds; a process of its own, as KerasHub loads TensorFlow.

python tests/depth/run_estimator.py CHECKPOINT_FOLDER OUT.npz
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from make_checkpoint import CONFIG, weights
from make_golden import IMAGES, RESIZED, SIZES, image, inputs
from safetensors.numpy import save_file

from rdepth_keras.depth import conversion as loader
from rdepth_keras.depth.estimator import DepthEstimator, build_backbone, load_estimator


def predictions(folder: Path) -> dict[str, np.ndarray]:
    estimator = load_estimator(folder)
    found = {"fingerprint": np.array(estimator.fingerprint)}
    for size in SIZES:
        found["depth_{}x{}".format(*size)] = estimator.estimate(inputs(*size), size)[0]
    found["resized"] = estimator.estimate(inputs(*SIZES[-1]), RESIZED)[0]
    pair = np.concatenate([inputs(98, 98)[:, ::-1], inputs(98, 98)])
    found["second"] = estimator.estimate(pair, (98, 98))[1]
    found["whole"] = estimator(image(*IMAGES[-1]))
    rough = load_estimator(folder, precision="mixed_bfloat16")
    found["bfloat16"] = rough.estimate(inputs(98, 98), (98, 98))[0]
    found["bfloat16_fingerprint"] = np.array(rough.fingerprint)
    return found


def outcome(backbone, path: Path) -> str:
    try:
        loader.load_weights(backbone, path)
    except ValueError as error:
        return str(error)
    return "loaded " + DepthEstimator(backbone).fingerprint


def damaged(folder: Path, scratch: Path, count: int) -> dict[str, np.ndarray]:
    """What loading says to arrays that do not fit, and to ``count`` files with changed bytes."""
    backbone, path = build_backbone(CONFIG), scratch / "model.safetensors"
    arrays = weights()
    said = {}
    for name, change in {
        "missing": {"head.conv2.bias": None},
        "left over": {"head.conv9.bias": np.zeros(3, np.float32)},
        "misshapen": {"neck.convs.1.weight": np.zeros((8, 7, 3, 3), np.float32)},
        "not finite": {"head.conv3.bias": np.full(1, np.nan, np.float32)},
    }.items():
        changed = {k: v for k, v in (arrays | change).items() if v is not None}
        save_file(changed, path)
        said[name] = outcome(backbone, path)
    good = (folder / "model.safetensors").read_bytes()
    mutants = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        data = bytearray(good)
        header = 8 + int.from_bytes(good[:8], "little")
        limit = header if seed % 2 else len(data)  # half of them in the header
        for position in random.integers(0, limit, random.integers(1, 4)):
            data[position] = random.integers(0, 256)
        path.write_bytes(data[: random.integers(len(data))] if seed % 10 == 0 else data)
        mutants.append("same" if path.read_bytes() == good else outcome(backbone, path))
    return {"said": np.array(said), "mutants": np.array(mutants)}


if __name__ == "__main__":
    checkpoint, out, mutations = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    scratch = out.with_suffix("")
    scratch.mkdir()
    found = predictions(checkpoint) | damaged(checkpoint, scratch, mutations)
    shutil.rmtree(scratch)
    np.savez(out, **found)
