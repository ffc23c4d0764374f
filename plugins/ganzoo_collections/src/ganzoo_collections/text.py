"""Words and names."""

import csv
from importlib.resources import files


def words() -> tuple[str, ...]:
    """60,540 lower-case English words of 3 to 12 letters (SCOWL)."""
    return tuple((files(__package__) / "data/text/words.txt").read_text("utf-8").split())


def names(kind: str | None = None) -> tuple[str, ...]:
    """25,494 names of the 1990 US census; `kind` is "female", "male" or "last" (the 20,000 commonest surnames)."""
    with (files(__package__) / "data/text/names.csv").open(encoding="utf-8") as file:
        rows = [(row["name"], row["kind"]) for row in csv.DictReader(file)]
    kinds = sorted({of for _, of in rows})
    if kind is not None and kind not in kinds:
        raise ValueError(f"there is no kind of name {kind!r}; there are {', '.join(kinds)}")
    return tuple(name for name, of in rows if kind in (None, of))
