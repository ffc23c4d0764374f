"""The contract of a metric: it says what its number is, and measures one."""

import math
import typing
from unittest import mock

import torch
from torch import Tensor, nn

from ganzoo.errors import GanzooError
from ganzoo.evaluation.evidence import Evidence, View
from ganzoo.evaluation.measure import check as can_measure
from ganzoo.evaluation.pictures import Held
from ganzoo.features import Features
from ganzoo.metric import Metric, Need, Result
from ganzoo.testing.contract import Fault, NotRun, Subject, check, need, needs_settings

CLASSES = "0", "1"


class Small(Features):
    """A feature network for the checks alone: a convolution of random weights."""

    channels, size, width, labels, licence, weights_sha256 = 3, 16, 8, CLASSES, "CC0-1.0", "0" * 64

    def __init__(self) -> None:
        super().__init__()
        self.network = self.frozen(nn.Conv2d(self.channels, self.width, 5, stride=2))

    def embed(self, images: Tensor) -> Tensor:
        return self.maps(images)[0].mean((2, 3))

    def maps(self, images: Tensor) -> list[Tensor]:
        return [self.network(images)]

    def classify(self, features: Tensor) -> Tensor:
        return features[:, : len(CLASSES)]


@check("metric")
def measures(subject: Subject) -> None:
    """It has a title, says which way is better and what it needs, and gives a finite number for two small sets."""
    kind = subject.target
    need(kind.title.strip(), subject, "has no title; set title to what people call the number")
    way = isinstance(getattr(kind, "higher_is_better", None), bool)
    need(way, subject, "doesn't say which way is better; set higher_is_better to True or False")
    unknown, known = set(kind.needs) - set(typing.get_args(Need)), ", ".join(typing.get_args(Need))
    need(not unknown, subject, f"needs {', '.join(sorted(unknown))}, which nobody gives; there are {known}")
    try:
        metric = kind(kind.Config.read(dict(subject.settings)))
    except ValueError as error:
        raise needs_settings(error) from None
    except GanzooError as error:  # somebody's weights or package
        raise NotRun(f"what it needs isn't here ({error})") from None
    evidence = _evidence(metric)
    try:
        can_measure(subject.name, metric, evidence)
        with mock.patch("socket.getaddrinfo", side_effect=OSError("the checks use no network")):
            result = metric.measure(evidence)
    except GanzooError as error:
        if str(error).startswith("this metric needs"):
            raise Fault(f"{subject} doesn't say all that it needs ({error}); add it to needs") from None
        raise NotRun(f"small sets of noise can't be measured ({error})") from None
    need(isinstance(result, Result), subject, f"measures a {type(result).__name__}; return a ganzoo.Result")
    for name, value in {"its value": result.value, **result.per_class}.items():
        number = isinstance(value, int | float) and math.isfinite(value)
        need(number, subject, f"measures {value!r} as {name}; give finite numbers, by .item() from a tensor")


def _evidence(metric: Metric) -> Evidence:
    """Sets of noise, no more of them than the metric says it needs."""
    network = Small() if "features" in metric.needs else None
    count = max(24, metric.minimum)

    def view(name: str) -> View:
        images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
        labels = torch.arange(count) % len(CLASSES) if "labels" in metric.needs else None
        return View(Held(name, images, labels, CLASSES if labels is not None else ()), network)

    given = {name: view(name) for name in ("reference", "training", "sources") if name in metric.needs}
    return Evidence(view("samples"), network=network, **given)
