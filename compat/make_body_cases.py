"""Records what the real Django and DRF make of request bodies and Accept headers.

Writes `testdata/compat/body_cases.jsonl` and `testdata/compat/negotiation_cases.jsonl`, which the tests of
`countersign-formats` replay. Run it with a Python that has Django 5.2 and DRF 3.18 installed:

    python compat/make_body_cases.py

Every case is a whole WSGI request to a view with the fields `username` (trimmed) and `password` (kept as it is). Recorded
are the status and the body; a crash of the original is recorded as status 500.

A body case: `parsers` (the view's order: f form, m multipart, j JSON), `type` (the Content-Type, one character a byte; null
when absent), `body` (text) or `body_b64`, `status`, and `answer` (the JSON of the answer; null for an HTML page).
A negotiation case: `accept` (null when absent), `query`, `renderers` (j JSON, b browsable), `status`, and on success `chosen`
(j or b) and `indent` (null for the compact form).
"""

import base64
import io
import json
import logging
import pathlib
import random

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="not-a-secret",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[],
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
)
django.setup()
logging.disable(logging.CRITICAL)

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import parsers, renderers, serializers  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

PARSERS = {"f": parsers.FormParser, "m": parsers.MultiPartParser, "j": parsers.JSONParser}
SEEN = {}


class Browsable(renderers.BaseRenderer):
    """Answers like the browsable page without needing templates."""

    media_type = "text/html"
    format = "api"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        SEEN.update(chosen="b", indent=None)
        return "page"


class Json(renderers.JSONRenderer):
    def render(self, data, accepted_media_type=None, renderer_context=None):
        SEEN.update(chosen="j", indent=self.get_indent(accepted_media_type, renderer_context or {}))
        return super().render(data, accepted_media_type, renderer_context)


RENDERERS = {"j": Json, "b": Browsable}


class Credentials(serializers.Serializer):
    username = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False)


class BodyView(APIView):
    renderer_classes = [renderers.JSONRenderer]

    def post(self, request):
        serializer = Credentials(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)


class AcceptView(APIView):
    def get(self, request):
        return Response({"ok": True})


def body_view(order):
    return type("V", (BodyView,), {"parser_classes": [PARSERS[letter] for letter in order]}).as_view()


def accept_view(order):
    return type("V", (AcceptView,), {"renderer_classes": [RENDERERS[letter] for letter in order]}).as_view()


urlpatterns = [path("body/" + order, body_view(order)) for order in ("fmj", "jfm", "j", "f", "m")]
urlpatterns += [path("accept/" + order, accept_view(order)) for order in ("j", "jb", "b", "bj")]
HANDLER = WSGIHandler()


def request(method, target, query="", headers=None, body=b""):
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": target,
        "QUERY_STRING": query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "HTTP_HOST": "testserver",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "CONTENT_LENGTH": str(len(body)),
        **(headers or {}),
    }
    status = []
    try:
        answer = HANDLER(environ, lambda line, _: status.append(int(line[:3])))
        return status[0], b"".join(answer)
    except Exception:
        return 500, b""


BODY_CASES = []
NEGOTIATION_CASES = []


def body(kind, content, order="jfm"):
    data = content.encode() if isinstance(content, str) else content
    headers = {} if kind is None else {"CONTENT_TYPE": kind}
    status, answer = request("POST", "/body/" + order, headers=headers, body=data)
    case = {"parsers": order, "type": kind}
    try:
        case["body"] = data.decode()
    except UnicodeDecodeError:
        case["body_b64"] = base64.b64encode(data).decode()
    try:
        answer = json.loads(answer)
    except ValueError:
        answer = None
    BODY_CASES.append({**case, "status": status, "answer": answer})


def accept(header, query="", order="jb"):
    SEEN.clear()
    headers = {} if header is None else {"HTTP_ACCEPT": header}
    status, _ = request("GET", "/accept/" + order, query, headers)
    case = {"accept": header, "query": query, "renderers": order, "status": status}
    if status == 200:
        case.update(SEEN)
    NEGOTIATION_CASES.append(case)


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=X"
GOOD = '{"username": "alice", "password": "pw"}'


def json_cases():
    for text in [
        GOOD, "", " ", "\n\t \r", "{", "}", "{}", "[]", "[1,]", "null", "true", "false", "nul", "1", "1.5", "-", "-0", "+1",
        '"x"', '"', "'x'", "{'a': 1}", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1 "b":2}', '{"a":1,,}', "{1:2}", "{} {}", "{}x",
        "01", "1.", ".5", "1e", "1e5", "1E+400", "-1e400", "NaN", "[NaN]", "Infinity", "-Infinity", "[-Infinity]", "nan",
        '{"a": "\\x"}', '{"a": "\\u12"}', '{"a": "\\u12g4"}', '{"a": "\\', '{"a": "b\nc"}', '{"a": "\x00"}', '{"a": "\x7f"}',
        "\ufeff{}", "{}\ufeff", "{\n\n  x}", '{"é": x}', "[[[[", "[1 2]", "tru", "[tru]", "/*c*/{}", '{"a": 1}\x00',
        '{"username": "a", "username": "b", "password": "c"}', '{"password": "x", "username": "y", "z": [1, {"q": null}]}',
        "9" * 4300, "9" * 4301, "[" + "9" * 4301 + "]", "-" + "9" * 4301, '"\\ud83d\\ude00"', "\u2028{}", "\xa0{}",
        "[" * 200 + "]" * 200, "[" * 2000 + "]" * 2000,
    ]:
        body(JSON, text)
    for raw in [
        b"\xff", b'{"a": "\xff"}', b'{"a": "\xc3', b'{"a": "\xc3"}', b'"\xe2\x82"', b'"\xe2\x82', b'"\xed\xa0\x80"', b'"\xed\xa0', b'"\xed\x9f',
        b'"\xf4\x90\x80\x80"', b'"\xc0\x80"', b'"\xe0\x80\x80"', b'"\xf0\x9f\x98"', b"\xef\xbb\xbf{}", b"\xef\xbb", b"\x80",
        b"\xff\xfe{\x00}\x00", b"{\x00}\x00",
    ]:
        body(JSON, raw)
    values = [
        '""', '" "', '"\\u00a0\\u2003\\u001f\\u0085"', '"\\u200b"', '" a b "', "null", "true", "false", "0", "-0", "1", "-17",
        "1.0", "1.50", "-0.0", "1e16", "1e15", "123456789012345678901234567890", "1e400", "-1e400", "1e-5", "0.0001", "1e22",
        "5e-324", "1.7976931348623157e308", "[]", '["a"]', "{}", '{"a": 1}', '"\\u0000"', '"a\\u0000b"', '"\\ud800"',
        '"\\udfff\\u0000"', '" \\udc00 "', '"\\ud83d\\ude00"', '"\\u00e9"', '"é"', '"\\u0000 \\ud800\\ud801"', '"\\u2028"',
        '"\\ufeff"', '"\\u001c"', '"\\u180e"',
    ]
    for value in values:
        body(JSON, '{"username": %s, "password": %s}' % (value, value))
    for value in values[::4]:
        body(JSON, '{"username": %s}' % value)
        body(JSON, '{"password": %s}' % value, "fmj")


def type_cases():
    for order in ("fmj", "jfm", "j", "f", "m"):
        for kind in [
            None, "", JSON, FORM, MULTIPART, "*/*", "application/*", "text/plain", "APPLICATION/JSON", "application/json;",
            "application/json; a=b; q=1", "text/*", "*/json", "*", "application", "application/vnd.api+json", "multipart/*",
            "Multipart/Form-Data; boundary=X", "/", "application/json, text/plain", "application / json", ";", "=;a=b",
        ]:
            body(kind, GOOD, order)
        for kind in [None, "text/plain", JSON, FORM, MULTIPART, "application/json; charset=bz2_codec", "x; a*=nope''b"]:
            body(kind, "", order)
    for length in (256, 257):
        body("application/json; " + "a" * (length - 18), GOOD)
        body("text/plain; " + "a" * (length - 12), GOOD)
    for kind in [
        "text/\xe9", "application/json; \xe9=\xff", 'text/"quoted"', "application/json; a*=nope''b",
        "application/json; a*=b; a*0=c", "application/json; charset*=utf-8''latin-1", "\x85application/json\xa0",
        "application/json; charset*0=lat; charset*1=in-1", 'application/json; charset="latin-1"',
        "application/json; charset=utf-8; charset=latin-1", "application/json; charset*=bz2''utf-8",
    ]:
        body(kind, b'{"username": "caf\xe9", "password": "caf\xe9"}')


def charset_cases():
    text = '{"username": "alé", "password": " € "}'
    names = [
        "utf-8", "UTF8", "utf-8-sig", "utf-16", "utf-16le", "UTF-16BE", "utf-32", "utf-32-le", "utf-32-be", "ascii", "latin-1",
        "iso-8859-15", "windows-1252", "cp1252", "gbk", "shift_jis", "euc-kr", "gb18030", "koi8-r", "mac-roman",
    ]
    for name in names:
        for form in (False, True):
            kind = (FORM if form else JSON) + "; charset=" + name
            content = "username=al%E9&password=+x+é" if form else text
            body(kind, content.encode(name.lower(), "ignore"))
            body(kind, content.encode())
            body(kind, content.encode("latin-1", "ignore"))
            body(kind, ("username=%FF%FE&password=%00a%D8%00" if form else "{").encode())
    for raw in [
        b"", b"{", b"{\0", b"\xff\xfe", b"\xff\xfe{", b"\xff\xfe\x00\xd8a\0", b"\xff\xfea\0\x00\xd8", b"\xff\xfe\x00\xdc",
        b"\xfe\xff\0{\0}", b"\xfe\xff\xd8\0\0a", b"\xff\xfe\xff\xfe{\0", b"\xff\xfe\0\0{\0\0\0", b"\0\0\xfe\xff\0\0\0{\0\0\0}",
        b"\xff\xfe\0\0\0\xd8\0\0", b"\xff\xfe\0\0\xff\xff\xff\xff", b"{\0\0\0", b"\0\0\0{", b"\0{", b"\0\xd8",
    ]:
        for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
            body(JSON + "; charset=" + name, raw or b" ")
    pages = """cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp866 cp874 tis-620 iso8859-2 iso8859-3 iso8859-4
        iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-10 iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16
        koi8-r koi8-u mac-roman mac-cyrillic latin-1 ascii""".split()
    high = bytes(range(0x80, 0x100))
    for name in pages:
        body(FORM + "; charset=" + name, b"username=x&password=%80" + high)
        escaped = b"".join(b"%%%02X" % byte for byte in high)
        body(FORM + "; charset=" + name, b"username=x&password=" + escaped)
        body(JSON + "; charset=" + name, b'{"username": "x", "password": "' + high + b'"}')
    odd = [
        "", "nope", "utf-9", "mbcs", "ansi", "aliases", "charmap", "undefined", "idna", "bz2_codec", "bz2", "BZ2", "base64",
        "base64_codec", "hex", "hex_codec", "rot13", "rot-13", "zip", "zlib_codec", "quopri", "quoted-printable", "uu", "uu_codec",
        " UTF  8 ", "utf\xe98", "utf.8", "iso_646.irv_1991", "iso_8859.1", "..", "__utf_8__", "cp65001", "'utf-8'", '"utf-8"',
        "us", "l1", "8859", "646",
    ]
    unsupported = {"charmap", "idna"}
    for name in odd:
        if name in unsupported:
            continue
        for kind, content in [(JSON, GOOD), (FORM, "username=a&password=b"), (MULTIPART, parts(text_part("username", "a")))]:
            body(kind + "; charset=" + name, content)


def form_cases():
    for text in [
        "username=alice&password=pw", "username=alice&password=correct+horse", "username=&password=", "username&password",
        "username=a", "=", "&", "&&&", "username=a;password=b", "username=a&username=b&password=c&password=", "username=%",
        "username=%4&password=%zz", "username=%FF&password=%C3%A9", "username=é&password=%C3", "username=%00&password=%00",
        "user%6Eame=a&pass+word=b", "username=+&password=+", "username=%C2%A0x%E2%80%83&password=%20x%20",
        "username=a=b&password==", "username=%ed%a0%80&password=%F0%9F%98%80", "username[]=a&password[0]=b", "{}", GOOD,
        "username=%2B&password=%26", "USERNAME=a&Password=b", "username=%e2%82&password=%e2%82é%ac", "?username=a",
        "username=a&password=b" + "&x" * 998, "username=a&password=b" + "&" * 998, "username=a&password=b" + "&" * 999,
        "username=\n&password=\x1f", "username=%u0041&password=%%41", "username=a#b&password=c d",
    ]:
        body(FORM, text)
    for raw in [b"username=\xff&password=\xe9", b"username=\xc3\xa9&password=\xff%C3%A9", b"\xef\xbb\xbfusername=a&password=b"]:
        body(FORM, raw)


def text_part(name, content, extra="", disposition=None):
    disposition = disposition or 'Content-Disposition: form-data; name="%s"' % name
    return "--X\r\n%s\r\n%s\r\n%s\r\n" % (disposition, extra, content)


def parts(*given, end="--X--\r\n"):
    return "".join(given) + end


def multipart_cases():
    both = parts(text_part("username", "alice"), text_part("password", "pw"))
    named = lambda line, content="v": text_part("", content, disposition=line)  # noqa: E731
    fine = text_part("password", "pw")
    file = named('Content-Disposition: form-data; name="username"; filename="a.txt"')
    bodies = [
        both, "junk", "--X", "--X--", "--X--\r\n", "\r\n", both.replace("\r\n", "\n"), "preamble\r\n" + both, both + "epilogue",
        parts(text_part("username", ""), fine), parts(text_part("username", " a "), text_part("password", " b ")),
        parts(text_part("username", "a"), text_part("username", "b"), fine), parts(text_part("username", "a\r\nb"), fine),
        parts(fine, text_part("username", "cut off"), end=""), parts(fine, text_part("username", "x")[:-2], end=""),
        parts(fine, file, end=""), parts(fine, file, end="--X"), parts(fine, file, end="--X--"), parts(fine, file),
        parts(fine, file, text_part("username", "a")), parts(fine, text_part("username", "a"), file),
        parts(named('Content-Disposition: form-data; name="username"; filename=""'), fine),
        parts(named('Content-Disposition: form-data; name="username"; filename=" "'), fine),
        parts(named('Content-Disposition: form-data; name="password"; filename=" "'), text_part("username", "u")),
        parts(text_part("\u00fcser", "a"), fine), parts(text_part("username", "\u00e9"), text_part("password", "\u20ac")),
        parts(text_part("username", "a\x00"), text_part("password", "\x00")), parts(text_part(" username ", "a"), fine),
        parts(text_part("username", "--X"), fine), parts(text_part("username", "a--Xb"), fine),
        parts(text_part("username", "\r\n"), fine), parts(text_part("username", "\n"), fine), parts(text_part("username", "a\r"), fine),
        both.replace("\r\n--X", "\n--X"), both.replace("\r\n--X", "\r--X"), both.replace("\r\n--X", "--X"),
        parts(text_part("username", "YWxpY2U=", "Content-Transfer-Encoding: base64\r\n"), fine),
        parts(text_part("username", "YWxp\r\nY2U=", "Content-Transfer-Encoding: BASE64\r\n"), fine),
        parts(text_part("username", "YWxpY2U", "Content-Transfer-Encoding: base64\r\n"), fine),
        parts(text_part("username", "YWxp=Y2U=", "Content-Transfer-Encoding: base64\r\n"), fine),
        parts(text_part("username", "YQ==YQ==", "Content-Transfer-Encoding: base64\r\n"), fine),
        parts(text_part("username", "Y", "Content-Transfer-Encoding: base64\r\n"), fine),
        parts(text_part("username", "=", "Content-Transfer-Encoding: base64\r\n"), fine),
        parts(text_part("username", "/+8=", "Content-Transfer-Encoding: base64; x=y\r\n"), fine),
        parts(text_part("username", "a=3Db", "Content-Transfer-Encoding: quoted-printable\r\n"), fine),
        parts(text_part("username", "x", "X: " + "y" * 940 + "\r\n"), fine),
        parts(text_part("username", "x", "X: " + "y" * 960 + "\r\n"), fine),
        parts(text_part("username", "x", "X: " + "y" * 970 + "\r\n"), fine),
        "p" * 1023 + "\r\n" + both, "p" * 1024 + "\r\n" + both, "p" * 1100 + "\r\n\r\n" + both,
        "\r\n\r\n" + "p" * 1100 + "\r\n" + both,
        parts(*["--X\r\n"] * 998, text_part("username", "u"), fine),
        parts(*["--X\r\n"] * 999, text_part("username", "u"), fine),
        parts(*["--X\r\n"] * 999, text_part("username", "u"), fine, end="--X"),
        parts(*["--X\r\n\r\n"] * 999, text_part("username", "u"), fine),
        parts(*[named("Content-Disposition: form-data; name=f; filename=x")] * 100, text_part("username", "u"), fine),
        parts(*[named("Content-Disposition: form-data; name=f; filename=x")] * 101, text_part("username", "u"), fine),
    ]
    for line in [
        "Content-Disposition: form-data; name=username", "content-disposition: form-data; NAME=username",
        "CONTENT-DISPOSITION: FORM-DATA; name='username'", "Content-Disposition : form-data; name=username",
        "Content-Disposition:form-data;name=username", "Content-Disposition: form-data", "Content-Disposition: name=username",
        "Content-Disposition; name=username", " Content-Disposition: form-data; name=username",
        "Content-Disposition: attachment; name=username", "Content-Disposition: form-data; name*=utf-8''user%6eame",
        "Content-Disposition: form-data; name*=nope''username", "Content-Disposition: form-data; name*0=user; name*1=name",
        "Content-Disposition: form-data; name*1=name; name*0=user", "Content-Disposition: form-data; name*0*=utf-8''us%65r; name*1=name",
        "Content-Disposition: form-data; name*=a; name*0=b", "Content-Disposition: form-data; name*=username",
        "Content-Disposition: form-data; name=x; name=username", 'Content-Disposition: form-data; name="user\\"name"',
        'Content-Disposition: form-data; name="a;b"; name=username', 'Content-Disposition: form-data; name="username',
        "Content-Disposition: form-data; name=<username>", "Content-Disposition: form-data; name=a\r\nContent-Disposition: x; name=username",
        "Content-Disposition: x; name=username; filename=f\r\nContent-Disposition: x; name=username", "junk\r\nContent-Disposition: x; name=username",
        "Content-Disposition: x; name=username\r\nX: \u00e9\r\nY: z; a*=nope''b", "Content-Disposition: x;\r\n name=username",
        "Content-Disposition: x; name=username; filename*=utf-8''a.txt", "Content-Disposition: x; name=username; filename=a/",
        "Content-Disposition: x; name=username; filename=..", "Content-Disposition: x; name=username; filename=&#46;",
        "Content-Disposition: x; name=username; filename=a&sol;", "Content-Disposition: x; name=username; filename=a\\..",
        'Content-Disposition: x; name=username; filename="\u00a0"', "Content-Disposition: x; name=username; filename=\u200b",
        "Content-Disposition: x; name=username; filename=\u00e9", 'Content-Disposition: x; name=""; filename=f',
        "Content-Disposition: x; name=; username", "Content-Disposition: x; name=username; filename=f\r\nContent-Transfer-Encoding: base64",
        "Content-Disposition: x; name=username; filename=f\r\nContent-Transfer-Encoding: 7bit",
        "Content-Disposition: x; name=username; name*=utf-8''password", "Content-Type: text/plain",
    ]:
        bodies.append(parts(named(line, "YWJj"), fine))
        bodies.append(parts(named(line + "\r\nX: y", "YWJ"), fine))
    for content in bodies:
        body(MULTIPART, content)
    for raw in [both.encode().replace(b"alice", b"\xff\xe9"), both.encode().replace(b'name="u', b'name="\xff'), both.encode() + b"\xff"]:
        body(MULTIPART, raw)
    for kind in [
        "multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary=""', "multipart/form-data; boundary=Y",
        'multipart/form-data; boundary="X"', "multipart/form-data; Boundary=X", "multipart/form-data; boundary=X; boundary=Y",
        'multipart/form-data; boundary="X "', 'multipart/form-data; boundary=" X"', "multipart/form-data; boundary=\xe9",
        "multipart/form-data; boundary*=utf-8''X", "multipart/form-data; boundary*=utf-8''%C3%A9", "multipart/form-data; boundary*0=X",
        "multipart/form-data; boundary=" + "X" * 201, "multipart/form-data; boundary=" + "X" * 202, "multipart/form-data; boundary=X\tX",
        "MULTIPART/form-data; boundary=X", "multipart/FORM-data; boundary=X", "multipart/mixed; boundary=X", "multipart/*; boundary=X",
        "*/*; boundary=X",
    ]:
        body(kind, both, "mjf")
    for name in ("latin-1", "utf-16", "cp1252", "ascii", "utf-16-le"):
        body(MULTIPART + "; charset=" + name, both.replace("alice", "\u00e9%E9").encode())
        body(MULTIPART + "; charset=" + name, both.replace("alice", "\u00e9").encode("latin-1"))
        body(MULTIPART + "; charset=" + name, parts(text_part("username".encode("utf-16-le").decode(), "a"), fine))


def random_cases(generator):
    fragments = [
        "--X", "--X--", "\r\n", "\n", "\r", "\r\n\r\n", "Content-Disposition: form-data; name=", '"username"', '"password"', "; filename=",
        '"f"', ";", "=", '"', "\\", "Content-Transfer-Encoding: base64", "YQ==", "a", " ", "-", "\u00e9", "*=utf-8''", "*0", ":",
    ]
    for _ in range(60):
        body(MULTIPART, "".join(generator.choice(fragments) for _ in range(generator.randrange(3, 40))))
    pieces = ["username", "password", "=", "&", "+", "%", "%41", "%C3", "%A9", "\u00e9", "a", ";", "%ff", "%2", "&&", "=="]
    for _ in range(50):
        body(FORM, "".join(generator.choice(pieces) for _ in range(generator.randrange(1, 16))))
    tokens = ["{", "}", "[", "]", ":", ",", '"username"', '"password"', '"a', "1", "-1.5e3", "null", "true", " ", "\n", "\\u00", '"', "NaN", "\u00e9"]
    for _ in range(70):
        body(JSON, "".join(generator.choice(tokens) for _ in range(generator.randrange(1, 12))))


def negotiation_cases(generator):
    headers = [
        None, "", " ", ",", "*/*", "*", "*/json", "application/json", "text/html", "application/*", "text/*", "image/png", "APPLICATION/JSON",
        "application/json; indent=4", "application/json;indent=0", "application/json; indent=9", "application/json; indent=-3",
        "application/json; indent=x", "application/json; indent=", 'application/json; indent="4"', "application/json; indent= 4_0 ",
        "application/json; INDENT=2", "application/json; indent=+3", "application/json; indent=1; indent=5", "application/json; q=0.1",
        "application/json; q=0", "*/*; indent=4", "application/*; indent=4; q=1", "application/json; charset=utf-8", "text/html; indent=4",
        "text/html;q=0.1, application/json;q=0.9", "application/json, text/html", "text/html, */*", "*/*, text/html", "text/html; level=1, application/json",
        "application/*, text/html", "application/json, */*; indent=3", "image/png, application/json;q=0.1", "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8",
        "application/json;", ";", "application/json; a*=nope''b", "application/json; indent*=utf-8''4", "application/json; indent*0=1; indent*1=2",
        "application / json", "application/json/x", "text/html/*", " application/json ", "\xa0application/json\x85", "\xe9/\xe9", '"*/*"',
        "application/json; x=\"a,b\"", "x" * 257 + ", application/json", "application/json;" + "x" * 240 + ", text/html", "application/json;" + "x" * 239,
        ", ".join(["image/png"] * 63 + ["application/json"]), ", ".join(["image/png"] * 64 + ["application/json"]), "," * 100 + "application/json",
        "x," * 4096 + "application/json", "x" * 8176 + ",application/json", "image/png," * 62 + "y" * 7558 + ",*/*", "y" * 9000, "y" * 8180 + ",text/html",
        "application/json; indent=\u00b2", "application/json; indent=1e1", "*/*; indent=\"4\"", "*/*; indent=\"a b\"", "*/*;q=0.5;indent=2", "application/json ; indent = 7",
    ]
    for order in ("j", "jb", "b", "bj"):
        for header in headers if order == "jb" else headers[::2]:
            accept(header, order=order)
        for query in [
            "format=json", "format=api", "format=xml", "format=", "format", "format=JSON", "format=xml&format=json", "format=json&format=", "a=b",
            "%66ormat=js%6Fn", "format=json+", "format=%FF", "Format=xml", "&" * 999, "&" * 1000, "format=json;x=1", "format=\u00e9".encode().decode("latin-1"),
        ]:
            accept(None, query, order)
        for query in ("format=json", "format=api"):
            for header in ("text/html", "application/json; indent=2", "*/*", "image/png", ""):
                accept(header, query, order)
    ranges = ["*/*", "text/html", "text/*", "application/json", "application/*", "image/*", "application/json; indent=2", "text/html;q=0.3", "*/*;q=0", "a/b"]
    for _ in range(60):
        accept(",".join(generator.sample(ranges, generator.randrange(1, 5))), order=generator.choice(["j", "jb", "bj"]))


def write(name, cases):
    target = pathlib.Path(__file__).parent.parent / "testdata" / "compat" / name
    seen = dict.fromkeys(json.dumps(case, ensure_ascii=False) for case in cases)
    target.write_text("".join(line + "\n" for line in seen), encoding="utf-8")
    print(name, len(seen), "cases", target.stat().st_size, "bytes")


def main():
    generator = random.Random(20261)
    json_cases()
    type_cases()
    charset_cases()
    form_cases()
    multipart_cases()
    random_cases(generator)
    negotiation_cases(generator)
    write("body_cases.jsonl", BODY_CASES)
    write("negotiation_cases.jsonl", NEGOTIATION_CASES)


urlpatterns += [path("body/mjf", body_view("mjf"))]

if __name__ == "__main__":
    main()
