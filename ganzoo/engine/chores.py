"""What is due between steps, the sample grid and measuring. A signal breaks it off; the next checkpoint says so, and it
is done when the run goes on."""

import contextlib
import logging
from typing import TYPE_CHECKING

from ganzoo.engine.export import lent, sheet
from ganzoo.engine.measure import measured
from ganzoo.engine.signals import Interrupted
from ganzoo.errors import GanzooError
from ganzoo.files import replaced

if TYPE_CHECKING:
    from ganzoo.engine.loop import Engine

log = logging.getLogger("ganzoo")


def due(e: "Engine", before: int) -> list[str]:
    """What the step made due that began after this many images."""
    measure, last = e.training.measure, e.images >= e.training.images
    found = ["sample"] if e.crossed(before, e.training.sample_every) else []
    return found + (["measure"] if measure and (last or e.crossed(before, measure.every)) else [])


def do(e: "Engine") -> None:
    """All of `e.due`, on the first process; the others wait. Raises Stopped."""
    while e.due:
        found = e.processes.first(lambda: (sample if e.due[0] == "sample" else _measured)(e))
        e.processes.agree()
        if found is not None and e.due.pop(0) == "measure" and found:
            e.tell(found)
            if e.processes.first(lambda: e.best.is_now(e.latest)):
                e.save()
        if e.processes.stop:
            e.stop(e.processes.stop)


def sample(e: "Engine") -> dict[str, float] | None:
    """Draw the grid of what the published networks make now; None when a signal broke it off."""
    with contextlib.suppress(Interrupted), e.signals.breaking():
        with lent(e.parts, e.published()) as model:
            drawn = sheet(model)
        if drawn is not None:
            try:
                with replaced(e.run.samples / f"{e.images:09d}.png") as part:
                    drawn.save(part)
            except GanzooError as error:
                log.warning("the sample grid of step %d is missing: %s", e.steps, error)
        return {}
    return None


def _measured(e: "Engine") -> dict[str, float] | None:
    with contextlib.suppress(Interrupted), e.signals.breaking():
        return measured(e.parts, e.published())
    return None
