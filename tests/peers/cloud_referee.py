"""The rules of cloud-tcp that a client can break, each with a name."""
import time

import cloud_facts as facts
import normal_form


class Referee(object):
    """The part of CloudServer that looks at what a client does."""

    def look_at_times(self):
        if self.beat_within is None:
            return
        with self.lock:
            for conn in self.live():
                quiet = time.monotonic() - conn.last_beat
                if conn.logged_in and quiet > self.beat_within:
                    self.violation("no_heartbeat", "%.1f s of silence" % quiet)
                    conn.last_beat = time.monotonic()

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

    def needless(self, conn, key):
        """A login or a connection for which there was no reason."""
        before = self.last_healthy.get(key)
        if before is None or before.excused or before.closed_by == "server":
            return
        if before is conn:
            self.violation("needless_login", "again on a healthy connection")
        else:
            self.violation("needless_reconnect", "closed by the client" if before.closed_by else "beside an open one")
