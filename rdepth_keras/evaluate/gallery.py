"""Pictures of a tile for the report: what was seen, what was said, and where it was wrong."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from rdepth_keras.arrays import Tile
from rdepth_keras.data import png
from rdepth_keras.infer import classify
from rdepth_keras.labels import IGNORE, ClassTable

WRONG = (255, 0, 160)
LAYERS = ("image", "depth", "truth", "prediction", "error", "confidence")


@dataclass(frozen=True)
class Exhibit:
    """One tile of the gallery.

    Attributes:
        id: number of the tile.
        miou: of the tile alone, as a fraction.
        width: of the pictures in pixels.
        height: of the pictures in pixels.
        layers: layer -> data URI of its picture.
    """

    id: int
    miou: float
    width: int
    height: int
    layers: dict[str, str]


def exhibit(
    tile: Tile,
    probabilities: np.ndarray,
    miou: float,
    table: ClassTable,
    largest_pixels: int = 512,
) -> Exhibit:
    """The layers of a predicted tile, shrunk to at most ``largest_pixels`` a side.

    Args:
        tile: with its label.
        probabilities: of the classes (H, W, K).
        miou: of the tile.
        table: names the colours.
        largest_pixels: side of the pictures; labels are shrunk by the nearest pixel.
    """
    height, width = tile["label"].shape
    scale = min(1.0, largest_pixels / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    prediction = classify(probabilities, tile)
    image = np.asarray(tile["image"]).astype(np.uint8)
    photographs = {
        "image": image,
        "depth": _heat(tile["depth"][..., 0], cv2.COLORMAP_INFERNO),
        "confidence": _heat(probabilities.max(-1), cv2.COLORMAP_VIRIDIS),
    }
    maps = {
        "truth": table.colorize(tile["label"]),
        "prediction": table.colorize(prediction),
        "error": _error(image, tile["label"], prediction, table.blank),
    }
    layers = {
        name: _jpeg(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        for name, picture in photographs.items()
    } | {
        name: _png(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST))
        for name, picture in maps.items()
    }
    return Exhibit(int(tile["id"]), miou, *size, {name: layers[name] for name in LAYERS})


def spread(scores: Sequence[float] | np.ndarray, count: int) -> list[int]:
    """Places of up to ``count`` finite scores, evenly over their ranking, from worst to best."""
    order = np.argsort(scores, kind="stable")
    order = order[np.isfinite(np.asarray(scores)[order])]
    if not len(order) or count < 1:
        return []
    places = np.linspace(0, len(order) - 1, min(count, len(order)))
    return [int(order[round(place)]) for place in places]


def _heat(values: np.ndarray, colormap: int) -> np.ndarray:
    """Values in 0..1 (H, W) as colours, RGB uint8."""
    grey = (255 * np.clip(values, 0, 1)).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(grey, colormap), cv2.COLOR_BGR2RGB)


def _error(
    image: np.ndarray, truth: np.ndarray, prediction: np.ndarray, blank: tuple[int, int, int]
) -> np.ndarray:
    """The picture in pale grey, wrong pixels painted over, ignored ones blank."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shown = np.repeat((grey // 2 + 96)[..., None] // 16 * 16, 3, axis=2).astype(np.uint8)
    shown[(truth != prediction) & (truth != IGNORE)] = WRONG
    shown[truth == IGNORE] = blank
    return shown


def _jpeg(picture: np.ndarray) -> str:
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88]
    )
    assert done
    return _uri("jpeg", data.tobytes())


def _png(picture: np.ndarray) -> str:
    return _uri("png", png.encode(picture))


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
