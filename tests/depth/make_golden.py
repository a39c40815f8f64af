"""Writes golden.npz: what transformers makes of the small checkpoint. Needs PyTorch, transformers.

    python tests/depth/make_golden.py

``depth_HxW`` is the network's output for `inputs`, ``resized`` the last of them after PyTorch's
resize; ``size_HxW`` and ``pixels_HxW`` (thinned out) are what DPTImageProcessorPil makes of
`image`.
"""

import tempfile
from pathlib import Path

import numpy as np

SIZES = [(98, 98), (70, 112), (126, 84)]  # of the network's input; learnt at 98 x 98
RESIZED = (131, 90)  # the last of them, brought to this size
IMAGES = [(1024, 1024), (480, 640), (100, 333)]  # (480, 640) is read at 518 x 686


def image(height: int, width: int) -> np.ndarray:
    """A made-up picture with fine and coarse structure, (height, width, 3) uint8."""
    random = np.random.default_rng(height * 10000 + width)
    y, x = np.mgrid[:height, :width] / 64
    waves = [np.sin(a * x + b * y + c) for a, b, c in random.uniform(-9, 9, (3, 3))]
    picture = 127 + 80 * np.stack(waves, -1) + random.normal(0, 20, (height, width, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


def inputs(height: int, width: int) -> np.ndarray:
    """Normalised network input, (1, height, width, 3) float32."""
    return np.random.default_rng(height + width).standard_normal((1, height, width, 3)).astype("f4")


def main() -> None:
    import torch
    from make_checkpoint import write
    from transformers import AutoModelForDepthEstimation, DPTImageProcessorPil

    processor = DPTImageProcessorPil(
        size={"height": 518, "width": 518},
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        resample=3,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    golden = {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        write(Path(folder))
        model = AutoModelForDepthEstimation.from_pretrained(folder).eval()
        for size in SIZES:
            pixels = torch.from_numpy(inputs(*size)).permute(0, 3, 1, 2)
            depth = model(pixel_values=pixels).predicted_depth
            golden["depth_{}x{}".format(*size)] = depth[0].numpy()
        back = torch.nn.functional.interpolate(
            depth[None], RESIZED, mode="bilinear", align_corners=False
        )
        golden["resized"] = back[0, 0].numpy()
    for size in IMAGES:
        pixels = processor(images=image(*size), return_tensors="np")["pixel_values"][0]
        pixels = pixels.transpose(1, 2, 0)
        golden["size_{}x{}".format(*size)] = np.array(pixels.shape[:2])
        golden["pixels_{}x{}".format(*size)] = pixels[::37, ::41]
    np.savez_compressed(Path(__file__).with_name("golden.npz"), **golden)


if __name__ == "__main__":
    main()
