"""``scripts/train.py`` with an encoder too small for any recipe: ``tiniest``.

python tiny.py --network.image-encoder tiniest ...
"""

import os
import sys
from functools import partial
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

from rdepth_keras import command, models
from rdepth_keras.models.encoders.convnext import convnext

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

models.ENCODERS["tiniest"] = partial(convnext, depths=(1, 1, 1, 1), widths=(8, 8, 8, 8))

if __name__ == "__main__":
    sys.path.insert(0, str(SCRIPTS))
    import train

    command.guarded(train.main)
