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


def run(verdicts, generate, decide, agree, rules, count, state_file, seed):
    """Makes `count` cases in batches, compares, and adds to the counts in the state file.

    `generate(number)` makes the settings and cases of a batch, `decide(settings, case)` is the original's verdict, and
    `agree(ours, theirs)` says whether both mean the same. Raises Unexplained.
    """
    check_lines(rules)
    counts = collections.Counter()
    start = time.monotonic()
    for number in range(0, count, BATCH):
        settings, cases = generate(seed * 1_000_000 + number // BATCH)
        cases = cases[: count - number]
        verdicts.send(settings, cases)
        theirs = [decide(settings, case) for case in cases]
        for case, ours, their in zip(cases, verdicts.read(len(cases)), theirs, strict=True):
            counts["cases"] += 1
            counts["accepted by both" if agree(ours, their) and accepts(their) else "compared"] += 1
            if not agree(ours, their):
                # Accepting more, or something else, is never explained.
                rule = None if accepts(ours) else next((r for r in rules if r.covers(settings, case, ours, their)), None)
                if rule is None:
                    raise Unexplained(settings, case, ours, their)
                counts[f"differs: {rule.line}"] += 1
    counts["seconds"] = int(time.monotonic() - start)
    save(state_file, seed, counts)
    return counts


def accepts(verdict):
    """Whether a verdict lets somebody in: `A`ccepted tokens, matching passwords, users found."""
    return verdict.startswith(("A", "1")) or "\nuser " in f"\n{verdict}" or "\nclaims " in f"\n{verdict}"


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
