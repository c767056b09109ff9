"""The ten steps against either server, and the demonstration a newcomer starts with."""

import json
import re
import signal
import subprocess
import threading

import pytest
from conftest import PASSWORD
from harness.servers import Countersign, countersign_program

STEPS = 10


@pytest.fixture(scope="module")
def pair(start_pair):
    with start_pair() as pair:
        yield pair


@pytest.fixture(params=["django", "countersign"])
def server(request, pair):
    return getattr(pair, request.param)


def walk(server, *arguments, password=PASSWORD, **options):
    """Runs `countersign walkthrough`."""
    command = [countersign_program(), "walkthrough", "--url", server.url, "--username", "alice"]
    if password is not None:
        command += ["--password", password]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=60, cwd=server.folder, **options
    )


def test_walkthrough_succeeds(server):
    """Exit code 0, a table with all ten steps, and no full secret in it."""
    result = walk(server)
    assert result.returncode == 0, result.stdout + result.stderr
    for word in ("jwt_access", "jwt_refresh", "request_token", "401"):
        assert word in result.stdout
    assert PASSWORD not in result.stdout
    assert not re.search(r"\b[0-9a-f]{40}\b", result.stdout), "the DRF token is shown in full"
    assert not re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", result.stdout), "a JWT is shown in full"


def test_walkthrough_as_data(server):
    """--json gives ten steps, each with action, input, output, note and time."""
    result = walk(server, "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    document = json.loads(result.stdout)
    steps = document["steps"]
    assert len(steps) == STEPS
    for step in steps:
        assert {"action", "input", "output", "note"} <= set(step), step
    assert PASSWORD not in result.stdout
    assert not re.search(r"\b[0-9a-f]{40}\b", result.stdout)


def test_walkthrough_reads_the_password_from_standard_input(server):
    """No password on the command line, where `ps` would show it."""
    result = walk(server, password=None, input=PASSWORD + "\n")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=["table", "json"])
def test_walkthrough_with_a_wrong_password_fails(server, arguments):
    """Exit code other than 0, with --json still valid JSON."""
    result = walk(server, *arguments, password="wrong")
    assert result.returncode not in (0, 101)
    if arguments:
        assert len(json.loads(result.stdout)["steps"]) == STEPS


def test_walkthrough_against_nothing_fails(pair):
    """No server there: a failure with a word about it, not a crash."""
    nobody = Countersign(pair.choice, pair.database)
    nobody.port = 1
    result = walk(nobody)
    assert result.returncode not in (0, 101)
    assert result.stdout + result.stderr


def test_demo(tmp_path):
    """`countersign demo` prints an account, and its curl lines work when pasted into a shell."""
    process = subprocess.Popen(
        [countersign_program(), "demo", "--bind", "127.0.0.1:0"], cwd=tmp_path, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines, complete = [], threading.Event()

    def read():
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if "Ctrl-C" in line:
                complete.set()
        complete.set()

    threading.Thread(target=read, daemon=True).start()
    try:
        assert complete.wait(60), lines
        text = "\n".join(lines)
        assert "username: alice" in lines, text
        password = next(line for line in lines if line.startswith("password: ")).removeprefix("password: ")
        assert len(password) >= 8
        commands = [line for line in lines if line.startswith("curl ")]
        assert len(commands) >= 7, text
        answers = [
            subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=tmp_path)
            for command in commands
        ]
        for command, answer in zip(commands, answers, strict=True):
            assert answer.returncode == 0, (command, answer.stderr)
        said = [answer.stdout for answer in answers]
        assert re.fullmatch(r'\{"token":"[0-9a-f]{40}"\}', said[0].strip())
        assert re.fullmatch(r'\{"refresh":"[\w.-]+","access":"[\w.-]+"\}', said[1].strip())
        assert '"username":"alice","auth":"token"' in said[2]
        assert '"username":"alice","auth":"jwt"' in said[3]
        assert said[4].startswith('{"access":"')
        assert "200 OK" in said[5] and "{}" in said[5]
        assert "401 Unauthorized" in said[6]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)
    assert process.returncode == 0
