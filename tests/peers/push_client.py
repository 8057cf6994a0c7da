"""A bare client that pushes to the library's listener as Bolink's open API and ETCP do, rightly or in every wrong way."""
import hashlib
import json
import urllib.parse

import normal_form
from raw_http import RawHttp


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def union_body(name, data, key, beside=None, sign=None, text=None):
    """{"data":{...},"sign":"..."}; service_name stands in data, for a list beside it."""
    if text is None:
        text = compact(data if isinstance(data, list) or name is None else dict(data, service_name=name))
    sign = normal_form.sign_text(text, key) if sign is None else sign
    around = "".join(',"%s":%s' % (member, compact(value)) for member, value in (beside or {}).items())
    return '{"data":%s,"sign":"%s"%s}' % (text, sign, around)


def etcp_sign(text, merchant_no, key):
    return hashlib.md5((merchant_no + text + key).encode("utf-8")).hexdigest().upper()


def etcp_text(data, merchant_no, key):
    """Reading (a): the signature is over the text without its member signment."""
    text = compact(data)
    return text[:-1] + ',"signment":"%s"}' % etcp_sign(text, merchant_no, key)


def etcp_remade(data, merchant_no, key):
    """Reading (b): over the members written again without blanks; the text sent has blanks."""
    return json.dumps(dict(data, signment=etcp_sign(compact(data), merchant_no, key)), ensure_ascii=False, indent=1)


def etcp_form(data, merchant_no, key):
    """Reading (c): a form with data and signment beside each other."""
    text = compact(data)
    return urllib.parse.urlencode({"data": text, "signment": etcp_sign(text, merchant_no, key)})


class PushClient(RawHttp):
    def push(self, path, body, timeout=6.0, content_type="application/json;charset=utf-8", method="POST"):
        """(status, headers, body in bytes) on a kept connection, made again where the other side has closed it."""
        for last in (False, True):
            try:
                self.send(path, body, method=method, content_type=content_type)
                return self.receive_bytes(timeout)
            except (OSError, IndexError) as e:
                self.close()
                if last or isinstance(e, TimeoutError):
                    raise

    def ask(self, path, body, **how):
        """(status, parsed answer)."""
        status, headers, raw = self.push(path, body, **how)
        if headers.get("connection", "").lower() == "close":
            self.close()
        try:
            return status, json.loads(raw.decode("utf-8"))
        except ValueError:
            return status, raw

    def raw(self, data):
        if self.sock is None:
            self.connect()
        self.sock.sendall(data)

    def status_of(self, data, timeout=3.0):
        """The status that these bytes get on a connection of their own; None when it is closed without one."""
        self.connect()
        try:
            self.raw(data)
            return self.receive_bytes(timeout)[0]
        except (ConnectionError, IndexError, ValueError):
            return None
        except OSError as e:
            if str(e) in ("closed", "cut"):
                return None
            raise
        finally:
            self.close()
