"""The peers checked by a bare client: that they do what the documents say, and that the referee sees each broken rule."""
import socket
import time
import unittest

import bolink_faults as b
import cloud_facts as facts
import normal_form
from bolink_server import DEAD_TOKEN, BolinkServer
from cloud_faults import (close_after, close_before, glued, hold, instead, kill_token_first, late, nameless, never, pieces,
                          refuse_login)
from cloud_parts import Lot
from cloud_server import CloudServer
from raw_client import CloudClient, Dead, entry
from raw_http import RawHttp


class NormalForm(unittest.TestCase):
    def test_vectors(self):
        self.assertEqual(normal_form.self_test(), 68)


class Cloud(unittest.TestCase):
    def setUp(self):
        self.cloud = CloudServer().start()
        self.addCleanup(self.cloud.stop)

    def client(self, **how):
        client = CloudClient("127.0.0.1:%d" % self.cloud.port, **how)
        self.addCleanup(client.close)
        return client

    def ready(self, **how):
        client = self.client(**how)
        self.assertEqual(client.login()["state"], 1)
        return client

    def test_a_good_client_breaks_nothing(self):
        client = self.ready()
        self.assertEqual(client.heartbeat(), "0x12")
        self.assertEqual(client.upload("in_park", **entry("A1")),
                         {"service_name": "in_park", "state": 1, "errmsg": "", "order_id": "A1"})
        self.assertEqual(client.upload("upload_car_type", car_type_id="c1", name="x", sort=1, operate_type=1)["service_name"],
                         "car_type_upload")
        self.assertNotIn("service_name", client.upload("upload_confirm_order", event_id="e1"))
        self.assertEqual(client.upload("upload_collector", user_id="u9", name="x", operate_type=2)["state"], 0)
        client.send("query_month_card", {"service_name": "query_month_card", "data_target": "cloud"})
        self.assertEqual(client.frame(), "")
        self.cloud.downlink("lock_car", {"order_id": "A1", "is_locked": 1})
        self.assertEqual(client.reply()["service_name"], "lock_car")
        self.assertEqual(client.answer("lock_car", order_id="A1", is_locked=1, state=1), "")
        done = self.cloud.schedule("price_sync", {"price_id": "p1", "operate_type": 1})
        self.assertEqual(client.reply()["data"]["price_id"], "p1")
        self.assertEqual(client.answer("price_sync", price_id="p1", state=1), "")
        self.assertTrue(done.wait(2))
        self.cloud.check()
        self.assertEqual(len(self.cloud.stored_data("in_park")), 1)

    def test_frames_lead_with_lf_and_trail_with_cr(self):
        client = self.ready()
        client.send_raw(b"0x11\n0x11\r\n")
        client.reply()
        client.reply()
        self.assertTrue(client.raw.endswith(b"\n0x12\r\n0x12\r"), client.raw)

    def expect(self, rule):
        self.assertIn(rule, self.cloud.broken_rules())

    def test_referee_line(self):
        client = self.ready()
        client.send_raw(b"x" * 1025 + b"\n")
        client.send_raw(u'{"service_name":"京"}\n'.encode("gbk"))
        client.send_raw(b"{'service_name':'a'}\n")
        client.send_raw(b'{"service_name":"a"\r,"x":1}\n')
        self.cloud.wait(lambda: "no_data" in self.cloud.broken_rules())
        for rule in ("line_too_long", "not_utf8", "not_json", "lone_cr", "wrapper_member", "no_sign", "no_token", "no_data"):
            self.expect(rule)

    def test_referee_login_first(self):
        client = self.client()
        self.assertIsNone(client.heartbeat(timeout=0.1))
        client.send("in_park", dict(entry("A1"), service_name="in_park", data_target="cloud"), token="f" * 32)
        self.assertEqual(client.reply()["errmsg"], facts.DEAD_TOKEN)
        self.expect("heartbeat_before_login")
        self.expect("before_login_reply")

    def test_referee_signature(self):
        client = self.ready()
        data = normal_form.write(dict(entry("A1"), service_name="in_park", data_target="cloud"))
        good = normal_form.sign_text(data, "WERRTTTTYY")
        self.assertEqual(client.ask("in_park", data, sign=good.lower())["errmsg"], facts.WRONG_SIGN)
        self.expect("lower_case_sign")
        self.assertEqual(client.ask("in_park", data, sign="0" * 32)["errmsg"], facts.WRONG_SIGN)
        self.expect("wrong_sign")
        client.ask("park_log", data.replace(",", ", ").replace("in_park", "park_log"))
        self.expect("sent_is_not_normal_form")
        client.ask("park_log", '{"a":1,"$ref":"x"}')
        for rule in ("data_without_service_name", "data_without_data_target", "forbidden_name"):
            self.expect(rule)

    def test_referee_one_under_way(self):
        client = self.ready()
        self.cloud.plan("in_park", late(0.2))
        client.send("in_park", dict(entry("A1"), service_name="in_park", data_target="cloud"))
        client.send("in_park", dict(entry("A2"), service_name="in_park", data_target="cloud"))
        self.assertEqual(client.reply()["order_id"], "A2")
        self.assertEqual(client.reply()["order_id"], "A1")
        self.expect("second_under_way")

    def test_referee_patience(self):
        client = self.ready()
        self.cloud.patience = 0.2
        self.cloud.plan("in_park", never())
        client.send("in_park", dict(entry("A1"), service_name="in_park", data_target="cloud"))
        time.sleep(0.3)
        client.upload("in_park", **entry("A2"))
        self.cloud.check()

    def test_referee_speed(self):
        client = self.ready()
        for i in range(11):
            client.upload("in_park", **entry("A%d" % i))
        self.expect("orders_too_fast")
        for i in range(89):
            client.upload("park_log", log_id=str(i), operate_time=1, content="x")
        self.assertNotIn("requests_too_fast", self.cloud.broken_rules())
        self.assertEqual(client.upload("park_log", log_id="z", operate_time=1, content="x"),
                         {"state": 0, "errmsg": "request_over_times"})
        self.expect("requests_too_fast")

    def test_guard(self):
        client = self.ready()
        self.assertEqual(client.upload("in_park", **entry("A1"))["state"], 1)
        self.assertEqual(client.upload("in_park", **entry("A1")),
                         {"service_name": "in_park", "state": 0, "errmsg": facts.HANDLED, "order_id": "A1",
                          "car_number": u"京A12345"})
        self.assertEqual(client.upload("in_park", **entry("A1", remark="2"))["state"], 1)
        self.assertEqual(client.upload("in_park", **entry("A1", remark="3"))["errmsg"], facts.HANDLED)
        self.assertEqual(len(self.cloud.stored), 2)

    def test_referee_unchanged_after_refusal(self):
        client = self.ready()
        self.cloud.plan("in_park", kill_token_first())
        self.assertEqual(client.upload("in_park", **entry("A1")), {"state": 0, "errmsg": facts.DEAD_TOKEN})
        client.login()
        self.cloud.check()
        self.assertEqual(client.upload("in_park", **entry("A1"))["errmsg"], facts.HANDLED)
        self.expect("unchanged_after_refusal")

    def test_referee_needless(self):
        client = self.ready()
        client.login()
        self.expect("needless_login")
        self.ready()
        self.expect("needless_reconnect")

    def test_takeover(self):
        client = self.ready()
        other = self.client()
        answer = other.ask("login", {"park_id": "21782", "local_id": "raw1"}, sign="0" * 32, token=False)
        self.assertEqual(answer, {"state": 0, "errmsg": facts.WRONG_SIGN, "service_name": "login"})
        self.assertTrue(other.closed())
        self.assertIsNone(client.heartbeat(timeout=0.1))
        self.assertEqual(client.upload("in_park", **entry("A1"))["state"], 1)
        client.login()
        self.assertEqual(client.heartbeat(), "0x12")

    def test_referee_heartbeat(self):
        client = self.ready()
        self.cloud.beat_within = 0.1
        client.heartbeat(" 0x11")
        self.expect("heartbeat_form")
        time.sleep(0.2)
        self.expect("no_heartbeat")

    def test_referee_answers(self):
        client = self.ready()
        client.answer("lock_car", order_id="A1", state=1)
        self.expect("incomplete_answer")
        self.expect("answer_unasked")

    def test_echo(self):
        listener = self.ready(local_id="box_syncdata")
        sender = self.ready(local_id="box2")
        sender.upload("in_park", **entry("E1"))
        echo = listener.reply()
        self.assertEqual((echo["service_name"], echo["in_time"], echo["order_id"]), ("in_park", 1490875218, "E1"))
        self.assertNotIn("state", echo)

    def test_refusals_of_login(self):
        for which, (text, named, closes) in facts.LOGIN_REFUSALS.items():
            client = self.client()
            self.cloud.plan("login", refuse_login(which))
            wanted = {"state": 0, "errmsg": text}
            if named:
                wanted["service_name"] = "login"
            self.assertEqual(client.login(), wanted)
            self.assertEqual(client.closed(0.2), closes, which)
        client = self.client(park_id="999")
        self.assertEqual(client.login()["errmsg"], facts.NO_SUCH_CLOUD_LOT)
        client = self.client(park_id="nobody")
        self.assertEqual(client.login()["errmsg"], facts.NO_SUCH_LOT)
        client = self.client(key="WRONG")
        self.assertEqual(client.login()["errmsg"], facts.WRONG_SIGN)

    def test_faults(self):
        client = self.ready()
        up = lambda i: client.upload("in_park", **entry("F%d" % i))
        self.cloud.plan("in_park", pieces(pause=0.002))
        self.assertEqual(up(1)["order_id"], "F1")
        self.cloud.plan("in_park", glued(before=["", {"service_name": "x", "a": 1}], after=["0x12"]))
        self.assertEqual(up(2)["service_name"], "x")
        self.assertEqual(client.reply()["order_id"], "F2")
        self.assertEqual(client.reply(), "0x12")
        self.cloud.plan("in_park", nameless(u"数据格式错误!"))
        self.assertEqual(up(3), {"state": 0, "errmsg": u"数据格式错误!"})
        self.cloud.plan("in_park", hold())
        client.send("in_park", dict(entry("F4"), service_name="in_park", data_target="cloud"))
        self.cloud.wait(lambda: self.cloud.held)
        self.cloud.release()
        self.assertEqual(client.reply()["order_id"], "F4")
        self.cloud.plan("in_park", instead(b"\nnonsense\r"))
        client.send("in_park", dict(entry("F5"), service_name="in_park", data_target="cloud"))
        self.assertEqual(client.frame(), "nonsense")
        self.cloud.plan("in_park", close_after())
        self.assertEqual(up(6)["order_id"], "F6")
        self.assertTrue(client.closed())
        client = self.ready()
        self.cloud.plan("in_park", close_before(abruptly=True))
        with self.assertRaises(Dead):
            up(7)
        self.cloud.wait(lambda: len(self.cloud.stored) == 6)
        self.assertEqual([d["order_id"] for _, d in self.cloud.stored], ["F1", "F2", "F4", "F5", "F6", "F7"])
        self.cloud.check()

    def test_lots_apart(self):
        cloud = CloudServer([Lot("1", "K1", "11"), Lot("2", "K2", "22")]).start()
        self.addCleanup(cloud.stop)
        for park_id, key in (("1", "K1"), ("22", "K2")):
            client = CloudClient("127.0.0.1:%d" % cloud.port, park_id=park_id, key=key)
            self.addCleanup(client.close)
            self.assertEqual(client.login()["state"], 1)
        cloud.check()

    def test_half_close(self):
        client = self.ready()
        client.sock.shutdown(socket.SHUT_WR)
        self.assertTrue(client.closed())


class Bolink(unittest.TestCase):
    def setUp(self):
        self.bolink = BolinkServer(hold=0.3).start()
        self.addCleanup(self.bolink.stop)

    def client(self, login=True, **how):
        client = RawHttp("http://127.0.0.1:%d" % self.bolink.port, **how)
        self.addCleanup(client.close)
        if login:
            self.assertEqual(client.login()["state"], 1)
        return client

    def expect(self, rule):
        self.assertIn(rule, self.bolink.broken_rules())

    def test_documented_signature(self):
        text = '{"union_id":"200208","park_id":"21835","local_id":"0071cc97102b_1001_qh321_quanhao-atest1"}'
        self.assertEqual(normal_form.sign_text(text, "8403A41ED5EF20BC"), "CB649425CB5548A375099103AB04CC1E")

    def test_a_good_client_breaks_nothing(self):
        client = self.client()
        data = entry("H1")
        self.assertEqual(client.upload("inpark", data)["order_id"], "H1")
        self.assertEqual(client.poll(), (200, "{}"))
        self.bolink.push({"service_name": "query_price", "order_id": "H1", "park_id": "21782", "pay_scene": 0})
        code, text = client.poll()
        self.assertIn("query_price", text)
        client.upload("query_price", {"state": 1, "order_id": "H1", "price": "6.0", "duration": 5, "park_id": "21782"})
        self.assertEqual(len(self.bolink.answers), 1)
        self.assertEqual(client.upload("outpark", dict(data, pay_type="wallet"))["state"], 2)
        self.assertEqual(len(self.bolink.conns), 1)
        self.bolink.check()

    def test_referee(self):
        client = self.client(login=False)
        client.upload("login", {"union_id": "200208", "park_id": "21782"}, token="f" * 32)
        self.expect("token_at_login")
        client.login()
        client.upload("in_park", entry("H1"))
        client.upload("inpark", entry("H2"), token=None)
        client.upload("inpark", entry("H3"), sign="0" * 32)
        client.upload("upload_order", entry("H4"))
        client.upload("query_price", {"order_id": "x"})
        client.post("/bpd/download.do", '{"token":"x","y":1}')
        client.post("/bpd/other.do", "{}", content_type="text/plain")
        for rule in ("sdk_name_in_http_mode", "no_token", "wrong_sign", "cloud_service", "incomplete_answer",
                     "answer_unasked", "download_body", "unknown_path", "content_type"):
            self.expect(rule)

    def test_sign_is_over_the_exact_text(self):
        client = self.client()
        self.assertEqual(client.upload("inpark", '{ "order_id" : "H1", "total" : 1.0, "x" : null }')["state"], 1)
        self.bolink.check()

    def test_one_poll(self):
        one = self.client()
        two = self.client(login=False)
        two.token = one.token
        one.send("/bpd/download.do", '{"token":"%s"}' % one.token)
        self.bolink.wait(lambda: self.bolink.polling() == 1)
        two.poll()
        self.expect("second_poll")

    def test_a_poll_given_up_is_not_outstanding(self):
        one = self.client()
        one.send("/bpd/download.do", '{"token":"%s"}' % one.token)
        self.bolink.wait(lambda: self.bolink.polling() == 1)
        one.close()
        one.poll()
        self.bolink.check()

    def test_poll_late_and_retry_after(self):
        client = self.client()
        client.poll()
        self.bolink.poll_within = 0.1
        time.sleep(0.2)
        client.poll()
        self.expect("poll_late")
        self.bolink.plan("download", b.unavailable(1))
        self.assertEqual(client.post("/bpd/download.do", '{"token":"%s"}' % client.token)[1]["retry-after"], "1")
        client.poll()
        self.expect("retry_after_ignored")

    def test_faults(self):
        client = self.client()
        for i, step in enumerate((b.chunked(), b.chunked(trailer=True), b.slow(0.1), b.late(0.05))):
            self.bolink.plan("inpark", step)
            self.assertEqual(client.upload("inpark", entry(u"京%d" % i))["order_id"], u"京%d" % i)
        self.bolink.plan("inpark", b.status(500))
        self.assertEqual(client.upload("inpark", entry("H"))["http"], 500)
        for step in (b.truncated(), b.close_before(), b.raw(b"")):
            self.bolink.plan("inpark", step)
            with self.assertRaises(OSError):
                client.upload("inpark", entry("H"))
            client.close()
        for step in (b.close_after(), b.close_after(True), b.until_close()):
            self.bolink.plan("inpark", step)
            self.assertEqual(client.upload("inpark", entry("H"))["order_id"], "H")
            client.close()
        self.bolink.plan("inpark", b.kill_token_first())
        self.assertEqual(client.upload("inpark", entry("H")), {"state": 0, "errmsg": DEAD_TOKEN})
        client.login()
        self.assertEqual(client.upload("inpark", entry("H"))["state"], 1)
        self.bolink.check()


if __name__ == "__main__":
    unittest.main()
