"""Clients that go on working until they are told to stop, and an account of what they were answered."""

import http.client
import json
import threading
import time
from collections import Counter

from . import wire

COLUMNS = ("2xx", "400", "401", "other 4xx", "5xx", "no answer", "wrong")


class Traffic:
    """Scripts that run over and over, each in a thread of its own.

    A script takes a `Client` and makes some requests. Each request goes over a connection of its own.
    """

    def __init__(self, port):
        self.port, self.counts, self.served = port, Counter(), Counter()
        self.wrong, self.lost, self.crashes = [], [], []
        self._lock, self._over, self._threads = threading.Lock(), threading.Event(), []

    def start(self, scripts):
        """Starts one client for each script."""
        self._threads = [threading.Thread(target=self._work, args=(script,), daemon=True) for script in scripts]
        for thread in self._threads:
            thread.start()
        return self

    def _work(self, script):
        client = Client(self)
        try:
            while not self._over.is_set():
                script(client)
        except BaseException as error:
            self.crashes.append(error)

    def stop(self):
        """Lets every client finish its script once more."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)
        if self.crashes:
            raise self.crashes[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def record(self, kind, answer, right, started):
        """Counts one answer; None stands for none."""
        if answer is None:
            column = "no answer"
        elif answer.status >= 500:
            column = "5xx"
        elif answer.status < 300:
            column = "2xx"
        else:
            column = str(answer.status) if str(answer.status) in COLUMNS else "other 4xx"
        with self._lock:
            self.counts[kind, column] += 1
            if answer is not None:
                self.served[answer.header("x-served-by")] += 1
            if column in ("5xx", "no answer"):
                self.lost.append((time.monotonic(), kind, answer and answer.status))
            elif not right:
                self.counts[kind, "wrong"] += 1
                self.wrong.append((kind, answer.status, answer.text, time.monotonic() - started))

    def rest(self):
        """The pause of a client whose answer was lost: it does not storm a server in trouble."""
        self._over.wait(0.05)

    def kinds(self):
        """Kinds of requests, in the order of their names."""
        return sorted({kind for kind, _ in self.counts})

    def requests(self, kind=None):
        """How many requests were made, of a kind or in all."""
        with self._lock:
            return sum(n for (k, column), n in self.counts.items() if column != "wrong" and kind in (None, k))

    def wait_for(self, more, what=None, deadline=60.0):
        """Waits until so many more requests were made, or until so many more came from one server."""
        count = self.requests if what is None else lambda: self.served[what]
        goal, end = count() + more, time.monotonic() + deadline
        while count() < goal:
            if self.crashes:
                raise self.crashes[0]
            if time.monotonic() > end:
                raise AssertionError(f"{count()} instead of {goal} requests:\n{self.table()}")
            time.sleep(0.01)

    def table(self):
        """The account as text."""
        rows = [("request", "all", *COLUMNS)]
        for kind in self.kinds():
            rows.append((kind, self.requests(kind), *(self.counts[kind, column] for column in COLUMNS)))
        totals = [sum(row[at] for row in rows[1:]) for at in range(1, len(rows[0]))]
        rows.append(("all", *totals))
        return "\n".join(f"{row[0]:<28}" + "".join(f"{cell:>11}" for cell in row[1:]) for row in rows)


class Client:
    """Asks, and has the answer recorded."""

    def __init__(self, traffic):
        self.traffic = traffic

    def ask(self, kind, path, body=None, authorization=None, right=200):
        """The answer, or None when it is lost (5xx, or none at all). Any status but the right ones is wrong.

        `right` is a status, several of them, or a function of the answer.
        """
        headers = [("Authorization", authorization)] if authorization else []
        method = "GET"
        if body is not None:
            method, body = "POST", json.dumps(body)
            headers.append(("Content-Type", "application/json"))
        raw, started = wire.compose(method, path, headers, body or b""), time.monotonic()
        try:
            answer = wire.exchange(self.traffic.port, raw, method)
        except (OSError, AssertionError, http.client.HTTPException):
            answer = None
        known = answer is not None and answer.status < 500
        self.traffic.record(kind, answer, known and self._is_right(answer, right), started)
        if not known:
            self.traffic.rest()
        return answer if known else None

    @staticmethod
    def _is_right(answer, right):
        if callable(right):
            return right(answer)
        return answer.status in (right if isinstance(right, tuple) else (right,))
