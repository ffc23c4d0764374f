"""Every code block of README.md and docs/ runs: Python in one namespace a page, commands in the same folder."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_the_page_runs(page, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    for kind, code in BLOCK.findall(page.read_text()):
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(code, str(page), "exec"), namespace)
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
