"""Bar charts as plain SVG, readable on dark and on light pages.

Bars start at zero and show the median; a line shows the minimum and the maximum of the rounds.
"""
import html
import statistics

WIDTH, BAR, GAP, LEFT, RIGHT, TOP = 720, 20, 10, 170, 110, 46


def bars(title, unit, rows, note):
    """Returns a chart with one horizontal bar per row; a row is a label and its values."""
    height = TOP + len(rows) * (BAR + GAP) + 30
    longest = max(max(values) for _, values in rows) or 1
    scale = (WIDTH - LEFT - RIGHT) / longest
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        "<style>text{fill:#222}.n{fill:#666;font-size:11px}.b{fill:#4a7fb5}.l{stroke:#222;stroke-width:1.5}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.n{fill:#999}.b{fill:#5d94cc}.l{stroke:#ddd}}</style>",
        f'<text x="8" y="20" font-weight="bold">{html.escape(title)}</text>',
    ]
    for i, (label, values) in enumerate(rows):
        y, middle = TOP + i * (BAR + GAP), statistics.median(values)
        minimum, maximum = (LEFT + scale * extreme for extreme in (min(values), max(values)))
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{html.escape(label)}</text>',
            f'<rect class="b" x="{LEFT}" y="{y}" width="{scale * middle:.1f}" height="{BAR}"/>',
            f'<line class="l" x1="{minimum:.1f}" x2="{maximum:.1f}" y1="{y + BAR / 2}" y2="{y + BAR / 2}"/>',
            f'<text x="{max(maximum, LEFT + scale * middle) + 8:.1f}" y="{y + 15}">{middle:.2f} {html.escape(unit)}</text>',
        ]
    parts += [f'<text class="n" x="8" y="{height - 8}">{html.escape(note)}</text>', "</svg>\n"]
    return "\n".join(parts)
