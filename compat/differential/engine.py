"""Asks Countersign for verdicts, compares them with the original's, and keeps count."""

import collections
import json
import pathlib
import struct
import subprocess
import time
from dataclasses import dataclass
from typing import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCH = 1000


@dataclass(frozen=True)
class Rule:
    """A difference that is meant: the beginning of its line in docs/differences.md, and which cases it covers."""

    line: str
    covers: Callable[..., bool]


@dataclass(frozen=True)
class Unexplained(Exception):
    """A difference that no rule covers."""

    settings: dict
    case: bytes
    ours: str
    theirs: str

    def __str__(self):
        return (
            f"settings:    {json.dumps(self.settings)}\ncase:        {self.case!r}\n"
            f"Countersign: {self.ours}\nthe original: {self.theirs}"
        )


class Verdicts:
    """The `verdicts` program, which takes batches on its standard input."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, settings, cases):
        """Gives it a batch; `read` must follow before the next."""
        parts = [struct.pack("<I", len(cases))]
        for text in (json.dumps(settings).encode(), *cases):
            parts += (struct.pack("<I", len(text)), text)
        self.process.stdin.write(b"".join(parts))
        self.process.stdin.flush()

    def read(self, count):
        """The verdicts of the batch."""
        read = self.process.stdout.read
        return [read(struct.unpack("<I", read(4))[0]).decode() for _ in range(count)]


def check_lines(rules):
    """Every rule must stand in the documentation, under the words it names."""
    text = (ROOT / "docs/differences.md").read_text(encoding="utf-8")
    for rule in rules:
        assert f"\n| {rule.line}" in text, f"docs/differences.md has no line that begins with {rule.line!r}"


def run(verdicts, generate, decide, kind, count, state_file, seed):
    """Makes `count` cases in batches, compares, and adds to the counts in the state file.

    `generate(number)` makes the settings and cases of a batch, `decide(settings, case)` is the original's verdict. Of the module
    `kind`, `agree(ours, theirs)` says whether both mean the same, `gains(ours, theirs)` whether ours lets in where theirs does
    not, or lets in another, and RULES explain the rest. Raises Unexplained.
    """
    check_lines(kind.RULES)
    counts = collections.Counter()
    start = time.monotonic()
    for number in range(0, count, BATCH):
        settings, cases = generate(seed * 1_000_000 + number // BATCH)
        cases = cases[: count - number]
        verdicts.send(settings, cases)
        theirs = [decide(settings, case) for case in cases]
        for case, ours, their in zip(cases, verdicts.read(len(cases)), theirs, strict=True):
            counts["cases"] += 1
            if kind.agree(ours, their):
                counts["accepted by both" if kind.accepts(ours) else "refused by both"] += 1
                continue
            # Accepting more, or something else, is never explained.
            rules = [] if kind.gains(ours, their) else kind.RULES
            rule = next((rule for rule in rules if rule.covers(settings, case, ours, their)), None)
            if rule is None:
                raise Unexplained(settings, case, ours, their)
            counts[f"differs: {rule.line}"] += 1
    counts["seconds"] = int(time.monotonic() - start)
    save(state_file, seed, counts)
    return counts


def save(state_file, seed, counts):
    """Adds the counts of a run to those of earlier runs; a seed counts once."""
    if state_file is None:
        return
    state = json.loads(state_file.read_text()) if state_file.exists() else {}
    state[str(seed)] = counts
    state_file.parent.mkdir(parents=True, exist_ok=True)
    state_file.write_text(json.dumps(state, indent=1))


def total(state_file):
    """The sum over all runs."""
    counts = collections.Counter()
    for run_counts in json.loads(state_file.read_text()).values():
        counts.update(run_counts)
    return counts
