#!/usr/bin/env python3
"""Writes src/fold/table.rs: what each character folds to, version 1.

Version 1 is frozen on Unicode 14.0.0: segments carry its number, so its table must never change. The script refuses to
run on another version of Unicode; a later one would be version 2, beside this one.

Usage: generate/fold.py > src/fold/table.rs
"""

import sys
import unicodedata

UNICODE = "14.0.0"
DROPPED = [(0x0300, 0x036F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F)]
HANGUL = range(0xAC00, 0xD7A4)
SURROGATES = range(0xD800, 0xE000)


def fold(character):
    decomposed = unicodedata.normalize("NFKD", character)
    kept = (c for c in decomposed if not any(first <= ord(c) <= last for first, last in DROPPED))
    return "".join(kept).casefold()


def entries():
    """Every character beyond ASCII that does not fold to itself; Hangul syllables are computed by the reader."""
    for code in range(0x80, 0x110000):
        if code in SURROGATES or code in HANGUL:
            continue
        folded = fold(chr(code))
        if folded != chr(code):
            yield code, folded


def main():
    if unicodedata.unidata_version != UNICODE:
        sys.exit(f"fold version 1 is made from Unicode {UNICODE}, but this Python has {unicodedata.unidata_version}")
    print("//! What characters fold to, version 1 (Unicode 14.0.0). Written by `generate/fold.py`: not to be edited.")
    print("//!")
    print("//! Characters beyond ASCII that do not fold to themselves, ascending, each with its folding; an empty one is dropped.")
    print("//! Hangul syllables are left out: their folding is computed.")
    print()
    print("#[rustfmt::skip]")
    print("pub(super) static ENTRIES: &[(u32, &str)] = &[")
    line = ""
    for code, folded in entries():
        text = "".join(c if c.isascii() and c.isalnum() else "\\u{%x}" % ord(c) for c in folded)
        item = f'(0x{code:x},"{text}"),'
        if len(line) + len(item) > 118:
            print(line)
            line = ""
        line += item
    print(line)
    print("];")


if __name__ == "__main__":
    main()
