"""How large a config.json may be: what a stranger's may cost to read, and what nobody could load is not written."""

import json
from collections.abc import Mapping
from typing import Any

from ganzoo.errors import ModelError
from ganzoo.files import to_json

CONFIG = 4 * 1024**2  # bytes that are read
BESIDE_LABELS = 256 * 1024  # bytes of them without the names of its classes, of which there may be many


def config_text(config: Mapping[str, Any]) -> str:
    """The content of config.json. Raises ModelError where nobody could read it."""
    content = to_json(config)
    try:
        check_size(config, len(content.encode()))
    except ValueError as error:
        count = len(config["spec"].get("labels", ()))
        raise ModelError(
            f"model {config['name']!r} couldn't be loaded by its config.json: {error}; give its {count:,} classes "
            "shorter names, or take fewer"
        ) from None
    return content


def check_size(tables: Mapping[str, Any], size: int) -> None:
    """Refuse a config that is larger than what is read; names of classes alone may make it larger than others."""
    if size > CONFIG:
        raise ValueError(f"it has {size:,} bytes, and {CONFIG:,} are read")
    if size <= BESIDE_LABELS:
        return
    rest = dict(tables)
    spec, recipe = (rest.get(name) for name in ("spec", "recipe"))
    if isinstance(spec, Mapping):
        rest["spec"] = _without_labels(spec)
    if isinstance(recipe, Mapping) and isinstance(data := recipe.get("data"), Mapping):  # some data are told them
        rest["recipe"] = {**recipe, "data": _without_labels(data)}
    if len(json.dumps(rest, ensure_ascii=False)) > BESIDE_LABELS:
        raise ValueError(f"it is larger than {BESIDE_LABELS} bytes without the names of its classes")


def _without_labels(table: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = table.get("labels")
    names = isinstance(labels, list) and len(labels) <= 100_000 and all(isinstance(label, str) for label in labels)
    return {key: value for key, value in table.items() if key != "labels"} if names else table
