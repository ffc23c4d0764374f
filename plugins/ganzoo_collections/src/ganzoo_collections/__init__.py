"""Data sets that are too large for ganzoo itself, and what measures models of them."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_datasets():
    names = {
        "emoji": "emoji:Emoji",
        "emoji-pairs": "emoji_domains:EmojiPairs",
        "emoji-styles": "emoji_domains:EmojiStyles",
        "emoji-unpaired": "emoji_domains:EmojiUnpaired",
        "glyphs": "glyphs:Glyphs",
        "photos": "photo_patches:Photos",
    }
    return {name: f"ganzoo_collections.{target}" for name, target in names.items()}


@hookimpl
def ganzoo_features():
    return {"glyphs-cnn": "ganzoo_collections.glyphs_cnn:GlyphsCNN"}
