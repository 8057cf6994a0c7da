"""What CloudServer.plan can be given: how a request is answered, or not."""
import time

import cloud_facts as facts
from cloud_parts import CLOSE, dump


def usual():
    """Answer as always."""
    return lambda job: job.answer()


def late(seconds):
    """Process at once, answer late."""
    def step(job):
        job.process()
        if seconds > job.server.patience:
            job.excuse()
        time.sleep(seconds)
        job.answer()
    return step


def never(process=True):
    """No answer; processed or not."""
    def step(job):
        job.excuse()
        if process:
            job.process()
    return step


def hold():
    """Process at once, answer when the test calls server.release()."""
    def step(job):
        job.excuse()
        job.process()
        job.server.held.append(job)
        job.server.changed()
    return step


def close_before(process=True, abruptly=False):
    """The connection ends without an answer; the record was taken, or not."""
    def step(job):
        if process:
            job.process()
        job.excuse()
        job.conn.close(abruptly=abruptly)
    return step


def close_after():
    """The connection ends right behind the answer."""
    def step(job):
        job.excuse()
        job.answer()
        job.conn.close()
    return step


def pieces(pause=0.02, size=None):
    """The answer in pieces: of `size` bytes, or cut inside every character of several bytes and inside the separators."""
    def step(job):
        data = job.frames()
        job.settle()
        if size:
            cuts = list(range(size, len(data), size))
        else:
            cuts = [1] + [i for i in range(1, len(data)) if 0x80 <= data[i] < 0xC0] + [len(data) - 1]
        start = 0
        for cut in cuts + [len(data)]:
            job.conn.send_bytes(data[start:cut])
            start = cut
            time.sleep(pause)
        if CLOSE in job.process():
            job.conn.close()
    return step


def glued(before=(), after=()):
    """Several frames in one segment, the answer among them."""
    def step(job):
        def frame(m):
            return b"\n" + (m if isinstance(m, str) else dump(m)).encode("utf-8") + b"\r"
        data = b"".join(map(frame, before)) + job.frames() + b"".join(map(frame, after))
        job.settle()
        job.conn.send_bytes(data)
    return step


def instead(raw, process=True, excuse=True):
    """These bytes in place of the answer."""
    def step(job):
        if excuse:
            job.excuse()
        if process:
            job.process()
        job.settle()
        job.conn.send_bytes(raw)
    return step


def nameless(text):
    """An envelope error: state 0 and errmsg, nothing else. Nothing is stored."""
    def step(job):
        if text in (facts.DEAD_TOKEN, facts.OVER_TIMES):
            job.server.refused_unstored(job.request)
        if text in facts.LOGIN_AGAIN:
            job.excuse()
        job.settle()
        job.conn.send({"state": 0, "errmsg": text})
    return step


def reply(members, process=True):
    """This reply in place of the usual one."""
    def step(job):
        if process:
            job.process()
        job.settle()
        job.conn.send(members)
    return step


def kill_token_first():
    """The token dies just before this request is looked at."""
    def step(job):
        job.server.kill_tokens(job.conn)
        job.answer()
    return step


def refuse_login(which):
    """One of the documented refusals of a login (facts.LOGIN_REFUSALS)."""
    text, named, closes = facts.LOGIN_REFUSALS[which]

    def step(job):
        job.excuse()
        members = {"state": 0, "errmsg": text}
        if named:
            members["service_name"] = "login"
        job.settle()
        job.conn.send(members)
        if closes:
            job.conn.close()
    return step


def in_turn(*steps):
    """The first time the first step, the second time the second ... (for plan(times=len(steps)))."""
    left = list(steps)

    def step(job):
        left.pop(0)(job)
    return step
