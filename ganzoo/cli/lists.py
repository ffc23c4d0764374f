"""What there is: `models`, `plugins`, `info`."""

import re
import typing
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from ganzoo.cli import app, console, print_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@app.command()
def models(
    pattern: Annotated[str, typer.Argument(help="Names to show, such as '*mnist'.")] = "*",
    task: Annotated[str | None, typer.Option(help="generate or transform.")] = None,
    as_json: Json = False,
) -> None:
    """List models (ready to load) and recipes (to train)."""
    from ganzoo import api

    found = api.models(pattern, task=task)
    if as_json:
        print_json([asdict(item) for item in found])
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "task", "load", "train", "summary"):
        table.add_column(heading, no_wrap=heading == "name")
    for item in found:
        summary = escape(item.summary)
        table.add_row(
            item.name, escape(item.task), "yes" if item.trained else "", "yes" if item.recipe else "", summary
        )
    console.print(table if found else f"no model or recipe matches {pattern!r}")


@app.command()
def plugins(as_json: Json = False) -> None:
    """List the installed plugins with version, licence, what each provides, and the error of a skipped one."""
    from ganzoo.registry import registry

    found = registry().plugins
    if as_json:
        keep = ("name", "distribution", "version", "licence", "path", "provides", "refused", "error", "seconds")
        print_json([{key: getattr(plugin, key) for key in keep} for plugin in found])
        return
    for plugin in found:
        about = escape(f"{plugin} ({plugin.licence}) {plugin.path}")
        console.print(f"[bold]{escape(plugin.name)}[/]  {about}", highlight=False, soft_wrap=True)
        lines = [escape(f"{kind}: {', '.join(names)}") for kind, names in plugin.provides.items()]
        lines += [f"[yellow]refused: {escape(name)}[/]" for name in plugin.refused]
        lines += [f"[red]skipped: {escape(plugin.error)}[/]"] if plugin.error else []
        for line in lines:
            console.print(Padding(line, (0, 0, 0, 2)), highlight=False)
    if not found:
        console.print("no plugin is loaded; GANZOO_PLUGINS may allow none")


@app.command()
def info(
    name: Annotated[
        str,
        typer.Argument(
            help="A part, recipe or model: NAME, or KIND:NAME when several share it; hf://USER/NAME, file:PATH."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show one part with its settings, bounds and defaults; a recipe's tables; a model's origin."""
    described = [_describe_model(name)] if name.startswith(("hf:", "file:")) else _described(name)
    if as_json:
        print_json(described)
        return
    for part in described:
        _show(part)


def _described(name: str) -> list[dict[str, Any]]:
    """The installed parts of this name. Raises UnknownNameError."""
    from ganzoo.errors import UnknownNameError
    from ganzoo.registry import KINDS, registry

    kind, _, plain = name.rpartition(":")
    if kind and kind not in KINDS:
        raise UnknownNameError(f"there is no kind {kind!r}; there are: {', '.join(KINDS)}")
    kinds = [kind] if kind else [k for k in KINDS if plain in registry().names(k)]
    if not kinds:
        everything = [f"{k}: {', '.join(registry().names(k))}" for k in KINDS if registry().names(k)]
        raise UnknownNameError(f"there is nothing called {plain!r}; {'; '.join(everything)}")
    return [_describe(k, plain) for k in kinds]


def _describe(kind: str, name: str) -> dict[str, Any]:
    from ganzoo.files import from_json
    from ganzoo.recipes import Recipe
    from ganzoo.registry import registry
    from ganzoo.text import directions

    entry = registry().entry(kind, name)
    about: dict[str, Any] = {"kind": kind, "name": name, "plugin": str(entry.plugin), "licence": entry.plugin.licence}
    target = registry().get(kind, name)
    if kind == "recipe":
        return about | {"recipe": Recipe.load(name).tables()}
    if kind == "model":
        config = from_json((target / "config.json").read_text("utf-8"))
        return (
            about
            | {"directions": directions(config["spec"].get("domains") or (), len(config["networks"]))}
            | {"config": config}
        )
    about["description"] = " ".join((target.__doc__ or "").split())
    about["paper"] = _papers(about["description"])
    about["settings"] = [
        {
            "name": field,
            "type": str(getattr(info.annotation, "__name__", None) or info.annotation),
            "default": None if info.is_required() else info.get_default(call_default_factory=True),
            "needed": info.is_required(),
            "bounds": _bounds(info),
            "description": info.description or "",
        }
        for field, info in target.Config.model_fields.items()
    ]
    return about | {"recipes": [r for r in registry().names("recipe") if name in _names(r).get(kind, ())]}


def _describe_model(name: str) -> dict[str, Any]:
    """A model of the Hub or of a folder, as its config says; what that names need not be installed."""
    from ganzoo.hub.download import files_of
    from ganzoo.text import directions, plain

    files = files_of(name, needed=["config.json"])
    config = files.config()
    about = {
        "kind": "model",
        "name": config.name,
        "plugin": files.name,
        "licence": plain(config.licence or "no licence"),
    }
    ways = directions([plain(domain) for domain in config.spec.domains], len(config.networks))
    return about | {"directions": ways, "config": config.tables()}


def _papers(description: str) -> str:
    """What the docstring cites: each pair of brackets with a year in it."""
    return "; ".join(re.findall(r"\(([^()]*\b(?:19|20)\d\d\b[^()]*)\)", description))


def _bounds(field: Any) -> str:
    """The values that a setting may have, in words."""
    if typing.get_origin(field.annotation) is typing.Literal:
        return " | ".join(repr(value) for value in typing.get_args(field.annotation))
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "max_length": "length <=", "min_length": "length >="}
    found = [
        (sign, getattr(mark, name)) for name, sign in signs.items() for mark in field.metadata if hasattr(mark, name)
    ]
    return ", ".join(f"{sign} {value:,}" for sign, value in found)


def _names(name: str) -> dict[str, set[str]]:
    from ganzoo.errors import GanzooError
    from ganzoo.recipes import Recipe

    try:
        recipe = Recipe.load(name)
    except GanzooError:
        return {}  # somebody's bad recipe must not hide a good part
    parts = {"architecture": recipe.architecture, "loss": recipe.loss, "strategy": recipe.strategy}
    single = {k: {part.name} for k, part in {**parts, "dataset": recipe.data}.items() if part}
    return {**single, "regularizer": set(recipe.regularizers)}


def _show(part: dict[str, Any]) -> None:
    origin = escape(f"({part['kind']} of {part['plugin']}, {part['licence']})")
    console.print(f"[bold]{escape(part['name'])}[/] {origin}", highlight=False, soft_wrap=True)
    if part.get("description"):
        console.print(part["description"], highlight=False, markup=False)
    if part.get("paper"):
        console.print(f"paper: {part['paper']}", highlight=False, markup=False)
    if part.get("directions"):
        console.print(f"directions: {', '.join(part['directions'])}", highlight=False, markup=False)
    if "settings" in part:
        table = Table(box=None, pad_edge=False)
        longest = max((len(s["name"]) for s in part["settings"]), default=0)
        table.add_column("setting", no_wrap=True, min_width=longest)
        for heading in ("type", "default", "bounds", "meaning"):
            table.add_column(heading)
        for s in part["settings"]:
            default = "from the data or needed" if s["needed"] else repr(s["default"])
            table.add_row(*(escape(word) for word in (s["name"], s["type"], default, s["bounds"], s["description"])))
        console.print(table if part["settings"] else "it has no settings")
        if part["kind"] not in ("metric", "features"):  # recipes name none
            console.print(f"recipes that use it: {', '.join(part['recipes']) or 'none'}", highlight=False)
    for key in ("recipe", "config"):
        if key in part:
            print_json(part[key])
