"""Records what Python's json module makes of JSON texts: testdata/compat/json_cases.jsonl.

Run with Python 3.11 from the project's root: python3.11 compat/make_json_cases.py > testdata/compat/json_cases.jsonl
The first line says which Python made the file. Kinds of line:

  parse   `text` (or `points`, code points, when it holds surrogates): `strict` is the error text under DRF's STRICT_JSON,
          `loose` the one of json.loads; where there is none, `compact` is json.dumps(value, separators=(",", ":")),
          `unicode` the same with ensure_ascii=False, `indented` with indent=3 (both absent when the value holds surrogates)
  bytes   `hex`: json.loads(bytes); `error` or `compact`
  utf8    `hex`: codecs.getreader("utf-8"); `error` or `text`
  repr    `bits` (a float's, hexadecimal): `repr`
  int     `text`: `value`, the digits of int(text); null where that raises. The digits of every script are among them
"""

import codecs
import io
import json
import platform
import random
import struct
import sys
import unicodedata

random.seed(20250615)


def strict_constant(literal):
    raise ValueError("Out of range float values are not JSON compliant: " + repr(literal))


def attempt(function):
    try:
        return function(), None
    except (ValueError, UnicodeError) as error:
        return None, str(error)


def emit(**line):
    print(json.dumps(line, separators=(",", ":")))


def encodable(text):
    try:
        text.encode()
        return True
    except UnicodeEncodeError:
        return False


def parse_case(text):
    line = {"kind": "parse"}
    if encodable(text):
        line["text"] = text
    else:
        line["points"] = [ord(character) for character in text]
    value, loose = attempt(lambda: json.loads(text))
    _, strict = attempt(lambda: json.loads(text, parse_constant=strict_constant))
    line["strict"], line["loose"] = strict, loose
    if loose is None:
        line["compact"] = json.dumps(value, separators=(",", ":"))
        unicode = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        if encodable(unicode):
            line["unicode"] = unicode
            line["indented"] = json.dumps(value, indent=3, separators=(",", ": "), ensure_ascii=False)
    emit(**line)


emit(kind="made-by", python=platform.python_version(), implementation=platform.python_implementation())

texts = [
    "", " ", "\n", "\t\r\n ", "\ufeff{}", "{}", "[]", " {} ", "{} x", "{}}", "[]]", "[1,]", "[,1]", "[1 2]", "[1", "[", "{",
    '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', "{a:1}", "{'a':1}", '{"a" 1}', '{"a":1 "b":2}', "{1:2}", '{"a":}',
    "nul", "null", "nulll", "true", "tru", "True", "false", "fals", "None", "NaN", "Infinity", "-Infinity", "-Inf", "Na",
    "[NaN, Infinity, -Infinity]", '{"a":NaN}', "-NaN", "+1", "-", "--1", "01", "-01", "00", "1.", "1.e5", ".5", "1e", "1e+",
    "1E5", "1e-5", "1e400", "-1e400", "1e-400", "-0", "-0.0", "0e5", "1.50", "1e16", "1e15", "123456789012345678", "1.0",
    "0.0001", "0.00001", "123456789.123456789", "5e-324", "1.7976931348623157e308", "1.7976931348623159e308", "1e22", "1e23",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1" * 60, "0x10", "1_000",
    "\uff11", "9" * 4300, "-" + "9" * 4300, "9" * 4301, "-" + "9" * 5000, "[1, " + "8" * 4301 + "]", "9" * 4301 + ".0",
    '"', '"abc', '"\\', '"\\"', '"\\u', '"\\u0', '"\\u00e9', '"\\u00e9"', '"\\u00E9x"', '"\\u00g9"', '"\\u 0e9"', '"\\x41"',
    '"\\a"', '"\\\u00e9"', '"\\\n"', '"a\nb"', '"a\tb"', '"\x00"', '"\x1f"', '"\x7f"', '"\\ud800"', '"\\ud800\\udc00"',
    '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"\\ud83d\\ud83d\\ude00"', '"\\ude00\\ud83d"', '"\\ud83dx"', '"\\ud83d\\n"',
    '"\\ud83d\\u0041"', '"\\ud83d\\u00', '"\\ud83d\\ude00', '"\\ud83d\\u00zz"', '"\\ud83d\\u12\u00e9"', '"\\ud83d\\',
    '"\\ud83d\\u12\u00e93"', '"\\b\\f\\n\\r\\t\\/\\\\\\""', '"\u2028\u2029\U0001f600\u00e9"', '"\u00e9\u00e9\x01"',
    '["\u00e9\n\u20ac", x]', '{"\u00e9":1,\n "\U0001f600": ]}', '[\n\n  1,\r\n  2,\r  x]', '{"a":1,"b":2,"a":3}', '{"":0}',
    '{"a":{"b":[1,{"c":[]},{}]},"d":[]}', '{"a":1}\x0b', "\x0c1", "1\u00a0", "\u00a01", "[1,2]\x00", "\x00", "//x", "1 // x",
    "[[[[[[[[[[1]]]]]]]]]]", "[" * 30 + "]" * 29, '{"a":' * 20 + "1" + "}" * 20, '"\\u0000"', '{"a\\ud800b":"\\udfff"}',
    '["\\u007f", "\x7f", "\\u0080"]', '{"k":"v",}', '{,}', "[,]", "{:}", '{"a"::1}', '{"a":1,,"b":2}', '["a""b"]', "''", "'a'",
    '"a" "b"', "[1,\n]", "[\n", "{\n", '{"a":\n', '{"a"\n', "tru\n", '{"long": "' + "x" * 200 + '", }', "1e5.5", "1e5e5",
    "[1e, 2]", "[1.]", "[-]", "[0123]", "[- 1]", "[1-]", "{\"a\":-}", "\ud800", '"\ud800"', '"\ud83d\ude00"', '[\ud800, 1]',
    '"\udfff\\ud800"', '"\ud83d\\ude00"', '"\\ud83d\ude00"', "[true,false,null]", "[truefalse]", "[nullnull]", "[1]2", "12 34",
]
for text in texts:
    parse_case(text)

seeds = [
    '{"username": "al\u00efce", "password": "p\\u00e4\\n", "n": [1, -2.5e3, true, null, {"x": []}]}',
    '[{"a":1,"b":[2,3.0]},{"c":"\\ud83d\\ude00\u20ac"},[],{}, -0, 1E+2, "\\\\"]',
    '{\n  "token_type": "access",\n  "exp": 1750000300,\n  "jti": "0f1e2d3c"\n}',
]
pieces = list('{}[]",:\\ \n\t0123456789.eE+-truefalsn\u00e9\x00\x1f\ufeff\U0001f600') + ["\\u", "\\ud83d", "\\ude00", "NaN", '""']
for _ in range(420):
    text = list(random.choice(seeds))
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        place = random.randrange(len(text))
        match random.randrange(4):
            case 0:
                del text[place:place + random.choice([1, 1, 2, 5])]
                text = text or ["["]
            case 1:
                text.insert(place, random.choice(pieces))
            case 2:
                text[place] = random.choice(pieces)
            case 3:
                text = text[:place] or ["{"]
    parse_case("".join(text))


def bytes_case(data):
    value, error = attempt(lambda: json.loads(data))
    line = {"kind": "bytes", "hex": data.hex(), "error": error}
    if error is None:
        line["compact"] = json.dumps(value, separators=(",", ":"))
    emit(**line)


documents = ['{"a":"\u00e9\U0001f600"}', "{}", "1", "", '"\\ud800"', "[1,", "\ufeff1", "12", "123"]
encodings = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
for document in documents:
    for encoding in encodings:
        bytes_case(document.encode(encoding))
bytes_case(codecs.BOM_UTF16_BE + '{"b":1}'.encode("utf-16-be"))
bytes_case(codecs.BOM_UTF32_BE + '{"b":1}'.encode("utf-32-be"))
for data in [
    b'{"a":"\xed\xa0\x80"}', b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}', b'{"a":"\xff"}', b'"\xe2\x82"', b'"\xe2\x82', b'"\xf0\x9f\x98"',
    b'"\xc0\xaf"', b'"\xf5\x80"', b'"\x80"', b"\x00", b"\x00\x00", b"\x00\x00\x00", b"1\x00", b"\x001", b"\x00\x00\x001", b"1\x00\x00\x00",
    b"\x001\x00", b"\xfe\xff", b"\xff\xfe", b"\xff\xfe\x00\x00", b"\xff\xfe1", b"\x00\x00\xfe\xff1", b"\xef\xbb\xbf", b"\xef\xbb",
    '"'.encode("utf-16-le") + b"\x00\xd8" + '"'.encode("utf-16-le"), '"'.encode("utf-16-be") + b"\xdc\x00" + '"'.encode("utf-16-be"),
    '"'.encode("utf-32-le") + b"\x00\x00\x11\x00" + '"'.encode("utf-32-le"), b'"\x00\x00\x00\x00\xd8\x00\x00"\x00\x00\x00',
    b"{\x00\x00\x00}\x00\x00\x00\x00", b"{\x00}", b"{\x00}\x00\x00", b'"\xed\xa0"', b'"\xed\xa0', b'"\xed', b'"\xf4\x90\x80\x80"',
]:
    bytes_case(data)


def utf8_case(data):
    text, error = attempt(lambda: codecs.getreader("utf-8")(io.BytesIO(data)).read())
    emit(kind="utf8", hex=data.hex(), error=error, text=text)


for data in [
    b"", b"abc", "\u00e9\u20ac\U0001f600".encode(), b"ab\xff", b"ab\xffcd", b"\x80", b"a\xc3", b"a\xc3(", b"\xe2\x82", b"\xe2\x82A",
    b"\xe2(\xa1", b"\xf0\x9f", b"\xf0\x9f\x98", b"\xf0\x9f\x98A", b"\xf0(\x8c\xbc", b"\xc0\xaf", b"\xc1", b"\xf5", b"\xf4\x90\x80\x80",
    b"\xf4\x90", b"\xed\xa0\x80", b"\xed\xa0", b"\xed\xbf", b"\xed", b"\xed\xa0a", b"\xe0\x80", b"\xe0\x80\x80", b"\xf0\x80", b"ok\xe2",
    b"\xff\xe2", b"\xe2\xe2", b"\xf0\x9f\xf0", b"\xef\xbb\xbf{}",
]:
    utf8_case(data)
for _ in range(120):
    utf8_case(bytes(random.choice(b"\x41\x7f\x80\x9f\xa0\xbf\xc0\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5\xff") for _ in range(random.randrange(1, 7))))

floats = [0.0, -0.0, 1.0, 1e15, 1e16, 1e17, 123456789012345.6, 1e-4, 1e-5, 1.5e-7, 1e100, 5e-324, 2.2250738585072014e-308, 0.1, 1 / 3,
          float("inf"), float("-inf"), float("nan"), 1e22, 1e23, 9007199254740993.0, 1750000000.123]
for _ in range(150):
    floats.append(struct.unpack(">d", random.randbytes(8))[0])
for _ in range(60):
    floats.append(random.uniform(-1, 1) * 10 ** random.randrange(-7, 19))
for number in floats:
    emit(kind="repr", bits=struct.pack(">d", number).hex(), repr=repr(number))



def int_case(text):
    value, _ = attempt(lambda: int(text))
    emit(kind="int", text=text, value=None if value is None else str(value))


digits = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Nd"]
for start in range(0, len(digits), 10):
    int_case("".join(digits[start:start + 10]))
for text in [
    "1", " +1 ", "-12", "1_000", "1__0", "_1", "1_", "", " ", "+", "- 1", "+-1", "-\u0967_\u0966", "\u00b2", "\u2460", "\u0be7\u0bf0",
    "\u4e00", "\u2212\u0661", "0x1", "1.0", "1e3", "1\0", "\u0661\x7f", "\x1c1", "\x1c\u0661", "\u00a01\x1f", "1\x85", "\u20031",
    "\u200b1", "9" * 30, "-" + "9" * 19, "0" * 4300, "0" * 4301, "\u0660" * 4301,
    # Digits of Unicode 15 and later, which this Python does not know.
    "\U00010d41", "\U000116d1", "\U00011bf1", "\U00011de1", "\U00011f51", "\U00016131", "\U00016d71", "\U0001ccf1", "\U0001e4f1", "\U0001e5f2",
]:
    int_case(text)
for _ in range(200):
    int_case("".join(random.choice(["1", "0", "_", "-", " ", "\t", "\x1f", "\u00a0", "\u3000", random.choice(digits)]) for _ in range(random.randrange(1, 6))))

if sys.version_info[:2] != (3, 11):
    sys.exit("the texts wanted are those of Python 3.11")
