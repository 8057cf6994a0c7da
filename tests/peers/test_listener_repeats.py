"""Pushes that come again, pushes that were changed on the way, and what outlives a restart (API 5, 9, 11; ETCP 9)."""
import threading
import time
import unittest

import normal_form
import parklink
from listener_case import ETCP, UKEY, UNION, ListenerCase
from push_client import compact, etcp_form, etcp_remade, union_body
from push_facts import PEOPLE, pushes
from union_facts import ETC
from union_server import UnionServer

# Messages that move money or things and carry a number of their own: a repeat is the same message.
NUMBERED = ("prepay_order", "outpark", "refund", "monthcard_pay", "repair", "plat_unified_order", "plat_escape_order", "recharge",
            "operate_liftrod", "invoice_notify")


class Repeats(ListenerCase):
    def test_answered_without_a_second_call(self):
        for push in pushes(self.n()):
            if push.name not in NUMBERED:
                continue
            with self.subTest(push.name, section=push.section):
                self.replies[push.name] = dict(push.reply)
                body, before = self.body(push), self.software.count()
                first = self.client.ask(UNION, body)
                for client in (self.client, self.pusher()):
                    self.assertEqual(client.ask(UNION, body), first)
                self.assertEqual(self.settle(), before + 1)

    def test_of_etcp(self):
        """The platform's repetition is not stated; the parking record's number tells."""
        for data in (self.entered(), self.left()):
            before = self.software.count()
            for _ in range(3):
                self.assertEqual(self.client.ask(ETCP, self.etcp_body(data)), (200, {"code": 0, "message": "ok"}))
            self.assertEqual(self.settle(), before + 1)

    def test_entry_and_exit_of_one_stay(self):
        """9.1 and 9.2 of one stay share synId and are two messages."""
        data = self.left()
        entry = {m: v for m, v in data.items() if m not in ("exitTime", "stayedTime", "receivableFee")}
        self.client.ask(ETCP, self.etcp_body(entry))
        self.client.ask(ETCP, self.etcp_body(data))
        self.assertEqual([e["service_name"] for e in self.software.events], ["car_in", "car_out"])

    def test_all_at_once(self):
        """The repeat comes while the software still thinks: one call, the same answer for both."""
        def slow(event):
            time.sleep(0.5)
            return {"state": 1}
        self.start(answer=slow)
        body = self.body(self.one("outpark"))
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.pusher().ask(UNION, body))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(8)
        self.assertEqual(len(answers), 6)
        self.assertEqual(self.settle(), 1)
        for status, answer in answers:
            self.assertEqual((status, answer.get("state")), (200, 1), answers)

    def test_a_repeat_in_another_order_of_members(self):
        """The sender's maps have no order: the number tells a repeat, not the text."""
        push = self.one("outpark")
        members = dict(push.data, service_name="outpark")
        self.client.ask(UNION, union_body(None, None, UKEY, text=compact(members)))
        status, answer = self.client.ask(UNION, union_body(None, None, UKEY, text=compact(dict(reversed(list(members.items()))))))
        self.assertEqual((status, answer.get("state"), self.settle()), (200, 1, 1))

    def test_a_later_state_is_no_repeat(self):
        """5.5 paying, then paid; 5.12 sent, then taken: one trade_no, and news each time."""
        for name, states in (("outpark", (2, 1)), ("recharge", (1, 2, 3))):
            push, before = self.one(name), self.software.count()
            for state in states:
                status, answer = self.client.ask(UNION, union_body(name, dict(push.data, state=state), UKEY))
                self.assertEqual((status, answer.get("state")), (200, 1))
            self.assertEqual(self.software.count() - before, len(states), "%s: %s" % (push.section, [
                e["data"]["state"] for e in self.software.events[before:]]))

    def test_the_status_of_a_plate_may_change_back(self):
        """5.2 is sent whenever the status changes: on, off, on again for one stay."""
        push = self.one("notice_car_owner")
        for n, status in enumerate((1, 0, 1)):
            self.client.ask(UNION, union_body(push.name, dict(push.data, is_union_user=status, rand="0.%d%d" % (n, self.n())), UKEY))
        self.assertEqual([e["data"]["is_union_user"] for e in self.software.events], [1, 0, 1])

    def test_what_could_not_be_processed_comes_again(self):
        """5.11: delivery repeats until the vendor answers state 1; dropped is what has been processed."""
        answers = iter(({"state": 0, "errmsg": "busy"}, {"state": 1}, {"state": 1}))
        self.start(answer=lambda event: next(answers))
        body = self.body(self.one("plat_escape_order"))
        words = [self.client.ask(UNION, body)[1].get("state") for _ in range(3)]
        self.assertEqual(words, [0, 1, 1])
        self.assertEqual(self.settle(), 2)

    def test_two_messages_of_one_order(self):
        """A stay can be prepaid twice: another trade_no is another payment."""
        push = self.one("prepay_order")
        self.client.ask(UNION, self.body(push))
        self.client.ask(UNION, union_body(push.name, dict(push.data, trade_no="B%d" % self.n()), UKEY))
        self.assertEqual(self.settle(), 2)

    def test_the_same_number_of_two_services(self):
        for name in ("outpark", "repair", "plat_unified_order"):
            push = self.one(name)
            self.client.ask(UNION, union_body(name, dict(push.data, trade_no="same"), UKEY))
        self.assertEqual(self.settle(), 3)


class Changed(ListenerCase):
    """A byte of a signed push is another one: refused, and no callback."""

    def flip(self, path, body, content_type="application/json;charset=utf-8", end=None):
        body = body.encode("utf-8") if isinstance(body, str) else body
        taken = []
        for at in range(len(body) if end is None else body.index(end)):
            for mask in (0x01, 0x80) if at % 4 == 0 else (0x01,):
                changed = body[:at] + bytes([body[at] ^ mask]) + body[at + 1:]
                status, answer = self.client.ask(path, changed, content_type=content_type)
                word = answer.get("state", answer.get("code")) if isinstance(answer, dict) else None
                if status == 200 and str(word) == ("1" if path == UNION else "0"):
                    taken.append("byte %d, %r: %r" % (at, changed[max(0, at - 20):at + 20], answer))
        self.assertEqual(taken, [])
        self.assertEqual(self.settle(), 0)

    def test_bolink(self):
        self.flip(UNION, self.body(self.one("plat_escape_order")))
        self.assertWorks()

    def test_bolink_with_the_vendor_beside(self):
        """5.8, 9.1: union_id stands outside of what is signed."""
        self.flip(UNION, self.body(self.one("monthcard_pay")), end=b',"union_id"')
        self.flip(UNION, union_body("people_data", PEOPLE, UKEY, {"union_id": 200208, "service_name": "people_data"}),
                  end=b',"union_id"')

    def test_another_vendor(self):
        """A number beside data that is not ours: the message is not for us, whatever its signature."""
        push = self.one("monthcard_pay")
        for vendor in (200209, "200209", 0):
            self.assertRefused(*self.client.ask(UNION, self.body(push, beside={"union_id": vendor})), what=vendor)
        self.assertEqual(self.settle(), 0)
        for vendor in (200208, "200208"):
            push = self.one("monthcard_pay")
            self.assertEqual(self.client.ask(UNION, self.body(push, beside={"union_id": vendor}))[1].get("state"), 1)

    def test_etcp(self):
        self.flip(ETCP, self.etcp_body(self.left()))

    def test_etcp_form(self):
        self.flip(ETCP, self.etcp_body(self.entered(), etcp_form), "application/x-www-form-urlencoded;charset=utf-8")

    def test_etcp_remade(self):
        """Blanks between members are not signed in this reading: a blank for another changes nothing that counts."""
        self.start(listen={"etcp_sign": "remade"})
        body = self.etcp_body(self.entered(), etcp_remade).replace("\n ", "").replace("\n", "").replace(": ", ":")
        self.flip(ETCP, body)

    def test_without_a_signature(self):
        push = self.one("outpark")
        text = compact(dict(push.data, service_name="outpark"))
        right = normal_form.sign_text(text, UKEY)
        for sign in ('', ',"sign":""', ',"sign":null', ',"sign":1', ',"sign":[]', ',"sign":"%s"' % right[:-1], ',"sign":"%s0"' % right,
                     ',"sign":"%s"' % normal_form.sign_text(text, ""), ',"sign":"%s"' % normal_form.sign_text(text, "NULL"),
                     ',"sign":{"":"%s"}' % right, ',"Sign":"%s"' % right):
            status, answer = self.client.ask(UNION, '{"data":%s%s}' % (text, sign))
            self.assertRefused(status, answer, sign)
        self.assertRefused(*self.client.ask(UNION, text))  # 5.12's example: bare and unsigned
        data = self.entered()
        self.assertRefused(*self.client.ask(ETCP, compact(data)))
        self.assertRefused(*self.client.ask(ETCP, compact(dict(data, signment=""))))
        self.assertEqual(self.settle(), 0)

    def test_two_members_of_one_name(self):
        """The text that is checked is the text that is believed."""
        good, evil = self.one("outpark"), self.one("outpark")
        text, other = (compact(dict(p.data, service_name="outpark")) for p in (good, evil))
        sign = normal_form.sign_text(text, UKEY)
        for body in ('{"data":%s,"sign":"%s","data":%s}' % (text, sign, other), '{"data":%s,"data":%s,"sign":"%s"}' % (other, text, sign),
                     '{"x":{"data":%s},"sign":"%s","data":%s}' % (text, sign, other),
                     '{"d\\u0061ta":%s,"sign":"%s","data":%s}' % (text, sign, other),
                     '{"data":%s,"sign":"%s","d\\u0061ta":%s}' % (text, sign, other),
                     '{"x":"\\"data\\":%s","data":%s,"sign":"%s"}' % (text.replace('"', '\\"'), other, sign)):
            self.client.ask(UNION, body)
            self.settle()
            self.assertEqual(self.software.of("trade_no", evil.data["trade_no"]), [], body)

    def test_the_key_of_the_other_platform(self):
        self.assertRefused(*self.client.ask(ETCP, self.body(self.one("outpark"))))
        self.assertRefused(*self.client.ask(UNION, self.etcp_body(self.entered())))
        push = self.one("outpark")
        self.assertRefused(*self.client.ask(UNION, union_body(push.name, push.data, "noxxxxx")))
        self.assertEqual(self.settle(), 0)


class Restart(ListenerCase):
    """ETC in progress, the result after a restart: it reaches the software once (API 3.7, 5.5)."""

    def test_pending_then_result(self):
        server = UnionServer().start()
        self.addCleanup(server.stop)
        options = {"store": {"dir": self.folder()}, "union": {"base": server.base}}
        self.start(**options)
        server.answered("etcPayApi", {"state": 2, "order_id": "9009"})
        code, _ = self.handle._call("etc_pay", parklink._bytes(dict(ETC, pay_type="jyyh")))
        self.assertEqual(code, parklink.PENDING, self.handle.last_error)
        self.start(**options)
        push = self.one("outpark")
        body = union_body("outpark", dict(push.data, order_id="9009"), UKEY)
        first = self.client.ask(UNION, body)
        self.assertEqual((first[0], first[1].get("state")), (200, 1))
        self.assertEqual(len(self.software.of("order_id", "9009")), 1)
        self.assertEqual(self.client.ask(UNION, body), first)
        self.assertEqual(self.settle(), 1)
        self.start(**options)
        status, answer = self.client.ask(UNION, body)
        self.assertEqual((status, answer.get("state"), self.settle()), (200, 1, 0), "answered before the restart")
        server.check()

    def test_unanswered_before_the_restart(self):
        """Taken, on disk, not answered: after the restart the software has it again, and the repeat gets the answer."""
        options = {"store": {"dir": self.folder()}}
        self.start(answer=lambda event: None, **options)
        push = self.one("prepay_order")
        sender = self.beside(self.client.ask, UNION, self.body(push))
        self.settle(1)
        self.start(**options)
        status, answer = self.client.ask(UNION, self.body(push))
        self.assertEqual((status, answer.get("state")), (200, 1), answer)
        self.assertEqual(len(self.software.of("trade_no", push.data["trade_no"])), 1)
        try:
            sender.wait()
        except Exception:
            pass  # its connection ended with the first handle


if __name__ == "__main__":
    unittest.main()
