"""A plugin whose every part breaks the contract in one way. `CAUGHT` says which check must catch it."""

from ganzoo import Architecture, Dataset, Loss, Metric, Regularizer, Strategy, files_in, hookimpl
from tests.testing.broken import architectures, datasets, losses, metrics, regularizers, strategies, translators
from tests.testing.broken.losses import Good as Good
from tests.testing.broken.marks import CAUGHT as CAUGHT

CAUGHT |= {recipe: ({"trains_and_resumes"}, set()) for recipe in ("detached-picture", "forgets-its-weight")}
MODULES = architectures, datasets, losses, metrics, regularizers, strategies, translators


def _parts(base):
    found = [(m, v) for m in MODULES for v in vars(m).values() if isinstance(v, type) and issubclass(v, base)]
    return {part.__name__: f"{m.__name__}:{part.__name__}" for m, part in found if part.__module__ == m.__name__}


@hookimpl
def ganzoo_losses():
    return _parts(Loss)


@hookimpl
def ganzoo_strategies():
    return _parts(Strategy)


@hookimpl
def ganzoo_architectures():
    return _parts(Architecture)


@hookimpl
def ganzoo_datasets():
    return _parts(Dataset)


@hookimpl
def ganzoo_metrics():
    return _parts(Metric)


@hookimpl
def ganzoo_regularizers():
    return _parts(Regularizer)


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
