"""Data sets that are too large for ganzoo itself."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_datasets():
    return {
        "emoji": "ganzoo_collections.emoji:Emoji",
        "glyphs": "ganzoo_collections.glyphs:Glyphs",
        "photos": "ganzoo_collections.photo_patches:Photos",
    }
