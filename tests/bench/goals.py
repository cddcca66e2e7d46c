# SPDX-License-Identifier: LGPL-2.1-or-later
"""The goals of the project beside what a result has of them: (GOAL, WANTED, FOUND).
It judges nothing."""
FIRST = "datahub"


def rows_of(results, transport=FIRST, **wanted):
    wanted = {"kind": "gstreamer", "memory": "pool", "touch": "header", **wanted}
    return [row for row in results["rows"] if row["transport"] == transport
            and "values" in row and all(row[k] == v for k, v in wanted.items())]


def ratios(rows, metric, names):
    """`NAME 1.31 (0.9 to 1.4)` of each row."""
    found = []
    for row in rows:
        if metric in row["ratios"]:
            median, low, high = row["ratios"][metric]
            name = " ".join(str(row[one]) for one in names)
            found.append(f"{name}: {median:.2f} ({low:.2f} to {high:.2f})")
    return ", ".join(found) or "not measured"


def with_floor(results, metric):
    mine = ratios(rows_of(results, size="1080p", rate=60), metric, ["consumers"])
    floor = ratios(rows_of(results, "floor", size="1080p", rate=60), metric,
                   ["consumers"])
    return f"{mine}; floor {floor}"


def calls(results):
    found = [f"{row['size']} {row['rate'] or 'flat out'}, {row['consumers']} "
             f"consumers: {row['producer']:g} + {row['consumer']:g}"
             for row in results["calls"]
             if row["transport"] == FIRST and "failed" not in row]
    return ", ".join(found) or "not measured"


def copies(results):
    rows = rows_of(results)
    shared = sum(row["same_memory"] for row in rows)
    return f"the same memory in {shared} of {len(rows)} cells with the pool"


def program(results, part, bench, key, **more):
    for row in results["programs"].get(part, []):
        if row["bench"] == bench and more.items() <= row.items():
            return row[key]
    return None


def core(results):
    cycle = program(results, "core", "core-cycle", "ns", delivery="reliable")
    one, many = (program(results, "core", "core-commit", "ns",
                         delivery="reliable", consumers=n) for n in (1, 128))
    if not (cycle and one and many):
        return "not measured"
    return f"{cycle:.0f} ns; a commit with 128 consumers {many / one:.2f} of one with 1"


def recovery(results):
    found = program(results, "core", "core-recovery-after-sigkill", "p50_us")
    return f"{found / 1000:.1f} ms" if found else "not measured"


def memory(results):
    found = program(results, "table", "memory", "control_bytes")
    return f"{found / (1 << 20):.2f} MiB of control" if found else "not measured"


def crowds(results):
    rows = [row for row in rows_of(results, rate=0) if row["consumers"] > 1]
    return ratios(rows, "per_s", ["size", "consumers"])


def goals(results):
    return [
        ("P1", "throughput to one consumer at least that of queue",
         ratios(rows_of(results, consumers=1, rate=0), "per_s", ["size"])),
        ("", "every byte", ratios(rows_of(results, consumers=1, rate=0, touch="all"),
                                  "per_s", ["size"])),
        ("P2", "at 8 and 32 consumers each at least 2 x tee ! queue",
         crowds(results)),
        ("P3", "1080p at 60/s: p50 at most that of queue",
         with_floor(results, "p50_us")),
        ("", "p99", with_floor(results, "p99_us")),
        ("P4", "processor time at most that of queue, 0.8 at 16 consumers",
         with_floor(results, "cpu_us")),
        ("P5", "at most 1 + 1 system calls paced, none flat out", calls(results)),
        ("P6", "no copy if upstream takes the pool", copies(results)),
        ("P7", "cycle of the core at most 150 ns, commits flat to 1.5",
         core(results)),
        ("P8", "after SIGKILL at most 10 ms", recovery(results)),
        ("P9", "at most 1.5 MiB of control for 128 consumers", memory(results))]


def text(results):
    lines = [f"  {name:<3} {wanted}\n        {found}"
             for name, wanted, found in goals(results)]
    return ("Goals, and what this run has of them: medians of ratios of the same "
            "turn (lowest to highest)\n" + "\n".join(lines))
