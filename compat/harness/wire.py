"""HTTP over a plain socket: what is sent is exactly the bytes asked for."""

import socket
from dataclasses import dataclass


@dataclass
class Answer:
    """One response as read from the wire. Header names are lower case, order is kept."""

    status: int
    headers: list
    body: bytes

    def header(self, name):
        """All values of a header joined by a comma, or None."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        """The body as JSON."""
        import json

        return json.loads(self.body)

    @property
    def text(self):
        """The body as text; bytes that are not UTF-8 stay visible."""
        return self.body.decode("utf-8", "backslashreplace")


def _bytes(value):
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


def compose(method, target, headers=(), body=b"", chunked=False, host="testserver"):
    """The bytes of a request. Content-Length is added unless the headers already speak of length."""
    body = body if isinstance(body, bytes) else body.encode()
    lines = [f"{method} ".encode("latin-1") + _bytes(target) + b" HTTP/1.1"]
    lines.append(b"Host: " + _bytes(host))
    lines += [_bytes(name) + b": " + _bytes(value) for name, value in headers]
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
        payload = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    else:
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(b"Content-Length: %d" % len(body))
        payload = body
    lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + payload


def exchange(port, raw, method="GET", deadline=30.0):
    """Sends raw bytes and reads the answer until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=deadline) as connection:
        try:
            connection.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may answer and close before a large body is through
        received = bytearray()
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            if not received:
                raise
    return parse(bytes(received), method)


def parse(received, method="GET"):
    """Splits the bytes of one response."""
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        raise AssertionError(f"not an HTTP response: {received[:200]!r}")
    lines = head.split(b"\r\n")
    status = int(lines[0].split(b" ", 2)[1])
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        headers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
    if ("transfer-encoding", "chunked") in headers:
        rest = _unchunk(rest)
    if method == "HEAD" and rest:
        raise AssertionError(f"HEAD was answered with a body: {rest[:200]!r}")
    answer = Answer(status, headers, rest)
    promised = answer.header("content-length")
    if method != "HEAD" and promised is not None and len(rest) < int(promised):
        raise AssertionError(f"the answer is cut short: {received[-200:]!r}")
    return answer


def _unchunk(rest):
    body = bytearray()
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            return bytes(body)
        body += rest[:length]
        rest = rest[length + 2 :]
