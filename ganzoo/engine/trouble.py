"""When a step goes bad: a value that isn't finite, or memory that gives out. All processes take the same way back."""

import logging
import math
from typing import TYPE_CHECKING, Any

import torch

from ganzoo.engine.processes import Exhausted
from ganzoo.errors import GanzooError, TrainingError
from ganzoo.files import to_json

if TYPE_CHECKING:
    from ganzoo.engine.loop import Engine

log = logging.getLogger("ganzoo")
ATTEMPTS = 3  # from one checkpoint
SHOWN = 20


def check(engine: "Engine") -> bool:
    """Find the first update since the last look that wasn't finite, and go back to the last good checkpoint: True."""
    if not engine.updates:
        return False
    flags = engine.window.flags([place for *_, place in engine.updates])
    bad = [where for (*where, _), flag in zip(engine.updates, flags, strict=True) if flag]
    engine.updates = []
    if not bad:
        return False
    step, update, networks = bad[0]
    attempt = engine.attempt + 1
    what = f"step {step}, update {update} gave a loss or gradient of {networks} that is not finite"
    _report(engine, bad[0], attempt)
    found = engine.saver.newest()
    times = engine.saver.gone_back[found.step] + 1 if found else 1
    if found is None or times > ATTEMPTS:
        since = (
            f"the last of {times} such steps since the checkpoint of step {found.step}"
            if found
            else "and there is no checkpoint to go back to"
        )
        error = TrainingError(
            f"training diverged: {what}, {since}; lower training.optimizer.lr, or set clip_norm "
            f"(the folder diverged/ of the run has a report)"
        )
        error.elsewhere = not engine.processes.is_main
        raise error
    if engine.processes.is_main:
        log.warning("%s; going back to step %d with other noise (attempt %d)", what, found.step, attempt)
    engine.saver.restore(found)
    engine.attempt, engine.saver.gone_back[found.step] = attempt, times
    return True


def _report(engine: "Engine", where: list[Any], attempt: int) -> None:
    """Write what was seen around the bad update. The weights are those from before it: it moved nothing."""
    if not engine.processes.is_main:
        return
    step, update, networks = where
    weights = {
        name: {
            "length": _number(torch.stack([p.detach().norm().float() for p in network.parameters()]).norm()),
            "not_finite": [
                n for n, t in network.state_dict().items() if t.is_floating_point() and not t.isfinite().all()
            ],
            "learning_rate": float(engine.optimizers[name].optimizer.param_groups[0]["lr"]),
        }
        for name, network in engine.networks.items()
    }
    report = {
        "step": step,
        "update": update,
        "networks": networks,
        "attempt": attempt,
        "weights": weights,
        "before": {name: [_number(v) for v in values[-SHOWN:]] for name, values in engine.window.items()},
    }
    try:
        folder = engine.run.folder / "diverged"
        folder.mkdir(exist_ok=True)
        (folder / f"step-{step:08d}-attempt-{attempt}.json").write_text(to_json(report), "utf-8")
    except OSError as error:
        log.warning("the report of the divergence can't be written: %s", error.strerror)


def _number(value: torch.Tensor) -> float | str:
    number = float(value)
    return number if math.isfinite(number) else str(number)


def smaller_batches(engine: "Engine", error: Exhausted) -> None:
    """Every process takes twice as many micro-batches from the last checkpoint on; the batch stays what it is."""
    error.__traceback__ = error.__cause__ = error.__context__ = None  # they hold the graph whose memory is needed
    halved = engine.stepper.accumulate * 2
    found = engine.saver.newest()
    try:
        engine.stepper.check(halved)
        if found is None:
            raise GanzooError("there is no checkpoint to go back to")
    except GanzooError as reason:
        failed = TrainingError(f"out of memory in step {engine.steps}, and the batch can't be cut further: {reason}")
        failed.elsewhere = not engine.processes.is_main
        raise failed from None
    engine.saver.restore(found)
    engine.stepper.accumulate = halved
    if engine.processes.device.type == "cuda":
        torch.cuda.empty_cache()
    if engine.processes.is_main:
        exact = (
            "" if engine.parts.exact else "; this recipe's batch is not the sum of its parts, so results change a bit"
        )
        log.warning("out of memory; going back to step %d with %d micro-batches%s", found.step, halved, exact)


def back(engine: "Engine") -> None:
    """From the last checkpoint on, with the same noise."""
    found = engine.saver.newest()
    if found is None:
        raise TrainingError(f"step {engine.steps} failed, and there is no checkpoint to go back to")
    engine.saver.restore(found)
