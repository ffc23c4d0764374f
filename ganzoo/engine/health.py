"""How a finished training looks: measured on a fixed batch and read from the log, then said in words with what to try.

Every value is scale-free, so that the same bounds hold for every loss: diversity and duplicates are relative to real
images, the discriminator is judged by pairs it orders rightly, gradients by how they changed.
"""

import logging
import statistics
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.engine.advice import findings
from ganzoo.engine.collapse import COUNT, apart, few, small
from ganzoo.engine.export import describe, lent
from ganzoo.files import replaced, to_json
from ganzoo.folder import ModelConfig
from ganzoo.model import Model
from ganzoo.resolve import Parts
from ganzoo.run import Run

log = logging.getLogger("ganzoo")
BATCH, REFERENCE, PIXELS = 256, 4096, 2**25


def examine(
    run: Run, parts: Parts, published: Mapping[str, nn.Module], networks: Mapping[str, nn.Module]
) -> dict[str, Any]:
    """Measure, write `health.json` into the run, and return it. What fails here costs the report, not the run."""
    try:
        values: dict[str, Any] = gradients(run.metrics())
        if parts.recipe.task == "generate" and parts.strategy.inputs == ("image",):
            values |= samples(parts, published, networks)
        elif parts.recipe.task == "transform":
            values |= translations(parts, published)
        report = {"values": values, "findings": findings(values, parts.recipe)}
        with replaced(run.folder / "health.json") as part:
            part.write_text(to_json(report), "utf-8")
    except Exception as error:
        log.warning("the health of the run can't be reported: %s", error, exc_info=error)
        return {"values": {}, "findings": []}
    return report


def gradients(rows: list[dict[str, float]]) -> dict[str, Any]:
    """For each network: the gradient norm at the end over the highest of the first half, the highest after the first
    tenth over the median, and the update-to-weight ratio at the end. A tenth of the log is "the end"."""
    found: dict[str, Any] = {}
    for key in sorted({key for row in rows for key in row if key.endswith("/gradient_norm")}):
        network = key.removesuffix("/gradient_norm")
        norms = [row[key] for row in rows if key in row]
        tenth = max(1, len(norms) // 10)
        start, later = max(norms[: max(1, len(norms) // 2)]), norms[tenth:] or norms
        found[f"{network}/gradient_end_over_start"] = statistics.median(norms[-tenth:]) / max(start, 1e-30)
        found[f"{network}/gradient_peak_over_median"] = max(later) / max(statistics.median(later), 1e-30)
        ratios = [row[f"{network}/update_ratio"] for row in rows if f"{network}/update_ratio" in row]
        if ratios:
            found[f"{network}/update_ratio"] = statistics.median(ratios[-tenth:])
    return found


@torch.no_grad()
def samples(parts: Parts, published: Mapping[str, nn.Module], networks: Mapping[str, nn.Module]) -> dict[str, Any]:
    """What a fixed batch shows beside real images, and how the discriminator sees both."""
    batch = BATCH if (parts.spec.size or 64) <= 128 else BATCH // 4
    model = Model(ModelConfig.read(describe(parts, published)), dict(published), parts.architecture.image_range)
    fake = model.sample(batch, seed=0)
    labelled = "label" in parts.dataset.columns and bool(parts.spec.labels)
    columns = ("image", "label") if labelled else ("image",)
    count = min(REFERENCE, parts.spec.count, max(batch, PIXELS // fake[0].numel()))
    real, *label = (t.cpu() for t in parts.dataset.read(columns, 0, 0, count))
    real = (real + 1) / 2
    small_fake, small_real = small(fake), small(real)
    bound = _nearest(small_real[:batch]).median() / 10
    found: dict[str, Any] = {
        "diversity": apart(small_fake) / max(apart(small_real[:batch]), 1e-12),
        "duplicates": float((_nearest(small_fake) < bound).float().mean()),
    }
    if labelled:
        nearest = label[0][torch.cdist(small_fake, small_real).argmin(1)]
        shares = torch.bincount(nearest, minlength=len(parts.spec.labels)) / batch
        found["class_shares"] = dict(zip(parts.spec.labels, (round(float(s), 4) for s in shares), strict=False))
        if model.labels:
            asked = torch.arange(batch) % len(model.labels)
            found["label_agreement"] = float((nearest == asked).float().mean())
    return found | _judged(parts, networks, fake, real[:batch], label)


def translations(parts: Parts, published: Mapping[str, nn.Module]) -> dict[str, float]:
    """How far apart a few pictures lie that each network made, relative to real ones of its target; the least."""
    with lent(parts, published) as model:
        made = few(model, parts)
    if not made:
        return {}
    wanted = reversed(parts.dataset.read(parts.columns[:2], 0, 0, COUNT))
    found = [apart(small(a)) / max(apart(small((b.cpu() + 1) / 2)), 1e-12) for a, b in zip(made, wanted, strict=False)]
    return {"diversity": min(found)}


def _judged(
    parts: Parts, networks: Mapping[str, nn.Module], fake: Tensor, real: Tensor, label: list[Tensor]
) -> dict[str, float]:
    """The logit gap, and the share of (real, fake) pairs that the discriminator orders rightly."""
    conditions = parts.recipe.data.conditions
    if "discriminator" not in networks or conditions not in ((), ("label",)):
        return {}
    D = networks["discriminator"].eval()
    device, low, high = next(D.parameters()).device, *parts.architecture.image_range
    own = label[0][: len(real)] if conditions else None
    asked = torch.arange(len(fake)) % len(parts.spec.labels) if conditions else None
    logits = []
    for images, condition in ((real, own), (fake, asked)):
        given = () if condition is None else (condition.to(device),)
        scores = D((images * (high - low) + low).to(device), *given)
        if not isinstance(scores, Tensor):
            return {}
        logits.append(scores.float().flatten(1).mean(1).cpu() if scores.dim() > 1 else scores.float().cpu())
    ordered = (logits[0][:, None] > logits[1][None, :]).float().mean()
    return {"logit_gap": float(logits[0].mean() - logits[1].mean()), "pairs_ordered": float(ordered)}


def _nearest(vectors: Tensor) -> Tensor:
    return (torch.cdist(vectors, vectors) + torch.eye(len(vectors)) * 1e9).min(1).values
