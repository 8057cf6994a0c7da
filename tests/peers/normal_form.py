"""The normal form of the parking cloud, written from its rules alone (cloud-tcp, section 3), and a strict JSON reader.

Run as a program it checks itself against tests/vectors/cloud-sign.json.

A document is read into: dict (insertion order), list, str, bool, None and Num (the text of a number, never a float).
`read_lenient` takes what the server takes, `read_strict` what RFC 8259 takes. Both tell where each value of the outermost
object stood, so that a referee can compare the text that was sent with the text that was signed.
"""
import hashlib
import json
import os
import sys

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "cloud-sign.json")


class BadJson(ValueError):
    """The text is not JSON (or not even what the server takes for it)."""


class Num(object):
    """A number as it was written."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return "Num(%s)" % self.text

    def __eq__(self, other):
        if isinstance(other, Num):
            return decimal_text(self.text) == decimal_text(other.text)
        if isinstance(other, bool):
            return False
        return isinstance(other, (int, float)) and float(self.text) == float(other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(decimal_text(self.text))

    def __int__(self):
        return int(float(self.text)) if any(c in self.text for c in ".eE") else int(self.text)

    def __float__(self):
        return float(self.text)


def plain(value):
    """A read value as json.dumps takes it."""
    if isinstance(value, Num):
        try:
            return int(value.text)
        except ValueError:
            return float(value.text)
    if isinstance(value, dict):
        return dict((k, plain(v)) for k, v in value.items())
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


SHORT = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
LENIENT_SHORT = dict(SHORT, **{"'": "'", "v": "\x0b", "F": "\f",
                               "0": "\0", "1": "\x01", "2": "\x02", "3": "\x03", "4": "\x04", "5": "\x05", "6": "\x06",
                               "7": "\x07"})
HEX = set("0123456789abcdefABCDEF")
DIGITS = set("0123456789")
BARE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$0123456789")


class _Reader(object):
    def __init__(self, text, lenient):
        self.text, self.at, self.lenient = text, 0, lenient
        self.spans = {}

    def fail(self, what):
        raise BadJson("%s at character %d" % (what, self.at))

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else ""

    def blank(self):
        while True:
            c = self.peek()
            if c and c in " \t\r\n" or (self.lenient and c and c in "\f\b"):
                self.at += 1
            elif self.lenient and self.text.startswith("/*", self.at):
                end = self.text.find("*/", self.at + 2)
                if end < 0:
                    self.fail("open comment")
                self.at = end + 2
            elif self.lenient and self.text.startswith("//", self.at):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return

    def document(self):
        self.blank()
        value = self.value(0)
        self.blank()
        if self.at != len(self.text):
            self.fail("trailing text")
        return value

    def value(self, depth):
        if depth > 400:
            self.fail("too deep")
        c = self.peek()
        if c == "{":
            return self.object(depth)
        if c == "[":
            return self.array(depth)
        if c == '"' or (c == "'" and self.lenient):
            return self.string(c)
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        return self.number()

    def object(self, depth):
        self.at += 1
        out = {}
        self.blank()
        if self.peek() == "}":
            self.at += 1
            return out
        while True:
            self.blank()
            c = self.peek()
            if c == '"' or (c == "'" and self.lenient):
                name = self.string(c)
            elif self.lenient and c in BARE:
                start = self.at
                while self.peek() and self.peek() in BARE:
                    self.at += 1
                name = self.text[start:self.at]
            elif self.lenient and c == ",":
                self.at += 1
                continue
            elif self.lenient and c == "}":
                self.at += 1
                return out
            else:
                self.fail("name expected")
            self.blank()
            if self.peek() != ":":
                self.fail("colon expected")
            self.at += 1
            self.blank()
            start = self.at
            value = self.value(depth + 1)
            if depth == 0:
                self.spans[name] = (start, self.at)
            out[name] = value  # a name seen before keeps its first place and takes the last value
            self.blank()
            c = self.peek()
            self.at += 1
            if c == "}":
                return out
            if c != ",":
                self.at -= 1
                self.fail("comma expected")

    def array(self, depth):
        self.at += 1
        out = []
        self.blank()
        if self.peek() == "]":
            self.at += 1
            return out
        while True:
            self.blank()
            if self.lenient and self.peek() == ",":
                self.at += 1
                continue
            if self.lenient and self.peek() == "]":
                self.at += 1
                return out
            out.append(self.value(depth + 1))
            self.blank()
            c = self.peek()
            self.at += 1
            if c == "]":
                return out
            if c != ",":
                self.at -= 1
                self.fail("comma expected")

    def string(self, quote):
        self.at += 1
        out = []
        while True:
            c = self.peek()
            if not c:
                self.fail("open string")
            self.at += 1
            if c == quote:
                break
            if c != "\\":
                if not self.lenient and ord(c) < 0x20:
                    self.fail("raw control character")
                out.append(c)
                continue
            c = self.peek()
            self.at += 1
            if c == "u":
                digits = self.text[self.at:self.at + 4]
                if len(digits) < 4 or not set(digits) <= HEX:
                    self.fail("bad \\u escape")
                self.at += 4
                out.append(chr(int(digits, 16)))
            elif c == "x" and self.lenient:
                digits = self.text[self.at:self.at + 2]
                if len(digits) < 2 or not set(digits) <= HEX:
                    self.fail("bad \\x escape")
                self.at += 2
                out.append(chr(int(digits, 16)))
            else:
                table = LENIENT_SHORT if self.lenient else SHORT
                if c not in table or not c:
                    self.fail("unknown escape")
                out.append(table[c])
        # Two escaped halves of a pair are one character; a half alone stays a half.
        return "".join(out).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

    def number(self):
        start = self.at
        c = self.peek()
        if c == "-" or (c == "+" and self.lenient):
            self.at += 1
        whole = self.digits()
        if not whole:
            self.fail("value expected")
        if not self.lenient and len(whole) > 1 and whole[0] == "0":
            self.fail("leading zero")
        if self.peek() == ".":
            self.at += 1
            if not self.digits() and not self.lenient:
                self.fail("digit expected")
        if self.peek() and self.peek() in "eE":
            self.at += 1
            if self.peek() and self.peek() in "+-":
                self.at += 1
            if not self.digits():
                self.fail("digit expected")
        return Num(self.text[start:self.at])

    def digits(self):
        start = self.at
        while self.peek() and self.peek() in DIGITS:
            self.at += 1
        return self.text[start:self.at]


def read_lenient(text):
    """(document, spans of the outermost members) as the server reads it."""
    reader = _Reader(text, True)
    return reader.document(), reader.spans


def read_strict(text):
    """(document, spans of the outermost members); BadJson for anything RFC 8259 does not allow."""
    reader = _Reader(text, False)
    return reader.document(), reader.spans


def decimal_text(text):
    """A number in normal form: exact, the digits kept."""
    negative = text.startswith("-")
    body = text.lstrip("+-")
    mantissa, exponent = body, 0
    for mark in "eE":
        if mark in body:
            mantissa, power = body.split(mark)
            exponent = int(power)
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0") or "0"
    scale = len(fraction) - exponent
    sign = "-" if negative and digits != "0" else ""
    if "." not in body and "e" not in body and "E" not in body:
        return sign + digits
    adjusted = len(digits) - 1 - scale
    if scale >= 0 and adjusted >= -6:
        if scale == 0:
            return sign + digits
        padded = digits.rjust(scale + 1, "0")
        return sign + padded[:-scale] + "." + padded[-scale:]
    head = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return "%s%sE%s%d" % (sign, head, "+" if adjusted >= 0 else "-", abs(adjusted))


ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def quote(text):
    """A string in normal form."""
    out = ['"']
    for c in text:
        code = ord(c)
        if c in ESCAPES:
            out.append(ESCAPES[c])
        elif code < 0x20 or 0x7F <= code <= 0x9F or code in (0x2028, 0x2029):
            out.append("\\u%04X" % code)
        else:
            out.append(c)
    out.append('"')
    return "".join(out)


def write(value):
    """A read document in normal form."""
    if isinstance(value, dict):
        return "{" + ",".join(quote(k) + ":" + write(v) for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write(v) for v in value) + "]"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Num):
        return decimal_text(value.text)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    raise TypeError("no normal form for %r" % type(value))


def signed_text(data):
    """What the server signs for the value of `data`: its normal form, or the text itself where data is a string."""
    return data if isinstance(data, str) else write(data)


def sign_text(text, key):
    """The signature of a text: MD5 in upper case over text + "key=" + key."""
    return hashlib.md5((text + "key=" + key).encode("utf-8", "surrogatepass")).hexdigest().upper()


def sign(data, key):
    """The signature of a document."""
    return sign_text(signed_text(data), key)


def normal(text):
    """The normal form of a text as the server would read it."""
    return signed_text(read_lenient(text)[0])


def self_test():
    with open(VECTORS, encoding="utf-8") as f:
        vectors = json.load(f)
    assert len(vectors) == 68, len(vectors)
    for v in vectors:
        found = normal(v["data_sent"])
        assert found == v["server_normal_form"], (v["note"], found, v["server_normal_form"])
        assert sign_text(found, v["key"]) == v["sign"], v["note"]
        line = '{"service_name":"x","data":' + v["data_sent"] + ',"token":"t"}'
        document, spans = read_lenient(line)
        a, b = spans["data"]
        assert line[a:b] == v["data_sent"], v["note"]
        assert signed_text(document["data"]) == v["server_normal_form"]
        strict = "not valid JSON" not in v["note"]
        try:
            read_strict(v["data_sent"])
            assert strict, ("read as strict", v["note"])
        except BadJson:
            assert not strict, ("not read as strict", v["note"])
        if isinstance(document["data"], dict):  # the normal form is a fixed point
            assert normal(found) == found, v["note"]
    for bad in ('{"a":"\\q"}', '{"a":.5}', '{"a":1} x', '{"a":1', '{"a" 1}', "", "[1", '{"a":"\\u12"}'):
        try:
            read_lenient(bad)
        except BadJson:
            continue
        raise AssertionError("read: " + bad)
    for text, wanted in (("1e3", "1E+3"), ("-0", "0"), ("-0.0", "0.0"), ("0e5", "0E+5"), ("0.0000000", "0E-7"),
                         ("123e-2", "1.23"), ("-12.50e-1", "-1.250"), ("1.0e-10", "1.0E-10"), ("5e0", "5"),
                         ("99999999999999999999.50", "99999999999999999999.50")):
        assert decimal_text(text) == wanted, (text, decimal_text(text), wanted)
    return len(vectors)


if __name__ == "__main__":
    print("normal form: %d vectors ok" % self_test())
    sys.exit(0)
