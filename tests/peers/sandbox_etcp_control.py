"""What the tests ask of the sandbox's control API for ETCP: cars, codes, faults. One place, to follow docs/sandbox.md."""


class Control(object):
    def __init__(self, sandbox):
        self.sandbox = sandbox

    def ask(self, path, body=None, method="POST"):
        status, answer = self.sandbox.ask(method, path, body)
        if status != 200:
            raise AssertionError("%s %s: %s %s" % (method, path, status, answer))
        return answer
