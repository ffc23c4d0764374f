"""Ways in which a Hub or the line to it goes wrong, each for the requests that it is meant for."""

import re
import time
from dataclasses import dataclass, field


@dataclass
class Fault:
    """Goes wrong when `method path` matches `pattern`, `times` times, after `skip` good answers.

    `status` answers that with `body` and `headers`; `slow` waits so many seconds first; `before` and `after` call a
    function around the real answer; `drop` closes the line after so many bytes of the body (0: before any answer, so
    the work is done and its answer lost); `body_filter` changes the body, `header_filter` the headers.
    """

    pattern: str
    status: int | None = None
    body: bytes = b'{"error": "a fault of the test"}'
    headers: dict = field(default_factory=dict)
    slow: float = 0.0
    before: object = None
    after: object = None
    drop: int | None = None
    body_filter: object = None
    header_filter: object = None
    times: int = 1
    skip: int = 0
    met: int = 0

    def matches(self, method, path):
        if not re.search(self.pattern, f"{method} {path}"):
            return False
        self.met += 1
        return self.skip < self.met <= self.skip + self.times

    def begin(self):
        if self.slow:
            time.sleep(self.slow)
        if self.before:
            self.before()
