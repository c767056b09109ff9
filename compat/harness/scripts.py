"""What clients do over and over in `traffic`, and what they may be answered.

Where an answer was lost, a client cannot know whether its request took effect: a refresh token or a
logout may then be found used up. Nothing else may ever be refused that was valid, or pass that was not.
"""

PAIR, REFRESH, BLACKLIST = "/api/token/", "/api/token/refresh/", "/api/token/blacklist/"
KEY, WHOAMI = "/api-token-auth/", "/api/whoami/"


def is_user(name):
    """Whether an answer is a view's welcome for a user."""
    return lambda answer: answer.status == 200 and answer.json()["username"] == name


def is_blacklisted(answer):
    """Whether an answer says that a token is used up."""
    return answer.status == 401 and answer.json()["detail"] == "Token is blacklisted"


class Person:
    """A user with a password, a key and an access token."""

    def __init__(self, name, password, key, access):
        self.name, self.password, self.key, self.access = name, password, key, access
        self.credentials = {"username": name, "password": password}

    def checks(self, client):
        """Valid credentials open the view."""
        client.ask("token check", WHOAMI, authorization=f"Token {self.key}", right=is_user(self.name))
        client.ask("JWT check", WHOAMI, authorization=f"Bearer {self.access}", right=is_user(self.name))

    def logs_in(self, client):
        """The password gives a pair that works, and always the same key."""
        client.ask("login, key", KEY, self.credentials, right=lambda answer: answer.json() == {"token": self.key})
        pair = client.ask("login, JWT", PAIR, self.credentials)
        if pair:
            bearer = f"Bearer {pair.json()['access']}"
            client.ask("JWT check", WHOAMI, authorization=bearer, right=is_user(self.name))

    def is_impersonated(self, client):
        """Neither wrong passwords nor forged tokens get anywhere."""
        client.ask("wrong password, key", KEY, {**self.credentials, "password": "guess"}, right=400)
        client.ask("wrong password, JWT", PAIR, {**self.credentials, "password": "guess"}, right=401)
        client.ask("wrong key", WHOAMI, authorization=f"Token {self.key[::-1]}", right=401)
        forged = self.access[:-4] + ("AAAA" if self.access[-4:] != "AAAA" else "BBBB")
        client.ask("forged JWT", WHOAMI, authorization=f"Bearer {forged}", right=401)


class Session:
    """A pair whose refresh token is rotated from answer to answer; used-up ones are tried again."""

    def __init__(self, person):
        self.person, self.refresh, self.unsure = person, None, False
        self.used = []  # refresh tokens that are used up for certain
        self.given = []  # all that were received

    def rotates(self, client):
        """One more turn."""
        if self.refresh is None:
            pair = client.ask("login, JWT", PAIR, self.person.credentials)
            if pair is None:
                return
            self.refresh, self.unsure = pair.json()["refresh"], False
            self.given.append(self.refresh)
        unsure = self.unsure
        right = (lambda a: a.status == 200 or is_blacklisted(a)) if unsure else 200
        answer = client.ask("rotation", REFRESH, {"refresh": self.refresh}, right=right)
        if answer is None:
            self.unsure = True
            return
        old, self.refresh, self.unsure = self.refresh, None, False
        self.used.append(old)
        if answer.status != 200:
            return
        self.refresh = answer.json()["refresh"]
        self.given.append(self.refresh)
        client.ask("used-up refresh token", REFRESH, {"refresh": old}, right=is_blacklisted)

    def ends(self, client):
        """Logs in, logs out, and is out."""
        pair = client.ask("login, JWT", PAIR, self.person.credentials)
        if pair is None:
            return
        refresh = pair.json()["refresh"]
        self.given.append(refresh)
        answer = client.ask("logout", BLACKLIST, {"refresh": refresh})
        if answer is None:
            answer = client.ask(
                "logout", BLACKLIST, {"refresh": refresh}, right=lambda a: a.status == 200 or is_blacklisted(a)
            )
        if answer is not None:
            self.used.append(refresh)
            client.ask("used-up refresh token", REFRESH, {"refresh": refresh}, right=is_blacklisted)


def person(server, name, password):
    """A user that logs in at a server for a key and an access token."""
    body = {"username": name, "password": password}
    return Person(
        name, password, server.post(KEY, body).json()["token"], server.post(PAIR, body).json()["access"]
    )
