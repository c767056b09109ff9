"""Two kinds of pictures, written as SVG by hand."""

import math
from html import escape

from .markdown import number, plain

WIDTH, LABEL, RIGHT, ROW = 860, 330, 110, 22
INK, GREY, OURS, OTHERS = "#222", "#888", "#2a6f97", "#b8c4cc"


def bars(title, unit, rows):
    """A bar a row, (name, (lowest, median, highest), whether it is ours), with the spread as a line."""
    most = max(spread[2] for _, spread, _ in rows)
    scale = (WIDTH - LABEL - RIGHT) / most
    parts = [_text(10, 20, f"{title} ({unit})", weight="bold")]
    for place, (name, (low, middle, high), ours) in enumerate(rows):
        y = 34 + place * ROW
        parts += [
            _text(LABEL - 8, y + 14, plain(name), anchor="end"),
            f'<rect x="{LABEL}" y="{y + 2}" width="{middle * scale:.1f}" height="{ROW - 6}" '
            f'fill="{OURS if ours else OTHERS}"/>',
            f'<path d="M{LABEL + low * scale:.1f} {y + 10}H{LABEL + high * scale:.1f}" stroke="{INK}"/>',
            _text(LABEL + high * scale + 6, y + 14, number(middle)),
        ]
    return _frame(34 + len(rows) * ROW + 10, parts)


def lines(title, unit, series, marks=()):
    """Lines over seconds on a logarithmic scale: (name, colour, [(second, value)]); marks are (second, text)."""
    height, left, top, bottom = 300, 60, 34, 30
    points = [point for _, _, values in series for point in values if point[1] > 0]
    end = max(x for x, _ in points)
    low, high = (
        f(math.log10(v)) for f, v in ((math.floor, min(y for _, y in points)), (math.ceil, max(y for _, y in points)))
    )
    high = max(high, low + 1)

    def x(second):
        return left + second / end * (WIDTH - left - 20)

    def y(value):
        return top + (high - math.log10(value)) / (high - low) * (height - top - bottom)

    parts = [_text(10, 20, f"{title} ({unit})", weight="bold")]
    for power in range(low, high + 1):
        parts.append(f'<path d="M{left} {y(10**power):.1f}H{WIDTH - 20}" stroke="#ddd"/>')
        parts.append(_text(left - 6, y(10**power) + 4, f"{10**power:g}", anchor="end"))
    for second, text in marks:
        parts.append(f'<path d="M{x(second):.1f} {top}V{height - bottom}" stroke="{GREY}" stroke-dasharray="4 3"/>')
        parts.append(_text(x(second) + 4, top + 10, text, fill=GREY))
    for place, (name, colour, values) in enumerate(series):
        path = "L".join(f"{x(second):.1f} {y(value):.1f}" for second, value in values if value > 0)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(_text(left + 8 + place * 150, height - 8, name, fill=colour, weight="bold"))
    parts.append(_text(WIDTH - 20, height - 8, f"{end:.0f} s", anchor="end", fill=GREY))
    return _frame(height, parts)


def _text(x, y, text, anchor="start", weight="normal", fill=INK):
    look = f'text-anchor="{anchor}" font-weight="{weight}" fill="{fill}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(text)}</text>'


def _frame(height, parts):
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        f' font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )
