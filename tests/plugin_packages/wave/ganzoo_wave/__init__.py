"""A small third-party family: a loss, a strategy, an architecture, a recipe and a trained model."""

from importlib.resources import files

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_architectures():
    return {"wave": "ganzoo_wave.architectures:Wave"}


@hookimpl
def ganzoo_losses():
    return {"wave": "ganzoo_wave.losses:Wave"}


@hookimpl
def ganzoo_strategies():
    return {"wave": "ganzoo_wave.strategies:Wave"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")


@hookimpl
def ganzoo_models():
    return {"wave-mnist": files(__name__) / "models" / "wave-mnist"}
