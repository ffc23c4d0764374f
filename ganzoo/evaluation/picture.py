"""A picture of a report: samples of the best and the worst classes, and samples beside their nearest pictures."""

import torch
from PIL import Image
from torch import Tensor

from ganzoo import images
from ganzoo.errors import GanzooError
from ganzoo.evaluation.evidence import Evidence, View
from ganzoo.evaluation.measure import Report
from ganzoo.evaluation.neighbours import nearest

COLUMNS = 10


def sheet(report: Report) -> Image.Image:
    """Rows of samples (worst class first, then the best, where there are classes), then samples above the real pictures
    nearest to them: of the training pictures where they are at hand, else of the reference. Raises GanzooError."""
    evidence = report.evidence
    beside = evidence.training if evidence.has_training else evidence.reference
    for view in (evidence.samples, beside):
        view.pictures.require_alike()
    (name, shape), (other, wanted) = ((view.pictures.name, view.pictures.shape) for view in (evidence.samples, beside))
    if shape != wanted:
        raise GanzooError(
            f"{name} and {other} can't be drawn side by side, since their channels, height and width are {shape} and "
            f"{wanted}; --size makes folders alike"
        )
    rows, titles = _classes(report)
    shown = _spread(evidence.samples)
    near = nearest(evidence.samples.thumbnails[shown], beside.thumbnails)[1]
    parts = [*rows, _at(evidence.samples, shown), _at(beside, near)]
    return images.grid(torch.cat(parts).float() / 255, COLUMNS, [*titles, "samples", "nearest real"], scale=2)


def _classes(report: Report) -> tuple[list[Tensor], list[str]]:
    scored = next((m.per_class for m in report.measurements.values() if m.per_class and m.higher_is_better), {})
    evidence, order = report.evidence, sorted(scored, key=lambda name: scored[name])
    chosen = list(dict.fromkeys([*order[:3], *order[-2:]]))
    names = [f"{name}  {scored[name]:.3f}" for name in chosen]
    return [_of_class(evidence, name) for name in chosen], names


def _of_class(evidence: Evidence, name: str) -> Tensor:
    label = evidence.label_names.index(name)
    return _at(evidence.samples, (evidence.samples.labels == label).nonzero()[:COLUMNS, 0])


def _spread(view: View) -> Tensor:
    return torch.linspace(0, view.count - 1, COLUMNS).long()


def _at(view: View, rows: Tensor) -> Tensor:
    """The pictures in these rows; short rows are filled up with white."""
    wanted, start = {int(row) for row in rows}, 0
    found: dict[int, Tensor] = {}
    for batch in view.pictures.batches():
        found |= {row: batch[row - start] for row in wanted if start <= row < start + len(batch)}
        start += len(batch)
    chosen = [found[int(row)] for row in rows]
    white = torch.full_like(chosen[0], 255)
    return torch.stack(chosen + [white] * (COLUMNS - len(chosen)))
