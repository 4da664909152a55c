"""What a network of one's own is handed over in."""

from typing import Any, NamedTuple


class CustomModel(NamedTuple):
    """A network and the transform that turns a picture into its input, under a name."""

    name: str = "default_model"
    model: Any = None
    transform: Any = None
