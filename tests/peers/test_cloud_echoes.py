"""The library against the cloud's referee: entries and exits of the lot's other systems (cloud-tcp 5.3 and 7)."""
import time
import unittest

import cloud_faults as fault
from library_case import CloudCase


class Echoes(CloudCase):
    def setUp(self):
        CloudCase.setUp(self)
        self.p = self.polled(local_id="box_syncdata")

    def with_echo(self, echo, name="in_park"):
        """Upload an entry while an echo arrives just before its answer; (reply, event)."""
        data = self.order()
        self.cloud.plan(name, fault.glued(before=[echo]))
        reply = self.p.in_park(data)
        self.assertEqual((reply["order_id"], reply["errmsg"], reply["state"]), (data["order_id"], "", 1))
        return self.p.poll(1000)

    def test_an_echo_is_not_an_answer(self):
        echo = {"service_name": "in_park", "order_id": "E1", "car_number": u"京A1", "in_time": 100}
        event = self.with_echo(echo)
        self.assertEqual((event["kind"], event["platform"], event["service_name"]), ("echo", "cloud", "in_park"))
        self.assertEqual(event["data"]["order_id"], "E1")

    def test_an_echo_with_state_and_errmsg(self):
        event = self.with_echo({"service_name": "in_park", "order_id": "E1", "state": 0, "errmsg": "x", "c_type": "y"})
        self.assertEqual(event["kind"], "echo")

    def test_an_echo_that_looks_like_a_reply(self):
        """Only names that a reply has too: the order_id under way decides."""
        event = self.with_echo({"service_name": "in_park", "order_id": "E1", "state": 0, "errmsg": "x", "car_number": u"京A1"})
        self.assertEqual(event["kind"], "echo")

    def test_an_echo_of_an_exit(self):
        event = self.with_echo({"service_name": "out_park", "order_id": "E1", "out_time": 5})
        self.assertEqual((event["kind"], event["service_name"]), ("echo", "out_park"))

    def test_an_echo_of_the_order_under_way(self):
        """Another system of the lot uploads the same order: in_time tells the echo."""
        data = self.order()
        self.cloud.plan("in_park", fault.glued(before=[dict(data, service_name="in_park", state=0)]))
        reply = self.p.in_park(data)
        self.assertEqual(reply, {"service_name": "in_park", "state": 1, "errmsg": "", "order_id": data["order_id"]})

    def test_an_echo_while_nothing_is_under_way(self):
        self.cloud.live()[0].send({"service_name": "in_park", "order_id": "E2", "car_number": u"京A1", "in_time": 100})
        event = self.p.poll(1000)
        self.assertEqual((event["kind"], event["data"]["order_id"]), ("echo", "E2"))
        time.sleep(0.2)
        self.assertEqual([r.name for r in self.cloud.requests()], ["login"])  # nothing is expected back

    def test_two_systems_of_one_lot(self):
        other = self.open(self.config(self.cloud, local_id="box2"))
        self.wait_up(2)
        data = self.order()
        other.in_park(data)
        event = self.p.poll(2000)
        self.assertEqual((event["kind"], event["data"]["order_id"]), ("echo", data["order_id"]))


if __name__ == "__main__":
    unittest.main()
