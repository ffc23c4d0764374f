"""Watching a run: its page."""

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from PIL import Image

import ganzoo
from ganzoo.engine import report
from tests.support import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    more = {"training.images": 24, "training.log_every": 4, "training.sample_every": 8, "summary": "a <b> & c"}
    return ganzoo.train(tiny("gan-mnist", **more), out=tmp_path_factory.mktemp("watch") / "run", device="cpu")


class Page(HTMLParser):
    """What a page refers to, and its scripts."""

    def __init__(self, text):
        super().__init__()
        self.links, self.scripts, self.tags = [], [], []
        self._script = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._script = dict(attrs) if tag == "script" else None
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        if self._script is not None:
            self.scripts.append((self._script, data))
            self._script = None


def test_the_page_holds_curves_and_grids_and_needs_nothing_else(run):
    text = (run.folder / "report.html").read_text()
    page = Page(text)
    assert page.links == []
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert "<b>" not in text
    (data,) = [json.loads(content) for about, content in page.scripts if about.get("id") == "data"]
    assert data["rows"] == run.metrics()
    assert [grid["images"] for grid in data["grids"]] == [8, 16, 24]
    for grid in data["grids"]:
        assert Image.open(io.BytesIO(base64.b64decode(grid["png"]))).size[0] > 28
    for finding in run.health()["findings"]:
        assert finding["paper"] in text


def test_values_that_are_no_numbers_and_long_runs_fit(run, monkeypatch):
    rows = [{"step": i, "images": i, "seconds": 1.0, "a/loss": float("nan" if i % 2 else "inf")} for i in range(5000)]
    monkeypatch.setattr(type(run), "metrics", lambda self: rows)
    page = Page(report.render(run))
    (data,) = [json.loads(content) for about, content in page.scripts if about.get("id") == "data"]
    assert len(data["rows"]) == report.POINTS
    assert data["rows"][-1]["images"] == 4999
    assert {row["a/loss"] for row in data["rows"]} == {None}


def test_the_script_is_javascript(run, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, so the page's script was not parsed")
    (script,) = [c for about, c in Page((run.folder / "report.html").read_text()).scripts if not about]
    (tmp_path / "page.js").write_text(script)
    subprocess.run([node, "--check", tmp_path / "page.js"], check=True)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Opens a page in headless Chromium; what it writes comes back."""
    names = "chromium", "chromium-browser", "google-chrome", "chrome"
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("chromium is not installed, so the page was not opened")
    place = tmp_path_factory.mktemp("browser")

    def opened(page, *options):
        command = [found, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={place}", *options]
        run = subprocess.run([*command, page.as_uri()], check=True, capture_output=True, text=True, timeout=120)
        return run.stdout

    return opened


def test_a_browser_draws_the_curves_and_the_slider_changes_the_grid(run, browser, tmp_path):
    text = (run.folder / "report.html").read_text()
    dom = browser(run.folder / "report.html", "--dump-dom")
    assert "after 24 images" in dom
    curves = {name for row in run.metrics() for name in row if "/" in name}
    lines = re.findall(r'<polyline points="([^"]+)"', dom)
    assert len(lines) == len(curves)
    points = [tuple(map(float, point.split(","))) for line in lines for point in line.split()]
    assert all(0 <= x <= 300 and 0 <= y <= 150 for x, y in points)
    last = re.search(r'src="data:image/png;base64,([^"]+)"', dom)[1]
    moved = tmp_path / "moved.html"
    slide = "slider.value = 0; slider.dispatchEvent(new Event('input'));"
    moved.write_text(text.replace("</body>", f"<script>{slide}</script></body>"))
    dom = browser(moved, "--dump-dom")
    assert "after 8 images" in dom
    assert re.search(r'src="data:image/png;base64,([^"]+)"', dom)[1] != last


def test_a_browser_shows_the_page(run, browser, tmp_path):
    shot = tmp_path / "page.png"
    browser(run.folder / "report.html", f"--screenshot={shot}", "--window-size=900,1600")
    with Image.open(shot) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(2**20)}
    assert (255, 255, 255) in colours
    assert (21, 101, 192) in colours, "the curves"
    assert len(colours) > 100, "letters and a grid"
