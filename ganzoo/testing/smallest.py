"""The cheapest settings that a `Config` allows, so that every check is quick."""

import types
import typing
from typing import Any

import annotated_types
from pydantic.fields import FieldInfo

from ganzoo.recipes import Recipe
from ganzoo.registry import registry
from ganzoo.settings import Settings

LEAST = (
    "width",
    "discriminator_width",
    "depth",
    "latent_size",
    "embedding",
    "blocks",
    "critic_steps",
    "resolution",
    "mixed",
)
CHEAP = {"network": "effnet-lite0,size=32"}  # perceptual distances of small pictures
SIDES = [32]  # of the pictures that feature networks judge
LIKED = {"size": 16, "channels": 3, "classes": 3, "scale": 2}  # settings that a recipe takes from its data


def smallest(config: type[Settings], **given: Any) -> Any:
    """An instance: the least width, depth and latent, what is needed filled in, all else as by default."""
    settings = {}
    for name, field in config.model_fields.items():
        if name in given:
            settings[name] = given[name]
        elif name in LEAST or field.is_required():
            value = _value(name, field)
            if value is not None:
                settings[name] = value
    return config.read(settings)


def least(config: type[Settings]) -> dict[str, Any]:
    """The least width, depth and latent that it allows, and small pictures for feature networks."""
    fields = config.model_fields
    found: dict[str, Any] = {
        n: next((m.ge for m in fields[n].metadata if hasattr(m, "ge")), 1) for n in LEAST if n in fields
    }
    if "resolutions" in fields:
        found["resolutions"] = SIDES
    known = {n: text for n, text in CHEAP.items() if n in fields and text.partition(",")[0] in str(fields[n].default)}
    return found | known


def tiny(recipe: Recipe) -> Recipe:
    """The recipe with networks and batches as small as they go, from the beginning, and a budget of one step."""
    recipe = Recipe.parse({key: value for key, value in recipe.tables().items() if key != "start_from"}, recipe.name)
    changes: dict[str, Any] = {}
    for place in ("architecture", "strategy"):
        config = registry().get(place, getattr(recipe, place).name).Config
        cheapest = least(config)
        judge = config.model_fields.get("backbone")
        if judge is not None and judge.default == "":  # a frozen one that may be left out
            cheapest["backbone"] = ""
        changes |= {f"{place}.{name}": value for name, value in cheapest.items()}
    short = {"training.batch_size": 4, "training.images": 1, "training.accumulate": 1, "training.log_every": 1}
    return recipe.changed(changes | short | {"training.optimizer.schedule": "constant"})


def _value(name: str, field: FieldInfo) -> Any:
    values = [v for kind in kinds(field.annotation) for v in typing.get_args(kind)]
    low, high = bounds(field)
    if values and typing.get_origin(field.annotation) is typing.Literal:
        liked = [value for value in values if value == LIKED.get(name)]
        return (liked or values)[0]
    if int not in kinds(field.annotation):
        return None
    wanted = LIKED.get(name, 1 if name in LEAST else low if low is not None else 1)
    return int(min(max(wanted, low if low is not None else wanted), high if high is not None else wanted))


def kinds(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a type, without None."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return tuple(k for k in (typing.get_args(annotation) if union else (annotation,)) if k is not type(None))


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """The least and the greatest value of a number, None where it has no bound."""
    low: Any = None
    high: Any = None
    for mark in field.metadata:
        if isinstance(mark, annotated_types.Ge):
            low = mark.ge
        elif isinstance(mark, annotated_types.Gt):
            low = mark.gt
        elif isinstance(mark, annotated_types.Le):
            high = mark.le
        elif isinstance(mark, annotated_types.Lt):
            high = mark.lt
    return low, high
