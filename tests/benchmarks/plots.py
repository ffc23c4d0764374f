"""Small charts as SVG, written by hand so that the page needs no library: bars, and lines on logarithmic axes."""

import math
from collections.abc import Sequence
from html import escape

COLOURS = ("#2f6fb5", "#d1783a", "#4b9a5f", "#9a5fb0", "#8a8a8a", "#c24d5c")
STYLE = "<style>text{font:12px sans-serif;fill:#777}.grid{stroke:#8884;stroke-width:1}</style>"


def bars(rows: dict[str, dict[str, float]], mark: float = 1.0) -> str:
    """A group of horizontal bars for each row, a bar for each named value; a line at `mark`."""
    names = list(dict.fromkeys(name for values in rows.values() for name in values))
    most = max(max(values.values()) for values in rows.values()) * 1.05
    left, width, y = 230, 420, 30 + 18 * (len(names) > 4)
    parts = [_key(names, left)]
    top = y
    for title, values in rows.items():
        parts.append(f'<text x="{left - 8}" y="{y + 6 * len(values) + 4}" text-anchor="end">{escape(title)}</text>')
        for name, value in values.items():
            colour, length = COLOURS[names.index(name) % len(COLOURS)], value / most * width
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="10" fill="{colour}"/>')
            parts.append(f'<text x="{left + length + 4:.1f}" y="{y + 9}" font-size="10">{value:.2f}</text>')
            y += 12
        y += 10
    x = left + mark / most * width
    parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 4}" y2="{y - 6}" stroke="#777" stroke-dasharray="4 3"/>')
    return _svg(left + width + 50, y, parts)


def lines(title: str, across: str, up: str, series: dict[str, Sequence[tuple[float, float]]]) -> str:
    """A line for each series of points, both axes logarithmic; a thin line of slope 1 or 0 is left to the reader."""
    points = [point for line in series.values() for point in line]
    (x0, x1), (y0, y1) = (_range([p[i] for p in points]) for i in (0, 1))
    left, top, width, height = 70, 44, 300, 190

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + (math.log10(x) - x0) / (x1 - x0) * width,
            top + height - (math.log10(y) - y0) / (y1 - y0) * height,
        )

    parts = [f'<text x="{left}" y="16" font-size="13">{escape(title)}</text>', _key(list(series), left, 30)]
    for x in sorted({p[0] for p in points}):
        px, py = place(x, 10**y0)
        parts.append(f'<line class="grid" x1="{px:.1f}" x2="{px:.1f}" y1="{top}" y2="{py:.1f}"/>')
        parts.append(f'<text x="{px:.1f}" y="{py + 16:.1f}" text-anchor="middle">{_short(x)}</text>')
    for power in range(math.ceil(y0), math.floor(y1) + 1):
        px, py = place(10**x0, 10**power)
        parts.append(f'<line class="grid" x1="{px:.1f}" x2="{px + width:.1f}" y1="{py:.1f}" y2="{py:.1f}"/>')
        parts.append(f'<text x="{px - 6:.1f}" y="{py + 4:.1f}" text-anchor="end">{_short(10**power)}</text>')
    for i, line in enumerate(series.values()):
        path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[i]}" stroke-width="2"/>')
        for x, y in line:
            px, py = place(x, y)
            parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{COLOURS[i]}"/>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 34}" text-anchor="middle">{escape(across)}</text>')
    parts.append(
        f'<text transform="translate(14 {top + height / 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'
    )
    return _svg(left + width + 30, top + height + 44, parts)


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = math.log10(min(values)), math.log10(max(values))
    return math.floor(low * 2) / 2, max(math.ceil(high * 2) / 2, math.floor(low * 2) / 2 + 1)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _key(names: Sequence[str], x: float, y: float = 14) -> str:
    parts = []
    for i, name in enumerate(names):
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{COLOURS[i % len(COLOURS)]}"/>')
        parts.append(f'<text x="{x + 14}" y="{y}">{escape(name)}</text>')
        x += 28 + 7 * len(name)
    return "".join(parts)


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">'
    return head + STYLE + "".join(parts) + "</svg>\n"
