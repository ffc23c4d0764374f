"""Find what others published. Cards are strangers' words: shown, never obeyed."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeGuard

from ganzoo.errors import GanzooError, HubError
from ganzoo.front_matter import PIPELINES
from ganzoo.front_matter import licence as licence_fields
from ganzoo.hub.client import Hub, ask
from ganzoo.hub.reach import reach
from ganzoo.text import plain


@dataclass(frozen=True)
class Number:
    """A measured metric as a card gives it."""

    metric: str
    value: float
    spread: float | None = None

    def __str__(self) -> str:
        return f"{self.metric} {self.value:.4g}" + (f" ± {self.spread:.2g}" if self.spread is not None else "")


@dataclass(frozen=True)
class Found:
    """A published model, as the Hub lists it."""

    name: str
    task: str
    licence: str
    datasets: tuple[str, ...]
    metrics: tuple[Number, ...]
    downloads: int
    updated: str


def search(
    text: str = "",
    *,
    task: str | None = None,
    dataset: str | None = None,
    licence: str | None = None,
    limit: int = 50,
    hub: Hub | None = None,
) -> list[Found]:
    """Models on the Hub made by ganzoo whose name contains `text`. Raises HubError."""
    hub = hub or Hub()
    if task is not None and task not in PIPELINES:
        raise GanzooError(f"there is no task {plain(task)!r}; there are {' and '.join(PIPELINES)}")
    fields = licence_fields(licence) if licence else {}
    tags = [
        "ganzoo",
        *([f"dataset:{dataset}" if "/" in dataset else dataset] if dataset else []),
        *([f"license:{fields['license']}"] if fields else []),
    ]
    wanted: dict[str, Any] = {"filter": tags, "search": text or None, "limit": limit}
    wanted["pipeline_tag"] = PIPELINES[task] if task else None
    ask(hub, "the list of models", partial(_reach, hub))
    try:
        listed: Iterable[Any] = ask(hub, "its models", lambda: list(hub.api().list_models(**wanted, cardData=True)))
    except HubError as error:
        if "makes no sense" not in str(error):
            raise
        listed = list(_one_by_one(hub, wanted))  # one malformed card spoils the client's whole list
    found, named = [_found(info) for info in listed], fields.get("license_name")
    return [item for item in found if named in (None, item.licence)]  # the Hub finds no names of other licences


def _reach(hub: Hub) -> None:
    """The listing itself would go on knocking for 23 seconds where nobody is."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    if hub.offline:
        raise OfflineModeIsEnabled
    reach(hub.url, "its models")


def _one_by_one(hub: Hub, wanted: dict[str, Any]) -> Iterator[Any]:
    api = hub.api()
    for info in ask(hub, "its models", lambda: list(api.list_models(**wanted))):
        try:
            yield ask(hub, str(info.id), partial(api.model_info, info.id))
        except HubError:
            yield info  # shown without its card


def _found(info: Any) -> Found:
    card = getattr(info, "card_data", None)
    pipeline = {pipeline: task for task, pipeline in PIPELINES.items()}
    other = getattr(card, "license", None) == "other"
    names = getattr(card, "datasets", None)
    names = [names] if isinstance(names, str) else names if isinstance(names, list) else _measured_on(card)
    return Found(
        name=f"hf://{plain(info.id, 200)}",
        task=pipeline.get(str(info.pipeline_tag), "?"),
        licence=_word(getattr(card, "license_name" if other else "license", None)),
        datasets=tuple(_word(name) for name in names[:5]),
        metrics=tuple(_numbers(card)),
        downloads=info.downloads if isinstance(info.downloads, int) else 0,
        updated=info.last_modified.date().isoformat() if info.last_modified else "",
    )


def _measured_on(card: Any) -> list[Any]:
    """The data of a card's metrics: what isn't on the Hub is no data set there."""
    results = getattr(card, "eval_results", None)
    found = [getattr(result, "dataset_type", None) for result in (results if isinstance(results, list) else ())]
    return list(dict.fromkeys(name for name in found if isinstance(name, str)))


def _numbers(card: Any) -> Iterator[Number]:
    results = getattr(card, "eval_results", None)
    for result in results[:20] if isinstance(results, list) else ():
        value = getattr(result, "metric_value", None)
        arguments = getattr(result, "metric_args", None)
        spread = arguments.get("spread") if isinstance(arguments, dict) else None
        if _number(value):
            named = _word(getattr(result, "metric_name", None) or getattr(result, "metric_type", None))
            yield Number(named, float(value), float(spread) if _number(spread) else None)


def _number(value: Any) -> TypeGuard[float]:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value)
    )


def _word(value: Any) -> str:
    return plain(value, 60) if isinstance(value, str) and value else "?"
