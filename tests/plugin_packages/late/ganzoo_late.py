"""Looks fine until its loss is first used."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_losses():
    return {"late": "ganzoo_late_parts:Late"}
