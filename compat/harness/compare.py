"""Brings two answers to a form in which equal behaviour is equal text."""

import json
import re

from . import tokens

HEADERS = (
    "content-type", "www-authenticate", "allow", "vary", "retry-after", "location", "x-frame-options",
    "x-content-type-options", "referrer-policy", "cross-origin-opener-policy", "set-cookie",
)  # fmt: skip
TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def normal(case, answer):
    """Status, headers that matter, and body with fresh tokens replaced by their shape."""
    headers = {name: answer.header(name) for name in HEADERS if answer.header(name) is not None}
    if _browsable(answer):
        headers.pop("set-cookie", None)  # the page's forms need a CSRF cookie
    if case.method == "HEAD":
        headers["content-length"] = answer.header("content-length")
    return {"status": answer.status, "headers": headers, "body": _body(case, answer)}


def _body(case, answer):
    if _browsable(answer):
        return "<a page of the browsable interface>"
    if case.method == "OPTIONS" and answer.status == 200:
        document = json.loads(answer.body)
        document["description"] = "<ours to word>"
        if case.path.startswith("/protected/"):
            document["name"] = "<named after the class>"
        return json.dumps(document)
    return TOKEN.sub(lambda match: f"<{tokens.shape(match[0])}>", answer.text)


def _browsable(answer):
    """Pages of the browsable interface, unlike Django's error pages, carry DRF's Allow."""
    return (answer.header("content-type") or "").startswith("text/html") and answer.header("allow")


def difference(django, countersign):
    """Lines that show where two normal forms part, None when they do not."""
    if django == countersign:
        return None
    lines = []
    for part in ("status", "body"):
        if django[part] != countersign[part]:
            lines.append(f"{part}: django {_short(django[part])}\n{part}: ours   {_short(countersign[part])}")
    for name in sorted({*django["headers"], *countersign["headers"]}):
        theirs, ours = django["headers"].get(name), countersign["headers"].get(name)
        if theirs != ours:
            lines.append(f"{name}: django {theirs!r}\n{name}: ours   {ours!r}")
    return "\n".join(lines)


def _short(value):
    text = repr(value)
    return text if len(text) < 700 else text[:400] + " … " + text[-250:]
