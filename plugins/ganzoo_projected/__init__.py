"""Projected GANs: discriminators on what a network trained on ImageNet sees."""

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_architectures():
    return {"projected": "ganzoo_projected.architectures:Projected"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
