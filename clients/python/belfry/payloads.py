"""A payload as the JSON text that browsers get."""

import json

from .errors import stumble


class Form:
    """How an emitter writes objects.

    encoder: a json.JSONEncoder class, as json.dumps has it for cls
    default: a function for what JSON does not know, as json.dumps has it
    """

    def __init__(self, encoder=None, default=None):
        self._options = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
        if encoder is not None:
            self._options["cls"] = encoder
        if default is not None:
            self._options["default"] = default

    def encode(self, payload):
        """JSON as browsers read it (RFC 8259): compact, UTF-8, no NaN and no
        Infinity. Raises ValueError or TypeError, also for what an encoder of
        the application stumbles over."""
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
    """The JSON text that the caller brings, unchanged, when it is one."""
    body = bytes(payload)
    try:
        # The numbers themselves are not looked at, only what is not a number.
        json.loads(body.decode("utf-8"), parse_int=len, parse_float=len, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ValueError("the payload is not UTF-8") from None
    except ValueError as err:
        raise ValueError(f"the payload is not JSON: {err}") from None
    except RecursionError:
        raise ValueError("the payload is nested too deeply") from None
    return body


def looks_written(payload):
    """Whether a str is the JSON text of an object or a list: then browsers
    would get a text with JSON in it, which is seldom meant."""
    if not isinstance(payload, str) or payload.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name):
    raise ValueError(f"{name} is not a JSON number")
