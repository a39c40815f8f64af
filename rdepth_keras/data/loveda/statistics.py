"""How often each class occurs in a prepared dataset."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rdepth_keras.labels import LOVEDA

COLUMNS = ("no-data", *LOVEDA.names)


def format_shares(statistics: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of each split's classes in per cent of its pixels, for people.

    ``statistics`` is that of :class:`rdepth_keras.data.loveda.prepared.Prepared`.
    """
    rows = [f"{'% of pixels':12s} {'tiles':>6s} " + " ".join(f"{c:>11s}" for c in COLUMNS)]
    for split, entry in statistics.items():
        head = f"{split:12s} {len(entry['ids']):6d} "
        if not entry["labelled"]:
            rows.append(head + f"{'unlabelled':>11s}")
            continue
        pixels = np.sum(np.array(entry["pixels_per_value"], np.int64), axis=0)
        shares = 100 * pixels / pixels.sum()
        rows.append(head + " ".join(f"{share:11.2f}" for share in shares))
    return "\n".join(rows)
