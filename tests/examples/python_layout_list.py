#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists, for python_layout.c, what the public headers of the core declare:
python_layout_list.py OUTPUT HEADER..."""
import re
import sys


def declarations(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for body, name in re.findall(r"typedef struct\s*\{(.*?)\}\s*(\w+);", text,
                                 re.S):
        yield f"STRUCT ({name});"
        for line in filter(str.strip, body.split(";")):
            for part in line.split(","):
                field = re.search(r"\(\*(\w+)\)|(\w+)\s*(?:\[[^]]*\]\s*)*$", part)
                yield f"FIELD ({name}, {field[1] or field[2]});"
    for body in re.findall(r"typedef enum\s*\{(.*?)\}", text, re.S):
        for line in filter(str.strip, body.split(",")):
            yield f"CONSTANT ({line.split('=')[0].strip()});"
    for name, arguments in re.findall(
            r"DATAHUB_API[^;(]*?(\w+)\s*\(([^)]*)\);", text):
        count = 0 if arguments.strip() == "void" else \
            arguments.count(",") + 1
        yield f"FUNCTION ({name}, {count});"


def main():
    with open(sys.argv[1], "w", encoding="utf-8") as output:
        for header in sys.argv[2:]:
            with open(header, encoding="utf-8") as file:
                for line in declarations(file.read()):
                    print(line, file=output)


main()
