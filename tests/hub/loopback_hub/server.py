"""The HTTP side, on an ephemeral port of loopback; `routes.py` has the calls.

Large files are served from another host name (`localhost` beside `127.0.0.1`), so that a token which followed a
redirect to the content host would be seen there.
"""

import contextlib
import json
import re
import socket
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub.loopback_hub.faults import Fault
from tests.hub.loopback_hub.routes import ROUTES, Routes
from tests.hub.loopback_hub.store import Refused, Store


@dataclass
class Seen:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict

    def __str__(self):
        return f"{self.method} {self.path}"


class LoopbackHub:
    """The server. `url` is its endpoint, `store` its repositories, `requests` all that was asked of it."""

    def __init__(self):
        self.store = Store()
        self.requests = []
        self.faults = []
        self.connections = []
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.hub = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.content_url = f"http://localhost:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        """Pull the plug: nothing listens any more, and connections that were kept alive are cut."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def fault(self, pattern, **how):
        """Let matching requests go wrong from now on; returns the fault."""
        self.faults.append(Fault(pattern, **how))
        return self.faults[-1]

    def asked(self, pattern):
        """The requests that match so far."""
        return [seen for seen in self.requests if re.search(pattern, str(seen))]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a client that hung up is what some tests are about
            super().handle_error(request, client_address)


class _Handler(Routes, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else head and body of an answer wait for each other, 40 ms each time

    def setup(self):
        super().setup()
        self.hub.connections.append(self.connection)

    def log_message(self, *_):
        pass

    @property
    def hub(self):
        return self.server.hub

    @property
    def store(self):
        return self.server.hub.store

    def _answer(self):
        self.parts = urlsplit(self.path)
        self.query = parse_qs(self.parts.query)
        self.hub.requests.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = next((f for f in self.hub.faults if f.matches(self.command, self.path)), None)
        if fault:
            fault.begin()
        if fault and fault.status:
            return self._send(fault.status, fault.body, {"Content-Type": "application/json", **fault.headers}, fault)
        try:
            status, content, headers = self._dispatch(body)
        except Refused as refused:
            headers = {"X-Error-Message": refused.message} | ({"X-Error-Code": refused.code} if refused.code else {})
            status, content = refused.status, json.dumps({"error": refused.message, **refused.fields}).encode()
        if fault and fault.after:
            fault.after()
        return self._send(status, content, headers, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer

    def _dispatch(self, body):
        self.user, self.role = self._who()
        for method, pattern, name in ROUTES:
            match = pattern.match(self.parts.path)
            if match and (method == self.command or (method == "GET" and self.command == "HEAD")):
                found = {k: unquote(v) for k, v in match.groupdict().items()}
                result = getattr(self, name)(body=body, **found)
                if isinstance(result, tuple):
                    return result
                return 200, json.dumps(result).encode(), {"Content-Type": "application/json"}
        raise Refused(404, "no such page")

    def _who(self):
        sent = self.headers.get("Authorization", "")
        if not sent or self.headers.get("Host", "").startswith("localhost"):
            return None, None
        known = self.store.tokens.get(sent.removeprefix("Bearer "))
        if known is None:
            raise Refused(401, "Invalid credentials in Authorization header")
        return known

    def _send(self, status, content, headers, fault=None):
        headers = dict(headers)
        if fault and fault.body_filter:
            content = fault.body_filter(content)
        headers.setdefault("Content-Length", str(len(content)))
        if fault and fault.header_filter:
            headers = fault.header_filter(headers)
        if fault and fault.drop == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            if fault and fault.drop is not None:
                content, self.close_connection = content[: fault.drop], True
            self.wfile.write(content)
