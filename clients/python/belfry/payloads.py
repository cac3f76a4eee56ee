"""Payloads: encoding objects as JSON, and checking JSON text."""

import json

from .errors import stumble


class Form:
    """How an emitter encodes objects.

    encoder: a json.JSONEncoder class, as the parameter cls of json.dumps
    default: a function for objects that JSON does not know, as that of json.dumps
    """

    def __init__(self, encoder=None, default=None):
        self._options = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
        if encoder is not None:
            self._options["cls"] = encoder
        if default is not None:
            self._options["default"] = default

    def encode(self, payload):
        """Returns the payload as JSON (RFC 8259), compact and in UTF-8, without NaN and
        Infinity. Raises ValueError or TypeError, also for errors in the application's
        encoder."""
        try:
            return json.dumps(payload, **self._options).encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("the payload is not UTF-8: one of its strings has half of a surrogate pair") from None
        except RecursionError:
            raise ValueError("the payload is nested too deeply") from None
        except TypeError as err:
            raise TypeError(f"the payload is not JSON: {err}; the emitter takes default= or encoder= for such objects") from None
        except ValueError as err:
            raise ValueError(f"the payload is not JSON, which has no NaN, no Infinity and no cycles: {err}") from None
        except Exception as err:
            if not stumble(err):
                raise
            raise ValueError(f"the payload could not be written: {type(err).__name__}: {err}") from err


def raw(payload):
    """Returns the caller's JSON text unchanged. Raises ValueError if it is not JSON."""
    body = bytes(payload)
    try:
        # Numbers are not converted, which could be slow; NaN and Infinity are refused.
        json.loads(body.decode("utf-8"), parse_int=len, parse_float=len, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ValueError("the payload is not UTF-8") from None
    except ValueError as err:
        raise ValueError(f"the payload is not JSON: {err}") from None
    except RecursionError:
        raise ValueError("the payload is nested too deeply") from None
    return body


def looks_written(payload):
    """Whether payload is a str with the JSON text of an object or a list. Browsers would
    get a string with JSON in it, which is seldom intended."""
    if not isinstance(payload, str) or payload.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name):
    raise ValueError(f"{name} is not a JSON number")
