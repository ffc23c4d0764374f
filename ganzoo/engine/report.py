"""`report.html`: one file without links, with the curves of a run, its sample grids under a slider and its health."""

import base64
import html
import json
import logging

from ganzoo.files import replaced
from ganzoo.run import Run

log = logging.getLogger("ganzoo")
GRIDS = 40  # most that the file holds, evenly picked
POINTS = 1000

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>@TITLE@</title><style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1, h2, h3 { font-weight: 600 } figure { display: inline-block; margin: 0 1rem 1rem 0 } figcaption { font-size: 13px }
svg { background: #f6f6f6 } polyline { fill: none; stroke: #1565c0; stroke-width: 1.5 }
svg text { font-size: 11px; fill: #555 } li { margin: .4rem 0 } li::first-letter { text-transform: uppercase }
#grid { width: min(100%, 36rem); image-rendering: pixelated; display: block } input { width: min(100%, 36rem) }
</style></head><body>
<h1>@TITLE@</h1><p>@SUMMARY@</p>
<h2>Health</h2>@HEALTH@
<h2>Samples</h2><div id="samples"></div>
<h2>Curves</h2><p>Over real images consumed; beside each name the last value.</p><div id="curves"></div>
<script type="application/json" id="data">@DATA@</script>
<script>
const { rows, grids } = JSON.parse(document.getElementById("data").textContent);
const make = (tag, place, text) => {
  const item = document.createElement(tag);
  if (text !== undefined) item.textContent = text;
  place.appendChild(item);
  return item;
};
const samples = document.getElementById("samples");
if (grids.length) {
  const label = make("p", samples), slider = make("input", samples), image = make("img", samples);
  Object.assign(slider, { type: "range", min: 0, max: grids.length - 1, value: grids.length - 1, id: "slider" });
  slider.setAttribute("aria-label", "images seen");
  image.id = "grid";
  const show = () => {
    const grid = grids[slider.value];
    image.src = "data:image/png;base64," + grid.png;
    image.alt = label.textContent = "after " + grid.images.toLocaleString("en") + " images";
  };
  slider.addEventListener("input", show);
  show();
} else make("p", samples, "There is no sample grid yet.");
const NS = "http://www.w3.org/2000/svg", W = 300, H = 150;
const places = {};
const place_of = (network) => {
  if (!places[network]) {
    places[network] = make("section", document.getElementById("curves"));
    make("h3", places[network], network);
  }
  return places[network];
};
const draw = (name) => {
  const points = rows.filter((r) => Number.isFinite(r[name])).map((r) => [r.images, r[name]]);
  if (!points.length) return;
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const place = ([x, y]) => [(W * (x - x0)) / (x1 - x0 || 1), H - 14 - ((H - 28) * (y - y0)) / (y1 - y0 || 1)];
  const figure = make("figure", place_of(name.split("/")[0]));
  const svg = figure.appendChild(document.createElementNS(NS, "svg"));
  svg.setAttribute("width", W);
  svg.setAttribute("height", H);
  const line = svg.appendChild(document.createElementNS(NS, "polyline"));
  line.setAttribute("points", points.map((p) => place(p).join()).join(" "));
  const write = (x, y, anchor, words) => {
    const text = svg.appendChild(document.createElementNS(NS, "text"));
    Object.entries({ x, y, "text-anchor": anchor }).forEach(([key, value]) => text.setAttribute(key, value));
    text.textContent = words;
  };
  write(3, 11, "start", y1.toPrecision(4));
  write(3, H - 3, "start", y0.toPrecision(4));
  write(W - 3, H - 3, "end", x1.toLocaleString("en"));
  make("figcaption", figure, name.slice(name.indexOf("/") + 1) + ": " + ys[ys.length - 1].toPrecision(4));
};
[...new Set(rows.flatMap(Object.keys))].filter((name) => name.includes("/")).sort().forEach(draw);
</script></body></html>
"""


def write(run: Run) -> None:
    """Write the page of a run. What fails here costs the page, not the run."""
    try:
        with replaced(run.folder / "report.html") as part:
            part.write_text(render(run), "utf-8")
    except Exception as error:
        log.warning("the report of the run can't be written: %s", error)


def render(run: Run) -> str:
    """The page, from the log, the grids and the health report."""
    rows = _picked(run.metrics(), POINTS)
    grids = [
        {"images": int(path.stem), "png": base64.b64encode(path.read_bytes()).decode()}
        for path in _picked(sorted(run.samples.glob("[0-9]*.png")), GRIDS)
    ]
    recipe, last = run.recipe, rows[-1] if rows else {"images": 0, "step": 0, "seconds": 0}
    data = json.dumps({"rows": rows, "grids": grids}).replace("<", "\\u003c").replace("NaN", "null")
    summary = (
        f"{recipe.summary}. {int(last['images']):,} of {recipe.training.images:,} images, "
        f"{int(last['step']):,} steps, {last['seconds']:.0f} seconds."
    )
    filled = {"@TITLE@": html.escape(recipe.name), "@SUMMARY@": html.escape(summary), "@HEALTH@": _health(run)}
    page = PAGE
    for mark, text in filled.items():
        page = page.replace(mark, text)
    return page.replace("@DATA@", data.replace("Infinity", "null"))


def _health(run: Run) -> str:
    report = run.health()
    if not report:
        return "<p>Said at the end of the run.</p>"
    lines = [
        f"<li>{html.escape(f['seen'])}. Try {html.escape(f['try'])} ({html.escape(f['paper'])}).</li>"
        for f in report["findings"]
    ]
    return f"<ul>{''.join(lines)}</ul>" if lines else "<p>Nothing looks wrong.</p>"


def _picked(items: list, most: int) -> list:  # type: ignore[type-arg]
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
