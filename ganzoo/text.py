"""Words of strangers, made safe to print; tokens that must not be printed at all; values as people write them."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any

# control and direction characters, zero-width ones, tags, lone surrogates: what a terminal or a page would obey
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
TOKENS = {
    "a Hugging Face token": re.compile(rb"\b(?:hf_(?:oauth|jwt)_[\w.-]{8,}|(?:hf|api_org)_[A-Za-z0-9]{8,})"),
    "a GitHub token": re.compile(rb"\b(?:gh[opsur]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})"),
    "an AWS key": re.compile(rb"\bAKIA[0-9A-Z]{16}\b"),
    "an API key": re.compile(rb"\bsk-[A-Za-z0-9_-]{20,}"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
# random bytes may look like a short token once in a while, never like one of full length
TOKENS_IN_BINARY = {"a Hugging Face token": re.compile(rb"\bhf_(?:(?:oauth|jwt)_[\w.-]{30,}|[A-Za-z0-9]{30,})")} | {
    kind: pattern for kind, pattern in TOKENS.items() if kind == "a private key"
}


def plain(text: object, most: int = 300) -> str:
    """One line without hidden characters, cut to `most` characters."""
    line = " ".join(HIDDEN.sub(" ", str(text)[: most * 4]).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def toml_value(text: str) -> Any:
    """A value as TOML writes it; what isn't TOML is a word without quotes."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except (ValueError, RecursionError):  # also a number of more digits than Python reads
        return text.strip()


def tokens_in(content: bytes, binary: bool = False) -> list[str]:
    """What kinds of secrets a file holds: "a Hugging Face token", ..."""
    patterns = TOKENS_IN_BINARY if binary else TOKENS
    return [kind for kind, pattern in patterns.items() if pattern.search(content)]


def scrub(text: str) -> str:
    """The text with every token blacked out."""
    raw = text.encode(errors="replace")
    for pattern in TOKENS.values():
        raw = pattern.sub(b"***", raw)
    return raw.decode()


def directions(domains: Sequence[str], networks: int) -> tuple[str, ...]:
    """The directions of a model of two domains, `noto-to-twemoji` and, with a second network, back."""
    if len(domains) != 2:
        return ()
    a, b = domains
    return (f"{a}-to-{b}", f"{b}-to-{a}")[:networks]
