"""Gives a name that another package gives too."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_losses():
    return {"wave": "ganzoo_wave.losses:Wave"}
