"""Whether anybody is there: known within two seconds, however many addresses a Hub has and however slow names are."""

import os
import socket
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ganzoo.errors import UnreachableError
from ganzoo.text import plain

CONNECT = 1.5  # seconds to reach the Hub; beyond it a person is told that there is none
PORTS = {"http": 80, "https": 443}


def connecting() -> float:
    """Seconds to wait for a connection: CONNECT, or what HF_HUB_ETAG_TIMEOUT says, where lines or names are slow."""
    from huggingface_hub import constants

    said = constants.HF_HUB_ETAG_TIMEOUT if os.environ.get("HF_HUB_ETAG_TIMEOUT") else 0
    return float(said) if said > 0 else CONNECT


def reach(url: str, subject: str) -> None:
    """Raise UnreachableError unless somebody answers at the Hub, or at the proxy on the way, in that time.

    The client's own limit holds for each address by itself and not at all for the look-up of the name.
    """
    answers: SimpleQueue[int] = SimpleQueue()
    seconds, slow = connecting(), ""
    # a thread that is left behind: the look-up of a name can't be broken off
    threading.Thread(target=_knock, args=(*_gate(url), answers), daemon=True).start()
    until = time.monotonic() + seconds
    try:
        addresses = answers.get(timeout=seconds)
        for _ in range(addresses):
            if answers.get(timeout=max(0.0, until - time.monotonic())):
                return
    except Empty:
        slow = f", or set HF_HUB_ETAG_TIMEOUT=10 where {seconds:g} s are too few"
    raise UnreachableError(f"the Hub at {plain(url)} can't be reached for {subject}; check the connection{slow}")


def _gate(url: str) -> tuple[str, int]:
    """The host and port that a connection begins with."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = {} if proxy_bypass(host) else getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    try:
        if proxy:
            parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            host = parts.hostname or ""
        return host, parts.port or PORTS.get(parts.scheme, 80)
    except ValueError:  # not repeated, for it may hold a password
        raise UnreachableError(f"the proxy on the way to {plain(url)} is no address; look at https_proxy") from None


def _knock(host: str, port: int, answers: SimpleQueue[int]) -> None:
    """Put the number of addresses, then 1 for each that answers and 0 for each that refuses."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        addresses = []
    answers.put(len(addresses))
    for family, kind, protocol, _, address in addresses:  # all at once: some may swallow what is sent to them
        threading.Thread(target=_try, args=(family, kind, protocol, address, answers), daemon=True).start()


def _try(family: int, kind: int, protocol: int, address: Any, answers: SimpleQueue[int]) -> None:
    try:
        with socket.socket(family, kind, protocol) as line:
            line.settimeout(connecting())
            line.connect(address)
    except OSError:
        answers.put(0)
    else:
        answers.put(1)
