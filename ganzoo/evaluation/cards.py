"""The numbers of the cards: `python -m ganzoo.evaluation.cards` measures every shipped model and writes them anew."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganzoo import card
from ganzoo.evaluation import crops, gates, transformed
from ganzoo.evaluation.measure import COUNT, Report, evaluate_model
from ganzoo.files import from_json, sha256, to_json
from ganzoo.images import png
from ganzoo.model import Model
from ganzoo.names import model_folder_of
from ganzoo.registry import registry

COMMAND = "python -m ganzoo.evaluation.cards"
SEEDS = (0, 1, 2)
TEXTURE = "patch-kernel-distance"  # of enlarged pictures


def measure(name: str) -> gates.Verdict:
    """Measure a shipped model and write its numbers into its config and card."""
    folder = model_folder_of(name)
    model = Model.read(folder)
    enlarges = gates.family(model) == "super-resolution"
    metrics = [*transformed.suited(model, transformed.held_out(model, COUNT)), TEXTURE] if enlarges else None
    report = evaluate_model(model, metrics, seeds=SEEDS)
    if enlarges:
        (folder / "samples.png").write_bytes(png(crops.sheet(model)))
    verdict = gates.judge(gates.family(model), report)
    record(folder, report, verdict)
    return verdict


def record(folder: Path, report: Report, verdict: gates.Verdict) -> None:
    """Write measurements into a model folder, bound to its weights, and render its card anew."""
    config = from_json((folder / "config.json").read_text("utf-8"))
    weights = sha256(folder / "model.safetensors")
    config["metrics"] = [
        {
            "metric": metric,
            "value": found.value,
            "spread": found.spread,
            "protocol": found.protocol.model_dump(mode="json"),
            "weights_sha256": weights,
        }
        for metric, found in report.measurements.items()
    ]
    about = ("title", "values", "higher_is_better", "per_class", "details")
    config["measured"] = {
        "by": COMMAND,
        "gate": {
            "family": verdict.family,
            "passed": verdict.passed,
            "missed": verdict.reasons,
            "below the bar": [str(bar) for bar in verdict.bars if not bar.passed],
        },
        "details": {m: found.model_dump(mode="json", include=set(about)) for m, found in report.measurements.items()},
    }
    config["measured"]["seal"] = seal(config)
    (folder / "config.json").write_text(to_json(config), "utf-8")
    (folder / "README.md").write_text(card.render(config, config["name"]), "utf-8")


def seal(config: Mapping[str, Any]) -> str:
    """The hash over everything that was measured: an edit by hand breaks it. It is no signature."""
    measured = {key: value for key, value in config.get("measured", {}).items() if key != "seal"}
    text = json.dumps([config.get("metrics"), measured], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def faults(folder: Path) -> list[str]:
    """What is wrong with the numbers of a model folder: nothing when they were measured on these very weights."""
    config = from_json((folder / "config.json").read_text("utf-8"))
    if not config.get("metrics") or "seal" not in config.get("measured", {}):
        return [f"{folder.name} carries no measured numbers; run `{COMMAND}`"]
    wrong = []
    if config["measured"]["seal"] != seal(config):
        wrong.append(f"a number of {folder.name} was changed since it was measured; run `{COMMAND}`")
    weights = sha256(folder / "model.safetensors")
    if any(metric["weights_sha256"] != weights for metric in config["metrics"]):
        wrong.append(f"the weights of {folder.name} changed since they were measured; run `{COMMAND}`")
    if (folder / "README.md").read_text("utf-8") != card.render(config, config["name"]):
        wrong.append(f"the card of {folder.name} isn't what its config gives; run `{COMMAND}`")
    if not config["measured"]["gate"]["passed"]:
        wrong.append(f"{folder.name} failed its gate: {'; '.join(config['measured']['gate']['missed'])}")
    return wrong


def shipped() -> list[str]:
    """The models that this distribution ships."""
    names = registry().names("model")
    return [n for n in names if registry().entry("model", n).plugin.first_party and model_folder_of(n).is_dir()]


def main() -> int:
    failed = 0
    for name in sys.argv[1:] or shipped():
        verdict = measure(name)
        failed += not verdict.passed
        print(f"{name}: {'passed' if verdict.passed else 'FAILED'} the gate of {verdict.family} models")
        for reason in [*verdict.reasons, *(str(bar) for bar in verdict.bars if not bar.passed)]:
            print(f"  {reason}")
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
