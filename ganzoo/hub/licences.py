"""Which licence a model may be published under, given those of its data and of the model it was fine-tuned from.

ganzoo is careful: whether weights are an adaptation of their training data is settled nowhere, so what the data or the
base model asks of adaptations (the same licence, no commerce, none at all) is asked of the weights too.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PERMISSIVE = {
    *(
        "apache-2.0",
        "mit",
        "mit-0",
        "isc",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "unlicense",
        "zlib",
        "bsl-1.0",
        "0bsd",
    ),
    *("cc0-1.0", "pddl", "public-domain", "public domain", "cdla-permissive-1.0", "cdla-permissive-2.0", "odc-by"),
    *("ofl-1.1", "afl-3.0", "artistic-2.0", "ncsa", "postgresql", "wtfpl", "ecl-2.0"),
}
COPYLEFT = {
    *("gpl", "gpl-2.0", "gpl-3.0", "agpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "mpl-2.0", "epl-2.0", "eupl-1.2"),
    *("odbl", "cdla-sharing-1.0", "gfdl", "osl-3.0"),
}
CREATIVE = re.compile(r"cc-by(?P<nc>-nc)?(?P<sa>-sa)?(?P<nd>-nd)?(-(?P<version>[1-4]\.[0-9]))?")


@dataclass(frozen=True)
class Terms:
    """What a licence asks of adaptations."""

    name: str
    same: bool = False
    non_commercial: bool = False
    none: bool = False
    version: str = ""


def terms(licence: str) -> Terms | None:
    """The terms of one licence by its SPDX or Hub name, or nothing where ganzoo doesn't know it."""
    name = re.sub(r"-(only|or-later)$", "", licence.strip().lower())
    if name in PERMISSIVE:
        return Terms(name)
    if name in COPYLEFT:
        return Terms(name, same=True)
    match = CREATIVE.fullmatch(name)
    if match is None:
        return None
    return Terms(name, bool(match["sa"]), bool(match["nc"]), bool(match["nd"]), match["version"] or "")


def problems(licence: str | None, carried: Mapping[str, str]) -> Iterator[str]:
    """Why a model can't be published under `licence`; `carried` says whose licence is which."""
    asked = "; ".join(f"{whose} is {words}" for whose, words in carried.items())
    if not licence:
        yield f"it has no licence: name one with --licence (Python: licence=...); {asked}"
        return
    chosen = terms(licence)
    if chosen is None:
        yield f"the licence {licence!r} is none that ganzoo knows; write it as the Hub does, such as apache-2.0"
        return
    for whose, words in carried.items():
        yield from _against(chosen, whose, words)


def _against(chosen: Terms, whose: str, words: str) -> Iterator[str]:
    if not words:
        yield f"{whose} has no licence; ask its author, or say what you know with --data-licence if it is your data"
        return
    choices = [[terms(one) for one in re.split(r"\s+and\s+|,|;", way, flags=re.I)] for way in _ways(words)]
    known = [way for way in choices if None not in way]
    if not known:
        yield (
            f"the licence of {whose} is {words!r}, which ganzoo doesn't know; if it is your data, say what it is with "
            "--data-licence"
        )
        return
    found = [[reason for asked in way if asked for reason in _asks(chosen, asked, whose)] for way in known]
    yield from min(found, key=len)  # a choice of licences: the one that allows it


def _ways(words: str) -> list[str]:
    """The licences to choose from. Brackets, or a list beside a choice, could be read in two ways: they are unknown."""
    words = re.sub(r"^\s*\(([^()]*)\)\s*$", r"\1", words)
    ways = re.split(r"\s+or\s+", words, flags=re.I)
    return [words] if re.search(r"[(),;]" if len(ways) > 1 else r"[()]", words) else ways


def _asks(chosen: Terms, asked: Terms, whose: str) -> Iterator[str]:
    if asked.none:
        yield f"{whose} is {asked.name}, which allows no adaptations"
    elif asked.non_commercial and not chosen.non_commercial:
        yield f"{whose} is {asked.name}, so the model must be non-commercial too: --licence {_newest(asked)}"
    elif asked.same and not _same(chosen, asked):
        yield f"{whose} is {asked.name}, which asks for the same licence: --licence {_newest(asked)}"


def _same(chosen: Terms, asked: Terms) -> bool:
    if not asked.version:
        return chosen.name == asked.name
    family = asked.name.removesuffix(asked.version)
    return chosen.name.removesuffix(chosen.version) == family and chosen.version >= asked.version


def _newest(asked: Terms) -> str:
    """The newest version of a Creative Commons licence takes adaptations of older ones."""
    return asked.name.removesuffix(asked.version) + "4.0" if asked.version else asked.name


def carried(config: Mapping[str, Any]) -> dict[str, str]:
    """Whose licences a model carries: its data's, and those of every model it descends from, with their data."""
    found = {f"the data {config['spec'].get('name')!r}": str(config["spec"].get("licence") or "")}
    for base in config.get("lineage") or ():
        if not base.get("own"):
            found[f"the base model {base.get('model')}"] = str(base.get("licence") or "")
        for data in base.get("data") or ():  # two bases may have data of one name, "image-folder (photos)"
            found[f"the data {data.get('name')!r} of the base {base.get('model')}"] = str(data.get("licence") or "")
    return found
