"""The Hub: `publish`, `search`, `pull`, `cache`. HF_ENDPOINT, HF_TOKEN and HF_HUB_CACHE say which Hub and cache."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ganzoo.cli import app, console, errors, print_json, say
from ganzoo.errors import GanzooError
from ganzoo.text import plain


@app.command()
def publish(
    source: Annotated[str, typer.Argument(metavar="RUN_OR_FOLDER", help="A run's folder, or a model folder.")],
    repo: Annotated[str, typer.Argument(metavar="USER/NAME", help="The repository; it is made when there is none.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch to publish to; made when there is none.")] = None,
    tag: Annotated[str | None, typer.Option(help="Tag the commit, such as v1.0.")] = None,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Open a pull request instead of writing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the card and the files; send nothing.")] = False,
    no_gate: Annotated[bool, typer.Option("--no-gate", help="Skip the quality gate; the card says so.")] = False,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights, such as cc-by-sa-4.0.")] = None,
    data_licence: Annotated[str | None, typer.Option(help="Licence of your own data, where it isn't known.")] = None,
    training: Annotated[bool, typer.Option("--training", help="Add the raw networks, for fine-tuning.")] = False,
) -> None:
    """Publish a model to the Hub: one commit of its card, config, weights and samples.

    Log in first with `hf auth login`, or set HF_TOKEN. Look at `--dry-run` before you publish.
    """
    from ganzoo.hub.publish import publish as send
    from ganzoo.names import Repo

    made = send(
        source,
        repo,
        private=private,
        revision=revision,
        tag=tag,
        create_pr=create_pr,
        dry_run=dry_run,
        gate=not no_gate,
        licence=licence,
        data_licence=data_licence,
        training=training,
    )
    if dry_run:
        console.print(Text(made.card), highlight=False, soft_wrap=True)
        for name, size in made.files.items():
            console.print(f"{size:>12,}  {name}", highlight=False)
        errors.print(f"nothing was sent; these files would be published to {repo}", highlight=False)
    elif made.pull_request:
        console.print(Text(f"opened {plain(made.pull_request)}"))
    else:
        what = "published" if made.changed else "it was there already:"
        console.print(Text(f"{what} {made.url} at {plain(made.commit)}"), soft_wrap=True)
        console.print(f'load it with ganzoo.load("{Repo(repo, tag or revision)}")', highlight=False, soft_wrap=True)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Part of a repository's name.")] = "",
    task: Annotated[str | None, typer.Option(help="generate or transform.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Trained on this data, such as mnist-10k.")] = None,
    licence: Annotated[str | None, typer.Option(help="Such as apache-2.0.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most models that are listed.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """List the ganzoo models on the Hub, with the metrics that were measured on them."""
    from ganzoo.hub.search import search as find

    found = find(text, task=task, dataset=dataset, licence=licence, limit=limit)
    if as_json:
        print_json([asdict(item) for item in found])
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "task", "data", "licence", "measured", "downloads"):
        table.add_column(heading, no_wrap=heading == "name")
    for item in found:
        measured = "; ".join(map(str, item.metrics))
        cells = (item.name, item.task, ", ".join(item.datasets), item.licence, measured, f"{item.downloads:,}")
        table.add_row(*map(Text, cells))  # no markup in strangers' words
    console.print(table if found else "no published model matches")


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="hf://USER/NAME[@REVISION], or a short name.")],
    out: Annotated[Path | None, typer.Option(help="Also write the model as a folder here.")] = None,
) -> None:
    """Download models with all that belongs to them, so that they work offline.

    Of several one that fails is named and the others go on (exit code 1).
    """
    from ganzoo.hub import cache as cached

    if out is not None and len(names) > 1:
        raise GanzooError("--out takes one model; pull them one by one")
    failed = False
    for name in names:
        try:
            files = cached.pull(name, out)
        except GanzooError as error:
            if len(names) == 1:
                raise
            say("red", "error", error)
            failed = True
            continue
        size = sum(path.stat().st_size for path in files.paths.values() if path.is_file())
        console.print(f"{files.name}  {size:,} bytes", highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def cache(
    action: Annotated[str, typer.Argument(help="list, verify, or prune.")] = "list",
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="With prune: remove these.")] = None,
) -> None:
    """Show the cached models and their size; `verify` their hashes; `prune` superseded ones, or those named."""
    from ganzoo.hub import cache as cached

    if action not in ("list", "verify", "prune"):
        raise GanzooError(f"there is no action {action!r}; there are list, verify and prune")
    if action == "prune":
        gone, freed = cached.prune(names or ())
        console.print("\n".join([*(f"removed {name}" for name in gone), f"freed {freed:,} bytes"]), highlight=False)
    elif action == "verify":
        wrong = cached.verify()
        console.print(Text("\n".join(wrong) or f"{len(cached.models())} cached models are as they were published"))
        if wrong:
            raise typer.Exit(1)
    else:
        table = Table(box=None, pad_edge=False)
        for heading in ("model", "commit", "named", "bytes"):
            table.add_column(heading, no_wrap=heading != "named")
        found = cached.models()
        for item in found:
            table.add_row(*map(Text, (f"hf://{item.repo}", item.commit[:12], ", ".join(item.refs), f"{item.size:,}")))
        console.print(table if found else "the cache holds no ganzoo model")
