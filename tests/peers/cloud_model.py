"""What the cloud does with a line: the checks of section 4 in their order, login, resend guard, services."""
import threading
import time

import cloud_facts as facts
import normal_form
from cloud_parts import CLOSE, Row, error
from normal_form import plain
from cloud_services import serve


class Model(object):
    """The part of CloudServer that answers."""

    def process(self, request):
        """The replies to a line, in order; CLOSE ends the connection."""
        with self.lock:
            try:
                return self._process(request)
            finally:
                self.news.notify_all()

    def _process(self, request):
        name, wrapper = request.name, request.wrapper
        if request.kind == "junk":
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
            if self.guard.get(key, 0) >= 1:
                request.conn.excused = True  # only another login lets this order through once more
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
        self.needless(conn, key)
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
        request.accepted = True
        return [{"state": 1, "token": row.token, "service_name": "login"}]

    def _service(self, name, body, row):
        stored, replies = serve(self.known, name, body)
        if stored:
            self.stored.append((name, body))
        if replies and name in ("in_park", "out_park"):
            echo = dict((k, plain(v)) for k, v in body.items() if v is not None)
            echo["service_name"] = name
            for other in list(self.rows.values()):
                if other is not row and other.lot is row.lot and "syncdata" in other.local_id:
                    threading.Timer(0.02, other.conn.send, (echo,)).start()
        return replies
