"""What holds for every part: it says what it is, and its settings are described and bounded."""

import typing
from typing import Any

import annotated_types
from pydantic.fields import FieldInfo

from ganzoo.registry import KINDS
from ganzoo.settings import Settings
from ganzoo.testing.contract import Fault, Subject, check, need, needs_settings
from ganzoo.testing.smallest import bounds, kinds

COMPONENTS = tuple(kind for kind, (_, base) in KINDS.items() if base is not None)


@check("plugin")
def loads(subject: Subject) -> None:
    """The plugin is not skipped, and none of its names is refused."""
    plugin = subject.plugin
    need(plugin.error is None, subject, f"is skipped ({plugin.error}); mend that first")
    need(not plugin.refused, subject, f"wants names that it can't have ({'; '.join(plugin.refused)}); choose others")
    need(plugin.provides, subject, "contributes nothing; does a hook lack @hookimpl?")


@check("plugin")
def licence(subject: Subject) -> None:
    """The distribution states its licence."""
    stated = subject.plugin.licence.strip().lower() not in ("", "unknown")
    need(stated, subject, 'states no licence; add license = "Apache-2.0" (or yours) to its pyproject.toml')


@check(*COMPONENTS)
def documented(subject: Subject) -> None:
    """The class says what it is, and each setting what it does."""
    need((subject.target.__doc__ or "").strip(), subject, "has no docstring; say in a line what it is, and its paper")
    for name, field in subject.target.Config.model_fields.items():
        said = field.description or "" if name != "name" else "name"
        need(said, subject, f"doesn't describe its setting {name!r}; give it a description: Field(..., description=)")


@check(*COMPONENTS)
def bounded(subject: Subject) -> None:
    """Numbers have a least and a greatest value, words and lists a greatest length: settings come from strangers."""
    config = subject.target.Config
    need(
        issubclass(config, Settings),
        subject,
        "has a Config that is no ganzoo.Settings; write class Config(Settings)",
    )
    for name, field in config.model_fields.items():
        lacking = _unbounded(field)
        need(not lacking, subject, f"leaves its setting {name!r} without {lacking}; add it to the Field")


def _unbounded(field: FieldInfo) -> str:
    low, high = bounds(field)
    for kind in kinds(field.annotation):
        if kind in (int, float) and (low is None or high is None):
            return "a least value (ge=)" if low is None else "a greatest value (le=)"
        if kind is str and not _has_length(field):
            return "a greatest length (max_length=)"
        origin = typing.get_origin(kind)
        fixed = origin is tuple and Ellipsis not in typing.get_args(kind)
        if origin in (tuple, list, dict, set) and not fixed and not _has_length(field):
            return "a greatest length (max_length=)"
    return ""


def _has_length(field: FieldInfo) -> bool:
    return any(isinstance(m, annotated_types.MaxLen) or getattr(m, "pattern", None) for m in field.metadata)


@check(*COMPONENTS)
def settings_round_trip(subject: Subject) -> None:
    """Recorded settings are read back the same; a Config of a second version knows the first."""
    config = _config(subject)
    kind = type(config)
    need(
        kind.read(config.record()) == config, subject, "doesn't read back the settings that it records; use plain types"
    )
    changed = kind.version == 1 or kind.migrate.__func__ is not Settings.migrate.__func__  # type: ignore[attr-defined]
    need(
        changed,
        subject,
        f"has settings of version {kind.version} and no migrate(); give the way from version {kind.version - 1}",
    )
    try:
        kind.read({**config.record(), "there_is_no_such_setting": 1})
    except ValueError:
        return
    raise Fault(f"{subject} takes settings that it doesn't know; leave extra='forbid' as it is")


def _config(subject: Subject) -> Any:
    try:
        return subject.config()
    except ValueError as error:
        raise needs_settings(error) from None
