"""Fine-tuning what others published: `start_from = "hf://user/repo"` as the commit that it is when training begins."""

from collections.abc import Callable
from pathlib import Path

from ganzoo.folder import ModelFiles
from ganzoo.hub.client import Hub
from ganzoo.hub.download import files_of
from ganzoo.names import COMMIT, parse_repo
from ganzoo.recipes import Recipe
from ganzoo.run import Run


def base_of(source: str | None, hub: Hub | None = None) -> Callable[[], ModelFiles] | None:
    """A function that fetches the model to start from, or nothing for no start or a run of one's own."""
    if source is None or (source.startswith("file:") and Run(source.removeprefix("file:")).exists):
        return None
    return lambda: files_of(source, hub, extra=("training.safetensors",))


def pinned(recipe: Recipe, out: Path, restart: bool, hub: Hub | None = None) -> Recipe:
    """The recipe with its start as one commit: what the run in `out` began with, unless another is named, or what it is
    now."""
    source = recipe.start_from
    if source is None or not source.startswith("hf://"):
        return recipe
    repo, run = parse_repo(source), Run(out)
    if run.exists and not restart:
        began = run.recipe.start_from or ""
        named = repo.revision or ""
        if began.startswith(f"hf://{repo.id}@") and (began.endswith(f"@{named}") or not COMMIT.fullmatch(named)):
            return recipe.changed(start_from=began)
    return recipe.changed(start_from=files_of(source, hub).name)
