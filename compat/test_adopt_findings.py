"""`countersign adopt` and `doctor` on the stock project with settings, tables and roles that need care."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import STAGES
from harness import database
from harness.projects import PROJECTS, Adopted, ProjectSite
from harness.servers import countersign_program

STOCK = next(project for project in PROJECTS if project.name == "stock")
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")


class Site:
    """The stock project, migrated, with lines added to its settings."""

    def __init__(self, store, folders):
        self.stages, self.folder = STAGES[store](), folders()
        self.database = self.stages.empty(folders())
        self.django = ProjectSite(STOCK, self.database)
        self.countersign = Adopted(None, self.database, folders())
        self.django.migrate()

    def adopt(self, settings="", *arguments):
        """The process, and its report."""
        (self.folder / "changed.py").write_text(f"from bookshop.settings import *\n{settings}\n")
        result = subprocess.run(
            [
                countersign_program(), "adopt", "--json",
                "--force", "--manage", str(STOCK.directory / "manage.py"), "--python", sys.executable,
                "--output", str(self.countersign.folder), *arguments,
            ],
            env={
                **os.environ, "DATABASE": json.dumps(self.database.django()), "PYTHONDONTWRITEBYTECODE": "1",
                "DJANGO_SETTINGS_MODULE": "changed", "PYTHONPATH": str(self.folder),
            },
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        return result.returncode, json.loads(result.stdout)

    def ids(self, settings, *arguments):
        """Of the findings."""
        return {finding["id"] for finding in self.adopt(settings, *arguments)[1]["findings"]}

    def doctor(self, *arguments):
        """Its findings by id."""
        result = self.countersign.run("doctor", "--json", *arguments)
        return {finding["id"]: finding for finding in json.loads(result.stdout)["findings"]}




@pytest.fixture(params=["sqlite", "postgres"])
def site(request, folders):
    if request.config.getoption("store") not in (request.param, "both"):
        pytest.skip("another store was chosen")
    made = Site(request.param, folders)
    yield made
    made.stages.close()


THROTTLES = """
REST_FRAMEWORK = {{
    **REST_FRAMEWORK,
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle", "rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {{"anon": "{anon}", "user": "600/hour"}},
}}
"""


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_nginx_takes_the_snippet_and_countersign_the_throttles(site):
    """`nginx -t` on both files, in a frame of their own."""
    code, report = site.adopt(THROTTLES.format(anon="3/day"))
    assert code == 0
    ids = {finding["id"] for finding in report["findings"]}
    assert {"throttles", "throttle-by-header"} <= ids and "throttle-class" not in ids
    assert "limit_req" not in report["nginx"]["server"] + report["nginx"]["http"]
    written = (site.countersign.folder / "countersign.toml").read_text()
    assert written.count('rate = "3/day"') == written.count('rate = "600/hour"') > 1
    folder = site.folder
    (folder / "whole.conf").write_text(
        f"pid {folder}/pid;\nerror_log {folder}/log;\nevents {{ }}\nhttp {{ access_log off; client_body_temp_path {folder}/b; "
        f"proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"include {site.countersign.folder}/nginx-upstream.conf;\n"
        f"server {{ listen 127.0.0.1:1; include {site.countersign.folder}/nginx.conf; }} }}\n"
    )
    tested = subprocess.run([NGINX, "-t", "-c", str(folder / "whole.conf")], capture_output=True, text=True, timeout=30)
    assert tested.returncode == 0, tested.stderr


@pytest.mark.parametrize("site", ["postgres"], indirect=True)
def test_a_table_that_does_not_fit_is_refused(site):
    """The catalogue is read as a start would, and the column is named; SQLite files are not opened."""
    assert site.adopt()[0] == 0
    database.execute(site.database, "ALTER TABLE auth_user RENAME COLUMN first_name TO given_name")
    code, report = site.adopt()
    assert code == 1 and "first_name" in report["refusal"]
    finding = site.doctor()["users-table"]
    assert finding["severity"] == "error" and "first_name" in finding["found"]


@pytest.mark.parametrize("site", ["postgres"], indirect=True)
def test_missing_privileges_are_an_error(site):
    """Of a role that may read some tables and write none."""
    assert site.adopt()[0] == 0
    assert "privileges-missing" not in site.doctor()
    database.execute(site.database, "DROP ROLE IF EXISTS reader")
    database.execute(site.database, "CREATE ROLE reader LOGIN PASSWORD 'reads'")
    database.execute(site.database, "GRANT SELECT ON auth_user, authtoken_token TO reader")
    try:
        settings = site.database.django()
        host = settings["HOST"].replace("/", "%2F")
        url = f"postgresql://reader:reads@{host}:{settings['PORT']}/{settings['NAME']}"
        finding = site.doctor("--database-url", url)["privileges-missing"]
        assert finding["severity"] == "error" and "GRANT SELECT, INSERT, UPDATE, DELETE" in finding["remedy"]
        for part in ("UPDATE on auth_user", "INSERT on authtoken_token", "SELECT on token_blacklist_outstandingtoken"):
            assert part in finding["found"]
        assert "SELECT on auth_user" not in finding["found"]
    finally:
        database.execute(site.database, "DROP OWNED BY reader")
        database.execute(site.database, "DROP ROLE reader")
