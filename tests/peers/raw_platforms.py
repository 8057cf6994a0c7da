"""Bare clients of the open API and of ETCP, from their documents alone: the sandbox's two later platforms meet them."""
import json
import urllib.parse

import normal_form
from etcp_server import CALLS as ETCP_CALLS
from etcp_server import MERCHANT_KEY, MERCHANT_NO, VERSION, sign, stamp
from push_client import PushClient, compact
from union_facts import BESIDE, CALLS, COMMUNITY, INSIDE


class RawUnion(PushClient):
    """union_id in its place, the exact text signed."""

    def call(self, name, data=None, path=None, sign=None, envelope=None, union_id=None, key=None, timeout=5.0):
        """(status, answer)."""
        facts = CALLS[name]
        vendor = int(self.union_id) if union_id is None else union_id
        data = dict(facts.sample if data is None else data)
        envelope = envelope or facts.envelope
        around = {}
        if facts.section.startswith("10."):
            data.setdefault("service_name", name)
        if envelope == INSIDE:
            data.setdefault("union_id", vendor)
        if envelope in (BESIDE, COMMUNITY):
            around["union_id"] = vendor
        if envelope == COMMUNITY:
            around.update(platform_name=data.pop("platform_name", "Shanghai"), timestamp=1645690842)
        text = compact(data)
        around["sign"] = normal_form.sign_text(text, key or self.ukey) if sign is None else sign
        body = '{"data":%s,%s' % (text, compact(around)[1:])
        return self.ask(self.prefix + (path or facts.path), body, timeout=timeout)


class RawEtcp(PushClient):
    merchant_no, merchant_key = MERCHANT_NO, MERCHANT_KEY

    def call(self, name, data, method=None, key=None, merchant_no=None, time_stamp=None, sign_as=None, leave_out=(), timeout=5.0):
        """(status, answer); data: members, or a text."""
        text = data if isinstance(data, str) else compact(data)
        moment = time_stamp or stamp()
        form = {"merchant_no": merchant_no or self.merchant_no, "time_stamp": moment, "data": text,
                "sign": sign(text, key or self.merchant_key, moment) if sign_as is None else sign_as}
        form = urllib.parse.urlencode({m: v for m, v in form.items() if m not in leave_out}, quote_via=urllib.parse.quote)
        path = "%s/merchant/open/%s/openapi/%s" % (self.prefix, VERSION, name)
        kind = "application/x-www-form-urlencoded;charset=utf-8"
        if (method or ETCP_CALLS[name][1]) == "GET":
            return self.ask(path + "?" + form, "", method="GET", timeout=timeout)
        return self.ask(path, form, method=method or "POST", content_type=kind, timeout=timeout)

    def done(self, name, data, **how):
        """The data of an answer with code 0."""
        status, answer = self.call(name, data, **how)
        if status != 200 or not isinstance(answer, dict) or answer.get("code") != 0:
            raise AssertionError("%s: %s %s" % (name, status, json.dumps(answer, ensure_ascii=False)[:400]
                                                if not isinstance(answer, bytes) else answer[:400]))
        return answer.get("data")
