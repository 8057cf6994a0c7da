"""The library against the cloud's referee: lines, signatures, login, heartbeat, limits, reconnection (cloud-tcp 1 to 4)."""
import json
import time
import unittest

import cloud_facts as facts
import cloud_faults as fault
import normal_form
import parklink
from cloud_server import CloudServer
from library_case import REQUEST_TIMEOUT, CloudCase
from raw_client import CloudClient


class Lines(CloudCase):
    def test_login_and_entry(self):
        """LF, UTF-8, no blanks, service_name and data_target inside data; the rest is the referee's."""
        p = self.link(set_params={"receive_cloud": "1"})
        data = self.order()
        reply = p.in_park(data)
        self.assertEqual((reply["service_name"], reply["state"], reply["order_id"]), ("in_park", 1, data["order_id"]))
        login, request = self.cloud.requests()
        self.assertEqual((login.name, request.name), ("login", "in_park"))
        self.assertNotIn("token", login.wrapper)
        self.assertEqual(login.data, {"park_id": "21782", "local_id": "box1", "set_params": {"receive_cloud": "1"}})
        for member, value in data.items():
            self.assertEqual(request.data[member], value)

    def test_every_vector_as_it_is_signed(self):
        """What the library sends is the normal form of what it was given, and the signature fits (all strict vectors)."""
        p = self.link(validation="off")
        with open(normal_form.VECTORS, encoding="utf-8") as f:
            vectors = json.load(f)
        sent = 0
        for v in vectors:
            text = v["data_sent"]
            if "not valid JSON" in v["note"] or not text.startswith("{"):
                continue
            text = '{"service_name":"park_log","data_target":"cloud","log_id":"v%d","operate_time":1,"content":"x",' % sent + \
                text.strip()[1:]
            text = text.replace(",}", "}")
            if '"service_name"' in v["data_sent"]:
                continue
            with self.subTest(v["note"]):
                code, reply = p.try_upload(text)
                if "duplicate" in v["note"] and code != parklink.OK:
                    continue  # a name given twice may be refused
                self.assertEqual(code, parklink.OK, (text, p.last_error))
                data = self.cloud.requests("park_log")[-1].data_text
                members = normal_form.read_strict(data)[0]
                for name, value in normal_form.read_lenient(v["server_normal_form"])[0].items():
                    self.assertEqual(normal_form.write(members[name]), normal_form.write(value))
            sent += 1
        self.assertGreater(sent, 45)

    def test_nothing_that_the_server_reads_otherwise_is_sent(self):
        """@type, $ref and lone surrogates."""
        p = self.link(validation="off")
        for text in ('"@type":"java.lang.Class"', '"$ref":"$"', '"remark":{"$ref":".."}', '"remark":"\\ud800"'):
            base = json.dumps(self.log_record(), ensure_ascii=False)
            code, _ = p.try_upload(base[:-1] + "," + text + "}")
            self.assertNotEqual(code, parklink.OK, text)
        self.assertEqual(self.cloud.requests("park_log"), [])
        self.works(p)

    def test_pretty_json_becomes_one_line(self):
        p = self.link(validation="off")
        data = self.order(remark="a\r\nb", more=[1, {"x": None}])
        self.assertEqual(p.try_in_park(json.dumps(data, ensure_ascii=True, indent=2))[0], parklink.OK)
        self.assertEqual(self.cloud.requests("in_park")[0].data["remark"], "a\r\nb")

    def test_gbk_inside_utf8_outside(self):
        """A handle that speaks GBK still sends UTF-8, and gives its replies in GBK."""
        p = self.link(encoding="gbk")
        data = dict(self.order(), order_id=u"京%s" % self.fresh())
        out = parklink.ctypes.c_void_p()
        text = json.dumps(data, ensure_ascii=False).encode("gbk")
        lib = parklink.library()
        self.assertEqual(lib.parklink_in_park(p.handle, text, parklink.ctypes.byref(out)), parklink.OK)
        reply = parklink.ctypes.string_at(out.value).decode("gbk")
        lib.parklink_string_free(out)
        self.assertEqual(json.loads(reply)["order_id"], data["order_id"])
        self.assertEqual(self.cloud.requests("in_park")[0].data["car_number"], u"京A12345")

    def test_what_the_server_would_choke_on_is_refused_here(self):
        """Such lines get no reply at all: a number member with text that is none, a missing operate_type, a missing key."""
        p = self.link()
        for record in (dict(self.order(), in_time="abc", service_name="in_park"),
                       dict(self.order(), empty_plot="  ", service_name="in_park"),
                       {"service_name": "upload_gate", "data_target": "cloud", "channel_id": "g", "passname": "n", "passtype": 0},
                       dict(self.order(), order_id=None, service_name="in_park")):
            code, _ = p.try_upload(record)
            self.assertEqual(code, parklink.INVALID)
            self.assertTrue(p.last_error)
        self.assertEqual(len(self.cloud.requests()), 1)

    def test_a_login_of_the_softwares_own_is_not_sent(self):
        """It would take over the downlinks of this lot and local_id, and its token would be nobody's (section 2)."""
        p = self.link()
        data = {"service_name": "login", "park_id": "21782", "local_id": "box1"}
        for record in (data, dict(data, data_target="cloud")):
            code, _ = p.try_upload(record)
            self.assertEqual(code, parklink.UNSUPPORTED)
            self.assertIn("cloud.login", p.last_error)
        self.works(p)
        self.assertEqual(len(self.cloud.logins()), 1)

    def test_a_misspelt_data_target_is_not_an_answer(self):
        """in_park also comes as an echo of other systems; a record under its name is a record all the same."""
        p = self.link()
        for name in ("in_park", "out_park"):
            code, reply = p.try_upload(dict(self.order(), service_name=name, data_target="clowd"))
            self.assertEqual((code, reply), (parklink.UNKNOWN_INTERFACE, None))
            self.assertIn("clowd", p.last_error)
        self.works(p)
        self.assertFalse([r for r in self.cloud.requests() if r.data.get("data_target") == "clowd"])

    def sized(self, p, size, letter):
        """An entry whose line has exactly this many bytes."""
        data = self.order(remark="")
        base = self.base - len(self.first["order_id"].encode()) + len(data["order_id"].encode())
        room, width = size - base, len(letter.encode("utf-8"))
        data["remark"] = letter * (room // width) + "y" * (room % width)
        return data

    def test_the_limit_of_1024_bytes(self):
        p = self.link(validation="off")
        self.first = self.order(remark="")
        p.in_park(self.first)
        self.base = len(self.cloud.requests("in_park")[0].raw)
        for letter in ("x", u"京"):
            data = self.sized(p, 1024, letter)
            self.assertEqual(p.in_park(data)["state"], 1)
            self.assertEqual(len(self.cloud.requests("in_park")[-1].raw), 1024)
            lines = len(self.cloud.requests())
            start = time.monotonic()
            code, _ = p.try_in_park(self.sized(p, 1025, letter))
            self.assertEqual(code, parklink.TOO_LARGE)
            self.assertIn("1025", p.last_error)
            self.assertLess(time.monotonic() - start, 1.0)
            self.assertEqual(len(self.cloud.requests()), lines, "it was sent all the same")
        self.works(p)

    def test_an_option_raises_the_limit(self):
        self.cloud.max_line = 4096
        p = self.link(validation="off", cloud={"line_limit": 4096})
        self.assertEqual(p.in_park(self.order(remark="x" * 3000))["state"], 1)


class Login(CloudCase):
    def test_nothing_before_the_login_reply(self):
        self.cloud.plan("login", fault.late(0.5))
        p = self.link(up=False)
        self.cloud.wait(self.cloud.logins)
        code, _ = self.answered(p, lambda: p.try_in_park(self.order()))
        self.assertEqual(code, parklink.OK)

    def test_without_local_id_and_set_params(self):
        config = self.config(self.cloud)
        del config["local_id"]
        p = self.open(config)
        self.wait_up()
        self.assertFalse(self.cloud.logins()[0].data.get("local_id"))
        self.works(p)

    def test_every_refusal(self):
        """The call tells the reason; the library tries again with pauses; when the cloud relents it works."""
        for which, (text, _, _) in sorted(facts.LOGIN_REFUSALS.items()):
            with self.subTest(which):
                cloud = self.cloud = fault_server(self, which)
                p = self.open(self.config(cloud))
                cloud.wait(cloud.logins)
                code, _ = self.answered(p, lambda: p.try_in_park(self.order()))
                self.assertEqual(code, parklink.LOGIN_REFUSED)
                self.assertIn(text, p.last_error)
                time.sleep(0.5)
                self.assertLess(len(cloud.logins()), 14, "it hammers the server")
                cloud.plans[0][2] = 0
                self.works(p)
                cloud.check()
                p.close()

    def test_a_login_that_is_not_answered(self):
        self.cloud.plan("login", fault.never(process=False))
        p = self.link(up=False)
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.logins()) >= 2, 6), "it did not try again")
        self.works(p)

    def test_wait_ready(self):
        self.assertEqual(self.link(up=False).wait_ready(), parklink.OK)
        wrong = self.open(self.config(self.cloud, ckey="WRONG", local_id="other"))
        self.assertEqual(wrong.wait_ready(), parklink.LOGIN_REFUSED)
        self.assertIn(facts.WRONG_SIGN, wrong.last_error)
        wrong.close()
        with self.cloud.lock:  # the wrong key was the test's idea
            self.cloud.violations[:] = [v for v in self.cloud.violations if v.rule != "wrong_sign"]

    def test_two_local_ids(self):
        one = self.link()
        two = self.open(self.config(self.cloud, local_id="box2"))
        self.wait_up(2)
        for p in (one, two, one, two):
            self.assertEqual(p.upload(self.log_record())["state"], 1)

    def test_dead_token(self):
        """Log in once more; what was refused for the token is not counted as received."""
        p = self.link()
        self.works(p)
        for _ in range(2):
            logins = len(self.cloud.logins())
            self.cloud.plan("in_park", fault.kill_token_first())
            data = self.order()
            code, _ = p.try_in_park(data)
            if code != parklink.OK:  # allowed, if it says so and the next attempt is not lost
                self.assertEqual(self.stored(data["order_id"]), [])
                code, _ = self.answered(p, lambda: p.try_in_park(data))
                self.assertIn(code, (parklink.OK, parklink.NOT_STORED))
            if code == parklink.OK:
                self.assertEqual(len(self.stored(data["order_id"])), 1, "told as done, but never stored")
            self.works(p)
            self.assertEqual(len(self.cloud.logins()), logins + 1)

    def test_dead_token_of_an_unguarded_record(self):
        p = self.link()
        self.cloud.plan("park_log", fault.kill_token_first())
        record = self.log_record()
        self.assertEqual(p.upload(record)["log_id"], record["log_id"])
        self.assertEqual(len(self.cloud.stored_data("park_log")), 1)

    def test_dead_token_of_an_answer(self):
        """The token dies while only a downlink is answered: the answer arrives after a new login."""
        p = self.polled()
        self.cloud.plan("lock_car", fault.kill_token_first())
        self.cloud.downlink("lock_car", {"order_id": "A1", "is_locked": 1, "lock_key": "", "comid": "1", "local_id": "box1"})
        p.reply(p.poll()["event_id"], {"state": 1, "order_id": "A1", "is_locked": 1})
        self.assertTrue(self.cloud.wait(lambda: self.cloud.answers), "the answer was lost")


def fault_server(case, which):
    cloud = CloudServer().start()
    case.addCleanup(cloud.stop)
    cloud.plan("login", fault.refuse_login(which), times=1000)
    return cloud


class Heartbeat(CloudCase):
    def test_on_its_own_schedule(self):
        """About one a second, also while a request waits; the referee looks at form and moment."""
        p = self.link()
        self.cloud.plan("park_log", fault.late(1.1))
        start = time.monotonic()
        busy = self.beside(p.upload, self.log_record())
        time.sleep(2.6)
        busy.wait()
        beats = [r.at - start for r in self.cloud.heartbeats()]
        self.assertIn(len(beats), (2, 3), beats)
        self.assertTrue([b for b in beats if b < 1.2], "none while a request was under way: %s" % beats)
        self.assertEqual((len(self.cloud.conns), len(self.cloud.logins())), (1, 1))

    def test_unanswered_means_log_in_again(self):
        p = self.link()
        self.cloud.answer_heartbeats = False
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.logins()) >= 2, 4), "no second login")
        self.assertEqual(len(self.cloud.conns), 1, "a login on the same connection is enough")
        self.cloud.answer_heartbeats = True
        self.works(p)

    def test_taken_over_by_a_wrong_login(self):
        """The rightful client keeps its token but gets neither downlinks nor heartbeat answers: it logs in again."""
        p = self.polled()
        with CloudClient("127.0.0.1:%d" % self.cloud.port, local_id="box1", key="WRONG") as thief:
            self.assertEqual(thief.login()["state"], 0)
        with self.cloud.lock:  # the thief's doings are not the library's
            self.cloud.violations[:] = []
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.logins()) >= 3, 4), "no new login of the library")
        time.sleep(0.1)
        self.cloud.downlink("lock_car", {"order_id": "A1", "is_locked": 1})
        self.assertEqual(p.poll(2000)["service_name"], "lock_car")

    def test_deaf_server(self):
        """Neither heartbeats nor logins are answered any more: connect again."""
        p = self.link()
        self.cloud.answer_heartbeats = False
        self.cloud.plan("login", fault.never(process=False))
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.conns) >= 2, 6), "no second connection")
        self.cloud.answer_heartbeats = True
        self.works(p)


class Limits(CloudCase):
    def test_orders_a_second(self):
        p = self.link(cloud={"request_timeout_ms": 10000})
        for _ in range(24):
            self.assertEqual(p.in_park(self.order())["state"], 1)
        self.assertEqual(len(self.cloud.stored), 24)

    def test_requests_in_eleven_seconds(self):
        """The 101st is held back or refused here, never by the server; heartbeats do not count, answers do."""
        p = self.polled()
        for _ in range(98):
            self.assertEqual(p.upload(self.log_record())["state"], 1)
        for i in range(2):
            self.cloud.downlink("lock_car", {"order_id": "A%d" % i, "is_locked": 1})
            p.reply(p.poll()["event_id"], {"state": 1, "order_id": "A%d" % i, "is_locked": 1})
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.answers) == 2))
        code, _ = p.try_upload(self.log_record())
        self.assertEqual(code, parklink.RATE_LIMITED)
        self.assertEqual(len(self.cloud.requests("park_log")), 98)

    def test_the_servers_own_refusal(self):
        """request_over_times: the sign is remembered, the record is not stored; nobody may tell it as done."""
        p = self.link()
        data = self.order()
        self.cloud.plan("in_park", fault.nameless(facts.OVER_TIMES))
        code, _ = p.try_in_park(data)
        if code == parklink.OK:
            self.assertEqual(len(self.stored(data["order_id"])), 1)
        else:
            self.assertIn(code, (parklink.NOT_STORED, parklink.RATE_LIMITED))
            code, _ = self.answered(p, lambda: p.try_in_park(data), timeout=1)
            if code == parklink.OK:
                self.assertEqual(len(self.stored(data["order_id"])), 1, "told as done, but never stored")
            else:
                self.assertIn(code, (parklink.NOT_STORED, parklink.RATE_LIMITED))


class Connection(CloudCase):
    def test_one_connection_one_login(self):
        p = self.link()
        for _ in range(5):
            self.works(p)
            time.sleep(0.3)
        self.assertEqual((len(self.cloud.conns), len(self.cloud.logins())), (1, 1))

    def test_closed_by_the_server(self):
        p = self.link()
        for abruptly in (False, True):
            before = len(self.cloud.conns)
            self.cloud.live()[0].close(abruptly=abruptly)
            self.assertTrue(self.cloud.wait(lambda: len(self.cloud.conns) > before), "it did not connect again")
            self.works(p)

    def test_offline_is_told_at_once_and_ends(self):
        p = self.link()
        port = self.cloud.port
        self.cloud.refuse_connections()
        self.cloud.live()[0].close()
        time.sleep(0.2)
        start = time.monotonic()
        code, _ = p.try_in_park(self.order())
        self.assertEqual(code, parklink.OFFLINE)
        self.assertLess(time.monotonic() - start, 2 * REQUEST_TIMEOUT)
        self.cloud.start(port)
        self.works(p)

    def test_no_hammering(self):
        """A server that hangs up on everybody: pauses, and they grow."""
        self.cloud.plan("login", fault.close_before(process=False), times=1000)
        self.link(up=False, cloud={"retry_first_ms": 200, "retry_longest_ms": 2000})
        time.sleep(2.0)
        self.assertIn(len(self.cloud.conns), range(2, 9))

    def test_close(self):
        p = self.link()
        self.cloud.plan("in_park", fault.hold())
        call = self.beside(p.try_in_park, self.order())
        self.cloud.wait(lambda: self.cloud.held)
        start = time.monotonic()
        self.assertEqual(p.close(500), parklink.OK)
        self.assertLess(time.monotonic() - start, 1.5)
        self.assertNotEqual(call.wait()[0], parklink.OK)
        self.assertTrue(self.cloud.wait(lambda: not self.cloud.live(), 1), "the connection stays open")
        with self.assertRaises(Exception):
            p.handle = None
            p.in_park(self.order())

    def test_close_while_nobody_answers(self):
        self.cloud.plan("login", fault.never(process=False), times=10)
        p = self.link(up=False)
        self.cloud.wait(self.cloud.logins)
        start = time.monotonic()
        p.close(500)
        self.assertLess(time.monotonic() - start, 1.5)

    def test_secrets_stay_inside(self):
        p = self.link(up=False, log={"level": "trace"})
        p.on_log()
        self.wait_up()
        self.works(p)
        self.cloud.plan("in_park", fault.kill_token_first())
        p.try_in_park(self.order())
        self.works(p)
        p.try_in_park({"order_id": 1})
        text = json.dumps([p.lines, p.status(), p.last_error], ensure_ascii=False)
        p.close()
        self.assertGreater(len(p.lines), 3)
        secrets = ["WERRTTTTYY", "8403A41ED5EF20BC"] + [r.token for r in self.cloud.requests() if r.token]
        for secret in secrets:
            self.assertNotIn(secret, text)


if __name__ == "__main__":
    unittest.main()
