"""The contract: checks by kind of part, each a function that raises one sentence when a part breaks it."""

import random
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ganzoo.errors import PluginError, UnknownNameError
from ganzoo.plugins import Plugin
from ganzoo.registry import listing, registry
from ganzoo.settings import Settings, mistakes
from ganzoo.testing.smallest import smallest


class Fault(AssertionError):
    """What a part does wrong, and how to mend it."""


class NotRun(Exception):
    """Why a check can't say anything here: something that it needs isn't installed, or doesn't apply."""


@dataclass(frozen=True)
class Subject:
    """The part under test: its name, its plugin, and the settings that a person chose for the checks."""

    kind: str
    name: str
    plugin: Plugin
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> Any:
        """The class of a component, or the file or folder of a recipe or model."""
        return registry().get(self.kind, self.name)

    def config(self, **given: Any) -> Settings:
        """The cheapest settings that the part allows."""
        config: Settings = smallest(self.target.Config, **{**given, **self.settings})
        return config

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"


def needs_settings(error: ValueError) -> NotRun:
    """For a part whose settings nobody can guess."""
    return NotRun(f"it needs settings ({'; '.join(mistakes(error))}); give them to the checks")


Rule = Callable[[Subject], None]
CHECKS: dict[str, list[Rule]] = {}


def check(*kinds: str) -> Callable[[Rule], Rule]:
    """Register a rule for every part of these kinds; `plugin` is the plugin itself."""

    def register(rule: Rule) -> Rule:
        for kind in kinds:
            CHECKS.setdefault(kind, []).append(rule)
        return rule

    return register


def need(holds: object, subject: object, message: str) -> None:
    """Raise a Fault of this subject unless it holds."""
    if not holds:
        raise Fault(f"{subject} {message}")


@dataclass(frozen=True)
class Check:
    """One rule for one part; call it to run it. Raises Fault, or NotRun."""

    subject: Subject
    rule: Rule

    @property
    def about(self) -> str:
        return " ".join((self.rule.__doc__ or "").split())

    def __call__(self) -> None:
        states = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002 (the one to guard)
        try:
            torch.manual_seed(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.rule(self.subject)
        except (Fault, NotRun):
            raise
        except Exception as error:
            words = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")[:600]
            raise Fault(f"{self.subject} fails the check {self.rule.__name__!r} with {words}") from error
        finally:
            torch.set_rng_state(states[0])
            random.setstate(states[1])
            np.random.set_state(states[2])  # noqa: NPY002

    def __str__(self) -> str:
        return f"{self.subject.kind}:{self.subject.name}:{self.rule.__name__}"


def checks_of(plugin: str, settings: Mapping[str, Mapping[str, Any]] | None = None) -> list[Check]:
    """Every check for everything that a plugin contributes, by its entry point's name.

    `settings` are those of parts that can't be made without, such as `{"dataset:mine": {"path": "..."}}`.
    """
    found = [p for p in registry().plugins if p.name == plugin]
    if not found:
        names = listing(p.name for p in registry().plugins)
        raise UnknownNameError(f"there is no plugin {plugin!r} (is its package installed?); there are: {names}")
    chosen, checks = settings or {}, []
    for one in found:
        parts = [("plugin", one.name), *((kind, name) for kind, names in one.provides.items() for name in names)]
        for kind, name in parts:
            subject = Subject(kind, name, one, chosen.get(f"{kind}:{name}", {}))
            checks += [Check(subject, rule) for rule in CHECKS.get(kind, ())]
    return checks


def check_plugin(plugin: str, settings: Mapping[str, Mapping[str, Any]] | None = None) -> list[str]:
    """Run every check of a plugin. Returns what couldn't run and why; raises PluginError with every fault."""
    faults, skipped = [], []
    for one in checks_of(plugin, settings):
        try:
            one()
        except Fault as fault:
            faults.append(f"{one}: {fault}")
        except NotRun as reason:
            skipped.append(f"{one}: {reason}")
    if faults:
        raise PluginError("\n  ".join([f"plugin {plugin!r} breaks the contract:", *faults]))
    return skipped
