"""Contestants take turns; what a round yields is compared within the round."""

import math
import statistics
import sys
import time

from . import machine

QUIET = 0.08  # of the machine may go to other programs; a turn with more is tried again


def measured(contestants, measure, run):
    """The figures of servers that take turns, as the sections of the report have them."""
    return {
        "accounts": alternate(contestants, measure, run.rounds, run.postmaster, run.patience),
        "names": {contestant.name: contestant.title for contestant in contestants}, "memory": memory(contestants),
    }  # fmt: skip


def alternate(contestants, measure, rounds, postmaster, patience):
    """Calls `measure(contestant)`, which returns an account of `rate` and `served`, for each contestant in each round;
    the first one changes from round to round.

    Returns the accounts by contestant, to which are added: `others`, the share of the machine that other programs took;
    `corrected`, the rate over the share that they left; `cost`, the microseconds of processor that server and database
    spent on a request. A disturbed turn is taken again, `patience` times at most; the quietest counts.
    """
    accounts = {contestant.name: [] for contestant in contestants}
    sessions = {contestant.session for contestant in contestants}
    for number in range(rounds):
        at = number % len(contestants)
        for contestant in contestants[at:] + contestants[:at]:
            turns = []
            while not turns or (min(turn["others"] for turn in turns) > QUIET and len(turns) <= patience):
                time.sleep(len(turns))
                with machine.watch(contestant.session, sessions, postmaster) as usage:
                    account = measure(contestant)
                account["others"] = round(usage.others, 3)
                account["corrected"] = account["rate"] / (1 - usage.others)
                account["cost"] = round(usage.seconds * 1e6 / max(1, account["served"]), 2)
                turns.append(account)
                _settle(contestant.session, postmaster)
            account = min(turns, key=lambda turn: turn["others"])
            accounts[contestant.name].append(account)
            print(
                f"  round {number + 1}/{rounds}  {contestant.name:<16}{account['rate']:>12,.1f}/s"
                f", corrected {account['corrected']:>10,.1f}/s{account['cost']:>12,.1f} µs"
                f"   others took {account['others']:.0%}" + (f" ({len(turns)} turns)" if len(turns) > 1 else ""),
                file=sys.stderr, flush=True,
            )  # fmt: skip
    return accounts


def _settle(session, postmaster, deadline=120):
    """Waits until a contestant has finished what its clients no longer wait for, so that it disturbs no other."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        with machine.watch(session, {session}, postmaster) as usage:
            time.sleep(0.2)
        if usage.seconds < 0.05:
            return


def picked(accounts, key="rate"):
    """One figure of each account, by contestant."""
    return {name: [account[key] for account in turns] for name, turns in accounts.items()}


def spread(values):
    """(lowest, median, highest)."""
    return min(values), statistics.median(values), max(values)


def ratios(figures, over):
    """(lowest, median, highest) of the quotients, round by round."""
    pairs = zip(figures, over, strict=True)
    return spread([ours / theirs if theirs else math.inf for ours, theirs in pairs])


def memory(contestants):
    """Most memory that each has ever held, in MiB, all its processes together."""
    return {contestant.name: round(machine.memory(contestant.session)[1], 1) for contestant in contestants}
