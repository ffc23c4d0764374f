"""Where a model's name leads: a short name to what plugins ship, `file:` to a folder."""

from importlib.resources.abc import Traversable
from pathlib import Path

from ganzoo.errors import ModelError
from ganzoo.registry import registry


def shipped_model(name: str) -> Traversable:
    """The folder of a model that this distribution ships: in the wheel beside this file, in a checkout at its root."""
    here = Path(__file__).parent
    inside = here / "model_cards"
    return (inside if inside.is_dir() else here.parent / "model_cards") / name


def model_folder_of(name: str) -> Path:
    """The local folder behind a model's name. Raises UnknownNameError or ModelError."""
    if name.startswith("file:"):
        folder = Path(name.removeprefix("file:"))
        if (folder / "recipe.json").is_file():
            from ganzoo.run import Run

            return Run(folder).newest_export()
        if not folder.is_dir():
            raise ModelError(f"there is no folder {str(folder)!r}")
        return folder
    if name.startswith("hf://"):
        raise ModelError(
            f"this version of ganzoo can't load {name!r} from the Hub yet; download the folder and use file:FOLDER"
        )
    if "/" in name or name.startswith(".") or (Path(name).exists() and name not in registry().names("model")):
        raise ModelError(
            f"{name!r} is no model's name; write file:{name} for a folder, or hf://{name.strip('./')} for the Hub"
        )
    return Path(str(registry().get("model", name)))
