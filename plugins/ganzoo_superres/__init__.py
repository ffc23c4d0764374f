"""Super-resolution."""

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_architectures():
    return {"srresnet": "ganzoo_superres.architectures:SRResNet"}


@hookimpl
def ganzoo_strategies():
    return {"pixel": "ganzoo_superres.strategies:Pixel"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
