#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the report of a result again: report.py RESULTS.json FOLDER.

FOLDER gets table.txt, index.html and one SVG for each picture, which follow the
light or dark theme of the reader; --theme light or dark fixes it."""
import argparse
import html
import json
import os
import sys

sys.dont_write_bytecode = True

import charts  # noqa: E402
import goals  # noqa: E402
import svg  # noqa: E402
import table  # noqa: E402

PAGE_STYLE = """
:root { color-scheme: light dark }
body { margin: 0 auto; max-width: 1020px; padding: 24px 20px 80px;
  font: 15px/1.5 system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif;
  background: #ffffff; color: #1f2328 }
h1 { font-size: 26px; margin: 0 0 4px }
p.facts { color: #57606a; margin: 0 0 20px }
figure { margin: 0 0 28px; border: 1px solid #d8dee4; border-radius: 8px;
  overflow: hidden }
figure svg { display: block; width: 100%; height: auto }
pre { font: 12px/1.45 ui-monospace, 'DejaVu Sans Mono', monospace;
  overflow-x: auto; padding: 14px; border-radius: 8px; background: #f6f8fa }
table { border-collapse: collapse; margin: 0 0 28px; font-size: 14px }
td { border-top: 1px solid #d8dee4; padding: 5px 12px 5px 0; vertical-align: top }
@media (prefers-color-scheme: dark) {
  td { border-color: #2d333b }
  body { background: #0d1117; color: #e6edf3 }
  p.facts { color: #9aa4af }
  figure { border-color: #2d333b }
  pre { background: #161b22 }
}
"""


def one_a_line(items):
    return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False)
                              for item in items) + "]"


def to_text(results):
    """JSON with one row a line, so that two results can be compared by diff."""
    parts = []
    for name, value in results.items():
        text = one_a_line(value) if isinstance(value, list) else json.dumps(
            value, ensure_ascii=False)
        parts.append(f"{json.dumps(name)}: {text}")
    return "{" + ",\n".join(parts) + "}\n"


def counted(results):
    """A sentence about what arrived."""
    rows = [row for row in results["rows"] if "lost" in row]
    found = [f"{row['transport']}: {row['lost']} lost, {row['torn']} torn, "
             f"{row['reordered']} reordered ({table.head_of(tuple(row[n] for n in table.FORM))})"
             for row in rows if row["lost"] or row["torn"] or row["reordered"]]
    return "; ".join(found) or "Nothing was lost, torn or reordered."


def facts_of(results):
    machine, options = results["machine"], results["options"]
    versions = ", ".join(f"{n} {v}" for n, v in machine["versions"].items())
    return (f"{machine['cores']} cores, {machine['processor']}, kernel "
            f"{machine['kernel']}, {machine['system']}; {versions}; build "
            f"{machine['build']}. Load at the start {machine['load'][0]:g}. "
            f"Up to {options['turns']} interleaved turns; compare ratios, not "
            f"figures of different runs.")


def goals_table(results):
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(field)}</td>"
                                    for field in row) + "</tr>\n"
                   for row in goals.goals(results))
    return f"<h2>Goals, and what this run has of them</h2>\n<table>{rows}</table>\n"


def page(results, pictures):
    figures = "".join(f"<figure>{picture.render(inline=True)}</figure>\n"
                      for picture in pictures)
    return ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width\">"
            f"<title>datahub: benchmarks</title><style>{PAGE_STYLE}{svg.style()}"
            "</style></head><body>\n<h1>datahub beside its peers</h1>\n"
            f"<p class=\"facts\">{html.escape(facts_of(results))}</p>\n"
            f"<p>{html.escape(counted(results))}</p>\n{goals_table(results)}{figures}"
            f"<h2>All rows</h2>\n<pre>{html.escape(table.make(results))}</pre>\n"
            "</body></html>\n")


def write(results, folder, theme=None):
    os.makedirs(folder, exist_ok=True)
    pictures = charts.all_pictures(results)
    files = {"table.txt": table.make(results),
             "index.html": page(results, pictures)}
    for picture in pictures:
        files[f"{picture.name}.svg"] = picture.render(theme)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results")
    parser.add_argument("folder")
    parser.add_argument("--theme", choices=("light", "dark"))
    options = parser.parse_args()
    with open(options.results) as file:
        write(json.load(file), options.folder, options.theme)


if __name__ == "__main__":
    main()
