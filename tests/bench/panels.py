# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kinds of panels: lines over a few values, latencies as strips, and bars."""
from svg import LogAxis, Places, Picture, apart, readable

WIDTH, LEFT, TOP, GAP = 980, 62, 30, 14
LABELS = 152  # of the lines, to the right of a panel
HEIGHT = 250
STRIP = 24


def name_of(x):
    """2048 as 2 Ki, 1000 as 1 k."""
    if isinstance(x, str):
        return x
    return f"{x // 1024} Ki" if x % 1024 == 0 else readable(x)


class Lines:
    """@series: {NAME: [(x, value, row, low, high)]}, low and high may be None.
    @references: [(value, text)]; the first one is the baseline. @better: "up",
    "down" or None: the side of the baseline that is better. @base: the series that
    is the baseline, which has the text of its reference."""

    def __init__(self, head, xs, x_name, series, references=(), better=None,
                 unit="", base=None):
        self.base = base
        self.head, self.xs, self.x_name = head, xs, x_name
        self.series, self.unit = series, unit
        self.references, self.better = list(references), better

    def height(self):
        return HEIGHT

    def values(self):
        found = [value for points in self.series.values()
                 for _, value, *_ in points]
        return found + [value for value, _ in self.references]

    def draw(self, picture, left, top, width):
        right, bottom = left + width - LABELS, top + HEIGHT - 48
        inner = top + TOP
        picture.text(left, top + 14, self.head, "head")
        picture.rect(left + LEFT - 8, inner, right - left - LEFT + 16,
                     bottom - inner, "panel")
        self.ys = LogAxis(self.values(), bottom - 6, inner + 6)
        self.places = Places(self.xs, left + LEFT + 8, right - 8)
        self.draw_better(picture, left, right, inner, bottom)
        self.draw_axes(picture, left, right, bottom)
        for name, points in self.series.items():
            self.draw_series(picture, name, points)
        for value, text in self.references:
            self.draw_reference(picture, left, right, value, text)
        self.draw_names(picture, right, inner, bottom)

    def draw_better(self, picture, left, right, inner, bottom):
        if not self.better:
            return
        base = self.ys.at(self.references[0][0])
        upper, lower = (inner, base) if self.better == "up" else (base, bottom)
        picture.rect(left + LEFT - 8, upper, right - left - LEFT + 16,
                     lower - upper, "better")

    def draw_axes(self, picture, left, right, bottom):
        for tick in self.ys.ticks():
            y = self.ys.at(tick)
            picture.line(left + LEFT - 8, y, right + 8, y, "grid")
            picture.text(left + LEFT - 13, y + 4, readable(tick), "soft small",
                         "end")
        for x in self.xs:
            picture.text(self.places.at(x), bottom + 16, name_of(x), "soft small",
                         "middle")
        picture.text((left + LEFT + right) / 2, bottom + 33, self.x_name, "soft",
                     "middle")

    def draw_reference(self, picture, left, right, value, text):
        y = self.ys.at(value)
        if value == self.references[0][0]:  # named beside the panel
            picture.line(left + LEFT - 8, y, right + 8, y, "base")
            return
        picture.line(left + LEFT - 8, y, right + 8, y, "goal")
        picture.text(left + LEFT - 4, y - 5, text, "soft halo")

    def draw_series(self, picture, name, points):
        places = [(self.places.at(x), self.ys.at(value))
                  for x, value, *_ in points]
        thick = "thick " if name in ("datahub", "core") else ""
        picture.polyline(places, f"{thick}c-{name}")
        for (px, py), (x, value, row, low, high) in zip(places, points):
            if low and high:
                picture.line(px, self.clip(low), px, self.clip(high),
                             f"whisker c-{name}")
            tip = f"{name}, {x}: {readable(value)}{self.unit}"
            if low and high:
                tip += f" ({readable(low)} to {readable(high)})"
            picture.point(px, py, f"c-{name}", tip, row=row, value=value)

    def clip(self, value):
        return self.ys.at(min(max(value, self.ys.low), self.ys.high))

    def draw_names(self, picture, right, inner, bottom):
        names = list(self.series)
        last = [self.series[name][-1][1] for name in names]
        wanted = [self.ys.at(value) for value in last]
        for name, value, y in zip(names, last,
                                  apart(wanted, 14, inner + 4, bottom)):
            picture.point(right + 16, y, f"c-{name}", name, 4)
            text = f"{name} {readable(value)}{self.unit}"
            if name == self.base:
                text = self.references[0][1]
            picture.text(right + 24, y + 4, text, "small")


class Dots:
    """As Lines, of one x: a row for each series, and a dot on an axis."""

    def __init__(self, head, series, references=(), better=None, unit=""):
        self.head, self.series, self.unit = head, series, unit
        self.references, self.better = list(references), better

    def height(self):
        return TOP + STRIP * len(self.series) + 34

    def draw(self, picture, left, top, width):
        start, right = left + 120, left + width - 84
        inner, bottom = top + TOP, top + TOP + STRIP * len(self.series)
        picture.text(left, top + 14, self.head, "head")
        picture.rect(start - 8, inner, right - start + 16, bottom - inner, "panel")
        values = [points[0][1] for points in self.series.values()]
        axis = LogAxis(values + [v for v, _ in self.references], start, right)
        self.draw_better(picture, axis, inner, bottom)
        for tick in axis.ticks():
            picture.line(axis.at(tick), inner, axis.at(tick), bottom, "grid")
            picture.text(axis.at(tick), bottom + 15, readable(tick), "soft small",
                         "middle")
        for value, _ in self.references:
            picture.line(axis.at(value), inner, axis.at(value), bottom, "base")
        for number, (name, points) in enumerate(self.series.items()):
            y = inner + STRIP * (number + 0.5)
            picture.text(start - 14, y + 4, name, "small", "end")
            self.draw_dot(picture, axis, y, name, points[0], right)

    def draw_better(self, picture, axis, inner, bottom):
        if not self.better:
            return
        base = axis.at(self.references[0][0])
        low, high = ((base, axis.high_at + 8) if self.better == "up"
                     else (axis.low_at - 8, base))
        picture.rect(low, inner, high - low, bottom - inner, "better")

    def draw_dot(self, picture, axis, y, name, point, right):
        _, value, row, *_ = point
        text = f"{readable(value)}{self.unit}"
        base = self.references[0][0] if self.references else axis.low
        picture.line(axis.at(base), y, axis.at(value), y, f"whisker c-{name}")
        picture.point(axis.at(value), y, f"c-{name}", f"{name}: {text}", 5,
                      row=row, value=value)
        picture.text(right + 14, y + 4, text, "small")


class Strips:
    """Latencies: a strip for each transport, from the median to the longest.
    @rows: [(NAME, {quantile: value}, row, ratio)]: that of the median to @base. The
    median of @base is marked."""

    QUANTILES = [("p50_us", "p50", 6), ("p90_us", "p90", 4.6),
                 ("p99_us", "p99", 3.6), ("p99_9_us", "p99.9", 2.8),
                 ("max_us", "max", 2)]

    def __init__(self, head, rows, span, base):
        self.head, self.rows, self.span, self.base = head, rows, span, base

    def height(self):
        return TOP + STRIP * len(self.rows) + 44

    def draw(self, picture, left, top, width):
        inner, right = top + TOP, left + width - 84
        bottom = inner + STRIP * len(self.rows)
        start = left + 120
        picture.text(left, top + 14, self.head, "head")
        picture.text(right + 14, inner - 6, f"p50 / {self.base}", "soft small")
        picture.rect(start - 8, inner, right - start + 16, bottom - inner, "panel")
        axis = LogAxis(self.span, start, right)
        self.draw_axis(picture, axis, inner, bottom)
        for number, (name, values, row, ratio) in enumerate(self.rows):
            y = inner + STRIP * (number + 0.5)
            picture.text(start - 14, y + 4, name, "small", "end")
            self.draw_strip(picture, axis, y, name, values, row)
            if ratio:
                picture.text(right + 14, y + 4, f"{ratio:.2f} ×", "small")

    def draw_axis(self, picture, axis, inner, bottom):
        for tick in axis.ticks():
            picture.line(axis.at(tick), inner, axis.at(tick), bottom, "grid")
            picture.text(axis.at(tick), bottom + 15, readable(tick), "soft small",
                         "middle")
        picture.text((axis.low_at + axis.high_at) / 2, bottom + 31, "microseconds",
                     "soft", "middle")
        for name, values, *_ in self.rows:
            if name == self.base and values.get("p50_us"):
                at = axis.at(values["p50_us"])
                picture.line(at, inner, at, bottom, "base")

    def draw_strip(self, picture, axis, y, name, values, row):
        present = [(key, text, radius) for key, text, radius in self.QUANTILES
                   if values.get(key)]
        if not present:
            return
        xs = [axis.at(values[key]) for key, _, _ in present]
        picture.line(xs[0], y, xs[-1], y, f"whisker c-{name}")
        for x, (key, text, radius) in zip(xs, present):
            tip = f"{name}, {text}: {readable(values[key])} µs"
            picture.point(x, y, f"c-{name}", tip, radius, row=row,
                          value=values[key])


class Bars:
    """@rows: [(NAME, [(part, value)], row)]: parts side by side in one bar."""

    def __init__(self, head, rows, most):
        self.head, self.rows, self.most = head, rows, most

    def height(self):
        return TOP + STRIP * len(self.rows) + 14

    def draw(self, picture, left, top, width):
        start, inner = left + 112, top + TOP
        scale = (width - 112 - 110) / self.most
        picture.text(left, top + 14, self.head, "head")
        for number, (name, parts, row) in enumerate(self.rows):
            y = inner + STRIP * number
            picture.text(start - 14, y + 15, name, "small", "end")
            x = start
            for part, value in parts:
                picture.rect(x, y + 3, value * scale, STRIP - 7,
                             f"bar c-{name}", f"{name}, {part}: {value:g}",
                             row=row, value=value)
                x += value * scale + 2
            picture.text(x + 6, y + 15, " + ".join(f"{v:g}" for _, v in parts),
                         "small")


def arrange(name, title, subtitle, panels, columns):
    """A picture with the panels side by side."""
    top = 48 + 16 * len(subtitle.split("\n")) + 6
    rows = [panels[i:i + columns] for i in range(0, len(panels), columns)]
    height = top + sum(max(p.height() for p in row) + GAP for row in rows)
    picture = Picture(title, subtitle, WIDTH, height, name)
    for row in rows:
        for number, panel in enumerate(row):
            width = (WIDTH - 36) / columns
            panel.draw(picture, 18 + number * width, top, width - 8)
        top += max(p.height() for p in row) + GAP
    return picture
