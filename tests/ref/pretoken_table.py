#!/usr/bin/env python3
"""Prints the table of engine/pretoken.c: runs of letters (L*) and numbers (N*) in Unicode order.

The categories are those of Python's unicodedata (Debian 12: Unicode 14.0). Each entry is the first
code point of a run and its last one, the lowest bit of the third figure says number.
"""
import sys
import unicodedata


def kind(cp):
    return {"L": 1, "N": 2}.get(unicodedata.category(chr(cp))[0], 0)


runs = []
for cp in range(128, sys.maxunicode + 1):
    k = kind(cp)
    if k and runs and runs[-1][1] == cp - 1 and runs[-1][2] == k:
        runs[-1][1] = cp
    elif k:
        runs.append([cp, cp, k])

print(f"/* Unicode {unicodedata.unidata_version}: {len(runs)} runs */")
cells = [f"{{0x{a:X}, {(b - a) << 1 | (k == 2)}}}," for a, b, k in runs]
line = "   "
for cell in cells:
    if len(line) + 1 + len(cell) > 100:
        print(line)
        line = "   "
    line += " " + cell
print(line)
