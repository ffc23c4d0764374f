"""Measure a translator on held-out pictures, beside three maps that need no training; and draw them side by side."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from ganzoo.evaluation import parts, transformed
from ganzoo.evaluation.evidence import Tick, View
from ganzoo.evaluation.kernel import standardised
from ganzoo.evaluation.measure import COUNT, Report
from ganzoo.evaluation.pictures import FromDataset, Held, Pictures
from ganzoo.features import Features
from ganzoo.images import grid
from ganzoo.model import Model

PAIRED = ("l1", "retrieval")  # what counterparts allow to measure
SHOWN = 500  # pictures that a sheet chooses from


def evaluate(
    model: Model,
    metrics: Sequence[str] | None = None,
    *,
    direction: str | None = None,
    count: int = COUNT,
    features: str | None = None,
    tick: Tick | None = None,
) -> Report:
    """Measure a translator on the held-out pictures of its data, by default in the first direction. Raises GanzooError.

    `beside` holds the same of the sources as they are ("untouched"), of the training target whose source is most like
    the test source ("nearest"; without pairs the target that is most like it), and of sources whose colours were moved
    to the training targets' histogram ("histogram"). Their values are details of each measurement, too. Where there is
    a direction back and none is asked for, its report stands beside the first one's under its name.
    """
    model.translator(direction)  # refuses an unknown one
    report = _evaluate(model, metrics, direction or model.directions[0], count, features, tick)
    others = () if direction or metrics else model.directions[1:]
    back = {other: _evaluate(model, metrics, other, count, features, tick) for other in others}
    return replace(report, beside={**report.beside, **back})


def _evaluate(
    model: Model, metrics: Sequence[str] | None, direction: str, count: int, features: str | None, tick: Tick | None
) -> Report:
    held = transformed.held_out(model, count)
    recipe = parts.recipe_of(model)
    data = transformed.learned(recipe)
    known, answers = (FromDataset(data, transformed.TRAINING, column) for column in transformed.columns_of(data))
    place = model.directions.index(direction)
    if place:
        held, known, answers = held.turned(known), answers, known
    sources, targets = all_of(held.sources), all_of(answers)
    like = all_of(known) if getattr(data, "paired", True) else targets
    network = parts.features(features or parts.features_for((), model.size, model.channels)).to(model.device)
    maps = {
        "untouched": held.sources,
        "nearest": Held("nearest", nearest(sources, like, targets, network, tick), of=held.sources),
        "histogram": Held("histogram", histogram_matched(sources, targets), of=held.sources),
    }
    pairs = held.sources.keys == held.wanted.keys
    chosen = list(metrics or [*(PAIRED if pairs else ()), *transformed.suited(model, held)])
    compared = [metric for metric in chosen if metric not in parts.OWN]
    made = transformed.transformed(model, held.sources, list(model.networks)[place])
    report = transformed.measured(made, held, chosen, features, tick)
    beside = {n: transformed.measured(p, held, compared, features, tick) for n, p in maps.items() if compared}
    measurements = {
        metric: found.model_copy(
            update={
                "details": {**found.details, **{n: r[metric].value for n, r in beside.items() if metric in compared}}
            }
        )
        for metric, found in report.measurements.items()
    }
    return replace(report, measurements=measurements, notes=[f"direction {direction}"], beside=beside)


def all_of(pictures: Pictures) -> Tensor:
    """uint8 (N, C, H, W)."""
    return torch.cat(list(pictures.batches()))


def nearest(sources: Tensor, known: Tensor, answers: Tensor, network: Features, tick: Tick | None = None) -> Tensor:
    """For each source the answer that belongs to the most similar known picture."""
    views = [View(Held(name, images), network, True, tick) for name, images in (("sources", sources), ("known", known))]
    mine, theirs = (normalize(standardised(view.features, views[1].features), dim=1) for view in views)
    return answers[(mine @ theirs.T).argmax(1)]


def histogram_matched(sources: Tensor, targets: Tensor) -> Tensor:
    """Sources, uint8, whose values have the targets' distribution, channel by channel over the whole set."""
    matched = torch.empty_like(sources)
    for channel in range(sources.shape[1]):
        have, want = (
            torch.bincount(x[:, channel].flatten().long(), minlength=256).double() for x in (sources, targets)
        )
        middle = (have.cumsum(0) - have / 2) / have.sum()
        table = torch.searchsorted((want.cumsum(0) / want.sum()).contiguous(), middle).clamp(max=255).byte()
        matched[:, channel] = table[sources[:, channel].long()]
    return matched


def sheet(model: Model, count: int = 14) -> Image.Image:
    """For each direction the source, what the model makes of it and, where they pair, what the other hand drew.

    Held-out pictures of the model's data, or those of training where it holds nothing out.
    """
    recipe = parts.recipe_of(model)
    data = parts.held_out(recipe) or transformed.learned(recipe)
    a, b = (all_of(FromDataset(data, SHOWN, column)) for column in transformed.columns_of(data))
    places = torch.linspace(0, min(len(a), len(b)) - 1, count).long()
    rows, labels = [], []
    for network, direction, (source, target) in zip(model.networks, model.directions, ((a, b), (b, a)), strict=False):
        domains = direction.split("-to-")
        given = Held("given", source[places])
        drawn: list[tuple[str, Pictures]] = [(domains[0], given)]
        drawn += [("made", transformed.transformed(model, given, network))]
        drawn += [(domains[1], Held("real", target[places]))] if getattr(data, "paired", True) else []
        labels += [label for label, _ in drawn]
        rows += [all_of(pictures) / 255 for _, pictures in drawn]
    return grid(torch.cat(rows), count, labels)
