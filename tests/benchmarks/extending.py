"""What a third party writes for a new part: files and lines, counted. `python -m tests.benchmarks.extending`."""

import io
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAVE = ROOT / "tests" / "plugin_packages" / "wave"
PARTS = {"loss": "losses.py", "strategy": "strategies.py", "architecture": "architectures.py"}
QUIET = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


def lines(source: str) -> int:
    """Lines with code on them: no blank ones, comments or docstrings."""
    found, start = set(), True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        docstring = token.type == tokenize.STRING and start
        if token.type not in (*QUIET, tokenize.ENDMARKER) and not docstring:
            found |= set(range(token.start[0], token.end[0] + 1))
        start = token.type in (*QUIET, tokenize.STRING)
    return len(found)


def table() -> str:
    """A row for each part: its file, a hooks module with one hook, the package's pyproject.toml, and ganzoo itself."""
    package = len([line for line in (WAVE / "pyproject.toml").read_text().splitlines() if line.strip()])
    hook = lines((WAVE.parent / "twin" / "ganzoo_twin.py").read_text())
    core = [path for folder in ("ganzoo", "plugins") for path in (ROOT / folder).rglob("*.py")]
    ours = sum("ganzoo_wave" in line for path in core for line in path.read_text().splitlines())
    rows = ["| a new | lines of the part | of the hooks module | of pyproject.toml | in ganzoo |", "|" + " --- |" * 5]
    for part, name in PARTS.items():
        own = lines((WAVE / "ganzoo_wave" / name).read_text())
        rows.append(f"| {part} | {own} | {hook} | {package} | {ours} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
