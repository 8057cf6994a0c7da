"""What BolinkServer.plan can be given: how a request is answered, or not."""
import time

from peer_server import dump


def status(code, text="", headers=(), process=False):
    """This status in place of the answer."""
    def step(job):
        if process:
            job.process()
        job.respond(code, text, headers)
    return step


def unavailable(retry_after):
    """503 with Retry-After; the referee notes who comes back too soon."""
    def step(job):
        job.server.not_before[job.request.path] = time.monotonic() + retry_after * 0.9
        job.respond(503, "", [("Retry-After", str(retry_after))])
    return step


def late(seconds):
    def step(job):
        job.process()
        time.sleep(seconds)
        job.answer()
    return step


def never():
    """Taken, and no answer."""
    def step(job):
        job.process()
        job.server.excused = True
        end = time.monotonic() + 60
        while time.monotonic() < end and not job.server.stopping and not job.conn.gone():
            time.sleep(0.05)
        job.conn.close()
    return step


def slow(seconds=1.0, parts=20):
    """The answer, headers included, in drips."""
    def step(job):
        code, text = job.process()
        body = text.encode("utf-8")
        data = job.head(code, [("Content-Type", "application/json;charset=utf-8"), ("Content-Length", len(body))]) + body
        size = max(1, len(data) // parts)
        job.server.poll_answered(job.request)
        for start in range(0, len(data), size):
            job.conn.send(data[start:start + size])
            time.sleep(seconds / parts)
    return step


def truncated(missing=5):
    """The body ends before its Content-Length."""
    def step(job):
        code, text = job.process()
        body = text.encode("utf-8")
        job.server.poll_answered(job.request)
        job.conn.send(job.head(code, [("Content-Type", "application/json"), ("Content-Length", len(body))]) + body[:-missing])
        job.conn.close()
    return step


def chunked(size=3, trailer=False):
    """Transfer-Encoding: chunked, cut inside characters too."""
    def step(job):
        code, text = job.process()
        body = text.encode("utf-8")
        job.server.poll_answered(job.request)
        job.conn.send(job.head(code, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]))
        for start in range(0, len(body), size):
            piece = body[start:start + size]
            job.conn.send(("%x;x=y\r\n" % len(piece)).encode() + piece + b"\r\n")
        job.conn.send(b"0\r\n" + (b"X-Sum: 1\r\n" if trailer else b"") + b"\r\n")
    return step


def close_before(process=True):
    """Taken (or not), then the connection ends without a byte of answer."""
    def step(job):
        if process:
            job.process()
        job.conn.close()
    return step


def close_after(announce=False):
    """The answer, then the connection ends: announced by a header, or not (a kept connection found dead)."""
    def step(job):
        code, text = job.process()
        job.respond(code, text, [("Connection", "close")] if announce else ())
        job.conn.close()
    return step


def until_close():
    """An answer without a length: it ends with the connection."""
    def step(job):
        code, text = job.process()
        job.server.poll_answered(job.request)
        job.conn.send(job.head(code, [("Content-Type", "application/json"), ("Connection", "close")]) + text.encode("utf-8"))
        job.conn.close()
    return step


def raw(data, process=True):
    """These bytes in place of an answer, then the end."""
    def step(job):
        if process:
            job.process()
        job.server.poll_answered(job.request)
        job.conn.send(data)
        job.conn.close()
    return step


def reply(members, process=True):
    def step(job):
        if process:
            job.process()
        job.respond(200, members if isinstance(members, str) else dump(members))
    return step


def kill_token_first():
    def step(job):
        job.server.kill_tokens()
        job.answer()
    return step
