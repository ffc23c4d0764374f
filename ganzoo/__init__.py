"""ganzoo: a GAN zoo whose every part is a plugin. `ganzoo.load("cgan-mnist").sample(16, label=3)`.

Names are imported when first used, so `import ganzoo` needs no torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ganzoo.api import build as build
    from ganzoo.api import evaluate as evaluate
    from ganzoo.api import load as load
    from ganzoo.api import models as models
    from ganzoo.api import recipe as recipe
    from ganzoo.api import register as register
    from ganzoo.api import train as train
    from ganzoo.architecture import Architecture as Architecture
    from ganzoo.architecture import Discriminator as Discriminator
    from ganzoo.architecture import Generator as Generator
    from ganzoo.architecture import Translator as Translator
    from ganzoo.architecture import recomputed as recomputed
    from ganzoo.dataset import Dataset as Dataset
    from ganzoo.dataset import ResidentDataset as ResidentDataset
    from ganzoo.dataset import Spec as Spec
    from ganzoo.errors import GanzooError as GanzooError
    from ganzoo.errors import NothingHeldOut as NothingHeldOut
    from ganzoo.evaluation.evidence import Evidence as Evidence
    from ganzoo.features import Features as Features
    from ganzoo.hookspecs import files_in as files_in
    from ganzoo.hookspecs import hookimpl as hookimpl
    from ganzoo.hub.client import Hub as Hub
    from ganzoo.hub.publish import publish as publish
    from ganzoo.loss import Logits as Logits
    from ganzoo.loss import Loss as Loss
    from ganzoo.metric import Measurement as Measurement
    from ganzoo.metric import Metric as Metric
    from ganzoo.metric import Protocol as Protocol
    from ganzoo.metric import Result as Result
    from ganzoo.model import Model as Model
    from ganzoo.names import shipped_model as shipped_model
    from ganzoo.precision import wide as wide
    from ganzoo.recipes import Recipe as Recipe
    from ganzoo.regularizer import Pair as Pair
    from ganzoo.regularizer import Regularizer as Regularizer
    from ganzoo.run import Run as Run
    from ganzoo.settings import Settings as Settings
    from ganzoo.strategy import LazyUpdate as LazyUpdate
    from ganzoo.strategy import Progress as Progress
    from ganzoo.strategy import Strategy as Strategy
    from ganzoo.strategy import Update as Update
    from ganzoo.strategy import Updates as Updates

_HOME = {
    "ganzoo.api": ("build", "evaluate", "load", "models", "recipe", "register", "train"),
    "ganzoo.architecture": ("Architecture", "Discriminator", "Generator", "Translator", "recomputed"),
    "ganzoo.dataset": ("Dataset", "ResidentDataset", "Spec"),
    "ganzoo.errors": ("GanzooError", "NothingHeldOut"),
    "ganzoo.evaluation.evidence": ("Evidence",),
    "ganzoo.features": ("Features",),
    "ganzoo.hookspecs": ("files_in", "hookimpl"),
    "ganzoo.hub.client": ("Hub",),
    "ganzoo.hub.publish": ("publish",),
    "ganzoo.loss": ("Logits", "Loss"),
    "ganzoo.metric": ("Measurement", "Metric", "Protocol", "Result"),
    "ganzoo.model": ("Model",),
    "ganzoo.precision": ("wide",),
    "ganzoo.recipes": ("Recipe",),
    "ganzoo.regularizer": ("Pair", "Regularizer"),
    "ganzoo.run": ("Run",),
    "ganzoo.settings": ("Settings",),
    "ganzoo.names": ("shipped_model",),
    "ganzoo.strategy": ("LazyUpdate", "Progress", "Strategy", "Update", "Updates"),
}
_MODULES = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'ganzoo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
