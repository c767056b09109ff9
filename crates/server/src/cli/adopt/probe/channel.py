# Read by `countersign adopt` on the standard input of the project's own Python: it runs manage.py up to the point where
# Django's command line would start, looks at what Django then knows, and writes one JSON document. It changes nothing.
# Python 3.8 or later. The files of this folder are read as one program, in the order of `PROBE` in python.rs.
import os
import sys

# The document goes where standard output was; whatever the project prints goes to standard error.
CHANNEL = os.dup(1)
os.dup2(2, 1)

import datetime
import importlib
import inspect
import json
import re
import runpy


def send(document):
    """Writes the document and ends the process, also when the project has threads that would keep it."""
    data = json.dumps(document, default=str).encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(CHANNEL, data):]
    os._exit(0)


def fail(kind, error=None, **more):
    message = "" if error is None else last_line(error)
    send(dict(more, error={"kind": kind, "message": message}))


def last_line(error):
    """What the last line of a traceback says."""
    text = " ".join(str(error).split())
    return "%s: %s" % (type(error).__name__, text) if text else type(error).__name__


def attempt(function, *arguments, default=None):
    """A part that must not cost the rest: a project may have made anything fail."""
    try:
        return function(*arguments)
    except Exception:
        return default


def dotted(thing):
    """The import path of a class or function; of an instance, that of its class."""
    if thing is None:
        return None
    if isinstance(thing, str):
        return thing
    if not hasattr(thing, "__qualname__"):
        thing = type(thing)
    return "%s.%s" % (thing.__module__, thing.__qualname__)


def find(path):
    """The thing at an import path, or None."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name, None)
    except Exception:
        return None


def seconds(value):
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value


def text(value):
    """A setting that may be bytes or lazy."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


# Names that a class body always sets, or that only describe.
SILENT = {
    "__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__static_attributes__",
    "__firstlineno__", "__orig_bases__", "__parameters__", "__slots__", "__annotate__", "__annotate_func__",
    "__annotations_cache__", "__abstractmethods__", "_abc_impl", "schema", "swagger_schema", "name", "description", "queryset", "_declared_fields",
}
# Packages whose decorators describe a method and call it unchanged.
DESCRIBING = ("/drf_spectacular/", "/drf_yasg/")


def same(ours, theirs):
    """Whether an overriding value is the overridden one, possibly in a wrapper that only describes it."""
    if ours is theirs:
        return True
    if inspect.isfunction(ours):
        while hasattr(ours, "__wrapped__") and any(part in code_file(ours) for part in DESCRIBING):
            ours = ours.__wrapped__
        return ours is theirs
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        return list(ours) == list(theirs)
    return attempt(lambda: bool(ours == theirs), default=False)


def code_file(function):
    return getattr(getattr(function, "__code__", None), "co_filename", "").replace(os.sep, "/")


def describe(cls, stock):
    """A class beside the nearest class of `stock` (import paths) it derives from, and what it does otherwise."""
    if not inspect.isclass(cls):
        return {"class": dotted(cls), "base": None, "overrides": []}
    lineage = cls.__mro__
    known = {id(find(path)): path for path in stock if find(path) is not None}
    base = next((known[id(parent)] for parent in lineage if id(parent) in known), None)
    if base is None:
        return {"class": dotted(cls), "base": None, "overrides": []}
    return {"class": dotted(cls), "base": base, "overrides": overrides(cls, find(base))}


def overrides(cls, base):
    """Names that `cls` gives another meaning than `base` does, apart from mere descriptions."""
    inherited = set(base.__mro__)
    names = set()
    for parent in cls.__mro__:
        if parent not in inherited:
            names.update(vars(parent))
    missing = object()
    changed = []
    for name in sorted(names - SILENT):
        theirs = inspect.getattr_static(base, name, missing)
        if not same(inspect.getattr_static(cls, name, missing), theirs):
            changed.append(name)
    fields = getattr(cls, "_declared_fields", None)
    if fields is not None and fields != getattr(base, "_declared_fields", fields):
        changed.append("fields")
    return changed
