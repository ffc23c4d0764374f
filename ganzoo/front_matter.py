"""A card's front matter: the metadata that the Hub reads, shows and searches."""

import re
from collections.abc import Mapping
from typing import Any

from ganzoo.registry import registry
from ganzoo.text import plain

PIPELINES = {"generate": "unconditional-image-generation", "transform": "image-to-image"}
# those of https://huggingface.co/docs/hub/repositories-licenses, but for the licences of other people's models
LICENCES = {
    *("apache-2.0", "mit", "isc", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "unlicense", "zlib"),
    *("bsl-1.0", "afl-3.0", "artistic-2.0", "ncsa", "postgresql", "wtfpl", "ecl-2.0", "ms-pl", "lppl-1.3c", "ofl-1.1"),
    *("gpl", "gpl-2.0", "gpl-3.0", "agpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "lgpl-lr", "gfdl", "mpl-2.0", "osl-3.0"),
    *("epl-1.0", "epl-2.0", "eupl-1.1", "eupl-1.2", "etalab-2.0"),
    *("odbl", "odc-by", "pddl", "c-uda", "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0"),
    *("cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
    *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    *("cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "unknown"),
}


def front_matter(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the Hub reads: plain strings, numbers and lists alone."""
    recipe, base = config["recipe"], (config.get("lineage") or [{}])[0]
    front: dict[str, Any] = {"library_name": "ganzoo"}
    if config.get("licence"):
        front |= licence(config["licence"])
    if str(base.get("model", "")).startswith("hf://"):
        front["base_model"] = plain(base["model"]).removeprefix("hf://").split("@")[0]
    data = plain(recipe.get("data", {}).get("name", "unknown"), 96)
    there = plain(config["spec"].get("repository") or "")
    if there:
        front["datasets"] = [there]
    front["pipeline_tag"] = PIPELINES[config["task"]]
    tags = "ganzoo", *(["gan"] if _adversarial(recipe) else []), plain(recipe["architecture"]["name"], 96)
    front["tags"] = [*tags, *([] if there else [data])]  # `datasets` takes the names of the Hub's alone
    if config.get("metrics"):
        result = {
            "task": {"type": PIPELINES[config["task"]]},
            "dataset": {"name": plain(config["spec"]["name"]), "type": there or data},
            "metrics": [
                {
                    "type": plain(metric["metric"], 96),
                    "name": plain(metric["metric"], 96),
                    "value": float(metric["value"]),
                    "args": {"spread": metric.get("spread"), "protocol": plain_values(metric.get("protocol"))},
                }
                for metric in config["metrics"]
            ],
        }
        front["model-index"] = [{"name": plain(config["name"]), "results": [result]}]
    return front


def _adversarial(recipe: Mapping[str, Any]) -> bool:
    """Whether a discriminator was trained, as far as what is installed here can say."""
    from ganzoo.regularized import discriminators  # torch, which searching the Hub does without

    name = recipe.get("strategy", {}).get("name")
    if name not in registry().names("strategy"):
        return True
    return bool(discriminators(registry().get("strategy", name)))


def licence(words: str) -> dict[str, str]:
    """A licence as the Hub takes it: by its identifier there, or as `other` with a name."""
    name = plain(words).lower()
    if name in LICENCES:
        return {"license": name}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.+]+", "-", name).strip("-") or "other"}


def plain_values(value: Any, depth: int = 4) -> Any:
    """Nested JSON values with every string made plain, for the front matter."""
    if isinstance(value, Mapping) and depth:
        return {plain(key, 96): plain_values(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [plain_values(inner, depth - 1) for inner in value]
    return value if value is None or isinstance(value, bool | int | float) else plain(value)
