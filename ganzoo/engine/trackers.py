"""TensorBoard, Weights & Biases and Trackio, through Accelerate: they watch a run as a plugin's observers do."""

import importlib.util
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from ganzoo.run import Run

NAMES = "tensorboard", "wandb", "trackio"


class Tracker:
    """Sends the log of a run to one tracker. Raises GanzooError when there is no such tracker here."""

    def __init__(self, name: str):
        if name not in NAMES:
            raise GanzooError(f"there is no tracker {name!r}; there are {', '.join(NAMES)}")
        if importlib.util.find_spec(name) is None:
            raise GanzooError(f"tracker {name!r} is not installed; pip install 'torch-ganzoo[{name}]'")
        self.name = name
        self.accelerator: Any = None

    def ganzoo_training_started(self, run: "Run") -> None:
        from accelerate import Accelerator, PartialState  # type: ignore[import-untyped]

        cpu = PartialState().device.type == "cpu"
        self.accelerator = Accelerator(cpu=cpu, log_with=self.name, project_dir=str(run.folder))
        settings = run.recipe.tables()
        flat = {
            f"{part}.{k}": str(v)
            for part, table in settings.items()
            if isinstance(table, dict) and part != "observers"  # which may hold keys
            for k, v in table.items()
        }
        where = {"wandb": {"dir": os.environ.get("WANDB_DIR", str(run.folder))}}
        self.accelerator.init_trackers(f"ganzoo-{run.recipe.name}", config=flat, init_kwargs=where)

    def ganzoo_metrics_logged(self, run: "Run", step: int, metrics: Mapping[str, float]) -> None:
        self.accelerator.log({k: v for k, v in metrics.items() if k != "step"}, step=step)

    def ganzoo_training_finished(self, run: "Run") -> None:
        for tracker in self.accelerator.trackers:  # end_training() would end the processes' group as well
            tracker.finish()
