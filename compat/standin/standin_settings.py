"""The settings of an adopted project, with Countersign's own view among its paths."""

import importlib
import os

_project = importlib.import_module(os.environ["STANDIN_SETTINGS"])
globals().update({name: getattr(_project, name) for name in dir(_project) if name.isupper()})
STANDIN_URLS, ROOT_URLCONF = _project.ROOT_URLCONF, "standin_urls"
