# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures of figures: panels with axes, lines, points and names. Each point of a
measurement carries its row and value, which a test reads back."""
import math
from xml.sax.saxutils import escape, quoteattr

# One colour for each transport, in light and in dark; the names stand beside
# them, so that nothing depends on the colours alone.
COLOURS = {
    "queue": ("#57606a", "#9aa4af"), "datahub": ("#0b62d6", "#5aa2ff"),
    "datahub-default": ("#6f9fe0", "#2f6fc4"), "shm": ("#d9540b", "#ff8b4a"),
    "unixfd": ("#7a3fc4", "#b58cff"), "tcp": ("#8a6a00", "#d9b23c"),
    "core": ("#0b62d6", "#5aa2ff"), "zmq": ("#c02c7c", "#ff7abf"),
    "iceoryx": ("#0c7d6b", "#3fc9b0"), "floor": ("#8c959f", "#7d8590"),
    "write": ("#0b62d6", "#5aa2ff"), "read": ("#d9540b", "#ff8b4a"),
}
PAPER = {"paper": ("#ffffff", "#0d1117"), "panel": ("#f6f8fa", "#161b22"),
         "better": ("#dcf5e3", "#12301f"), "grid": ("#d8dee4", "#2d333b"),
         "ink": ("#1f2328", "#e6edf3"), "soft": ("#57606a", "#9aa4af")}
FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"


def rules(shade):
    """The colours of one theme: 0 is light, 1 is dark."""
    found = []
    for name in ("paper", "panel", "better"):
        found.append(f"svg .{name} {{ fill: {PAPER[name][shade]} }}")
    found.append(f"svg .grid {{ stroke: {PAPER['grid'][shade]} }}")
    found.append(f"svg .base {{ stroke: {PAPER['ink'][shade]} }}")
    found.append(f"svg .goal {{ stroke: {PAPER['soft'][shade]} }}")
    found.append(f"svg text.halo {{ stroke: {PAPER['panel'][shade]} }}")
    found.append(f"svg text {{ fill: {PAPER['ink'][shade]} }}")
    found.append(f"svg text.soft {{ fill: {PAPER['soft'][shade]} }}")
    for name, colours in COLOURS.items():
        found.append(f"svg .c-{name} {{ fill: {colours[shade]}; "
                     f"stroke: {colours[shade]} }}")
    return "\n".join(found)


STYLE = f"""
svg text {{ font: 12px {FONT}; stroke: none }}
svg text.title {{ font-size: 16px; font-weight: 600 }}
svg text.head {{ font-size: 13px; font-weight: 600 }}
svg text.small {{ font-size: 11px }}
svg text.halo {{ paint-order: stroke; stroke-width: 3px; font-size: 11px }}
svg polyline {{ fill: none !important; stroke-width: 2; stroke-linejoin: round }}
svg .thick {{ stroke-width: 2.6 }}
svg .whisker {{ stroke-width: 1.5; opacity: .55 }}
svg .base {{ stroke-width: 1.4; stroke-dasharray: 6 3 }}
svg .goal {{ stroke-width: 1; stroke-dasharray: 2 3 }}
svg circle {{ stroke: none }}
svg rect.bar {{ stroke: none }}
"""


def style(theme=None):
    """@theme: "light" or "dark"; None: that of the reader."""
    if theme:
        return STYLE + rules(theme == "dark")
    dark = "@media (prefers-color-scheme: dark) {\n" + rules(1) + "\n}"
    return STYLE + rules(0) + "\n" + dark


class Picture:
    def __init__(self, title, subtitle, width, height, name):
        self.width, self.height, self.name = width, height, name
        self.title = title
        self.parts = [f'<rect class="paper" width="{width}" height="{height}"/>']
        self.text(18, 28, title, "title")
        for number, line in enumerate(subtitle.split("\n")):
            self.text(18, 48 + 16 * number, line, "soft")

    def add(self, text):
        self.parts.append(text)

    def text(self, x, y, text, kind="", anchor="start"):
        self.add(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" '
                 f'text-anchor="{anchor}">{escape(str(text))}</text>')

    def line(self, x1, y1, x2, y2, kind):
        self.add(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" '
                 f'x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def rect(self, x, y, width, height, kind, tip=None, **data):
        inner = f"<title>{escape(tip)}</title>" if tip else ""
        self.add(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" rx="2" '
                 f'width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
                 f"{attributes(data)}>{inner}</rect>")

    def point(self, x, y, kind, tip, radius=3.6, **data):
        self.add(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" '
                 f'r="{radius}"{attributes(data)}>'
                 f"<title>{escape(tip)}</title></circle>")

    def polyline(self, points, kind):
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.add(f'<polyline class="{kind}" points="{text}"/>')

    def render(self, theme=None, inline=False):
        """@inline: the page that it becomes a part of has the style."""
        css = "" if inline else f"<style>{style(theme)}</style>"
        return (f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
                f'id="{self.name}" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" '
                f'aria-label={quoteattr(self.title)}>{css}'
                + "\n".join(self.parts) + "</svg>\n")


def attributes(data):
    return "".join(f" data-{name}={quoteattr(str(value))}"
                   for name, value in data.items())


class LogAxis:
    """From values to places; @low_at and @high_at are the ends of the axis."""

    def __init__(self, values, low_at, high_at):
        low, high = min(values), max(values)
        if high / low < 1.5:
            low, high = low / 1.3, high * 1.3
        margin = (high / low) ** 0.06
        self.low, self.high = low / margin, high * margin
        self.low_at, self.high_at = low_at, high_at

    def at(self, value):
        part = (math.log(value / self.low)
                / math.log(self.high / self.low))
        return self.low_at + part * (self.high_at - self.low_at)

    def ticks(self):
        decades = math.log10(self.high / self.low)
        steps = (1, 2, 5) if decades < 2.2 else (1, 3) if decades < 3.2 else (1,)
        if decades < 0.45:
            steps = (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)
        first = math.floor(math.log10(self.low))
        last = math.ceil(math.log10(self.high))
        return [step * 10 ** power for power in range(first, last + 1)
                for step in steps if self.low <= step * 10 ** power <= self.high]


class Places:
    """From one of a few values to evenly spaced places."""

    def __init__(self, values, low_at, high_at):
        self.values = values
        self.low_at, self.step = low_at, (high_at - low_at) / max(len(values) - 1, 1)
        if len(values) == 1:
            self.low_at = (low_at + high_at) / 2

    def at(self, value):
        return self.low_at + self.values.index(value) * self.step


def readable(value):
    """1234567 as 1.23 M."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.1g}"


def apart(wanted, least, low, high):
    """Places at least so far from each other, near to those wanted, in order."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed, last = {}, low - least
    for i in order:
        last = placed[i] = max(wanted[i], last + least)
    over = last - high
    for i in reversed(order):
        if over <= 0:
            break
        placed[i] = min(placed[i], high)
        high = placed[i] - least
    return [placed[i] for i in range(len(wanted))]
