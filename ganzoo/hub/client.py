"""The client: which Hub, as whom, and what its errors mean to a person."""

import errno
import importlib
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from ganzoo.errors import GanzooError, HubError, UnreachableError
from ganzoo.hub.reach import connecting
from ganzoo.text import plain, scrub

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger("ganzoo")
T = TypeVar("T")
ANSWER = 10.0  # seconds for an answer
UNWRITABLE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EEXIST,
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_warned: set[str] = set()


class MovedError(HubError):
    """The repository has commits that weren't there when we looked."""


class BusyError(HubError):
    """The Hub answered that it can't now: it failed, or had too many requests."""


class NoRepositoryError(HubError):
    """There is no such repository, or this user may not know of it."""


class NoRevisionError(HubError):
    """The repository has no such branch, tag or commit."""


@dataclass(frozen=True)
class Hub:
    """A Hub to talk to: https://huggingface.co, or what HF_ENDPOINT says.

    `token` is passed to the Hub's client and to nothing else; left out, the client takes HF_TOKEN or the stored login.
    `cache` is the Hub's common cache (HF_HUB_CACHE) by default. Raises HubError for an endpoint that isn't safe.
    """

    endpoint: str | None = None
    token: str | bool | None = field(default=None, repr=False)
    cache: Path | None = None

    def __post_init__(self) -> None:
        check_endpoint(self.url)
        if isinstance(self.token, str) and not re.fullmatch(r"[!-~]{1,500}", self.token):
            raise HubError("the token holds a space, a line end or nothing; copy it anew")

    def leaks(self, content: bytes) -> bool:
        """Whether this content holds the token."""
        return isinstance(self.token, str) and len(self.token) >= 8 and self.token.encode() in content

    @property
    def url(self) -> str:
        from huggingface_hub import constants

        return (self.endpoint or constants.ENDPOINT).rstrip("/")

    @property
    def official(self) -> bool:
        return self.url == "https://huggingface.co"

    @property
    def offline(self) -> bool:
        """HF_HUB_OFFLINE=1 was set when this process began."""
        from huggingface_hub.constants import is_offline_mode

        return is_offline_mode()

    @property
    def folder(self) -> Path:
        """The cache's folder."""
        from huggingface_hub import constants

        return Path(self.cache or constants.HF_HUB_CACHE).expanduser().resolve()

    def api(self) -> "HfApi":
        """The client of huggingface_hub, which names ganzoo as its caller."""
        from huggingface_hub import HfApi

        from ganzoo import __version__

        return HfApi(endpoint=self.url, token=self.token, library_name="ganzoo", library_version=__version__)


def check_endpoint(url: str) -> None:
    """Refuse plain http beyond this computer, and say when the Hub isn't huggingface.co: it is sent the token."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # brackets that don't close, a port that is none
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or parts.username:
        raise HubError(f"HF_ENDPOINT {scrub(plain(url))!r} is no address of a Hub; write https://HOST")
    if host in LOOPBACK:
        return
    if parts.scheme == "http" and os.environ.get("GANZOO_ALLOW_HTTP") != "1":
        raise HubError(
            f"the Hub at {plain(url)!r} is reached over plain http, where anybody on the way reads the token; use "
            "https, or set GANZOO_ALLOW_HTTP=1 if you trust the line"
        )
    if host != "huggingface.co" and url not in _warned:
        _warned.add(url)
        log.warning("the Hub is %s, not huggingface.co: your token and your downloads go through it", plain(url))


def ask(hub: Hub, subject: str, call: Callable[[], T]) -> T:
    """Make a call of the client; what it raises becomes one sentence, with no token and no chain behind it."""
    try:
        return call()
    except GanzooError:
        raise
    except Exception as error:  # the client raises what the server's answer leads to: any answer, so anything
        problem = _problem(hub, subject, error)
    raise problem  # outside the handler: the client's error holds the request, and the request the token


def http_library() -> Any:
    """What the installed client speaks HTTP with: httpx2 since huggingface_hub 2.0, httpx before."""
    try:
        return importlib.import_module("huggingface_hub.utils").httpx
    except AttributeError:
        return importlib.import_module("httpx")


def patience() -> Any:
    """How long to wait: briefly for a connection, longer for an answer."""
    return http_library().Timeout(ANSWER, connect=connecting())


def _problem(hub: Hub, subject: str, error: Exception) -> GanzooError:
    from huggingface_hub import errors as e

    subject = scrub(subject)
    if isinstance(error, e.LocalEntryNotFoundError) and isinstance(error.__cause__, e.HfHubHTTPError | OSError):
        error = error.__cause__  # "not in the cache either" says nothing about why
    if isinstance(error, e.GatedRepoError):
        return HubError(
            f"{subject} is gated: accept its terms on its page, then log in as that user (hf auth login, or HF_TOKEN)"
        )
    if isinstance(error, e.RepositoryNotFoundError):
        return NoRepositoryError(
            f"there is no {subject}, or it is private: check the name, or log in (hf auth login, or HF_TOKEN)"
        )
    if isinstance(error, e.DisabledRepoError):
        return HubError(f"{subject} was disabled, by its author or the Hub; its page may say why")
    if isinstance(error, e.RevisionNotFoundError):
        return NoRevisionError(f"{subject} has no such revision; leave it out for the newest")
    if isinstance(error, e.FileMetadataError):
        return HubError(f"the Hub at {plain(hub.url)} gave {subject} no ETag, commit or size; don't trust it")
    if isinstance(error, e.RemoteEntryNotFoundError):
        return HubError(f"{subject} lacks a file that it listed; try again")
    if isinstance(error, e.LocalTokenNotFoundError):
        return HubError("no token was found; run `hf auth login`, or set HF_TOKEN")
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(error, e.HfHubHTTPError) and status is not None:
        return _answered(hub, subject, status, response)
    if isinstance(error, e.OfflineModeIsEnabled):
        return UnreachableError(f"{subject} can't be had while HF_HUB_OFFLINE is set; unset it to ask the Hub")
    if isinstance(error, e.LocalEntryNotFoundError | http_library().TransportError):
        return UnreachableError(f"the Hub at {plain(hub.url)} can't be reached for {subject}; check the connection")
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return HubError(f"the cache {str(hub.folder)!r} can't be written: {os.strerror(error.errno)}")
    if isinstance(error, OSError):
        return HubError(f"the download of {subject} ended with the wrong length; nothing was kept, try again")
    said = scrub(plain(f"{type(error).__name__}: {error}", 200))
    return HubError(f"the Hub at {plain(hub.url)} gave an answer about {subject} that makes no sense ({said})")


def _answered(hub: Hub, subject: str, status: int, response: Any) -> HubError:
    if status == 401:
        return HubError(
            f"the Hub refused the token for {subject}: it is wrong or expired; run `hf auth login` again, or set "
            "HF_TOKEN anew, which goes before it"
        )
    if status == 403:
        reads = response.request.method in ("GET", "HEAD")
        access = "that may read it" if reads else "with write access to it"
        return HubError(f"the token has no right to do this with {subject}; use one {access}")
    if status == 412:
        return MovedError(f"{subject} got another commit meanwhile")
    if status == 409:
        return HubError(f"the Hub reports a conflict on {subject}: somebody else is changing it; try again")
    if status == 429:
        limit = re.search(r"\bt=(\d{1,6})", response.headers.get("RateLimit", ""))  # huggingface.co's: `"api";r=0;t=55`
        wait = limit[1] if limit else plain(response.headers.get("Retry-After", ""), 20)
        when = f"in {wait} s" if wait else "later"
        return BusyError(f"the Hub has had too many requests from here; try again {when}")
    if status >= 500:
        return BusyError(f"the Hub at {plain(hub.url)} failed ({status}) on {subject}; try again later")
    said = scrub(plain(getattr(response, "headers", {}).get("X-Error-Message", "") or "no reason given", 200))
    return HubError(f"the Hub refused a request about {subject} ({status}): {said}")
