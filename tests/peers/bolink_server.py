"""Bolink's HTTP mode on 127.0.0.1, on bare sockets, written from the document alone, and a strict referee of its client.

    with BolinkServer() as bolink:
        bolink.plan("inpark", unavailable(1))
        bolink.push({"service_name": "query_price", ...})
        ...
        bolink.check()
"""
import collections
import time
import uuid

import normal_form
from http_referee import HttpReferee
from normal_form import plain
from peer_server import dump

UPLOAD, DOWNLOAD = "/bpd/upload.do", "/bpd/download.do"
DEAD_TOKEN = u"error:token无效"
WRONG_SIGN = u"error:签名错误"

# Downlinks and what their answer must carry beside state (SDK 3.1 to 3.4, 3.10, 3.12).
ANSWER_KEYS = {
    "query_price": ("order_id", "price", "duration"),
    "prepay_order": ("order_id", "prepay"),
    "nolicence_in_park": ("car_number", "timetemp"),
    "outpark": ("order_id", "trade_no"),
    "monthcard_pay": (),
    "deliver_ticket": ("ticket_id", "order_id"),
}
CLOUD_ONLY = ("upload_order", "upload_collector", "work_record", "park_log", "upload_month_card", "upload_price",
              "upload_month_member", "upload_liftrod", "month_pay_record", "upload_gate", "upload_blackuser",
              "upload_car_type", "upload_confirm_order")


class BolinkServer(HttpReferee):
    def __init__(self, union_id="200208", ukey="8403A41ED5EF20BC", park_id="21782", hold=30.0, no_message="empty_object"):
        HttpReferee.__init__(self)
        self.union_id, self.ukey, self.park_id = union_id, ukey, park_id
        self.hold, self.no_message = hold, no_message
        self.poll_within = None      # seconds after an answered poll within which the next one must come
        self.pushed, self.queue = [], collections.deque()
        self.tokens, self.polls = {}, {}
        self.asked = set()
        self.last_poll_answer = None
        self.login_at = None

    # -- for tests
    def push(self, members):
        """Hand a downlink to the long poll."""
        with self.news:
            self.pushed.append(members)
            self.asked.add(members.get("service_name"))
            self.queue.append(members)
            self.news.notify_all()

    def requests(self, name=None):
        with self.lock:
            return [r for r in self.received if r.path == UPLOAD and (name is None or r.name == name)]

    def downloads(self):
        with self.lock:
            return [r for r in self.received if r.path == DOWNLOAD]

    def logins(self):
        return self.requests("login")

    def polling(self):
        with self.lock:
            return len(self.polls)

    def open_conns(self):
        with self.lock:
            return [c for c in self.conns if c.open]

    def kill_tokens(self):
        with self.lock:
            self.tokens.clear()
            self.news.notify_all()

    # -- the referee
    def name_of(self, request):
        """Polls have no name of their own."""
        return "download" if request.path == DOWNLOAD else request.name

    def look_at_times(self):
        with self.lock:
            if self.poll_within is None or self.polls or self.login_at is None or self.stopping:
                return
            since = self.last_poll_answer or self.login_at
            if time.monotonic() - since > self.poll_within:
                self.violation("poll_late", "none for %.2f s" % (time.monotonic() - since))

    def ended(self, conn):
        self.polls.pop(conn, None)

    def poll_answered(self, request):
        with self.lock:
            if request.path == DOWNLOAD and self.polls.get(request.conn) is request:
                del self.polls[request.conn]
                self.last_poll_answer = time.monotonic()

    def look(self, request):
        bad = self.violation
        if request.method != "POST":
            bad("not_post", request.method)
        if request.path not in (UPLOAD, DOWNLOAD):
            bad("unknown_path", request.path)
        kind = request.headers.get("content-type", "").lower().replace(" ", "").split(";")
        if kind[0] != "application/json" or "charset=utf-8" not in kind[1:]:
            bad("content_type", request.headers.get("content-type"))
        if request.at < self.not_before.get(request.path, 0):
            bad("retry_after_ignored", request.path)
        try:
            request.body.decode("utf-8")
        except UnicodeDecodeError:
            bad("not_utf8", request.body[:200])
        try:
            request.doc, spans = normal_form.read_strict(request.text)
        except normal_form.BadJson as e:
            bad("not_json", "%s: %s" % (e, request.text[:200]))
            return
        if not isinstance(request.doc, dict):
            bad("not_an_object", request.text[:200])
            request.doc = {}
            return
        doc = request.doc
        request.name, request.sign, request.token = (doc.get(k) for k in ("service_name", "sign", "token"))
        request.data = doc.get("data")
        if "data" in spans:
            request.data_text = request.text[spans["data"][0]:spans["data"][1]]
        if request.path == DOWNLOAD:
            if list(doc) != ["token"]:
                bad("download_body", request.text[:200])
            for conn, other in list(self.polls.items()):
                if conn is not request.conn and other.doc.get("token") == doc.get("token") and not conn.gone():
                    bad("second_poll", "one is under way since %.2f s" % (request.at - other.at))
            if self.poll_within is not None:
                since = self.last_poll_answer or self.login_at or request.at
                if request.at - since > self.poll_within:
                    bad("poll_late", "%.2f s after the answer" % (request.at - since))
            self.polls[request.conn] = request
            return
        for member in doc:
            if member not in ("service_name", "sign", "token", "data"):
                bad("wrapper_member", member)
        if not isinstance(request.name, str) or not request.name:
            bad("no_service_name", request.text[:200])
            return
        if not isinstance(request.data, dict):
            bad("data_not_an_object", request.text[:200])
            return
        if request.name == "login":
            if "token" in doc:
                bad("token_at_login")
            for member in ("union_id", "park_id"):
                if not isinstance(request.data.get(member), str):
                    bad("login_without_" + member, request.data_text)
        elif not request.token:
            bad("no_token", request.name)
        if request.sign != normal_form.sign_text(request.data_text, self.ukey):
            bad("wrong_sign", request.text[:300])
        if request.name in ("in_park", "out_park"):
            bad("sdk_name_in_http_mode", request.name)
        if request.name in CLOUD_ONLY:
            bad("cloud_service", request.name)
        if self.is_answer(request):
            for member in ("state",) + (ANSWER_KEYS[request.name] if request.data.get("state") in (1, "1") else ()):
                if request.data.get(member) is None:
                    bad("incomplete_answer", "%s without %s" % (request.name, member))
            if request.name not in self.asked:
                bad("answer_unasked", request.name)

    def is_answer(self, request):
        """outpark is an exit of ours, or the answer to the platform's outpark, which says its trade_no."""
        if request.name == "outpark":
            return "trade_no" in request.data and "in_time" not in request.data
        return request.name in ANSWER_KEYS

    # -- what the server does
    def process(self, request):
        """(status, text of the answer)."""
        if request.path == DOWNLOAD:
            return self._download(request)
        with self.lock:
            try:
                return 200, dump(self._upload(request))
            finally:
                self.news.notify_all()

    def _upload(self, request):
        data, name = request.data, request.name
        if not isinstance(data, dict) or not isinstance(name, str):
            return {"state": 0, "errmsg": "data error"}
        if name == "login":
            if request.sign != normal_form.sign_text(request.data_text, self.ukey):
                return {"state": 0, "errmsg": WRONG_SIGN, "service_name": "login"}
            if data.get("union_id") != self.union_id or data.get("park_id") != self.park_id:
                return {"state": 0, "errmsg": u"车场不存在", "service_name": "login"}
            for token in [t for t, l in self.tokens.items() if l == data.get("local_id")]:
                del self.tokens[token]  # a fresh login replaces the earlier token
            token = uuid.uuid4().hex
            self.tokens[token] = data.get("local_id")
            self.login_at = time.monotonic()
            self.last_poll_answer = None
            return {"state": 1, "token": token, "service_name": "login"}
        if request.token not in self.tokens:
            return {"state": 0, "errmsg": DEAD_TOKEN}
        if request.sign != normal_form.sign_text(request.data_text, self.ukey):
            return {"state": 0, "errmsg": WRONG_SIGN, "service_name": name}
        if self.is_answer(request):
            self.answers.append(request)
            return {"state": 1, "errmsg": "", "service_name": name}
        self.stored.append((name, data))
        out = {"state": 1, "errmsg": "send success!", "service_name": name}
        for key in ("order_id", "channel_id", "type", "query_time", "time_temp"):
            if key in data:
                out[key] = plain(data[key])
        if name == "outpark" and data.get("pay_type") in ("wallet", "sweepcode"):
            out["state"] = 2
        if name == "code_url":
            out["code_url"] = "https://beta.bolink.club/unionapi/nolienceinpark?code=1"
        if name == "query_inpark":
            out["data"] = [{"order_id": plain(d.get("order_id")), "car_number": d.get("car_number"),
                            "in_time": plain(d.get("in_time"))}
                           for n, d in self.stored if n == "inpark" and d.get("car_number") == data.get("car_number")]
        if name == "query_order":
            out.update(query_order_no="q1", data=[{"state": 1, "order_id": plain(data.get("order_id")), "car_number": "x"}])
        return out

    def _download(self, request):
        end = time.monotonic() + self.hold
        with self.news:
            while True:
                if request.doc.get("token") not in self.tokens:
                    return 200, dump({"state": 0, "errmsg": DEAD_TOKEN})
                if self.queue and not request.conn.gone():
                    return 200, dump(self.queue.popleft())
                left = end - time.monotonic()
                if left <= 0 or self.stopping or request.conn.gone():
                    break
                self.news.wait(min(left, 0.05))
        return {"empty_object": (200, "{}"), "500": (500, ""), "empty_body": (200, ""),
                "state0": (200, u'{"state":0,"errmsg":"没有消息"}')}[self.no_message]
