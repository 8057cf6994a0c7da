"""The library against Bolink's referee: requests, tokens, faults (SDK http, 2.1, 2.2, 2.18, 2.19)."""
import time
import unittest

import bolink_faults as fault
import parklink
from bolink_server import BolinkServer
from library_case import REQUEST_TIMEOUT, BolinkCase


class Requests(BolinkCase):
    def test_login(self):
        self.link(local_id="box7")
        login = self.bolink.requests()[0]
        self.assertEqual(login.name, "login")
        self.assertEqual(login.data["union_id"], "200208")
        self.assertEqual(login.data["park_id"], "21782")
        self.assertEqual(login.data["local_id"], "box7")
        self.assertEqual((login.path, login.headers["host"]), ("/bpd/upload.do", "127.0.0.1:%d" % self.bolink.port))

    def test_names_of_entry_and_exit(self):
        """inpark and outpark on the wire; in_park and out_park for the software."""
        p = self.link()
        data = self.order()
        self.assertEqual(p.in_park(data)["order_id"], data["order_id"])
        self.assertEqual(p.out_park(self.leave(data))["order_id"], data["order_id"])
        self.assertEqual([r.name for r in self.bolink.requests()], ["login", "inpark", "outpark"])
        for member, value in data.items():
            self.assertEqual(self.bolink.requests("inpark")[0].data[member], value)

    def test_the_text_sent_is_the_text_signed(self):
        """Blanks, escapes, digits, nulls: whatever goes out, the signature is over exactly that."""
        p = self.link(validation="off")
        text = u'{ "order_id":"%s", "car_number":"\\u4eacA1", "total" : 1.50, "a":1e3, "b":null, "c":"\\/\u2028\\u007f", "d":[ 1, {} ] }'
        code, _ = p.try_in_park(text % self.fresh())
        self.assertEqual(code, parklink.OK)
        sent = self.bolink.requests("inpark")[-1].data
        self.assertEqual((float(sent["total"]), float(sent["a"]), sent["c"]), (1.5, 1000.0, u"/\u2028\x7f"))
        self.assertEqual(sent["total"].text, "1.50")

    def test_other_uplinks(self):
        p = self.link(validation="off")
        reply = p.upload({"service_name": "code_url", "data_target": "bolink", "type": 3, "channel_id": "A1"})
        self.assertTrue(reply["code_url"])
        reply = p.upload({"service_name": "query_order", "data_target": "bolink", "order_id": "A1", "time_temp": 1516934957889})
        self.assertEqual(reply["data"][0]["order_id"], "A1")

    def test_refused_and_pending(self):
        p = self.link()
        data = self.order()
        self.bolink.plan("inpark", fault.reply({"state": 0, "errmsg": u"该订单已经存在", "service_name": "inpark"}))
        code, reply = p.try_in_park(data)
        self.assertEqual((code, reply["errmsg"]), (parklink.REFUSED, u"该订单已经存在"))
        code, reply = p.try_out_park(self.leave(data, pay_type="wallet"))
        self.assertEqual((code, reply["state"]), (parklink.PENDING, 2))

    def test_numbers_as_text(self):
        p = self.link()
        self.bolink.plan("inpark", fault.reply({"state": "1", "order_id": "x"}))
        self.assertEqual(p.try_in_park(self.order())[0], parklink.OK)

    def test_kept_connections(self):
        p = self.link()
        for _ in range(20):
            p.in_park(self.order())
        self.assertLessEqual(len(self.bolink.conns), 3)

    def test_login_refused(self):
        """The reason is told; no poll, no upload without a token; when the platform relents it works."""
        refusal = {"state": 0, "errmsg": u"error:签名错误", "service_name": "login"}
        self.bolink.plan("login", fault.reply(refusal, process=False), times=1000)
        p = self.open(self.config(None, self.bolink))
        self.bolink.wait(self.bolink.logins)
        code, _ = self.answered(p, lambda: p.try_in_park(self.order()))
        self.assertEqual(code, parklink.LOGIN_REFUSED)
        self.assertIn(u"签名错误", p.last_error)
        time.sleep(0.5)
        self.assertLess(len(self.bolink.logins()), 14)
        self.assertEqual(len(self.bolink.received), len(self.bolink.logins()))
        self.bolink.plans[0][2] = 0
        self.works(p)


class Tokens(BolinkCase):
    def test_lost_at_an_upload(self):
        p = self.link()
        for _ in range(2):
            logins = len(self.bolink.logins())
            self.bolink.plan("inpark", fault.kill_token_first())
            data = self.order()
            self.assertEqual(p.in_park(data)["state"], 1)
            self.assertEqual(len(self.stored(data["order_id"])), 1)
            self.assertEqual(len(self.bolink.logins()), logins + 1)
            self.works(p)

    def test_lost_at_a_poll(self):
        p = self.link()
        self.bolink.kill_tokens()
        self.assertTrue(self.bolink.wait(lambda: len(self.bolink.logins()) == 2, 3), "no new login")
        self.bolink.push({"service_name": "update_balance", "car_number": "x", "balance": "1.0", "autopay": 1})
        self.assertTrue(self.bolink.wait(lambda: not self.bolink.queue, 3), "it does not poll any more")
        time.sleep(0.3)
        self.assertEqual(len(self.bolink.logins()), 2)
        self.works(p)

    def test_lost_again_and_again(self):
        """A platform that takes every login and no token: pauses, no storm."""
        self.bolink.plan(lambda r: r.name != "login", lambda job: (job.server.kill_tokens(), job.answer()), times=10000)
        p = self.open(self.config(None, self.bolink, bolink={"retry_first_ms": 200, "retry_longest_ms": 1000}))
        time.sleep(1.5)
        self.assertLess(len(self.bolink.logins()), 15)
        self.assertNotEqual(p.try_in_park(self.order())[0], parklink.OK)


class Faults(BolinkCase):
    def test_answers_in_every_dress(self):
        p = self.link()
        for step in (fault.chunked(1), fault.chunked(5, trailer=True), fault.slow(0.5), fault.late(0.4), fault.until_close(),
                     fault.close_after(True)):
            data = self.order(remark=u"京")
            self.bolink.plan("inpark", step)
            self.assertEqual(p.in_park(data)["order_id"], data["order_id"])

    def test_a_kept_connection_that_died(self):
        p = self.link()
        for _ in range(3):
            self.bolink.plan("inpark", fault.close_after())
            self.assertEqual(p.in_park(self.order())["state"], 1)
            time.sleep(0.1)
            self.works(p)

    def test_http_errors(self):
        p = self.link()
        for code in (500, 503, 502, 404, 400, 429):
            self.bolink.plan("inpark", fault.status(code, "busy"))
            found, _ = p.try_in_park(self.order())
            self.assertEqual(found, parklink.HTTP, code)
            self.assertIn(str(code), p.last_error)
            self.works(p)

    def test_rubbish(self):
        p = self.link()
        for step in (fault.reply("<html>"), fault.reply(""), fault.reply("[]"), fault.reply("null"), fault.reply('{"state":'),
                     fault.raw(b"garbage\r\n\r\n"), fault.raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}"),
                     fault.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe{}"), fault.truncated(), fault.raw(b"")):
            self.bolink.plan("inpark", step)
            code, _ = p.try_in_park(self.order())
            self.assertIn(code, (parklink.PROTOCOL, parklink.BROKEN, parklink.HTTP))
            self.works(p)

    def test_no_answer(self):
        p = self.link()
        self.bolink.plan("inpark", fault.never())
        start = time.monotonic()
        self.assertEqual(p.try_in_park(self.order())[0], parklink.TIMEOUT)
        self.assertLess(abs(time.monotonic() - start - REQUEST_TIMEOUT), 0.8)
        self.works(p)

    def test_money_is_sent_once(self):
        """The exit was taken and the answer lost: an error, and not a second exit behind the software's back."""
        p = self.link()
        for step in (fault.close_before(), fault.truncated(), fault.never(), fault.status(502, process=True)):
            data = self.leave(self.order(), pay_type="wallet")
            self.works(p)  # so that a kept connection is used
            self.bolink.plan("outpark", step)
            code, _ = p.try_out_park(data)
            self.assertNotIn(code, (parklink.OK, parklink.PENDING))
            self.assertEqual(len(self.stored(data["order_id"], "outpark")), 1)

    def test_offline(self):
        p = self.link()
        port = self.bolink.port
        self.bolink.stop()
        time.sleep(0.3)
        start = time.monotonic()
        self.assertIn(p.try_in_park(self.order())[0], (parklink.OFFLINE, parklink.BROKEN))
        self.assertLess(time.monotonic() - start, 2 * REQUEST_TIMEOUT)
        self.bolink = BolinkServer(hold=0.5).start(port)
        self.addCleanup(self.bolink.stop)
        self.works(p)

    def test_eight_callers(self):
        p = self.link(bolink={"request_timeout_ms": 8000})

        def work():
            for _ in range(10):
                data = self.order()
                self.assertEqual(p.in_park(data)["order_id"], data["order_id"])
        for thread in [self.beside(work) for _ in range(8)]:
            thread.wait(20)
        self.assertEqual(len(self.bolink.stored), 80)

if __name__ == "__main__":
    unittest.main()
