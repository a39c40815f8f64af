# Keras types its operations by all of its backends at once: every result may be None, every shape
# unknown. For the type checker it is untyped instead.
from typing import Any

def __getattr__(name: str) -> Any: ...
