"""The client joins a server's ETag to a path unchecked: each answer is looked at before the client sees it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ganzoo.errors import HubError

HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_expected: ContextVar[tuple[str, str] | None] = ContextVar("expected", default=None)  # what is asked for, its commit


@contextmanager
def only_hashes(subject: str, commit: str) -> Iterator[None]:
    """Within the block every answer to a HEAD must name this commit and a hash; another one raises HubError."""
    from huggingface_hub import get_session

    hooks = get_session().event_hooks.setdefault("response", [])
    token = _expected.set((subject, commit))
    hooks.append(_look)
    try:
        yield
    finally:
        hooks.remove(_look)
        _expected.reset(token)


def _look(response: Any) -> None:
    expected = _expected.get()  # None in other threads, which use the client for something else
    if expected is None or response.request.method != "HEAD":
        return
    subject, commit = expected
    etag = response.headers.get("X-Linked-Etag") or response.headers.get("ETag")
    named = response.headers.get("X-Repo-Commit")
    hashed = etag is None or HASH.fullmatch(etag.removeprefix("W/").strip('"'))
    if not hashed or named not in (None, commit):
        raise HubError(f"the Hub gave {subject} an ETag or commit that is none; don't trust it")
