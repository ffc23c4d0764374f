"""Every code block of README.md and docs/ runs: Python in one namespace a page, commands in the same folder.

A block that begins with an import and defines a class is a whole file: it runs by itself and needs no name of others.
"""

import ast
import builtins
import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from ganzoo import Architecture, Strategy
from ganzoo.recipes import FREE, Ema, Measure, Optimizer, Training

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_the_page_runs(page, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    for kind, code in BLOCK.findall(page.read_text()):
        if kind == "python":
            own = {"__name__": page.stem} if is_whole(code) else namespace
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(code, str(page), "exec"), own)
            namespace |= own
        elif kind == "bash":
            for line in code.replace("\\\n", "").splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    assert words[0] == "ganzoo", f"{page.name} shows a command that no test runs: {line}"
                    done = command(*words[1:])
                    assert done.code == 0, f"{line}\n{done.err}"
        elif kind == "toml":
            name = re.search(r'^name\s*=\s*"(.+)"', code, re.M)
            assert name, f"{page.name} shows a recipe without a name"
            Path(f"{name[1]}.toml").write_text(code)
        else:
            assert kind == "text", f"{page.name} has a block of kind {kind!r}, which no test runs"


def is_whole(code):
    body = ast.parse(code).body
    return isinstance(body[0], ast.Import | ast.ImportFrom) and any(isinstance(part, ast.ClassDef) for part in body)


def unbound(code):
    """Names that a block uses, in methods that nothing calls too, and doesn't make."""
    nodes = list(ast.walk(ast.parse(code)))
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    made = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    made |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    made |= {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.ExceptHandler)}
    made |= {(node.asname or node.name).split(".")[0] for node in nodes if isinstance(node, ast.alias)}
    return used - made - set(dir(builtins))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_that_are_whole_files_import_all_that_they_use(page):
    for kind, code in BLOCK.findall(page.read_text()):
        if kind == "python" and is_whole(code):
            assert not unbound(code), f"{page.name} uses names that this block doesn't import:\n{code}"


def test_the_table_of_training_settings_has_each_of_them_with_its_default():
    page = (ROOT / "docs" / "recipes.md").read_text()
    shown = dict(re.findall(r"^\| `training\.([\w.]+)` \| (.+?) \|", page, re.M))
    tables = {"": Training, "optimizer.": Optimizer, "ema.NETWORK.": Ema, "measure.": Measure}
    fields = {place + name: f for place, table in tables.items() for name, f in table.model_fields.items()}
    assert shown == {name: default(f) for name, f in fields.items() if name not in ("optimizer", "ema", "measure")}
    free = re.search(r"these may change: (.+) in `\[training\]`", page, re.S)[1]
    assert set(re.findall(r"`(\w+)`", free)) == set(FREE)


@pytest.mark.parametrize("kind", [Strategy, Architecture], ids=lambda kind: kind.__name__)
def test_what_a_part_says_of_itself_is_shown_as_it_is_when_left_out(kind):
    page = (ROOT / "docs" / "write-a-plugin.md").read_text()
    (table,) = re.findall(rf"^\| of `{kind.__name__}` .*?\n\n", page, re.M | re.S)
    shown = dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", table, re.M))
    assert len(shown) > 4
    assert shown == {name: str(getattr(kind, name)).replace("'", '"') for name in shown}


def default(field):
    if field.is_required():
        return "needed"
    return "none" if field.default is None else f"`{json.dumps(field.default)}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
