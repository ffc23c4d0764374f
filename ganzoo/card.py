"""A model's page: README.md with its front matter, rendered from its config.

The templates stand here; a repository's own are never rendered. Whatever a person wrote is escaped.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from ganzoo.card_facts import licence_lines, limits, measured, methods, training_command
from ganzoo.front_matter import front_matter
from ganzoo.text import HIDDEN, directions, plain

TEMPLATE = """\
# {title}

{summary}
{samples}
## Use

```python
import ganzoo

model = {load}
images = model.{call}
```

`pip install torch-ganzoo` gives `ganzoo`. {needs}

## Measured

{measured}

## Training

{command}

{trained}

## Data and licences

{licences}

## Limits

{limits}
{sections}
## Methods and citation

{methods}
"""


def render(config: Mapping[str, Any], name: str | None = None) -> str:
    """The card for a model's config, which holds all that the card says, but for the `name` of a model that ships."""
    repository = config.get("repository")
    known = f"hf://{repository}" if repository else name
    body = TEMPLATE.format(
        title=escape(repository or config["name"]),
        summary=escape(config.get("summary", "")),
        samples="\n![samples](samples.png)\n" if config["task"] == "generate" or config["spec"].get("domains") else "",
        load=f"ganzoo.load({literal(known)})" if known else 'ganzoo.load("file:FOLDER")  # this card\'s folder',
        call=_call(config),
        needs=_needs(config),
        measured=_measured(config),
        command=training_command(config),
        trained=_trained(config),
        licences="\n".join(f"- {escape(line, 6000)}" for line in licence_lines(config)),
        limits="\n".join(f"- {escape(line)}" for line in limits(config)),
        sections=_sections(config),
        methods="\n".join(f"- {escape(line)}" for line in methods(config)) or "Not recorded.",
    )
    return f"---\n{yaml.safe_dump(front_matter(config), sort_keys=False, allow_unicode=True)}---\n{body}"


def escape(text: object, most: int = 2000) -> str:
    """A person's words as plain Markdown text: no markup, no HTML, no control or direction characters."""
    return re.sub(r"([\\`*_{}\[\]|#~$!])", r"\\\1", _no_html(plain(text, most)))


def literal(text: object) -> str:
    """A string as Python source that can't leave the code block it stands in."""
    source = ascii(str(text)[:500]).replace("`", "\\x60").replace("<", "\\x3c").replace(">", "\\x3e")
    return source if '"' in source else f'"{source[1:-1]}"'


def _no_html(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"^(\s*)([-+=])", r"\1\\\2", text)  # no list, rule or heading where a line begins


def _call(config: Mapping[str, Any]) -> str:
    ways = directions(config["spec"].get("domains") or (), len(config["networks"]))
    if len(ways) == 2:
        return f"transform(photo, direction={literal(ways[0])})  # or {literal(ways[1])}; a PIL image, or (N, C, H, W)"
    if config["task"] == "transform":
        return "transform(photo)  # a PIL image, or (N, C, H, W) in [0, 1]"
    labels = config["spec"].get("labels") or []
    labelled = "label" in config["recipe"].get("data", {}).get("conditions", ()) and labels
    return f"sample(16, label={literal(labels[0])})" if labelled else "sample(16)"


def _needs(config: Mapping[str, Any]) -> str:
    trained = f"It was trained with {escape(', '.join(config['requires']))}. " if config.get("requires") else ""
    name = escape(config["recipe"]["architecture"]["name"])
    return f"{trained}Loading it needs only the plugin with the architecture {name}."


def _measured(config: Mapping[str, Any]) -> str:
    rows = []
    for metric in config.get("metrics") or ():
        spread = f" ± {metric['spread']:.4g}" if isinstance(metric.get("spread"), int | float) else ""
        protocol = _in_short(metric.get("protocol"))
        rows.append(f"| {escape(metric['metric'])} | {metric['value']:.4g}{spread} | {escape(protocol)} |")
    if not rows:
        return "Nothing was measured on these weights."
    table = ["| metric | value | protocol |", "| --- | --- | --- |", *rows]
    return "\n".join([*table, "", *_by_class(config), "Each number's whole protocol stands in `config.json`."])


def _by_class(config: Mapping[str, Any]) -> list[str]:
    """A paragraph for each metric that was measured class by class."""
    lines = []
    for metric, found in measured(config, "details").items():
        values = found.get("per_class") if isinstance(found, Mapping) else None
        if values and isinstance(values, Mapping) and all(isinstance(v, int | float) for v in values.values()):
            shown = ", ".join(f"{name}: {value:.3g}" for name, value in values.items())
            lines += [escape(f"{metric} by class: {shown}."), ""]
    return lines


def _in_short(protocol: Any) -> str:
    """What makes the number comparable, for a person; hashes, versions and what doesn't apply are left out."""
    if not isinstance(protocol, Mapping):
        return str(protocol or "-")
    told = {k: v for k, v in protocol.items() if isinstance(v, str | int | float | list) and v not in ("", "none", 0)}
    return "; ".join(f"{k}: {v}" for k, v in told.items() if k not in ("metric", "hardware") and "sha256" not in k)


def _trained(config: Mapping[str, Any]) -> str:
    trained = config.get("trained", {})
    return (
        f"{trained.get('images', 0):,} images in {trained.get('steps', 0):,} steps, {trained.get('seconds', 0):,} s on "
        f"{escape(trained.get('machine', 'an unknown machine'))}. The whole recipe stands in `config.json`."
    )


def _sections(config: Mapping[str, Any]) -> str:
    """What plugins add: Markdown of installed code, so its markup stays; raw HTML and hidden characters don't."""
    sections = config.get("card_sections") or {}
    written = []
    for title, text in sections.items():
        lines = (_no_html(HIDDEN.sub(" ", line)) for line in str(text)[:20_000].split("\n"))
        written.append(f"\n## {escape(title, 100)}\n\n" + "\n".join(lines) + "\n")
    return "".join(written)
