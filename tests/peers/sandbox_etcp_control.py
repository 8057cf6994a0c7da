"""What the tests ask of the sandbox's control API for ETCP: cars, codes, faults. One place, to follow docs/sandbox.md."""


class Control(object):
    def __init__(self, sandbox):
        self.sandbox = sandbox

    def ask(self, path, body=None, method="POST"):
        status, answer = self.sandbox.ask(method, path, body)
        if status != 200:
            raise AssertionError("%s %s: %s %s" % (method, path, status, answer))
        return answer

    def enter(self, plate, minutes_ago=0):
        return self.ask("/etcp/enter", {"plateNumber": plate, "minutes_ago": minutes_ago})

    def leave(self, plate):
        return self.ask("/etcp/exit", {"plateNumber": plate})

    def stay(self, plate, days_ago):
        self.enter(plate, days_ago * 1440)
        self.leave(plate)

    def refuse(self, code):
        """The next call is refused with this value of section 10."""
        return self.ask("/faults", {"platform": "etcp", "kind": "code", "value": code, "count": 1})

    def code_of(self, phone):
        """The code that went to this phone as a text message."""
        found = []

        def walk(value, inside):
            if isinstance(value, dict):
                here = inside or phone in map(str, value.values())
                for name, inner in value.items():
                    if name == phone and isinstance(inner, str):
                        found.append(inner)
                    if here and name == "code":
                        found.append(str(inner))
                    walk(inner, here or name == phone)
            elif isinstance(value, list):
                for inner in value:
                    walk(inner, inside)
        state = self.ask("/state?parts=etcp", method="GET")
        walk(state, False)
        if not found:
            raise AssertionError("no code for %s in %s" % (phone, str(state)[:2000]))
        return found[-1]
