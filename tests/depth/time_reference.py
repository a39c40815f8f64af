"""Prints the seconds transformers' Depth Anything ViT-S takes an image; for scripts/bench.py."""

import sys
import time

import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

encoder = Dinov2Config(
    hidden_size=384,
    num_attention_heads=6,
    num_hidden_layers=12,
    image_size=518,
    patch_size=14,
    out_indices=[9, 10, 11, 12],
    reshape_hidden_states=False,
)
config = DepthAnythingConfig(
    backbone_config=encoder,
    neck_hidden_sizes=[48, 96, 192, 384],
    fusion_hidden_size=64,
    head_hidden_size=32,
    reassemble_hidden_size=384,
)
model = DepthAnythingForDepthEstimation(config).eval()
pixels = torch.randn(1, 3, 518, 518)
with torch.no_grad():
    model(pixel_values=pixels)
    for _ in range(int(sys.argv[1])):
        start = time.perf_counter()
        model(pixel_values=pixels)
        print(time.perf_counter() - start)
