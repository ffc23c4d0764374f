"""Nobody is there: a person is told within two seconds, whatever it is that doesn't answer."""

import socket
import threading
import time

import pytest

import ganzoo
from ganzoo import names
from ganzoo.errors import UnreachableError
from ganzoo.hub import client
from ganzoo.hub.reach import reach


@pytest.fixture
def swallows():
    """An address that takes in what is sent to it and never answers: its queue of connections is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
    yield listener.getsockname()[1]
    for one in (*waiting, listener):
        one.close()


def told(name, hub):
    """What a person is told, and after how long."""
    began = time.monotonic()
    with pytest.raises(UnreachableError) as error:
        ganzoo.load(name, hub=hub, device="cpu")
    return str(error.value), time.monotonic() - began


def test_a_hub_that_swallows_connections_is_given_up_within_two_seconds(swallows, tmp_path):
    said, seconds = told("hf://user/digits", client.Hub(f"http://127.0.0.1:{swallows}", False, tmp_path))
    assert "can't be reached for hf://user/digits" in said
    assert seconds < 2


def test_so_is_one_with_many_such_addresses_or_a_name_that_nobody_looks_up(swallows, tmp_path, monkeypatch):
    hub = client.Hub(f"http://localhost:{swallows}", False, tmp_path)
    one = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", swallows))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [one] * 8)
    assert told("hf://user/digits", hub)[1] < 2
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [] if never.wait(3) else [one])
    assert told("hf://user/digits", hub)[1] < 2
    never.set()


def test_one_whose_name_is_found_slowly_is_waited_for_where_a_person_says_so(
    hub_server, published, stranger, monkeypatch
):
    at_once = socket.getaddrinfo

    def slowly(*asked, **how):
        threading.Event().wait(1.8)
        return at_once(*asked, **how)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    said, seconds = told("hf://user/digits", stranger)
    assert "check the connection, or set HF_HUB_ETAG_TIMEOUT=10 where 1.5 s are too few" in said
    assert seconds < 2
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "6")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT", 6)
    assert ganzoo.load("hf://user/digits", hub=stranger, device="cpu").name == "gan-mnist"


def test_a_pinned_model_is_given_up_as_soon(hub_server, published, stranger, monkeypatch):
    files = {name: {"sha256": "0" * 64, "size": 9} for name in ("config.json", "model.safetensors")}
    pin = {"repo": "user/digits", "revision": "0" * 40, "task": "generate", "files": files}
    listed = names.Catalogue.read({"models": {"digits": pin}}).models
    monkeypatch.setattr(names, "catalogue", lambda: listed)
    hub_server.close()
    assert told("digits", stranger)[1] < 2


def test_a_proxy_on_the_way_is_what_must_answer(hub_server, monkeypatch):
    monkeypatch.setenv("https_proxy", hub_server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    reach("https://huggingface.co", "x")  # no look-up of its name
    hub_server.close()
    with pytest.raises(UnreachableError, match="can't be reached for x"):
        reach("https://huggingface.co", "x")


@pytest.mark.parametrize("proxy", ["http://user:secret@proxy:x", "[::1"])
def test_a_proxy_that_is_no_address_is_said_without_its_password(monkeypatch, proxy):
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(UnreachableError, match="the proxy .* is no address") as error:
        reach("https://hub.example", "x")
    assert "secret" not in str(error.value)
