"""Wants a first-party name."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_losses():
    return {"hinge": "ganzoo_wave.losses:Wave"}
