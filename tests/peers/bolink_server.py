"""Bolink's HTTP mode on 127.0.0.1, on bare sockets, written from the document alone, and a strict referee of its client.

    with BolinkServer() as bolink:
        bolink.plan("inpark", unavailable(1))
        bolink.push({"service_name": "query_price", ...})
        ...
        bolink.check()
"""
import collections
import json
import random
import socket
import threading
import time
import uuid

import normal_form
from http_conn import HttpConn, read_request

Violation = collections.namedtuple("Violation", "rule detail at")

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


def dump(members):
    names = list(members)
    random.shuffle(names)
    return json.dumps({n: members[n] for n in names}, ensure_ascii=False)


class Job(object):
    def __init__(self, server, request):
        self.server, self.request, self.conn = server, request, request.conn
        self.outcome = None

    def process(self):
        """Let the server do what it does, without answering: (status, text)."""
        if self.outcome is None:
            self.outcome = self.server.process(self.request)
        return self.outcome

    def answer(self):
        status, text = self.process()
        self.respond(status, text)

    def head(self, status, headers):
        reason = {200: "OK", 500: "Internal Server Error", 503: "Service Unavailable"}.get(status, "Status")
        lines = ["HTTP/1.1 %d %s" % (status, reason)] + ["%s: %s" % h for h in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def respond(self, status, text, headers=()):
        body = text.encode("utf-8") if isinstance(text, str) else text
        fixed = [("Content-Type", "application/json;charset=utf-8"), ("Content-Length", len(body))]
        self.server.poll_answered(self.request)
        self.conn.send(self.head(status, fixed + list(headers)) + body)


class BolinkServer(object):
    def __init__(self, union_id="200208", ukey="8403A41ED5EF20BC", park_id="21782", hold=30.0, no_message="empty_object"):
        self.union_id, self.ukey, self.park_id = union_id, ukey, park_id
        self.hold, self.no_message = hold, no_message
        self.poll_within = None      # seconds after an answered poll within which the next one must come
        self.received, self.violations, self.stored, self.answers, self.pushed = [], [], [], [], []
        self.conns, self.plans, self.queue = [], [], collections.deque()
        self.tokens, self.polls = {}, {}
        self.not_before = {}
        self.asked = set()
        self.excused = False
        self.last_poll_answer = None
        self.login_at = None
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.stopping = False
        self.listener, self.port = None, 0

    def start(self, port=0):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        self.stopping = True
        self.refuse_connections()
        with self.news:
            self.news.notify_all()
        for conn in list(self.conns):
            conn.close()

    def refuse_connections(self):
        if self.listener:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.listener.close()
            self.listener = None

    def __enter__(self):
        return self if self.listener else self.start()

    def __exit__(self, *_):
        self.stop()

    # -- for tests
    def plan(self, match, step, times=1):
        """match: a service_name, "download" for polls, or a function of the request."""
        with self.lock:
            self.plans.append([match, step, times])

    def push(self, members):
        """Hand a downlink to the long poll."""
        with self.news:
            self.pushed.append(members)
            self.asked.add(members.get("service_name"))
            self.queue.append(members)
            self.news.notify_all()

    def wait(self, condition, timeout=5.0):
        end = time.monotonic() + timeout
        with self.news:
            while True:
                value = condition()
                left = end - time.monotonic()
                if value or left <= 0:
                    return value
                self.news.wait(min(left, 0.1))

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

    def stored_data(self, name):
        with self.lock:
            return [d for n, d in self.stored if n == name]

    def violation(self, rule, detail=""):
        with self.lock:
            self.violations.append(Violation(rule, str(detail)[:400], time.monotonic()))
            self.news.notify_all()

    def broken_rules(self):
        self._check_polling()
        with self.lock:
            return [v.rule for v in self.violations]

    def check(self, allowed=()):
        self._check_polling()
        with self.lock:
            bad = [v for v in self.violations if v.rule not in allowed]
        if bad:
            raise AssertionError("the client broke: " + "; ".join("%s (%s)" % (v.rule, v.detail) for v in bad))

    def _check_polling(self):
        with self.lock:
            if self.poll_within is None or self.polls or self.login_at is None or self.stopping:
                return
            since = self.last_poll_answer or self.login_at
            if time.monotonic() - since > self.poll_within:
                self.violation("poll_late", "none for %.2f s" % (time.monotonic() - since))

    # -- network
    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                conn = HttpConn(sock, len(self.conns))
                self.conns.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            while conn.open and not self.stopping:
                request = read_request(conn)
                if request is None:
                    break
                self._handle(request)
        except (OSError, ValueError) as e:
            if conn.open and not self.stopping and not isinstance(e, OSError):
                self.violation("not_http", e)
        finally:
            with self.lock:
                self.polls.pop(conn, None)
                self.news.notify_all()
            if conn.open:
                conn.close()

    # -- the referee
    def _handle(self, request):
        conn = request.conn
        with self.lock:
            self._look(request)
            self.received.append(request)
            plan = None
            for entry in self.plans:
                match, step, times = entry
                key = "download" if request.path == DOWNLOAD else request.name
                if times > 0 and (match == key if isinstance(match, str) else match(request)):
                    entry[2] -= 1
                    plan = step
                    break
            self.news.notify_all()
        job = Job(self, request)
        if plan:
            plan(job)
        else:
            job.answer()
        with self.lock:
            self.poll_answered(request)
            self.news.notify_all()
        if request.headers.get("connection", "").lower() == "close":
            conn.close()

    def poll_answered(self, request):
        with self.lock:
            if request.path == DOWNLOAD and self.polls.get(request.conn) is request:
                del self.polls[request.conn]
                self.last_poll_answer = time.monotonic()

    def _look(self, request):
        bad = self.violation
        if request.method != "POST":
            bad("not_post", request.method)
        if request.path not in (UPLOAD, DOWNLOAD):
            bad("unknown_path", request.path)
        if "host" not in request.headers:
            bad("no_host")
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


def plain(value):
    if isinstance(value, normal_form.Num):
        return int(value) if value.text.lstrip("-").isdigit() else float(value)
    return value
