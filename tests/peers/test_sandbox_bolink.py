"""The sandbox's Bolink against the documents of HTTP mode, driven by a bare client."""
import time
import unittest

import normal_form
from sandbox_case import BolinkCase


class BolinkLogin(BolinkCase):
    def test_login(self):
        client = self.http(login=False)
        answer = client.login()
        self.assertEqual(answer["state"], 1)
        self.assertRegex(answer["token"], "^[0-9a-f]{32}$")

    def test_wrong_sign(self):
        client = self.http(login=False, ukey="WRONG")
        answer = client.login()
        self.assertEqual(answer["state"], 0)
        self.assertTrue(answer["errmsg"])
        self.assertNotIn("token", answer)

    def test_sign_is_over_the_exact_text(self):
        client = self.http()
        text = '{ "order_id" : "%s", "car_number":"\\u4eacA1", "in_time": 1490875218, "total": 1e3, "x": null }' % self.fresh("H")
        self.assertEqual(client.upload("inpark", text)["state"], 1)
        normal = normal_form.sign_text(normal_form.normal(text), client.ukey)
        self.assertEqual(client.upload("inpark", text, sign=normal)["state"], 0)

    def test_token(self):
        client = self.http()
        good = client.token
        for token in ("f" * 32, None):
            answer = client.upload("inpark", self.order(), token=token)
            self.assertEqual(answer["state"], 0, token)
        client.login()
        self.assertNotEqual(client.token, good)
        self.assertEqual(client.upload("inpark", self.order(), token=good)["state"], 0)  # replaced by the newer login
        self.assertEqual(client.upload("inpark", self.order())["state"], 1)

    def test_two_local_ids_do_not_replace_each_other(self):
        one, two = self.http(), self.http()
        self.assertEqual(one.upload("inpark", self.order())["state"], 1)
        self.assertEqual(two.upload("inpark", self.order())["state"], 1)

    def test_unknown_lot(self):
        self.assertEqual(self.http(login=False, park_id="nowhere").login()["state"], 0)
        self.assertEqual(self.http(login=False, union_id="1").login()["state"], 0)


class BolinkUpload(BolinkCase):
    def test_entry_and_exit(self):
        client = self.http()
        data = self.order()
        answer = client.upload("inpark", data)
        self.assertEqual((answer["state"], answer["order_id"], answer["service_name"]), (1, data["order_id"], "inpark"))
        leave = dict(data, out_time=1490879218, duration=66, pay_type="cash", total="6.00", amount_receivable="6.00",
                     cash_pay="6.00", out_uid="1")
        answer = client.upload("outpark", leave)
        self.assertEqual((answer["state"], answer["order_id"], answer["service_name"]), (1, data["order_id"], "outpark"))

    def test_one_connection_serves_many(self):
        client = self.http()
        sock = client.sock
        for _ in range(5):
            self.assertEqual(client.upload("inpark", self.order())["state"], 1)
        self.assertIs(client.sock, sock)
        client.post(client.prefix + "/bpd/download.do", '{"token":"%s"}' % ("f" * 32), timeout=5)

    def test_code_url(self):
        answer = self.http().upload("code_url", {"type": 3, "channel_id": "A1"})
        self.assertEqual((answer["service_name"], answer["state"], answer["type"]), ("code_url", 1, 3))
        self.assertTrue(answer["code_url"].startswith("http"))

    def test_queries(self):
        client = self.http()
        data = self.order(car_number=u"京Q12345")
        client.upload("inpark", data)
        answer = client.upload("query_inpark", {"car_number": u"京Q12345", "query_time": 1514995200})
        self.assertEqual((answer["state"], answer["query_time"]), (1, 1514995200))
        self.assertIn(data["order_id"], [row["order_id"] for row in answer["data"]])
        answer = client.upload("query_order", {"order_id": data["order_id"], "time_temp": 1516934957889})
        self.assertEqual((answer["service_name"], answer["time_temp"]), ("query_order", 1516934957889))
        self.assertIsInstance(answer["data"], list)

    def test_bodies_that_are_not_requests(self):
        client = self.http()
        for text in ("", "nonsense", "[]", "{}", '{"service_name":"inpark"}'):
            client.post(client.prefix + "/bpd/upload.do", text)  # answered, whatever the answer is
        self.assertEqual(client.upload("inpark", self.order())["state"], 1)


class BolinkPoll(BolinkCase):
    def test_a_poll_is_held(self):
        client = self.http()
        client.send(client.prefix + "/bpd/download.do", '{"token":"%s"}' % client.token)
        with self.assertRaises(OSError):
            client.receive(timeout=1.5)

    def test_a_poll_with_a_dead_token_is_not_held(self):
        client = self.http()
        client.token = "f" * 32
        start = time.monotonic()
        client.poll(timeout=5)
        self.assertLess(time.monotonic() - start, 3)

    def test_uploads_pass_while_a_poll_is_held(self):
        poller = self.http()
        other = self.http(login=False)
        other.token = poller.token
        poller.send(poller.prefix + "/bpd/download.do", '{"token":"%s"}' % poller.token)
        self.assertEqual(other.upload("inpark", self.order())["state"], 1)

if __name__ == "__main__":
    unittest.main()
