"""A table of numbers as a picture: a small SVG, written by hand."""

import math
from collections.abc import Mapping, Sequence

WIDE, HIGH, MARGIN, TOP = 104, 26, 150, 30


def heat_map(values: Mapping[tuple[str, str], float], rows: Sequence[str], columns: Sequence[str], rises: bool) -> str:
    """Cells coloured from the best (green) to the worst (red) by rank; a cell without a value is grey."""
    order = sorted(values.values(), reverse=rises)
    width, height = MARGIN + WIDE * len(columns), TOP + HIGH * len(rows)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">']
    for i, column in enumerate(columns):
        parts.append(_text(MARGIN + WIDE * (i + 0.5), TOP - 10, column, "middle"))
    for j, row in enumerate(rows):
        parts.append(_text(MARGIN - 8, TOP + HIGH * (j + 0.65), row, "end"))
        for i, column in enumerate(columns):
            value = values.get((row, column), math.nan)
            known = not math.isnan(value)
            share = order.index(value) / max(1, len(order) - 1) if known else 0
            colour = f"hsl({round(130 * (1 - share))}, 60%, 78%)" if known else "#ddd"
            x, y = MARGIN + WIDE * i, TOP + HIGH * j
            parts.append(f'<rect x="{x}" y="{y}" width="{WIDE - 2}" height="{HIGH - 2}" fill="{colour}"/>')
            parts.append(_text(x + WIDE / 2, y + HIGH * 0.65, f"{value:.3g}" if known else "failed", "middle"))
    return "\n".join([*parts, "</svg>\n"])


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="12" text-anchor="{anchor}">{words}</text>'
