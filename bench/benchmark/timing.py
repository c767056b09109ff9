"""Whether the time of a refused login tells who exists: Welch's t between kinds of users, alone and beside other logins."""

import os
import re
import subprocess

ROUNDS, SAMPLES, OTHERS = 1_000_000, 100, 24


def timing(_, run):
    """Refused logins of six kinds of users, inside one process, without HTTP."""
    arguments = (20_000, 50, OTHERS) if run.quick else (ROUNDS, SAMPLES, OTHERS)
    command = [os.environ["TIMING_BIN"], *map(str, arguments)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    phases = re.findall(r"^(alone|beside).*: median and mean in µs\n((?:  .*\n)*)Welch's t.*\n((?:  .*\n)*)", printed, re.M)
    return {
        "kind": "timing", "title": f"Refused logins, {arguments[0]:,} rounds, {arguments[1]} of each kind of user",
        "unit": "ms, median", "others": OTHERS,
        "phases": {name: {"medians": _figures(kinds), "t": _figures(pairs)} for name, kinds, pairs in phases},
    }  # fmt: skip


def _figures(lines):
    """Name to its two figures: median and mean, or t over all samples and over those below the ninetieth percentile."""
    rows = (line.rsplit(maxsplit=2) for line in lines.splitlines())
    return {name.strip(): (float(first), float(second)) for name, first, second in rows}
