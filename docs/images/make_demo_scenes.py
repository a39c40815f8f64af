"""Draws demo_scenes.png beside this file: image, depth and label of a few demo tiles.

Run it from the root of the repository, with Pillow installed beside the package:
``python docs/images/make_demo_scenes.py``.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rdepth_keras.data.demo.tiles import DemoTiles
from rdepth_keras.labels import LOVEDA

TILES = {"urban": (6, 38, 20), "rural": (21, 14, 37)}
SIZE = 256
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
GAP, DOMAIN_GAP, LEFT, TOP, BOTTOM = 4, 14, 26, 30, 38  # pixels
INK = (40, 44, 52)
GREY_STEP = 4  # of 255; coarser colours than the eye can tell keep the file small


def tile_panels(domain: str, index: int) -> list[Image.Image]:
    """The three pictures of one tile."""
    tile = DemoTiles(domain, "train", size=SIZE)[index]
    depth = np.repeat((tile["depth"] * 255).astype(np.uint8), 3, axis=2)
    panels = (tile["image"], depth, LOVEDA.colorize(tile["label"]))
    return [Image.fromarray(panel) for panel in panels]


def paste_tiles(sheet: Image.Image, font: Font) -> None:
    """Both domains beside each other, each under its title."""
    draw = ImageDraw.Draw(sheet)
    x = LEFT
    for domain, indices in TILES.items():
        width = len(indices) * (SIZE + GAP) - GAP
        draw.text((x + width / 2, TOP / 2), domain, INK, font, anchor="mm")
        for index in indices:
            for row, panel in enumerate(tile_panels(domain, index)):
                sheet.paste(panel, (x, TOP + row * (SIZE + GAP)))
            x += SIZE + GAP
        x += DOMAIN_GAP - GAP


def name_rows(sheet: Image.Image, font: Font) -> None:
    """Upright titles at the left."""
    for row, title in enumerate(("image", "depth", "label")):
        strip = Image.new("RGB", (SIZE, LEFT), "white")
        ImageDraw.Draw(strip).text((SIZE / 2, LEFT / 2), title, INK, font, anchor="mm")
        sheet.paste(strip.rotate(90, expand=True), (0, TOP + row * (SIZE + GAP)))


def draw_legend(sheet: Image.Image, font: Font) -> None:
    """The colours of the classes in a row at the bottom."""
    draw, y = ImageDraw.Draw(sheet), sheet.height - BOTTOM / 2
    step = (sheet.width - LEFT) / len(LOVEDA)
    for order, (name, color) in enumerate(zip(LOVEDA.names, LOVEDA.colors, strict=True)):
        x = LEFT + (order + 0.5) * step - 60
        draw.rectangle((x, y - 8, x + 24, y + 8), color, (150, 150, 150))
        draw.text((x + 32, y), name, INK, font, anchor="lm")


def main() -> None:
    columns = sum(map(len, TILES.values()))
    width = LEFT + columns * (SIZE + GAP) - GAP + DOMAIN_GAP - GAP
    sheet = Image.new("RGB", (width, TOP + 3 * (SIZE + GAP) - GAP + BOTTOM), "white")
    font = ImageFont.load_default(18)
    paste_tiles(sheet, font)
    name_rows(sheet, font)
    draw_legend(sheet, font)
    path = Path(__file__).with_name("demo_scenes.png")
    rounded = [min(255, round(value / GREY_STEP) * GREY_STEP) for value in range(256)]
    sheet.point(rounded * 3).save(path, optimize=True)
    print(f"{path.name}: {width} x {sheet.height} pixels, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
