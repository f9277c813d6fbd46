# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outages beside what is allowed, one bar for each fault, as SVG."""

from __future__ import annotations

import typing as t
from xml.sax.saxutils import escape

ROW, LEFT, WIDTH, RIGHT, TOP, BOTTOM = 26, 170, 560, 130, 64, 56
MEASURED, TOO_MUCH, ALLOWED, INK, GREY = "#2a78b8", "#c8372d", "#dfe5ea", "#1f2933", "#7b8794"


class Bar(t.Protocol):
    fault: str
    limit: float
    outage: float
    lost: float
    too_much: list[str]


def picture(title: str, version: str, bars: t.Sequence[Bar]) -> str:
    longest = max([1.0, *(max(each.limit, each.outage) for each in bars)])
    scale = WIDTH / longest
    bottom = TOP + ROW * len(bars)
    parts = [
        text(LEFT - 150, 26, f"Failover, {title}: keepalived {version.lstrip('v')}", size=16, weight="bold"),
        text(
            LEFT - 150,
            46,
            "Seconds in which a client, asking every 20 ms, gets no answer within 250 ms; lost: none within 2 s either",
            fill=GREY,
        ),
        *axis(longest, scale, bottom),
    ]
    for number, each in enumerate(bars):
        y = TOP + ROW * number
        middle = y + ROW / 2 + 4
        color = TOO_MUCH if each.too_much else MEASURED
        said = (
            f"{each.outage * 1000:.0f} ms of {each.limit * 1000:.0f}" if each.limit else f"{each.outage * 1000:.0f} ms"
        )
        end = LEFT + max(each.limit, each.outage) * scale
        parts += [
            text(LEFT - 10, middle, each.fault.replace("_", " "), anchor="end"),
            rectangle(LEFT, y + 4, each.limit * scale, ROW - 8, ALLOWED),
            rectangle(LEFT, y + 8, max(each.outage * scale, 1.5), ROW - 16, color),
            text(end + 8, middle, said if each.lost else f"{said}, none lost", fill=GREY, size=11),
        ]
    legend = bottom + BOTTOM - 14
    for x, fill, said in (
        (LEFT, MEASURED, "measured"),
        (LEFT + 100, ALLOWED, "allowed"),
        (LEFT + 190, TOO_MUCH, "too much"),
    ):
        parts += [rectangle(x, legend - 9, 12, 10, fill), text(x + 18, legend, said, fill=GREY, size=11)]
    width, height = LEFT + WIDTH + RIGHT, bottom + BOTTOM
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' font-family="sans-serif">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def axis(longest: float, scale: float, bottom: float) -> t.Iterator[str]:
    steps = (0.25, 0.5, 1, 5, 10, 60)
    step = next((step for step in steps if longest / step <= 8), steps[-1])
    for number in range(int(longest / step) + 1):
        x = LEFT + number * step * scale
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{ALLOWED}"/>'
        yield text(x, bottom + 16, f"{number * step:g} s", anchor="middle", fill=GREY, size=11)


def rectangle(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def text(
    x: float, y: float, said: str, anchor: str = "start", fill: str = INK, size: int = 12, weight: str = "normal"
) -> str:
    style = f'text-anchor="{anchor}" fill="{fill}" font-size="{size}" font-weight="{weight}"'
    # Readable across the lines behind it.
    style += ' stroke="#fff" stroke-width="3" paint-order="stroke"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(said)}</text>'
