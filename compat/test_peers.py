"""The peers' own tests of their views, as published, hold of Countersign in their place."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from harness.servers import COMPAT, PROJECT
from peers.suites import SUITES

ARCHIVES = Path(sys.prefix) / "peers"


@pytest.mark.parametrize("peer", SUITES)
def test_the_tests_of_a_peer_hold(peer, stages, folders):
    suite, folder = SUITES[peer], folders()
    (archive,) = ARCHIVES.glob(f"{suite.package}-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    source = folder / archive.name.removesuffix(".tar.gz")
    database = stages.empty(folder)
    chosen = suite.choice.django(database)
    chosen["installed_apps"] += suite.apps
    (folder / "django_settings.json").write_text(json.dumps(chosen))
    (folder / "pytest.ini").write_text("[pytest]\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "peers.plugin", "-p", "no:cacheprovider", "--noconftest",
         "-c", str(folder / "pytest.ini"), "--rootdir", str(source), *suite.files],
        cwd=source, capture_output=True, text=True, timeout=900,
        env={
            **os.environ, "PEER": peer, "PEER_DATABASE": database.url, "PEER_FOLDER": str(folder),
            "COMPAT_SETTINGS": str(folder / "django_settings.json"), "DJANGO_SETTINGS_MODULE": "site_settings",
            "PYTHONPATH": os.pathsep.join(map(str, (COMPAT, PROJECT, source))), "PYTHONDONTWRITEBYTECODE": "1",
        },
    )  # fmt: skip
    output = result.stdout + result.stderr
    assert (folder / "results.json").exists(), output
    results = json.loads((folder / "results.json").read_text())
    asking = [name for name, (_, asked, _) in results.items() if asked]
    failed = {name: why for name, (ended, _, why) in results.items() if ended != "passed"}
    unexpected = {name: why for name, why in failed.items() if name not in suite.exceptions}
    assert not unexpected, "\n".join(f"{name}: {why}" for name, why in unexpected.items())
    assert sorted(failed) == sorted(suite.exceptions), "an exception is one no more"
    assert asking, output
