"""A network over windows, test-time views and scales of one tile: a prediction for every pixel.

A *prediction* is an array (H, W, K): the logits or the probabilities of every pixel's classes.
"""

from rdepth_keras.infer.inference import LEAST_PIXELS, Inference
from rdepth_keras.infer.prediction import check_finite, classify
from rdepth_keras.infer.tile import predict_tile, tile_predictor
from rdepth_keras.infer.views import VIEWS

__all__ = [
    "LEAST_PIXELS",
    "VIEWS",
    "Inference",
    "check_finite",
    "classify",
    "predict_tile",
    "tile_predictor",
]
