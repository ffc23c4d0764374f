"""Boundary equilibrium: a discriminator that scores images by how well it can give them back."""

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_architectures():
    return {"began": "ganzoo_began.architectures:BEGAN"}


@hookimpl
def ganzoo_strategies():
    return {"began": "ganzoo_began.strategies:BEGAN"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
