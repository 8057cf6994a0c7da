"""A parking cloud on 127.0.0.1, written from the document alone, and a strict referee of whoever talks to it.

    with CloudServer() as cloud:                    # steps: cloud_faults
        cloud.plan("in_park", late(0.5))            # the next in_park is answered late
        cloud.plan("login", refuse_login("not_stored"))
        ... let the client work on 127.0.0.1:cloud.port ...
        cloud.check()                                # AssertionError with every rule that was broken

`received` holds every line with its bytes, time and parsed form; `stored` what the lot's record would hold; `violations`
every rule the client broke. test_self checks it with a bare client.
"""
import collections
import json
import random
import socket
import threading
import time
import uuid

import cloud_facts as facts
import normal_form

Violation = collections.namedtuple("Violation", "rule detail at")
CLOSE = object()


def dump(members):
    """A frame's text; members in no fixed order, as the real server has it."""
    names = list(members)
    random.shuffle(names)
    return json.dumps({n: members[n] for n in names}, ensure_ascii=False, separators=(",", ":"))


class Lot(object):
    def __init__(self, park_id="21782", key="WERRTTTTYY", cloud_id="1197"):
        self.park_id, self.key, self.cloud_id = str(park_id), key, str(cloud_id)


class Row(object):
    """A login row: one (lot, local_id)."""

    def __init__(self, lot, local_id, conn, receive_cloud):
        self.lot, self.local_id, self.conn, self.receive_cloud = lot, local_id, conn, receive_cloud
        self.token = uuid.uuid4().hex
        self.at = time.monotonic()
        self.beat_at = None
        self.accepted = collections.deque(maxlen=100)


class Request(object):
    """One line from a client."""

    def __init__(self, conn, raw):
        self.conn, self.raw, self.at = conn, raw, time.monotonic()
        self.line = raw.decode("utf-8", "replace")
        self.kind = "junk"          # heartbeat, login, request, answer, junk
        self.wrapper = {}
        self.name = self.sign = self.token = self.data = self.data_text = None

    def __repr__(self):
        return "<%s %s %r>" % (self.kind, self.name, self.raw[:300])


class Conn(object):
    def __init__(self, server, sock, number):
        self.server, self.sock, self.number = server, sock, number
        self.opened_at = self.last_beat = time.monotonic()
        self.lock = threading.Lock()
        self.under_way = None
        self.rows = []
        self.slots = set()
        self.login_tried = self.logged_in = self.excused = False
        self.closed_by = None

    def send_bytes(self, data):
        try:
            with self.lock:
                self.sock.sendall(data)
        except OSError:
            pass

    def send(self, members):
        text = members if isinstance(members, str) else dump(members)
        self.send_bytes(b"\n" + text.encode("utf-8") + b"\r")

    def close(self, by="server", abruptly=False):
        if self.closed_by is None:
            self.closed_by = by
        try:
            if abruptly:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.sock.close()
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Job(object):
    """A request that a plan's step answers as it likes."""

    def __init__(self, server, request):
        self.server, self.request, self.conn = server, request, request.conn
        self.outcome = None

    def process(self):
        """Let the server do what it does with the request, without answering; the replies."""
        if self.outcome is None:
            self.outcome = self.server.process(self.request)
        return self.outcome

    def settle(self):
        """From here on the client may send its next request."""
        self.server.settle(self.request)

    def answer(self):
        """The usual answer."""
        self.server.deliver(self.conn, self.request, self.process())

    def frames(self):
        """The bytes of the usual answer."""
        return b"".join(b"\n" + (r if isinstance(r, str) else dump(r)).encode("utf-8") + b"\r"
                        for r in self.process() if r is not CLOSE)

    def excuse(self):
        """The client has a reason to log in again or to reconnect."""
        self.conn.excused = True


class CloudServer(object):
    def __init__(self, lots=None, max_line=1024, old_guard=False, noise=False, over_times=True):
        self.lots = lots or [Lot()]
        self.max_line, self.old_guard, self.noise, self.over_times = max_line, old_guard, noise, over_times
        self.answer_heartbeats = True
        self.patience = float("inf")  # how long a request must stay unanswered before the next one may follow
        self.beat_within = None       # seconds within which every logged-in connection must send a heartbeat
        self.received, self.violations, self.stored, self.sent_downlinks, self.answers = [], [], [], [], []
        self.conns, self.held, self.plans = [], [], []
        self.tokens, self.rows, self.slots = {}, {}, {}
        self.known = collections.defaultdict(set)
        self.guard = collections.OrderedDict()
        self.unstored = set()
        self.orders = collections.defaultdict(list)
        self.last_healthy = {}
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.stopping = False
        self.listener = None
        self.port = 0

    # -- life
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
        for conn in list(self.conns):
            conn.close("stop")

    def refuse_connections(self):
        """Nobody listens any more; what is connected stays."""
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
        """The next `times` requests of this service (or for which match(request) holds) get `step`."""
        with self.lock:
            self.plans.append([match, step, times])

    def wait(self, condition, timeout=5.0):
        """Wait until condition() is true; its last value."""
        end = time.monotonic() + timeout
        with self.news:
            while True:
                value = condition()
                left = end - time.monotonic()
                if value or left <= 0:
                    return value
                self.news.wait(min(left, 0.1))

    def changed(self):
        with self.news:
            self.news.notify_all()

    def requests(self, name=None):
        """The lines received for a service (None: all but heartbeats)."""
        with self.lock:
            return [r for r in self.received if r.kind != "heartbeat" and (name is None or r.name == name)]

    def heartbeats(self):
        with self.lock:
            return [r for r in self.received if r.kind == "heartbeat"]

    def logins(self):
        return self.requests("login")

    def live(self):
        """The connections that are open."""
        with self.lock:
            return [c for c in self.conns if c.closed_by is None]

    def row(self, local_id=None):
        """The newest login row (of this local_id)."""
        with self.lock:
            rows = [r for r in self.rows.values() if local_id is None or r.local_id == local_id]
            return max(rows, key=lambda r: r.at) if rows else None

    def violation(self, rule, detail=""):
        with self.lock:
            self.violations.append(Violation(rule, str(detail)[:400], time.monotonic()))
        self.changed()

    def broken_rules(self):
        self.check_heartbeats()
        with self.lock:
            return [v.rule for v in self.violations]

    def check(self, allowed=()):
        """Raise if the client broke a rule."""
        self.check_heartbeats()
        with self.lock:
            bad = [v for v in self.violations if v.rule not in allowed]
        if bad:
            raise AssertionError("the client broke: " + "; ".join("%s (%s)" % (v.rule, v.detail) for v in bad))

    def check_heartbeats(self):
        if self.beat_within is None:
            return
        with self.lock:
            for conn in self.live():
                quiet = time.monotonic() - conn.last_beat
                if conn.logged_in and quiet > self.beat_within:
                    self.violation("no_heartbeat", "%.1f s of silence" % quiet)
                    conn.last_beat = time.monotonic()

    def kill_tokens(self, conn=None):
        """Every token (of a connection) is unknown from now on."""
        with self.lock:
            for token, row in list(self.tokens.items()):
                if conn is None or row.conn is conn:
                    del self.tokens[token]
                    row.conn.excused = True

    def release(self, index=0):
        """Answer a held request."""
        self.held.pop(index).answer()

    def downlink(self, name, members, local_id=None, wrapped=None):
        """Send a downlink to the newest login row (of this local_id); False if there is none."""
        wrapped = name in facts.WRAPPED if wrapped is None else wrapped
        row = self.row(local_id)
        if row is None:
            return False
        with self.lock:
            self.sent_downlinks.append((name, dict(members), time.monotonic()))
            conn = self.slots.get((row.lot.park_id, row.local_id), row.conn)
        conn.send({"service_name": name, "data": members} if wrapped else dict(members, service_name=name))
        return True

    def schedule(self, name, members, every=0.3, rounds=20):
        """A scheduled downlink: repeated until it is answered with state 1 and the right key."""
        done = threading.Event()

        def job():
            for _ in range(rounds):
                if self.stopping:
                    return
                self.downlink(name, members)
                if self.wait(lambda: self._acknowledged(name, members), every):
                    done.set()
                    return
        threading.Thread(target=job, daemon=True).start()
        return done

    def _acknowledged(self, name, members):
        return any(a.name == name and a.data.get("state") in (1, "1")
                   and all(a.data.get(k) == members.get(k) for k in facts.ANSWER_KEYS[name]) for a in self.answers)

    def stored_data(self, name):
        with self.lock:
            return [d for n, d in self.stored if n == name]

    # -- network
    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                conn = Conn(self, sock, len(self.conns))
                self.conns.append(conn)
                self.news.notify_all()
            threading.Thread(target=self._read, args=(conn,), daemon=True).start()

    def _read(self, conn):
        buffer = b""
        while True:
            try:
                piece = conn.sock.recv(65536)
            except OSError:
                piece = b""
            if not piece:
                break
            buffer += piece
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                if line.endswith(b"\r"):
                    line = line[:-1]
                self._line(conn, line)
        if buffer and conn.closed_by is None:
            self.violation("unfinished_line", buffer[:100])
        self._gone(conn)

    def _gone(self, conn):
        with self.lock:
            if conn.closed_by is None:
                conn.closed_by = "client"
            for row in conn.rows[-1:]:  # one row only, and only if it is still this connection's
                if row.conn is conn:
                    self.tokens.pop(row.token, None)
                    if self.rows.get((row.lot.park_id, row.local_id)) is row:
                        del self.rows[(row.lot.park_id, row.local_id)]
            for key in list(conn.slots):
                if self.slots.get(key) is conn:
                    del self.slots[key]
            self.news.notify_all()
        try:
            conn.sock.close()
        except OSError:
            pass

    # -- the referee, then the answer
    def _line(self, conn, raw):
        request = Request(conn, raw)
        with self.lock:
            self.received.append(request)
            if len(raw) > self.max_line:
                self.violation("line_too_long", "%d bytes" % len(raw))
                return
            if "0x11" in request.line and len(request.line) < 6:
                self._heartbeat(request)
                self.news.notify_all()
                return
            self._look(request)
            plan = self._planned(request)
            self.news.notify_all()
        job = Job(self, request)
        if plan:
            threading.Thread(target=plan, args=(job,), daemon=True).start()
        else:
            job.answer()

    def _heartbeat(self, request):
        conn = request.conn
        request.kind = "heartbeat"
        conn.last_beat = request.at
        if request.raw != b"0x11":
            self.violation("heartbeat_form", request.raw)
        if not conn.login_tried:
            self.violation("heartbeat_before_login")
            return
        mine = [k for k, c in self.slots.items() if c is conn]
        for key in mine:
            if key in self.rows:
                self.rows[key].beat_at = request.at
        if not mine or not self.answer_heartbeats:
            conn.excused = True
            return
        conn.send_bytes(b"\n0x12\r")

    def _look(self, request):
        """Every rule a line can break."""
        conn, bad = request.conn, self.violation
        try:
            request.raw.decode("utf-8")
        except UnicodeDecodeError:
            bad("not_utf8", request.raw[:200])
        if b"\r" in request.raw:
            bad("lone_cr", request.raw[:200])
        try:
            normal_form.read_strict(request.line)
        except normal_form.BadJson as e:
            bad("not_json", "%s: %r" % (e, request.raw[:200]))
        try:
            wrapper, spans = normal_form.read_lenient(request.line)
        except normal_form.BadJson:
            return
        if not isinstance(wrapper, dict):
            bad("not_an_object", request.raw[:200])
            return
        request.wrapper = wrapper
        request.name, request.sign, request.token = (wrapper.get(k) for k in ("service_name", "sign", "token"))
        request.data = wrapper.get("data")
        if "data" in spans:
            request.data_text = request.line[spans["data"][0]:spans["data"][1]]
        name = request.name
        request.kind = "login" if name == "login" else "answer" if name in facts.ANSWER_KEYS else "request"
        for member in wrapper:
            if member not in ("service_name", "sign", "token", "data"):
                bad("wrapper_member", member)
        if not isinstance(name, str) or not name:
            bad("no_service_name", request.raw[:200])
            return
        if not request.sign:
            bad("no_sign", name)
        if name != "login" and not request.token:
            bad("no_token", name)
        data = request.data
        body = self._object(data)
        if body is None:
            bad("no_data", name)
            return
        self._look_at_data(request, body)
        if name != "login" and not conn.logged_in:
            bad("before_login_reply", name)
        before = conn.under_way
        if before is not None:
            if request.at - before.at < self.patience:
                bad("second_under_way", "%s while %s" % (name, before.name))
        conn.under_way = request
        if name in facts.ORDERS:
            times = self.orders[request.token]
            times.append(request.at)
            if len([t for t in times[-11:] if request.at - t < 0.95]) > 10:
                bad("orders_too_fast", "more than 10 in a second")
        if name in facts.ORDERS and request.sign in self.unstored:
            bad("unchanged_after_refusal", name)
        lot = self._lot_of(request)
        if lot and request.sign and isinstance(request.sign, str):
            right = normal_form.sign(data, lot.key)
            if request.sign != right:
                bad("lower_case_sign" if request.sign.upper() == right else "wrong_sign", request.line[:300])

    def _object(self, data):
        """data as an object, also when it was sent as text."""
        if isinstance(data, str):
            try:
                data = normal_form.read_lenient(data)[0]
            except normal_form.BadJson:
                return None
        return data if isinstance(data, dict) else None

    def _look_at_data(self, request, body):
        bad, name = self.violation, request.name
        if not isinstance(request.data, str) and request.data_text != normal_form.write(request.data):
            bad("sent_is_not_normal_form", request.data_text)
        for member in self._names(body):
            if member in ("@type", "$ref"):
                bad("forbidden_name", member)
        if any(0xD800 <= ord(c) < 0xE000 for c in request.line):
            bad("lone_surrogate")
        if name == "login":
            return
        if body.get("service_name") != name:
            bad("data_without_service_name", "%s: %r" % (name, body.get("service_name")))
        if body.get("data_target") != "cloud":
            bad("data_without_data_target", "%s: %r" % (name, body.get("data_target")))
        if request.kind == "answer":
            for member in ("state",) + facts.ANSWER_KEYS[name]:
                if body.get(member) is None:
                    bad("incomplete_answer", "%s without %s" % (name, member))
            if not any(n == name for n, _, _ in self.sent_downlinks):
                bad("answer_unasked", name)

    def _names(self, value):
        if isinstance(value, dict):
            for k, v in value.items():
                yield k
                for inner in self._names(v):
                    yield inner
        elif isinstance(value, list):
            for v in value:
                for inner in self._names(v):
                    yield inner

    def _lot_of(self, request):
        if request.kind == "login":
            return self._lot(self._object(request.data))
        row = self.tokens.get(request.token)
        if row is None:
            row = next((r for r in request.conn.rows), None)
        return row.lot if row else None

    def _lot(self, body):
        wanted = body.get("park_id") if body else None
        text = wanted.text if isinstance(wanted, normal_form.Num) else wanted
        return next((lot for lot in self.lots if text in (lot.park_id, lot.cloud_id)), None)

    def _planned(self, request):
        for plan in self.plans:
            match, step, times = plan
            if times > 0 and (match == request.name if isinstance(match, str) else match(request)):
                plan[2] -= 1
                return step
        return None

    # -- what the server does (section 4, in its order)
    def process(self, request):
        """The replies to a line, in order; CLOSE ends the connection."""
        with self.lock:
            try:
                return self._process(request)
            finally:
                self.news.notify_all()

    def _process(self, request):
        name, wrapper = request.name, request.wrapper
        if not wrapper:
            return []
        if isinstance(name, str) and self._guarded(name):
            refusal = self._guard(request)
            if refusal:
                return [refusal]
        if not isinstance(name, str) or not name.strip() or name == "null":
            return [error(facts.NO_SERVICE_NAME)]
        if not isinstance(request.sign, str) or not request.sign.strip() or request.sign == "null":
            return [error(facts.NO_SIGN)]
        if name == "login":
            return self._login(request)
        if not isinstance(request.token, str) or not request.token.strip() or request.token == "null":
            return [error(facts.NO_TOKEN)]
        row = self.tokens.get(request.token)
        if row is None:
            self.refused_unstored(request)
            return [error(facts.DEAD_TOKEN)]
        if request.sign != normal_form.sign(request.data if "data" in wrapper else "null", row.lot.key):
            return [error(facts.WRONG_SIGN)]
        if len(row.accepted) == 100 and request.at - row.accepted[0] < 11:
            self.violation("requests_too_fast", "101st request within 11 s")
            if self.over_times:
                self.refused_unstored(request)
                return [error(facts.OVER_TIMES)]
        row.accepted.append(request.at)
        if request.data is None:
            return [error(facts.NO_DATA)]
        body = self._object(request.data)
        if body is None:
            return []
        if request.kind == "answer":
            self.answers.append(request)
            request.data = body
            return [""]
        return self._service(name, body, row)

    def _guarded(self, name):
        if self.old_guard:
            return name not in ("login", "lock_car", "month_member_sync")
        return any(order in name for order in facts.ORDERS)

    def _guard(self, request):
        body = self._object(request.data) or {}
        if self.old_guard:
            refusal = {"state": 1, "errmsg": u"error:sign重复"}
        else:
            refusal = {"service_name": request.name, "state": 0, "errmsg": facts.HANDLED}
            for member in ("order_id", "car_number"):
                if body.get(member) is not None:
                    refusal[member] = plain(body[member])
        if request.sign:
            if request.sign in self.guard:
                return refusal
            self._remember(request.sign, 1)
        if self.old_guard:
            return None
        if not request.token:
            return refusal
        if body.get("order_id") is not None:
            key = "%s%s%s" % (request.token, request.name, plain(body["order_id"]))
            if self.guard.get(key, 0) >= 2:
                return refusal
            self._remember(key, self.guard.get(key, 0) + 1)
        return None

    def _remember(self, key, count):
        self.guard[key] = count
        while len(self.guard) > 5000:
            self.guard.popitem(last=False)

    def refused_unstored(self, request):
        """The sign is remembered although the record was not stored."""
        with self.lock:
            if request.name in facts.ORDERS:
                self.unstored.add(request.sign)
                if not self.guard.get(request.sign):
                    self._remember(request.sign, 1)

    def _login(self, request):
        conn = request.conn
        if not isinstance(self._object(request.data), dict):
            return []
        body = self._object(request.data)
        conn.login_tried = True
        park_id = body.get("park_id")
        text = park_id.text if isinstance(park_id, normal_form.Num) else park_id
        if not isinstance(text, str) or not text.strip() or text == "null":
            return [error(facts.NO_PARK_ID), CLOSE]
        lot = self._lot(body)
        if lot is None:
            if text.isdigit() and int(text) <= 2147483647:
                return [dict(error(facts.NO_SUCH_CLOUD_LOT), service_name="login"), CLOSE]
            return [error(facts.NO_SUCH_LOT)]
        local_id = plain(body.get("local_id") or "")
        key = (lot.park_id, local_id)
        self._needless(conn, key)
        old = self.slots.get(key)
        if old is not None and old is not conn:
            old.excused = True
        self.slots[key] = conn
        conn.slots.add(key)
        if request.sign != normal_form.sign(request.data, lot.key):
            return [dict(error(facts.WRONG_SIGN), service_name="login"), CLOSE]
        params = body.get("set_params")
        receive = params.get("receive_cloud") if isinstance(params, dict) else None
        row = Row(lot, local_id, conn, str(plain(receive)) != "0")
        before = self.rows.get(key)
        if before:
            self.tokens.pop(before.token, None)
        self.rows[key] = self.tokens[row.token] = row
        conn.rows.append(row)
        conn.excused = False
        conn.last_beat = time.monotonic()
        self.last_healthy[key] = conn
        return [{"state": 1, "token": row.token, "service_name": "login"}]

    def _needless(self, conn, key):
        """A login or a connection for which there was no reason."""
        before = self.last_healthy.get(key)
        if before is None or before.excused or before.closed_by in ("server", "stop"):
            return
        if before is conn:
            self.violation("needless_login", "again on a healthy connection")
        else:
            self.violation("needless_reconnect", "closed by the client" if before.closed_by else "beside an open one")

    def _service(self, name, body, row):
        if name not in facts.SERVICES:
            return [""]
        reply_name, key, reply_key, numbers = facts.SERVICES[name]
        for member in numbers.split():
            value = body.get(member)
            if isinstance(value, str) and value != "" and not is_number(value):
                return []
        if name in facts.OPERATE_TYPE_OR_SILENCE and body.get("operate_type") in (None, ""):
            return []
        value = plain(body.get(key))
        state, errmsg, echo = 1, "", None
        if name in ("in_park", "out_park"):
            echo = dict((k, plain(v)) for k, v in body.items() if v is not None)
            echo["service_name"] = name
        if name == "in_park" and (blank(value) or blank(plain(body.get("car_number")))):
            state, errmsg = 0, facts.BAD_ENTRY
        elif name == "upload_confirm_order":
            fresh = value not in self.known[name]
            self.known[name].add(value)
            if fresh:
                self.stored.append((name, body))
            return [{"state": 1 if fresh else 0, "errmsg": u"上传手动匹配事件成功！" if fresh else u"event_id 已存在!"}]
        else:
            operation = str(plain(body.get("operate_type", 1)))
            if operation in ("2", "3") and value not in self.known[name]:
                state = 0
            elif operation == "3":
                self.known[name].discard(value)
            else:
                self.known[name].add(value)
            if name == "upload_gate":
                errmsg = u"上传成功"
        if state:
            self.stored.append((name, body))
        out = {"service_name": reply_name, "state": state, "errmsg": errmsg}
        if reply_key:
            out[reply_key] = value
        if name == "upload_price":
            out.update(operate_type=plain(body.get("operate_type", 0)), park_id=21782)
        if echo:
            for other in list(self.rows.values()):
                if other is not row and other.lot is row.lot and "syncdata" in other.local_id:
                    threading.Timer(0.02, other.conn.send, (echo,)).start()
        return [out]

    def settle(self, request):
        with self.lock:
            conn = request.conn
            if conn.under_way is request:
                conn.under_way = None

    def deliver(self, conn, request, replies):
        """Send what process() returned."""
        if replies == [] and request.wrapper:
            conn.excused = True
        for members in replies:
            if members is CLOSE:
                conn.excused = True
                conn.close()
                return
            if request.kind == "login" and isinstance(members, dict) and members.get("state") == 1:
                conn.logged_in = True
            self.settle(request)
            if self.noise:
                conn.send("")
            conn.send(members)


def error(text):
    return {"state": 0, "errmsg": text}


def plain(value):
    """A read value as json.dumps takes it."""
    if isinstance(value, normal_form.Num):
        try:
            return int(value.text)
        except ValueError:
            return float(value.text)
    if isinstance(value, dict):
        return dict((k, plain(v)) for k, v in value.items())
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def is_number(text):
    try:
        float(text)
        return True
    except ValueError:
        return False


def blank(value):
    return value is None or (isinstance(value, str) and not value.strip())
