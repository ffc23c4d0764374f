"""Misspells a hook."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_loses():
    return {"misspelt": "nowhere:Nothing"}
