"""A configuration that cannot work is refused at start, in one line that names what is wrong."""

import os
import socket
import subprocess
import threading

import pytest
from harness.choice import AUTHTOKEN, BLACKLIST, Choice
from harness.servers import Countersign, countersign_program
from harness.sqlite import SqliteDatabase

GOOD = 'secret_key = "%s"\ndatabase_url = "%s"\nbind = "127.0.0.1:0"\n'
SECRET = "a-secret-key-that-is-long-enough-0123456789-0123456789-0123456789"


def text(database, *lines, secret=SECRET):
    """A configuration: three good lines, then these."""
    return GOOD % (secret, database.url) + "\n".join(lines) + "\n"


#  name: (lines after the three good ones, what the message must name, line number in the file)
WRONG = {
    "unknown-key": (["nonsense = 1"], "nonsense", 4),
    "unknown-table": (["[nonsense]", "a = 1"], "nonsense", 4),
    "misspelt": (["", "[simple_jwt]", "acess_token_lifetime = 5"], "acess_token_lifetime", 6),
    "django-spelling": (["[simple_jwt]", "ACCESS_TOKEN_LIFETIME = 5"], "ACCESS_TOKEN_LIFETIME", 5),
    "wrong-type": (["[simple_jwt]", 'rotate_refresh_tokens = "yes"'], "rotate_refresh_tokens", 5),
    "number-for-list": (["installed_apps = 5"], "installed_apps", 4),
    "bad-duration": (["[simple_jwt]", 'access_token_lifetime = "5 parsecs"'], "access_token_lifetime", 5),
    "negative-lifetime": (["[simple_jwt]", "access_token_lifetime = -5"], "access_token_lifetime", 5),
    "unknown-app": (['installed_apps = ["blog"]'], "installed_apps", 4),
    "unknown-hasher": (["[auth]", 'password_hashers = ["rot13"]'], "password_hashers", 5),
    "no-hashers": (["[auth]", "password_hashers = []"], "password_hashers", 5),
    "unknown-class": (["[rest_framework]", 'default_authentication_classes = ["oauth"]'], "default_authentication_classes", 5),
    "unknown-algorithm": (["[simple_jwt]", 'algorithm = "HS257"'], "algorithm", 5),
    "algorithm-none": (["[simple_jwt]", 'algorithm = "none"'], "algorithm", 5),
    "empty-signing-key": (["[simple_jwt]", 'signing_key = ""'], "signing_key", 5),
    "pem-as-hmac-secret": (["[simple_jwt]", 'signing_key = "-----BEGIN PUBLIC KEY-----\\nMA==\\n-----END PUBLIC KEY-----"'], "signing_key", 5),
    "no-header-types": (["[simple_jwt]", "auth_header_types = []"], "auth_header_types", 5),
    "unknown-token-class": (["[simple_jwt]", 'auth_token_classes = ["NoToken"]'], "auth_token_classes", 5),
    "blacklist-without-app": (
        [f'installed_apps = ["{AUTHTOKEN}"]', "[simple_jwt]", "rotate_refresh_tokens = true", "blacklist_after_rotation = true"],
        "blacklist_after_rotation", 7,
    ),
    "bad-permission": (["[[protected]]", 'path = "/x/"', 'permission = "perhaps"'], "permission", 6),
    "pathless-resource": (["[[protected]]", 'permission = "is_admin"'], "path", 4),
    "same-path-twice": (["[[protected]]", 'path = "/api/whoami/"'], "path", 5),
    "unknown-path-name": (["[paths]", 'token_paint = "/x/"'], "token_paint", 5),
    "relative-path": (["[paths]", 'whoami = "whoami/"'], "whoami", 5),
    "not-toml": (["this is = = not toml"], "", 4),
    "key-twice": ([f'secret_key = "{SECRET}"'], "secret_key", 4),
    "zero-iterations": (["[auth.pbkdf2_sha256]", "iterations = 0"], "iterations", 5),
    "costly-bcrypt": (["[auth.bcrypt_sha256]", "rounds = 99"], "rounds", 5),
}  # fmt: skip


def run(command, config, folder):
    """A command with a configuration file, to its end."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COUNTERSIGN_")}
    return subprocess.run(
        [countersign_program(), command, "--config", str(config)],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def refused(result, *names):
    """Exit code not zero, nothing on standard output, one line on standard error naming all of these."""
    assert result.returncode not in (0, 101, -6, -11), (result.returncode, result.stderr)
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, result.stderr
    for name in names:
        assert name in lines[0], f"{name!r} is not in {lines[0]!r}"
    return lines[0]


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_configuration(made_by, tmp_path, name, command):
    """The line names the file, the line in it and the key."""
    lines, key, number = WRONG[name]
    config = tmp_path / "countersign.toml"
    config.write_text(text(made_by(), *lines))
    refused(run(command, config, tmp_path), key, f"countersign.toml:{number}")


@pytest.mark.parametrize("command", ["serve", "check"])
def test_empty_secret_key(made_by, tmp_path, command):
    """Django refuses it as well."""
    config = tmp_path / "countersign.toml"
    config.write_text(text(made_by(), secret=""))
    refused(run(command, config, tmp_path), "secret_key", "countersign.toml:1")


def test_missing_secret_key(made_by, tmp_path):
    """There is no default."""
    config = tmp_path / "countersign.toml"
    config.write_text(f'database_url = "{made_by().url}"\n')
    refused(run("serve", config, tmp_path), "secret_key")


def test_missing_file(tmp_path):
    """The message names the file that is not there."""
    refused(run("serve", tmp_path / "nowhere.toml", tmp_path), "nowhere.toml")


def test_user_id_field_without_a_column(made_by, tmp_path):
    """Only the database knows the columns: `serve` refuses, and names the setting."""
    config = tmp_path / "countersign.toml"
    config.write_text(text(made_by(), "[simple_jwt]", 'user_id_field = "shoe_size"'))
    refused(run("serve", config, tmp_path), "user_id_field", "shoe_size")


def test_missing_database(stages, tmp_path):
    """Serving does not make a database by the way; the message names it."""
    absent = stages.absent(tmp_path)
    config = tmp_path / "countersign.toml"
    config.write_text(text(absent))
    for _ in range(2):
        refused(run("serve", config, tmp_path), *absent.named)


def test_missing_file_is_not_made(tmp_path):
    """No SQLite file comes about by serving, and the message says what makes one."""
    absent = SqliteDatabase(tmp_path)
    config = tmp_path / "countersign.toml"
    config.write_text(text(absent))
    refused(run("serve", config, tmp_path), "migrate")
    assert not absent.path.exists()


def test_file_that_is_no_database(tmp_path):
    """Something else than a database is left as it is."""
    other = SqliteDatabase(tmp_path)
    other.path.write_text("these are notes, not a database\n" * 100)
    config = tmp_path / "countersign.toml"
    config.write_text(text(other))
    for command in ("serve", "migrate"):
        refused(run(command, config, tmp_path), *other.named)
    assert other.path.read_text().startswith("these are notes")


def test_server_that_is_no_database(tmp_path):
    """Whatever listens at the address of the database, the message names it, and never the password."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        threading.Thread(target=_hang_up, args=(other,), daemon=True).start()
        config = tmp_path / "countersign.toml"
        config.write_text(GOOD % (SECRET, f"postgresql://someone:their-password@{address}/db?sslmode=disable"))
        line = refused(run("migrate", config, tmp_path), address)
        assert "their-password" not in line
        other.shutdown(socket.SHUT_RDWR)


def _hang_up(listener):
    """Greets whoever connects in another protocol, and closes."""
    try:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 mail.example ESMTP\r\n")
    except OSError:
        pass  # the listener is gone: the test is over


@pytest.mark.parametrize("apps", [(AUTHTOKEN,), (BLACKLIST,), ()], ids=["authtoken", "blacklist", "neither"])
def test_tables_of_an_installed_app_missing(made_by, tmp_path, apps):
    """The configuration speaks of an app that the database lacks."""
    config = tmp_path / "countersign.toml"
    config.write_text(text(made_by(apps)))
    line = refused(run("serve", config, tmp_path))
    assert "authtoken" in line or "blacklist" in line


def test_port_in_use(made_by, tmp_path):
    """The address is named."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        config = tmp_path / "countersign.toml"
        config.write_text(text(made_by()).replace("127.0.0.1:0", address))
        refused(run("serve", config, tmp_path), address)


def test_bad_address(made_by, tmp_path):
    """An address that is none."""
    config = tmp_path / "countersign.toml"
    config.write_text(text(made_by()).replace("127.0.0.1:0", "somewhere"))
    refused(run("serve", config, tmp_path), "bind", "countersign.toml:3")


def test_short_secret_key_is_only_warned_about(new_database):
    """Deployed projects have them: it serves, and says so."""
    shared = new_database()
    choice = Choice(secret_key="short")
    with Countersign(choice, shared) as server:
        login = server.post("/api/token/", {"username": "alice", "password": "correct horse"})
        assert login.status == 200
        assert "secret_key" in server.log
    result = server.run("check")
    assert result.returncode == 0, result.stderr


def test_check_of_a_good_configuration(made_by, tmp_path):
    """`check` says nothing is wrong by its exit code."""
    config = tmp_path / "countersign.toml"
    config.write_text(text(made_by()))
    result = run("check", config, tmp_path)
    assert result.returncode == 0, result.stderr


def test_environment_overrides_the_file(new_database):
    """COUNTERSIGN_… with `__` between levels."""
    shared = new_database()
    server = Countersign(Choice(), shared)
    environment = server.environment() | {
        "COUNTERSIGN_SIMPLE_JWT__ACCESS_TOKEN_LIFETIME": "77s",
        "COUNTERSIGN_PATHS__WHOAMI": "/me/",
    }
    server.environment = lambda: environment
    with server:
        login = server.post("/api/token/", {"username": "alice", "password": "correct horse"}).json()
        assert server.send("GET", "/api/whoami/").status == 404
        me = server.whoami(f"Bearer {login['access']}", "/me/")
        assert me.status == 200
        from harness.tokens import claims

        content = claims(login["access"])
        assert content["exp"] - content["iat"] == 77


def test_wrong_environment_is_refused(made_by, tmp_path):
    """The variable is named."""
    config = tmp_path / "countersign.toml"
    config.write_text(text(made_by()))
    variable = "COUNTERSIGN_SIMPLE_JWT__ROTATE_REFRESH_TOKENS"
    result = subprocess.run(
        [countersign_program(), "check", "--config", str(config)], cwd=tmp_path,
        env={**os.environ, variable: "perhaps"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    refused(result, variable)


def test_switched_off_path_is_not_there(new_database):
    """An empty path takes a view away."""
    shared = new_database()
    toml = Choice().countersign(shared) + '\n[paths]\ntoken_verify = ""\nobtain_auth_token = "/login/"\n'
    with Countersign(Choice(), shared, text=toml) as server:
        assert server.post("/api/token/verify/", {"token": "x"}).status == 404
        assert server.post("/api-token-auth/", {}).status == 404
        assert server.post("/login/", {"username": "alice", "password": "correct horse"}).status == 200


def test_declared_response(new_database):
    """A protected resource with an answer of its own, and a token of another keyword."""
    shared = new_database()
    toml = Choice().countersign(shared) + """
[[protected]]
path = "/reports/"
authentication = ["jwt", { kind = "token", keyword = "Key", table = "authtoken_token" }]
permission = "is_authenticated"
methods = ["GET", "POST"]
response = { content_type = "application/json", body = '{"ok":true}' }
"""
    with Countersign(Choice(), shared, text=toml) as server:
        key = server.post("/api-token-auth/", {"username": "alice", "password": "correct horse"}).json()["token"]
        answer = server.whoami(f"Key {key}", "/reports/")
        assert (answer.status, answer.body) == (200, b'{"ok":true}')
        assert answer.header("content-type") == "application/json"
        assert server.whoami(f"Token {key}", "/reports/").status == 401
        assert server.whoami(f"Key {key}", "/reports/").header("allow") == "GET, POST, HEAD, OPTIONS"


def test_stops_when_asked(new_database):
    """SIGTERM ends it with exit code 0, without a word of trouble."""
    shared = new_database()
    server = Countersign(Choice(), shared).start()
    server.stop()
    assert server.process.returncode == 0
    assert "panic" not in server.log
