"""Rows of tables that tests share."""

from rdepth_keras.evaluate.rows import Protocol, Row
from rdepth_keras.labels import LOVEDA

VALIDATION = Protocol("LoveDA", "r2u", "target", "urban", "val", 677, seen="none")


def row(name, miou, protocol=VALIDATION, inference="whole", **options):
    iou = dict.fromkeys(LOVEDA.names, miou) | {"barren": None}
    return Row(
        name,
        protocol,
        iou,
        miou,
        {"seeds": "0", "depth": "none", "inference": inference},
        **options,
    )
