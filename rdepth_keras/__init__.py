"""Cross-domain land-cover segmentation of satellite images, guided by relative depth.

Importing the package picks JAX as Keras's backend where nobody has chosen one. Only the variable
``KERAS_BACKEND`` or an already imported Keras counts as a choice: Keras's own configuration file
is written by Keras itself, naming TensorFlow, at its first import anywhere on the machine.
"""

import os
import sys

if "keras" not in sys.modules:
    os.environ.setdefault("KERAS_BACKEND", "jax")

__version__ = "0.1.0"
