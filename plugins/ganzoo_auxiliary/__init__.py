"""Discriminators that say more than real or fake: the class (ACGAN), the code (InfoGAN)."""

from ganzoo import files_in, hookimpl


@hookimpl
def ganzoo_architectures():
    return {"acgan": "ganzoo_auxiliary.architectures:ACGAN", "infogan": "ganzoo_auxiliary.architectures:InfoGAN"}


@hookimpl
def ganzoo_strategies():
    return {"acgan": "ganzoo_auxiliary.strategies:ACGAN", "infogan": "ganzoo_auxiliary.strategies:InfoGAN"}


@hookimpl
def ganzoo_recipes():
    return files_in(__name__, "recipes", ".toml")
