"""Places of this computer among a recipe's settings: whole in a run, and only their last part in what leaves it."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ganzoo.dataset import Dataset
from ganzoo.errors import GanzooError
from ganzoo.files import typed
from ganzoo.recipes import Part
from ganzoo.registry import registry


def places(data: Part) -> dict[str, Any]:
    """The settings of a recipe's data that name folders or files, each as an absolute path where it exists here."""
    dataset = registry().get("dataset", data.name)
    found = {}
    for name, value in data.settings.items():
        values = value if isinstance(value, list | tuple) else [value]
        if values and all(isinstance(one, str) and dataset.is_place(name, one) for one in values):
            whole = [_absolute(one) for one in values]
            found[name] = whole if isinstance(value, list | tuple) else whole[0]
    return found


def _absolute(path: str) -> str:
    try:
        return str(typed(path).resolve()) if typed(path).exists() else path
    except (OSError, ValueError):  # too long for a file, say
        return path


def portable(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe without the places of this computer: of a path only its last part goes out."""
    data = recipe.get("data")
    try:
        dataset = registry().get("dataset", str(data.get("name"))) if isinstance(data, Mapping) else Dataset
    except GanzooError:  # its plugin isn't installed here
        dataset = Dataset
    return {key: portable_value(value, dataset if key == "data" else None) for key, value in recipe.items()}


def portable_value(value: Any, dataset: type[Dataset] | None = None, setting: str = "") -> Any:
    """A value of any shape, with only the last part of each path in it."""
    if isinstance(value, Mapping):
        return {key: portable_value(inner, dataset, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [portable_value(inner, dataset, setting) for inner in value]
    if isinstance(value, str) and ((dataset and dataset.is_place(setting, value)) or _looks_local(value)):
        return "::".join(_last_part(path) for path in value.split("::"))  # so several addresses are written
    if isinstance(value, str) and re.fullmatch(r"[\w.-]+(, ?\w+=[^,]+)+", value):  # timm,model=NAME,weights=FILE
        return re.sub(r"(?<==)[^,]+", lambda found: portable_value(found[0].strip("\"' "), None), value)
    return value


def _looks_local(value: str) -> bool:
    begins = ("file:", "/", "~", "\\\\", "./", "../", ".\\", "..\\")
    try:
        here = bool({"/", "\\"} & set(value)) and Path(value).exists()
    except (OSError, ValueError):
        here = False
    return here or value.startswith(begins) or bool(PureWindowsPath(value).drive)


def _last_part(path: str) -> str:
    if re.match(r"(?!file:)\w[\w+.-]+://", path):
        return path
    path = path.removeprefix("file:")
    return PureWindowsPath(path).name or PurePosixPath(path).name or "local"
