"""The curve over training: `python -m ganzoo.engine.curve RUN` measures what each kept checkpoint would publish."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine.unfinished import model_of
from ganzoo.evaluation.measure import COUNT, evaluate_model
from ganzoo.run import Run


def curve(run: Run, metrics: list[str] | None = None, count: int = COUNT) -> Iterator[dict[str, Any]]:
    """A row for each complete checkpoint, oldest first: images, seconds of training, and a value for each metric.

    By default those that suit the model. A recipe needs `keep` (or --set training.keep=N) for many checkpoints.
    """
    for path in sorted(run.checkpoints.glob("step-*")):
        saved = checkpoints.read(path)
        report = evaluate_model(model_of(run, saved), metrics, seeds=(0,), count=count)
        row: dict[str, Any] = {"images": saved.manifest["images"], "seconds": round(saved.manifest["seconds"])}
        yield row | {name: measured.value for name, measured in report.measurements.items()}


def main() -> int:
    if not sys.argv[1:]:
        print("name a run: python -m ganzoo.engine.curve RUN [METRIC]...", file=sys.stderr)
        return 2
    for row in curve(Run(Path(sys.argv[1])), sys.argv[2:] or None):
        print(
            "  ".join(
                f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()
            ),
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
