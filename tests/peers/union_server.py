"""Bolink's open HTTP API on 127.0.0.1, written from the document alone (API 1 to 8, 10), and a strict referee of its client."""
import json

import normal_form
from http_referee import HttpReferee
from normal_form import plain
from peer_server import dump
from union_facts import BESIDE, CALLS, COMMUNITY, INSIDE, UPLOAD_DATA

BY_PATH = {c.path: c for c in CALLS.values() if c.path != UPLOAD_DATA}


def values(members):
    """`name:type=a|b` as (name, type, allowed)."""
    for word in members.split():
        name, _, rest = word.partition(":")
        kind, _, allowed = rest.partition("=")
        yield name, kind, allowed.split("|") if allowed else None


class UnionServer(HttpReferee):
    def __init__(self, union_id="200208", ukey="8403A41ED5EF20BC"):
        HttpReferee.__init__(self)
        self.union_id, self.ukey = union_id, ukey

    def answered(self, name, members, times=1):
        """The next calls of this name get this answer."""
        self.plan(name, lambda job: job.respond(200, members if isinstance(members, str) else dump(members)), times)

    def look(self, request):
        bad = self.violation
        if request.method != "POST":
            bad("not_post", request.method)
        kind = request.headers.get("content-type", "").lower().replace(" ", "").split(";")
        if kind[0] != "application/json" or not set(kind[1:]) <= {"charset=utf-8"}:
            bad("content_type", request.headers.get("content-type"))
        try:
            request.body.decode("utf-8")
            request.doc, spans = normal_form.read_strict(request.text)
        except (UnicodeDecodeError, normal_form.BadJson) as e:
            bad("not_json", "%s: %r" % (e, request.body[:200]))
            return
        if not isinstance(request.doc, dict) or not isinstance(request.doc.get("data"), dict):
            bad("no_data", request.text[:200])
            return
        request.data = request.doc["data"]
        request.data_text = request.text[spans["data"][0]:spans["data"][1]]
        request.sign = request.doc.get("sign")
        if request.sign != normal_form.sign_text(request.data_text, self.ukey):
            bad("wrong_sign", request.text[:300])
        if request.path == UPLOAD_DATA:
            call = CALLS.get(request.data.get("service_name"))
        else:
            call = BY_PATH.get(request.path)
        if call is None:
            bad("unknown_path", "%s %s" % (request.path, request.text[:100]))
            return
        request.name = call.name
        self._envelope(request, call)
        self._members(request, call)

    def _envelope(self, request, call):
        """Where union_id sits (API 2 to 10, the envelope of each entry)."""
        beside, inside = request.doc.get("union_id"), request.data.get("union_id")
        around = {INSIDE: {"data", "sign"}, BESIDE: {"data", "sign", "union_id"},
                  COMMUNITY: {"data", "sign", "union_id", "platform_name", "timestamp"}}[call.envelope]
        if set(request.doc) != around:
            self.violation("envelope", "%s (%s): %s around data" % (call.name, call.section, sorted(request.doc)))
        there, elsewhere = (inside, beside) if call.envelope == INSIDE else (beside, inside)
        if there is None or elsewhere is not None or str(plain(there)) != self.union_id:
            self.violation("union_id", "%s (%s): beside %r, inside %r" % (call.name, call.section, beside, inside))
        if call.envelope != COMMUNITY and call.name != "addInvoiceOrder" and not isinstance(there, normal_form.Num):
            self.violation("union_id_type", "%s (%s): %r" % (call.name, call.section, there))

    def _members(self, request, call):
        for name, kind, allowed in values(call.members):
            value = request.data.get(name)
            number = isinstance(value, normal_form.Num) or isinstance(value, str) and value.replace(".", "", 1).isdigit()
            right = {"n": number, "s": isinstance(value, str), "o": isinstance(value, dict)}[kind]
            if not right:
                self.violation("member", "%s (%s): %s is %r" % (call.name, call.section, name, value))
            elif allowed and str(plain(value)) not in allowed:
                self.violation("value", "%s (%s): %s is %r" % (call.name, call.section, name, value))
        if call.name == "etcPayApi" and request.data.get("pay_type") == "my":
            for name in ("empty_plot", "total_original", "inpark_img", "outpark_img"):
                if request.data.get(name) in (None, ""):
                    self.violation("member", "etcPayApi (3.7): pay_type my without %s" % name)

    def process(self, request):
        call = CALLS.get(request.name)
        if call is None:
            return 200, dump({"state": 0, "errmsg": "data error"})
        if request.sign != normal_form.sign_text(request.data_text, self.ukey):
            return 200, json.dumps(call.refusal, ensure_ascii=False)
        answer = dict(call.success)
        if "order_id" in answer and "order_id" in request.data:
            answer["order_id"] = request.data["order_id"]
        return 200, dump(answer)
