#!/usr/bin/env python3
"""Prints the table of engine/pretoken.c: runs of letters (L*) and numbers (N*) in Unicode order.

The categories are those of Python's unicodedata, which in Debian 12 is Unicode 14.0, and what 15.0,
15.1 and 16.0 added, so that words are cut as in Hugging Face's tokenizers 0.23. Each entry is the
first code point of a run, and how many follow it, times two, plus one for numbers.
"""
import sys
import unicodedata


NEW_LETTERS = [
    (0x1C89, 0x1C8A), (0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0x105C0, 0x105F3), (0x10D4A, 0x10D65),
    (0x10D6F, 0x10D85), (0x10EC2, 0x10EC4), (0x1123F, 0x11240), (0x11380, 0x11389),
    (0x1138B, 0x1138B), (0x1138E, 0x1138E), (0x11390, 0x113B5), (0x113B7, 0x113B7),
    (0x113D1, 0x113D1), (0x113D3, 0x113D3), (0x11BC0, 0x11BE0), (0x11F02, 0x11F02),
    (0x11F04, 0x11F10), (0x11F12, 0x11F33), (0x1342F, 0x1342F), (0x13441, 0x13446),
    (0x13460, 0x143FA), (0x16100, 0x1611D), (0x16D40, 0x16D6C), (0x18CFF, 0x18CFF),
    (0x1B132, 0x1B132), (0x1B155, 0x1B155), (0x1DF25, 0x1DF2A), (0x1E030, 0x1E06D),
    (0x1E4D0, 0x1E4EB), (0x1E5D0, 0x1E5ED), (0x1E5F0, 0x1E5F0), (0x2B739, 0x2B739),
    (0x2EBF0, 0x2EE5D), (0x31350, 0x323AF),
]
NEW_NUMBERS = [
    (0x10D40, 0x10D49), (0x116D0, 0x116E3), (0x11BF0, 0x11BF9), (0x11F50, 0x11F59),
    (0x16130, 0x16139), (0x16D70, 0x16D79), (0x1CCF0, 0x1CCF9), (0x1D2C0, 0x1D2D3),
    (0x1E4F0, 0x1E4F9), (0x1E5F1, 0x1E5FA),
]


def kind(cp):
    if any(a <= cp <= b for a, b in NEW_LETTERS):
        return 1
    if any(a <= cp <= b for a, b in NEW_NUMBERS):
        return 2
    return {"L": 1, "N": 2}.get(unicodedata.category(chr(cp))[0], 0)


assert unicodedata.unidata_version == "14.0.0"
runs = []
for cp in range(128, sys.maxunicode + 1):
    k = kind(cp)
    if k and runs and runs[-1][1] == cp - 1 and runs[-1][2] == k:
        runs[-1][1] = cp
    elif k:
        runs.append([cp, cp, k])

print(f"/* Unicode 16.0.0: {len(runs)} runs */")
cells = [f"{{0x{a:X}, {(b - a) << 1 | (k == 2)}}}," for a, b, k in runs]
line = "   "
for cell in cells:
    if len(line) + 1 + len(cell) > 100:
        print(line)
        line = "   "
    line += " " + cell
print(line)
