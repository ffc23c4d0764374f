"""What a card says about a model beyond its numbers: how it was trained, under which licences, with which limits."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from ganzoo.errors import GanzooError
from ganzoo.recipes import PARTS, Recipe
from ganzoo.registry import registry
from ganzoo.text import plain

PYTHON = """\
```python
import json, ganzoo

ganzoo.train(json.load(open("config.json"))["recipe"], out="RUN")
```"""


def training_command(config: Mapping[str, Any]) -> str:
    """The command that trains this recipe: by its registered name where that gives the same settings."""
    try:
        ours = Recipe.parse(config["recipe"])
        if ours.name not in registry().names("recipe"):
            return PYTHON
        known = Recipe.load(ours.name)
        changes = [f"--set {place}={_toml(value)}" for place, value in _changes(known, ours, config["spec"])]
    except (GanzooError, KeyError, TypeError, ValueError, AttributeError):
        return PYTHON
    return "`" + " ".join([f"ganzoo train {ours.name}", *changes, "--out RUN"]) + "`"


def _changes(known: Recipe, ours: Recipe, spec: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    old, new = (recipe.model_dump(mode="json", by_alias=True) for recipe in (known, ours))
    yield from _differences("training", old["training"], new["training"])
    facts = {"size": spec.get("size"), "channels": spec.get("channels"), "scale": spec.get("scale")}
    facts["classes"] = len(spec.get("labels") or ())
    if list(old["regularizers"]) != list(new["regularizers"]):
        raise ValueError("the regularisers are others")
    for name, settings in new["regularizers"].items():
        fields = registry().get("regularizer", name).Config.model_fields
        for key, value in settings.items():
            if key != "version" and value != old["regularizers"][name].get(key, fields[key].default):
                yield f"regularizers.{name}.{key}", value
    for place, kind in PARTS.items():
        if new[place] is None or old[place] is None or new[place]["name"] != old[place]["name"]:
            if new[place] != old[place]:
                raise ValueError(f"{place} is another one")
            continue
        fields = registry().get(kind, new[place]["name"]).Config.model_fields
        for key, value in new[place].items():
            usual = _usual(old[place], key, fields, value)
            if key != "version" and value != usual and not (key not in old[place] and value == facts.get(key)):
                yield f"{place}.{key}", value


def _usual(old: Mapping[str, Any], key: str, fields: Mapping[str, FieldInfo], value: Any) -> Any:
    """What a setting is in the registered recipe, with its own defaults filled in, as a config records it."""
    field = fields.get(key)
    if field is None:
        return old.get(key, value)
    if key not in old and field.is_required():
        return None
    kind: TypeAdapter[Any] = TypeAdapter(field.annotation or object)
    usual = old[key] if key in old else field.get_default(call_default_factory=True)
    return kind.dump_python(kind.validate_python(usual), mode="json")


def _differences(place: str, old: Any, new: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        if set(old) - set(new):
            raise ValueError(f"{place} lacks something, which no --set can say")
        for key, value in new.items():
            yield from _differences(f"{place}.{key}", old.get(key), value)
    elif old != new:
        yield place, new


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if (
        isinstance(value, str)
        and re.fullmatch(r"[a-z][a-z0-9-]{0,40}", value)
        and value not in ("true", "false", "inf", "nan")
    ):
        return value
    raise ValueError("not a value that reads well on a command line")


def licence_lines(config: Mapping[str, Any]) -> list[str]:
    """The weights' licence, the data's, and those of the model that training started from."""
    spec = config["spec"]
    lines = [f"Weights: {config.get('licence') or 'no licence chosen yet'}."]
    lines += [_data_line(spec)]
    for base in config.get("lineage") or ():
        words = "a run of the same author" if base.get("own") else base.get("licence") or "no licence given"
        lines.append(f"Fine-tuned from {base.get('model')} ({words}).")
        lines += [f"Of that model: {_data_line(data)}" for data in base.get("data") or ()]
    return lines


def _data_line(spec: Mapping[str, Any]) -> str:
    return f"Data: {spec.get('name')} ({spec.get('licence')}). {spec.get('attribution') or ''}".strip()


def limits(config: Mapping[str, Any]) -> list[str]:
    """What not to expect of the model; all of it follows from the config."""
    spec, gate = config["spec"], config.get("gate")
    lines = []
    if spec.get("size") and config["task"] == "generate":
        colour = "grey" if spec.get("channels") == 1 else "colour"
        lines.append(f"It makes {colour} images of {spec['size']} x {spec['size']} pixels, and no others.")
    lines.append(f"It knows {spec.get('count', 0):,} examples of {plain(spec.get('name'))} and nothing beyond them.")
    if gate == "passed":
        lines.append("It passed the gate of its family before it was published.")
    elif gate == "skipped":
        lines.append("It was published WITHOUT the gate of its family (--no-gate): its quality was not checked.")
    if not config.get("metrics"):
        lines.append("No metric stands behind it.")
    missed = measured(config, "gate").get("below the bar")
    for bar in missed if isinstance(missed, list) else ():
        lines.append(f"Below the bar for models that ship with ganzoo: {plain(bar)}.")
    return lines


def measured(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A table of what `make cards` recorded; empty where it isn't one, for the config may be anybody's."""
    found = config.get("measured")
    table = found.get(key) if isinstance(found, Mapping) else None
    return table if isinstance(table, Mapping) else {}


def methods(config: Mapping[str, Any]) -> list[str]:
    """What its parts are, with the papers that their documentation names, and ganzoo itself."""
    lines = []
    recipe = config["recipe"]
    named = [(kind, str((recipe.get(place) or {}).get("name"))) for place, kind in PARTS.items()]
    named += [("regularizer", str(name)) for name in recipe.get("regularizers") or {}]
    for kind, name in named:
        try:
            about = registry().get(kind, name).__doc__ or ""
        except GanzooError:
            continue
        lines.append(f"{kind} {name}: {' '.join(about.split(chr(10) + chr(10))[0].split())}")
    return [*lines, "Trained with ganzoo (the package torch-ganzoo): cite it by its name and version."]
