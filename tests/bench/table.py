# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows of a result as text."""
import json

from charts import MEMORY, RATES, TOUCH, baseline_of, groups_of
from goals import text as goals_text
from svg import readable

FLAT = [("per_s", "/s"), ("cpu_us", "CPU µs")]
PACED = [("p50_us", "p50 µs"), ("p90_us", "p90"), ("p99_us", "p99"),
         ("p99_9_us", "p99.9"), ("max_us", "max"), ("cpu_us", "CPU µs")]
REST = [("voluntary", "vol.sw"), ("involuntary", "invol.sw"),
        ("minor_faults", "faults"), ("pss_mib", "PSS MiB")]
SHOW_RATIO = {"per_s", "p50_us", "p99_us", "cpu_us"}
FORM = ("kind", "size", "consumers", "memory", "touch", "rate")


def head_of(key):
    kind, size, consumers, memory, touch, rate = key
    parts = [size, f"{consumers} consumer{'s' if consumers > 1 else ''}",
             TOUCH[touch], RATES.get(rate, f"{rate}/s" if rate else "flat out")]
    if memory == "own":
        parts.append(MEMORY[memory])
    return ("" if kind == "gstreamer" else "core: ") + ", ".join(parts)


def fields_of(row, columns):
    found = []
    for name, _ in columns:
        value = row["values"].get(name)
        text = "-" if value is None else readable(value)
        ratio = row["ratios"].get(name)
        if ratio and name in SHOW_RATIO:
            text += f" ({ratio[0]:.2f})"
        found.append(text)
    return found


def verdict_of(row):
    if row["transport"] == "floor":
        return ""
    found = [f"{row[name]} {name}" for name in ("lost", "torn", "reordered")
             if row[name]]
    if row["same_memory"] and row["kind"] == "gstreamer":
        found.append("same memory")
    return ", ".join(found)


def grid(lines):
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  " + "  ".join(
        field.ljust(width) if number == 0 else field.rjust(width)
        for number, (field, width) in enumerate(zip(line, widths))).rstrip()
        for line in lines)


def cell_text(key, rows):
    columns = (PACED if key[-1] else FLAT) + REST
    lines = [["", *(text for _, text in columns), "turns", ""]]
    for row in rows:
        if "values" in row:
            lines.append([row["transport"], *fields_of(row, columns),
                          str(row["turns"]), verdict_of(row)])
    failed = [f"  {row['transport']}: {row['failed']}" for row in rows
              if "failed" in row]
    if not any(row["turns"] for row in rows):
        failed = [f"  {rows[0]['failed']}"]
    body = [grid(lines)] if len(lines) > 1 else []
    base = baseline_of(rows[0])
    head = head_of(key) + (f"   (ratios to {base})" if base else "")
    return "\n".join([head, *body, *failed])


def calls_text(rows):
    lines = [["", "consumers", "producer", "each consumer"]]
    for row in rows:
        pace = RATES.get(row["rate"], "flat out")
        name = f"{row['size']}, {pace}, {row['transport']}"
        if "failed" in row:
            lines.append([name, str(row["consumers"]), row["failed"], ""])
        else:
            lines.append([name, str(row["consumers"]), f"{row['producer']:g}",
                          f"{row['consumer']:g}"])
    return "System calls of a buffer\n" + grid(lines)


def program_text(name, rows):
    lines = [f"  {row['bench']:<28} " + "  ".join(
        f"{key} {value}" for key, value in row.items() if key != "bench")
        for row in rows]
    return f"bench-{name}\n" + "\n".join(lines)


def make(results):
    parts = ["Machine: " + json.dumps(results["machine"], ensure_ascii=False)]
    parts += [f"{name} was skipped: {why}"
              for name, why in results["skipped"].items()]
    parts += [cell_text(key, rows)
              for key, rows in groups_of(results["rows"], *FORM).items()]
    if results["calls"]:
        parts.append(calls_text(results["calls"]))
    parts += [program_text(*item) for item in results["programs"].items()]
    parts.insert(1, goals_text(results))
    return "\n\n".join(parts) + "\n"
