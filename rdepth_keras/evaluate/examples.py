"""Pictures of a few predicted tiles: image, depth, truth, predictions, and the classes' colours."""

import re
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rdepth_keras.arrays import Label, Tile
from rdepth_keras.labels import IGNORE, ClassTable

SIDE = 256  # pixels of a panel's longer side
GAP, TITLE, LEGEND_ROW, LINE = 8, 34, 32, 20
INK, PAPER, FRAME = (40, 44, 52), (255, 255, 255), (150, 150, 150)
DEPTH = "relative depth"
GIVEN = ("image", DEPTH, "truth")


def draw_examples(
    tiles: Sequence[Tile],
    predictions: Mapping[str, Sequence[Label]],
    table: ClassTable,
    title: str = "",
    side: int = SIDE,
) -> np.ndarray:
    """RGB uint8 (H, W, 3): a row for each tile, under them the legend.

    Depth of 0 all over in all tiles was not read, and has no column.

    Args:
        tiles: with their labels; pixels to ignore are blank, which the legend then says.
        predictions: heading -> what was predicted for the tiles, train ids of their sizes; a column
            each. A heading wider than its panel is broken after underscores and spaces.
        table: names and colours.
        title: above the rows.
        side: of a panel, in pixels.
    """
    predicted = zip(*predictions.values(), strict=True)
    given = [
        name for name in GIVEN if name != DEPTH or any(np.any(tile["depth"]) for tile in tiles)
    ]
    rows = [
        _panels(tile, [tile["label"], *labels], table, side, DEPTH in given)
        for tile, labels in zip(tiles, predicted, strict=True)
    ]
    columns = [_broken(name, side) for name in (*given, *predictions)]
    top = 2 * TITLE + LINE * max(name.count("\n") for name in columns)
    width = len(columns) * (side + GAP) + GAP
    names, colors = [*table.names], [*table.colors]
    if any((np.asarray(tile["label"]) == IGNORE).any() for tile in tiles):
        names, colors = [*names, "no label"], [*colors, table.blank]
    entries = _arrange(names, width)
    body = sum(max(panel.height for panel in row) + GAP for row in rows)
    legend = LEGEND_ROW * (1 + max(line for _, line in entries))
    sheet = Image.new("RGB", (width, top + body + legend + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    draw.text((GAP, TITLE / 2), title, INK, font, anchor="lm")
    for column, name in enumerate(columns):
        place = GAP + column * (side + GAP) + side / 2, (TITLE + top) / 2
        draw.text(place, name, INK, font, anchor="mm", align="center")
    for row in rows:
        for column, panel in enumerate(row):
            sheet.paste(panel, (GAP + column * (side + GAP), top))
        top += max(panel.height for panel in row) + GAP
    for (left, line), name, color in zip(entries, names, colors, strict=True):
        y = top + (line + 0.5) * LEGEND_ROW
        draw.rectangle((left, y - 8, left + 24, y + 8), color, FRAME)
        draw.text((left + 32, y), name, INK, font, anchor="lm")
    return np.asarray(sheet)


def _panels(
    tile: Tile, labels: Sequence[Label], table: ClassTable, side: int, with_depth: bool
) -> list[Image.Image]:
    photographs: list[np.ndarray] = [np.asarray(tile["image"]).astype(np.uint8)]
    if with_depth:
        grey = np.clip(np.asarray(tile["depth"])[..., 0] * 255, 0, 255).astype(np.uint8)
        heat = cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)
        photographs.append(cv2.cvtColor(heat, cv2.COLOR_BGR2RGB))
    maps = [table.colorize(label) for label in labels]
    height, width = tile["label"].shape
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smooth, sharp = Image.Resampling.BILINEAR, Image.Resampling.NEAREST
    kinds = [smooth] * len(photographs) + [sharp] * len(maps)
    return [
        Image.fromarray(pixels).resize(size, kind)
        for pixels, kind in zip((*photographs, *maps), kinds, strict=True)
    ]


def _broken(name: str, width: int) -> str:
    """The name in lines of at most so many pixels, as far as its parts allow."""
    font, lines = ImageFont.load_default(16), [""]
    for part in re.findall(r"[^_ ]*[_ ]|[^_ ]+", name):
        if lines[-1] and font.getlength((lines[-1] + part).rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def _arrange(names: Sequence[str], width: int) -> list[tuple[int, int]]:
    """(left, line) of each entry of the legend, in as many lines as it takes."""
    font, places, left, line = ImageFont.load_default(16), [], GAP, 0
    for name in names:
        taken = 32 + round(font.getlength(name)) + 3 * GAP
        if left > GAP and left + taken > width:
            left, line = GAP, line + 1
        places.append((left, line))
        left += taken
    return places
