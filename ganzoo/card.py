"""A model's page: README.md with its front matter, rendered from its config."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

TEMPLATE = """\
# {name}

{summary}

![samples](samples.png)

## Use

```python
import ganzoo

model = ganzoo.load("{name}")
images = model.sample({example})
```

## Training

`{command}`

{trained}

## Data and licences

{data}

{attribution}
"""


def render(config: Mapping[str, Any]) -> str:
    """The card for a model's config. Everything that a person wrote is escaped."""
    spec, trained = config["spec"], config.get("trained", {})
    conditions = config["recipe"].get("data", {}).get("conditions", ())
    front = {
        "library_name": "ganzoo",
        "license": "apache-2.0",
        "pipeline_tag": "unconditional-image-generation" if config["task"] == "generate" else "image-to-image",
        "tags": ["ganzoo", "gan", str(config["recipe"]["architecture"]["name"])],
    }
    body = TEMPLATE.format(
        name=config["name"],
        summary=escape(config.get("summary", "")),
        example=f"16, label={_literal(spec['labels'][0])}" if "label" in conditions else "16",
        command=f"ganzoo train {config['name']} --out RUN",
        trained=f"{trained.get('images', 0):,} images in {trained.get('steps', 0):,} steps, "
        f"{trained.get('seconds', 0):,} s on {escape(str(trained.get('machine', 'an unknown machine')))}.",
        data=f"Trained on {escape(spec['name'])} ({escape(spec['licence'])}).",
        attribution=escape(spec.get("attribution", "")),
    )
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n{body}"


def _literal(text: str) -> str:
    plain = text.isprintable() and not set(text) & set('"\\')
    return f'"{text}"' if plain else repr(text)


def escape(text: str) -> str:
    """A person's words as plain Markdown text: no markup, no HTML, no control or direction characters."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", " ", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|#~$])", r"\\\1", text)
