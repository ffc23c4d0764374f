"""Where the models stand that this distribution ships."""

from importlib.resources.abc import Traversable
from pathlib import Path


def shipped_model(name: str) -> Traversable:
    """The folder of a model that this distribution ships: in the wheel beside this file, in a checkout at its root."""
    here = Path(__file__).parent
    inside = here / "model_cards"
    return (inside if inside.is_dir() else here.parent / "model_cards") / name
