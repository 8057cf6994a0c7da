"""Pictures (SDK 2.12) and log files (SDK 2.32): by HTTP beside the line, with the line's token; against a recorder, and against the sandbox."""
import base64
import http.server
import json
import os
import shutil
import tempfile
import threading
import unittest

import parklink
from cloud_server import CloudServer
from library_case import LibraryCase
from sandbox_process import Sandbox


def picture(order_id, content="aGVsbG8="):
    return {"service_name": "upload_carpic", "data_target": "cloud", "picture_source": "order", "order_id": order_id,
            "create_time": 1490875218, "content": content, "car_number": "京A12345", "pic_type": "jpg", "park_order_type": "in",
            "upload_type": "http"}


class Recorder(object):
    """Answers every POST with the next of `answers`; keeps path, type and body."""

    def __init__(self, *answers):
        outer, self.taken, self.answers = self, [], list(answers)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.taken.append((self.path, self.headers["Content-Type"], body))
                answer = outer.answers.pop(0).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/carpicsup.do?action=receivepic" % self.server.server_address[1]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Pictures(LibraryCase):
    def opened(self, cloud, url):
        return self.open(self.config(cloud, cloud_addr="127.0.0.1", http={"proxy": ""}, **({"cloud": {"picture_url": url}} if url else {})))

    def test_a_picture_goes_by_http_with_the_token_of_the_line(self):
        recorder = Recorder('{"state":1,"errmsg":"上传成功！"}', '{"state":0,"errmsg":"图片已上传过，不可再传！"}',
                            '{"state":0,"errmsg":"图片上传失败，缺少图片数据！"}', "")
        self.addCleanup(recorder.stop)
        with CloudServer() as cloud:
            lot = self.opened(cloud, recorder.url)
            lot.upload(self.log_record())
            self.assertEqual(lot.upload(picture("A1"))["errmsg"], "上传成功！")
            path, kind, body = recorder.taken[0]
            sent = json.loads(body.decode("utf-8"))
            self.assertEqual(path, "/carpicsup.do?action=receivepic")
            self.assertTrue(kind.startswith("application/json"))
            self.assertEqual(sent["service_name"], "upload_carpic")
            self.assertIn(sent["token"], cloud.tokens)
            self.assertEqual(sent["data"]["order_id"], "A1")
            # Sent twice it is there all the same.
            self.assertEqual(lot.try_upload(picture("A1"))[0], parklink.OK)
            self.assertEqual(lot.try_upload(picture("A2"))[0], parklink.REFUSED)
            # No answer at all: the token was not known.
            self.assertEqual(lot.try_upload(picture("A3"))[0], parklink.OFFLINE)
            self.assertEqual([r for r in cloud.received if b"upload_carpic" in r.raw], [])

    def test_what_cannot_be_sent_is_told_before(self):
        with CloudServer() as cloud:
            lot = self.opened(cloud, None)
            code, _ = lot.try_upload(picture("A1"))
            self.assertEqual(code, parklink.UNSUPPORTED)
            self.assertIn("cloud.picture_url", lot.last_error)
        recorder = Recorder()
        self.addCleanup(recorder.stop)
        with CloudServer() as cloud:
            lot = self.opened(cloud, recorder.url)
            code, _ = lot.try_upload(picture("A1", "A" * 201101))
            self.assertEqual(code, parklink.TOO_LARGE)
            self.assertIn("201100", lot.last_error)
            self.assertEqual(recorder.taken, [])


class LogFiles(LibraryCase):
    """SDK 2.32: only files of one folder, only to known hosts."""

    def test_only_what_the_software_allowed_is_sent(self):
        folder = tempfile.mkdtemp(prefix="parklink-files-")
        self.addCleanup(shutil.rmtree, folder)
        inside, outside = os.path.join(folder, "logs", "1.INFO"), os.path.join(folder, "key")
        os.mkdir(os.path.dirname(inside))
        for path in (inside, outside):
            with open(path, "wb") as f:
                f.write(b"\x00\xff" + path.encode())
        os.symlink(outside, os.path.join(folder, "logs", "link"))
        recorder = Recorder('{"state":1,"errmsg":"upload data success!"}')
        self.addCleanup(recorder.stop)
        record = {"service_name": "upload_file", "data_target": "bolink", "url": recorder.url, "filepath": inside}
        with CloudServer() as cloud:
            shut = self.open(self.config(cloud, http={"proxy": ""}))
            self.assertEqual(shut.try_upload(record)[0], parklink.UNSUPPORTED)
            files = {"dir": os.path.dirname(inside), "hosts": "example.com, 127.0.0.1"}
            lot = self.open(self.config(cloud, http={"proxy": ""}, files=files))
            for bad in (dict(record, filepath=outside), dict(record, filepath=os.path.join(folder, "logs", "link")),
                        dict(record, filepath=os.path.join(folder, "logs", "..", "key")),
                        dict(record, url="http://localhost:1/x")):
                self.assertEqual(lot.try_upload(bad)[0], parklink.INVALID, bad)
            self.assertEqual(recorder.taken, [])
            self.assertEqual(lot.upload(record)["state"], 1)
        _, kind, body = recorder.taken[0]
        self.assertTrue(kind.startswith("multipart/form-data; boundary="))
        boundary = kind.split("boundary=")[1].encode()
        head, content = body.split(b"\r\n\r\n", 1)
        self.assertTrue(head.startswith(b"--" + boundary + b"\r\n"))
        self.assertIn(b'name="filepath"; filename="1.INFO"', head)
        self.assertEqual(content, b"\x00\xff" + inside.encode() + b"\r\n--" + boundary + b"--\r\n")


@unittest.skipUnless(os.environ.get("PARKLINK_SANDBOX"), "PARKLINK_SANDBOX is not set")
class PicturesAtTheSandbox(LibraryCase):
    def test_the_sandbox_takes_it(self):
        sandbox = Sandbox()
        self.addCleanup(sandbox.stop)
        url = sandbox.bolink + "/carpicsup.do?action=receivepic"
        config = self.config(int(str(sandbox.cloud).rsplit(":", 1)[-1]), http={"proxy": ""}, cloud={"picture_url": url})
        lot = self.open(config)
        lot.in_park(self.order())
        content = base64.b64encode(os.urandom(100000)).decode()
        self.assertEqual(lot.upload(picture("A1", content))["state"], 1)


if __name__ == "__main__":
    unittest.main()
