# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which pictures a result has, and which of its rows are in each."""
from panels import Bars, Dots, Lines, Strips, arrange
from plan import ALL_SIZES, BASELINE, GSTREAMER, MESSAGE, Cell, key_of

ORDER = GSTREAMER + MESSAGE + ["floor"]
TOUCH = {"header": "headers only", "all": "every byte"}
MEMORY = {"pool": "in the memory of the transport", "own": "in memory of its own"}
RATES = {60: "60/s", 1000: "1000/s", 100: "10 ms"}


def measured(results, kind, paced):
    return [row for row in results["rows"] if row["kind"] == kind
            and "values" in row and bool(row["rate"]) == paced]


def row_key(row):
    return key_of(Cell(*(row[name] for name in Cell._fields)), row["transport"])


def in_order(rows, x):
    """{TRANSPORT: rows by x}"""
    found = {}
    for name in ORDER:
        mine = [row for row in rows if row["transport"] == name]
        if mine:
            found[name] = sorted(mine, key=lambda row: x(row))
    return found


def groups_of(rows, *names):
    """Rows that agree in these, in the order in which they were measured."""
    found = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found


def ratio_points(rows, x, name):
    """The points of a line: ratios to the baseline, with the spread of turns."""
    return [(x(row), row["ratios"][name][0], row_key(row), *row["ratios"][name][1:])
            for row in rows if name in row["ratios"]]


def value_points(rows, x, name):
    return [(x(row), row["values"][name], row_key(row), None, None)
            for row in rows if row["values"].get(name)]


def lines(head, rows, x, x_name, points, name, **more):
    """A panel, or nothing if there are no points."""
    series = {transport: points(mine, x, name) for transport, mine
              in in_order(rows, lambda row: order_of(x(row))).items()}
    series = {transport: mine for transport, mine in series.items() if mine}
    xs = sorted({point[0] for mine in series.values() for point in mine},
                key=order_of)
    if len(xs) == 1:
        more.pop("base", None)
        where = xs[0] if isinstance(xs[0], str) else f"{xs[0]} {x_name}"
        return [Dots(f"{head}, {where}", series, **more)]
    return [Lines(head, xs, x_name, series, **more)] if series else []


def order_of(x):
    return ALL_SIZES.index(x) if x in ALL_SIZES else x


def size_of(row):
    return row["size"]


def consumers_of(row):
    return row["consumers"]


def picture(name, title, subtitle, panels, columns=2):
    if not panels:
        return []
    return [arrange(name, title, subtitle, panels, min(columns, len(panels)))]


def paced_head(size, rate):
    return "audio each 10 ms" if size == "audio" else f"{size} at {RATES[rate]}"


def throughput_by_size(results):
    rows = [row for row in measured(results, "gstreamer", False)
            if row["consumers"] == 1]
    panels = []
    for (memory, touch), mine in groups_of(rows, "memory", "touch").items():
        panels += lines(f"{TOUCH[touch]}, {MEMORY[memory]}", mine, size_of,
                        "size of a buffer", ratio_points, "per_s",
                        references=[(1, "queue = 1")], better="up", unit=" ×", base="queue")
    return picture(
        "throughput-by-size", "Throughput to one consumer, as a ratio to queue",
        "Buffers a second, flat out; medians of the ratios of the same turn, with "
        "their spread. The tinted side\nis better than the in-process queue, which "
        "has no process boundary.", panels, 1 if len(panels) == 1 else 2)


def throughput_by_consumers(results):
    panels = []
    rows = measured(results, "gstreamer", False)
    for key, mine in groups_of(rows, "size", "memory", "touch").items():
        if all(row["consumers"] == 1 for row in mine):
            continue
        panels += lines(f"{key[0]}, {TOUCH[key[2]]}"
                        + (", own memory" if key[1] == "own" else ""), mine,
                        consumers_of, "consumers", ratio_points, "per_s",
                        references=[(1, "tee ! queue = 1"), (2, "goal: 2")],
                        better="up", unit=" ×", base="queue")
    return picture(
        "throughput-by-consumers",
        "Throughput of each consumer, as a ratio to tee ! queue",
        "Buffers a second that each consumer gets, flat out. Tinted: better than "
        "as many queues in one process.", panels)


def paced_by_consumers(results, name, title, subtitle, metrics):
    panels = []
    rows = measured(results, "gstreamer", True)
    for (size, rate, touch), mine in groups_of(rows, "size", "rate", "touch").items():
        if all(row["consumers"] == 1 for row in mine):
            continue
        for metric, text, goals in metrics:
            panels += lines(f"{paced_head(size, rate)}, {text}"
                            + (", every byte" if touch == "all" else ""), mine,
                            consumers_of, "consumers", ratio_points, metric,
                            references=[(1, "tee ! queue = 1"), *goals],
                            better="down", unit=" ×", base="queue")
    return picture(name, title, subtitle, panels)


def latency_by_consumers(results):
    return paced_by_consumers(
        results, "latency-by-consumers", "Latency, as a ratio to tee ! queue",
        "From the push in the source to the render in a sink. The floor is as many "
        "processes that only sleep\non one futex: what the wakes alone cost. Tinted: "
        "better than queues in one process.",
        [("p50_us", "p50", []), ("p99_us", "p99", [])])


def cost_by_consumers(results):
    return paced_by_consumers(
        results, "cpu-by-consumers", "Processor time, as a ratio to tee ! queue",
        "Of all processes for a buffer, by getrusage. The floor is what the wakes "
        "alone cost.", [("cpu_us", "processor time", [(0.8, "goal: 0.8")])])


def strips_of(results, kind, name, title):
    rows = measured(results, kind, True)
    values = [row["values"][key] for row in rows for key, _, _ in Strips.QUANTILES
              if row["values"].get(key)]
    panels = []
    for key, mine in groups_of(rows, "size", "rate", "consumers", "touch").items():
        size, rate, n, touch = key
        head = f"{paced_head(size, rate)}, {n} consumer{'s' if n > 1 else ''}"
        head += ", every byte" if touch == "all" else ""
        strips = [(row["transport"], row["values"], row_key(row),
                   row["ratios"].get("p50_us", [None])[0])
                  for group in in_order(mine, consumers_of).values()
                  for row in group]
        panels.append(Strips(head, strips, values, BASELINE[kind]))
    return picture(
        name, title, "A strip is a transport: from the biggest dot p50, p90, p99, "
        "p99.9, longest. To the left is better. The\naxis is logarithmic, and the same "
        "in all panels; the dashed line is the median of the baseline.", panels)


def latency(results):
    return strips_of(results, "gstreamer", "latency", "Latency, paced")


def memory_by_consumers(results):
    panels = []
    rows = [row for row in measured(results, "gstreamer", False)
            if row["memory"] == "pool" and row["touch"] == "header"]
    for (size,), mine in groups_of(rows, "size").items():
        panels += lines(size, mine, consumers_of, "consumers", value_points,
                        "pss_mib", unit=" MiB")
    return picture(
        "memory", "Memory of all processes",
        "Proportional set size in MiB (a shared page counts once), after the last "
        "buffer. At most 64 buffers\nin flight, 16 of 4K.", panels)


def system_calls(results):
    good = [row for row in results["calls"] if "failed" not in row]
    most = max((row["producer"] + row["consumer"] for row in good), default=1)
    panels = []
    for key, mine in groups_of(good, "size", "rate", "consumers").items():
        pace = RATES.get(key[1], "flat out")
        rows = [(row["transport"], [("producer", row["producer"]),
                                    ("each consumer", row["consumer"])],
                 f"calls|{key[0]}|{key[1]}|{key[2]}|{row['transport']}")
                for row in mine]
        panels.append(Bars(f"{key[0]}, {pace}, {key[2]} consumer"
                           + ("s" if key[2] > 1 else ""), rows, max(most, 1)))
    return picture(
        "system-calls", "System calls of a buffer: producer + each consumer",
        "By strace, without the sleep by which the source keeps its pace.", panels)


def message_throughput(results):
    panels = []
    rows = measured(results, "message", False)
    for (size,), mine in groups_of(rows, "size").items():
        panels += lines(size, mine, consumers_of, "consumers", value_points,
                        "per_s", unit="/s")
    return picture(
        "message-throughput", "The core without GStreamer, flat out",
        "Messages a second that each consumer gets; up is better. core is the "
        "library alone.", panels)


def message_latency(results):
    return strips_of(results, "message", "message-latency",
                     "The core without GStreamer: latency, paced")


def scaling_panels(results):
    names = {"scale-consumers": ("growing consumers", "consumers"),
             "scale-slots": ("growing slots, 4 KiB each", "slots"),
             "scale-block": ("growing block of 64 slots", "MiB of payload")}
    found = []
    lines_of = results["programs"].get("scale", [])
    for (bench,), rows in groups_of(lines_of, "bench").items():
        head, x_name = names[bench]
        series = {name: [(row["x"], row[f"{name}_ns"],
                          f"{bench}|{row['x']}|{name}", None, None)
                         for row in rows] for name in ("write", "read")}
        found.append(Lines(f"Cost of a buffer: {head}", [r["x"] for r in rows],
                           x_name, series, unit=" ns"))
    return found


def scaling(results):
    panels = scaling_panels(results)
    panels += lines("Processor time of a buffer: growing rate",
                    measured(results, "rate", True), lambda row: row["rate"],
                    "buffers a second", value_points, "cpu_us", unit=" µs")
    return picture(
        "scaling", "Scaling of the core",
        "Nanoseconds for the producer to write a buffer and for each consumer to "
        "read it, in one thread without waits;\nand processor time of two processes "
        "as the rate grows.", panels)


def all_pictures(results):
    found = []
    for make in (throughput_by_size, throughput_by_consumers,
                 latency_by_consumers, cost_by_consumers, latency,
                 memory_by_consumers, system_calls, message_throughput,
                 message_latency, scaling):
        found += make(results)
    return found


def baseline_of(row):
    return BASELINE[row["kind"]]
