"""The errors that ganzoo raises. Each message is one lower-case sentence: what was asked, what exists, what to do."""

import difflib
from collections.abc import Iterable


class GanzooError(Exception):
    """Something that was asked for can't be done; nothing that existed was changed."""

    exit_code = 2
    elsewhere: bool | None = None  # of many processes: True when another one says it, False when all know of it


class UnknownNameError(GanzooError):
    """No such recipe, model or component."""


class PluginError(GanzooError):
    """A plugin, or a component of one, is at fault; the message names its distribution and version."""


class RecipeError(GanzooError):
    """A recipe with one or more mistakes; `mistakes` lists them, each with its place."""

    def __init__(self, recipe: str, mistakes: Iterable[str]):
        self.mistakes = list(mistakes)
        head = f"recipe {recipe!r} has {len(self.mistakes)} mistake{'s' if len(self.mistakes) > 1 else ''}"
        super().__init__("\n  ".join([f"{head}:", *self.mistakes]))


class NothingHeldOut(GanzooError):
    """A dataset was asked for its test split, and has none."""


class ModelError(GanzooError):
    """A model folder, its weights or a request made of a model is not as it must be."""


class HubError(GanzooError):
    """The Hub, the way to it or what it holds is not as it must be; the message says whether a retry may help."""

    exit_code = 3


class UnreachableError(HubError):
    """The Hub can't be reached, and what was asked for isn't on this computer."""


class ChecksumError(ModelError, HubError):
    """A file's content is not what its hash says; the message names the file, the expected hash and the found one."""


class PublishError(GanzooError):
    """A model can't be published as it is; nothing was sent."""


class GateError(PublishError):
    """A model failed the gate of its family; nothing was sent."""

    exit_code = 3


class RunError(GanzooError):
    """A run folder or a checkpoint can't be used as asked."""


class TrainingError(GanzooError):
    """Training ran and failed: it diverged, or what it needs gave out."""

    exit_code = 3


class Stopped(GanzooError):
    """Training was stopped by a signal after a checkpoint was written; the same command resumes it."""

    def __init__(self, signal_number: int, message: str):
        self.exit_code = 128 + signal_number
        super().__init__(message)


def meant(name: str, known: Iterable[str]) -> str:
    """ "did you mean 'a' or 'b'?" of names that are close to this one; empty where none is."""
    close = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else ""
