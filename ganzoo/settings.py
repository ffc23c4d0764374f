"""The base of every `Config`: settings that are checked, described, bounded and immutable."""

import json
import math
import operator
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from ganzoo.errors import meant

HINTS = 20  # mistakes whose lines say what there is: a stranger's settings may hold thousands


class Settings(BaseModel):
    """Settings of a component or a recipe.

    Unknown names, NaN, infinity and wrong types are refused. Sequences are tuples, since settings never change.
    `version` counts incompatible changes of a `Config`; `migrate` brings recorded settings of an older one up to date.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True)
    version: ClassVar[int] = 1

    @classmethod
    def migrate(cls, settings: dict[str, Any], version: int) -> dict[str, Any]:
        """Settings recorded by `version` (older than the class's own) as this version understands them."""
        return settings

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Validate what came from TOML or JSON, where an array is a tuple. Raises pydantic's ValidationError."""
        settings = dict(data)
        recorded = settings.pop("version", cls.version)
        if type(recorded) is int and 0 < recorded < cls.version:
            settings = cls._migrated(settings, recorded)
        elif type(recorded) is not int or recorded != cls.version:
            raise ValueError(
                f"these settings have version {recorded!r} and the installed plugin reads up to {cls.version}; "
                "upgrade the plugin"
            )
        return cls.checked(settings)

    @classmethod
    def checked(cls, settings: Mapping[str, Any]) -> Self:
        """Validate settings of this version, as `read` does."""
        try:
            content = json.dumps(dict(settings), default=_plain)
        except (TypeError, RecursionError) as error:
            raise ValueError(f"these are no settings: {error}") from None
        checked = cls.model_validate_json(content)
        if not _finite(settings):  # in a table that only a component or an observer understands
            raise ValueError("NaN and infinity are no values for a setting")
        return checked

    @classmethod
    def _migrated(cls, settings: dict[str, Any], version: int) -> dict[str, Any]:
        try:
            return cls.migrate(settings, version)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"these settings of version {version} can't be migrated: {error!r}") from None

    def record(self) -> dict[str, Any]:
        """Every setting as plain JSON values, with the version; `read` takes it back."""
        return {"version": self.version, **self.model_dump(mode="json")}


def _finite(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_finite(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return all(_finite(inner) for inner in value)
    return not isinstance(value, float) or math.isfinite(value)


def _plain(value: object) -> int | str:
    """What JSON has no word for, as what it stands for: numpy's whole numbers and paths."""
    if isinstance(value, PurePath):
        return str(value)
    number = as_int(value)
    if number is None:
        raise ValueError(f"{value!r} is no value for a setting; use a number, a string, true, false, a list or a table")
    return number


def as_int(value: object) -> int | None:
    """The whole number that a value is, whoever's class it has; None for anything else and for a bool."""
    if type(value).__name__ in ("bool", "bool_") or not hasattr(value, "__index__"):  # the latter of numpy below 2
        return None
    try:
        return operator.index(value)
    except (TypeError, ValueError):  # arrays
        return None


def mistakes(error: Exception, place: str = "", kind: type[BaseModel] | None = None) -> list[str]:
    """One line for each thing that pydantic found wrong with settings of a kind: `strategy.critic_steps: ...`."""
    if not isinstance(error, ValidationError):
        return [f"{place}: {error}" if place else str(error)]
    lines = []
    for item in error.errors(include_url=False):
        parts = (str(part) for part in (place, *item["loc"]) if part != "")
        where = ".".join(part if part.isprintable() else repr(part) for part in parts)  # a line stays one line
        message = item["msg"][:1].lower() + item["msg"][1:]
        if item["type"] == "value_error":  # a validator's own words: lines of `message` or `place: message`
            lines += [_placed(where, line) for line in str(item["ctx"]["error"]).splitlines()]
            continue
        if item["type"] == "extra_forbidden":
            table = _at(kind, item["loc"][:-1]) if len(lines) < HINTS else None
            message = no_such(str(item["loc"][-1]), table.model_fields if table else ())
        elif item["type"] == "model_type" and isinstance(item["input"], str) and _has_name(_at(kind, item["loc"])):
            message = f"this is a table, not {reprlib.repr(item['input'])}; did you mean {where}.name?"
        elif item["type"] == "missing":
            message = "this setting is needed"
        elif isinstance(item["input"], str | int | float | bool) and item["type"] != "json_invalid":
            message += f", not {reprlib.repr(item['input'])}"
        lines.append(f"{where}: {message}" if where else message)
    return lines


def no_such(name: str, names: Iterable[str]) -> str:
    """What to say of a setting that isn't there; nothing of the others where those aren't known."""
    known = sorted(names)
    there = f"there are: {', '.join(known[:30])}{', ...' if len(known) > 30 else ''}" if known else ""
    return "; ".join(filter(None, ["there is no such setting", f"{meant(name, known)} {there}".strip()]))


def _at(kind: type[BaseModel] | None, place: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The kind of the table at a place in settings of a kind: of an optional one, or one of many, too."""
    for part in place:
        if kind is not None and part in kind.model_fields:
            kind = next(_tables(kind.model_fields[str(part)].annotation), None)
    return kind


def _tables(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _tables(inner)


def _has_name(kind: type[BaseModel] | None) -> bool:
    return kind is not None and "name" in kind.model_fields


def _placed(where: str, line: str) -> str:
    has_place = re.match(r"[\w-]+(\.[\w-]+)*: ", line)
    return f"{where}{'.' if has_place else ': '}{line}" if where else line
