"""parklink through ctypes: the thinnest wrapper that the tests can do with. PARKLINK_LIB names the library."""
import ctypes
import json
import os
import threading

OK = 0
ARGUMENT, ENCODING, JSON, TOO_LARGE, CONFIG, UNKNOWN_INTERFACE, INVALID, UNKNOWN_EVENT = range(-101, -109, -1)
CLOSED, IN_CALLBACK, FORKED, BUSY, NOT_CONFIGURED, UNSUPPORTED = range(-201, -207, -1)
OFFLINE, TIMEOUT, BROKEN, TLS, PROXY = range(-301, -306, -1)
REFUSED, LOGIN_REFUSED, RATE_LIMITED, PROTOCOL, HTTP, NOT_STORED = range(-401, -407, -1)
QUEUED, PENDING, NO_EVENT, INTERNAL = -601, -602, -603, -901

_ON_TEXT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p)
_ON_LOG = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p)
_DESTROY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class DownlinkCallbacks(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("user_data", ctypes.c_void_p), ("destroy", _DESTROY),
                ("on_downlink", _ON_TEXT)]


class LogCallbacks(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("user_data", ctypes.c_void_p), ("destroy", _DESTROY), ("on_log", _ON_LOG)]


def library_path():
    return os.environ.get("PARKLINK_LIB", "")


_library = None


def library():
    global _library
    if _library is None:
        lib = ctypes.CDLL(library_path())
        handle, text, out = ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)
        u32, u64 = ctypes.c_uint32, ctypes.c_uint64
        for name, arguments in (
                ("open", [text, out]), ("close", [handle, u32, ctypes.POINTER(u64)]),
                ("wait_ready", [handle, u32]),
                ("upload", [handle, text, out]), ("call", [handle, text, text, out]),
                ("in_park", [handle, text, out]), ("out_park", [handle, text, out]),
                ("etc_pay", [handle, text, out]), ("pay_status", [handle, text, out]),
                ("on_downlink", [handle, ctypes.POINTER(DownlinkCallbacks)]),
                ("on_log", [handle, ctypes.POINTER(LogCallbacks)]),
                ("reply", [handle, u64, text]), ("poll", [handle, u32, out]), ("status", [handle, out])):
            function = getattr(lib, "parklink_" + name)
            function.argtypes, function.restype = arguments, ctypes.c_int32
        lib.parklink_string_free.argtypes, lib.parklink_string_free.restype = [ctypes.c_void_p], None
        lib.parklink_last_error.argtypes, lib.parklink_last_error.restype = [], text
        lib.parklink_version.argtypes, lib.parklink_version.restype = [], text
        lib.parklink_abi_version.argtypes, lib.parklink_abi_version.restype = [], u32
        lib.parklink_error_name.argtypes, lib.parklink_error_name.restype = [ctypes.c_int32], text
        _library = lib
    return _library


class ParklinkError(Exception):
    def __init__(self, code, reply=None):
        self.code, self.reply = code, reply
        self.message = (library().parklink_last_error() or b"").decode("utf-8", "replace")
        name = (library().parklink_error_name(code) or b"?").decode()
        Exception.__init__(self, "%d %s: %s" % (code, name, self.message))


def _bytes(value):
    if isinstance(value, bytes) or value is None:
        return value
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return value.encode("utf-8")


def _taken(pointer):
    """The text of a reply; it is freed."""
    if not pointer.value:
        return None
    text = ctypes.string_at(pointer.value).decode("utf-8")
    library().parklink_string_free(pointer)
    return text


class Parklink(object):
    """One handle. Calls return the parsed reply or raise ParklinkError; the `try_` forms return (code, reply)."""

    def __init__(self, config):
        self.handle = ctypes.c_void_p()
        self.kept, self.lines, self.destroyed = [], [], 0
        code = library().parklink_open(_bytes(config), ctypes.byref(self.handle))
        if code != OK:
            raise ParklinkError(code)

    def close(self, timeout_ms=3000):
        if self.handle is None:
            return CLOSED
        left = ctypes.c_uint64()
        code = library().parklink_close(self.handle, timeout_ms, ctypes.byref(left))
        self.handle = None
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _call(self, name, *arguments):
        out = ctypes.c_void_p()
        code = getattr(library(), "parklink_" + name)(self.handle, *(arguments + (ctypes.byref(out),)))
        self.last_error = (library().parklink_last_error() or b"").decode("utf-8", "replace") if code else ""
        self.last_text = text = _taken(out)  # for tests that look at digits
        return code, None if text is None else json.loads(text)

    def _raised(self, result):
        if result[0] != OK:
            raise ParklinkError(*result)
        return result[1]

    def wait_ready(self, timeout_ms=3000):
        code = library().parklink_wait_ready(self.handle, timeout_ms)
        self.last_error = (library().parklink_last_error() or b"").decode("utf-8", "replace") if code else ""
        return code

    def try_upload(self, record):
        return self._call("upload", _bytes(record))

    def upload(self, record):
        return self._raised(self.try_upload(record))

    def try_call(self, interface, data):
        return self._call("call", interface.encode(), _bytes(data))

    def call(self, interface, data):
        return self._raised(self.try_call(interface, data))

    def try_in_park(self, data):
        return self._call("in_park", _bytes(data))

    def in_park(self, data):
        return self._raised(self.try_in_park(data))

    def try_out_park(self, data):
        return self._call("out_park", _bytes(data))

    def out_park(self, data):
        return self._raised(self.try_out_park(data))

    def pay_status(self, data):
        return self._raised(self._call("pay_status", _bytes(data)))

    def status(self):
        return self._raised(self._call("status"))

    def try_poll(self, timeout_ms=1000):
        return self._call("poll", ctypes.c_uint32(timeout_ms))

    def poll(self, timeout_ms=1000):
        """The next event, or None."""
        code, event = self.try_poll(timeout_ms)
        if code == NO_EVENT:
            return None
        return self._raised((code, event))

    def try_reply(self, event_id, data):
        return library().parklink_reply(self.handle, event_id, _bytes(data))

    def reply(self, event_id, data):
        code = self.try_reply(event_id, data)
        if code != OK:
            raise ParklinkError(code)

    def on_downlink(self, function):
        """function(event) on the library's thread."""
        def run(_user, _event_id, text):
            function(json.loads(text.decode("utf-8")))
        callbacks = DownlinkCallbacks(ctypes.sizeof(DownlinkCallbacks), None, _DESTROY(self._destroyed), _ON_TEXT(run))
        self.kept.append(callbacks)
        code = library().parklink_on_downlink(self.handle, ctypes.byref(callbacks))
        if code != OK:
            raise ParklinkError(code)

    def on_log(self):
        """Gather the log's lines in self.lines."""
        def run(_user, level, line):
            self.lines.append((level, line.decode("utf-8", "replace")))
        callbacks = LogCallbacks(ctypes.sizeof(LogCallbacks), None, _DESTROY(self._destroyed), _ON_LOG(run))
        self.kept.append(callbacks)
        code = library().parklink_on_log(self.handle, ctypes.byref(callbacks))
        if code != OK:
            raise ParklinkError(code)

    def _destroyed(self, _user):
        self.destroyed += 1


class Background(threading.Thread):
    """A call that runs beside the test; .result after join."""

    def __init__(self, function, *arguments):
        threading.Thread.__init__(self, daemon=True)
        self.function, self.arguments, self.result, self.error = function, arguments, None, None
        self.start()

    def run(self):
        try:
            self.result = self.function(*self.arguments)
        except Exception as e:  # the test looks at it
            self.error = e

    def wait(self, timeout=10):
        self.join(timeout)
        if self.is_alive():
            raise AssertionError("the call did not return within %s s" % timeout)
        if self.error:
            raise self.error
        return self.result
