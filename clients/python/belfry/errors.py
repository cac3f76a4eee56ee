"""The errors of emitting, and which exceptions are about the event or the connection."""


class EmitError(Exception):
    """The event was not emitted; the message says why and what to do."""


class Refused(EmitError):
    """The broker refused the event, because the queue is full. The emitter does not try again."""


class Unroutable(EmitError):
    """No queue receives the event: BELFRY_SHARDS differs from the workers', or no worker ever ran."""


class _Away(EmitError):
    """The broker does not accept events at present."""

    repeated = False  # True if an earlier call failed with it and this one sent nothing

    def again(self, pause):
        """Returns the error for a later call that is not tried. The next try is in pause seconds."""
        err = type(self)(f"{self}; nothing was sent, the next try is in {pause:.1f} s")
        err.repeated = True
        return err


class LinkLost(_Away):
    """The broker was not reached, or did not answer in time. The event may or may not be stored."""


class Blocked(LinkLost):
    """The broker has a memory or disk alarm and accepts no messages until it is over."""


class AccessRefused(_Away):
    """The broker refused the user, the password or the access to the virtual host. Nothing was sent."""


_LIBRARIES = {"pika", "amqp", "kombu", "vine"}
_PYTHON = {"builtins", "json", "select", "socket", "ssl", "struct"}

# What the AMQP libraries raise, beside their own errors, when a connection breaks at an
# unexpected moment.
_STUMBLES = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, TypeError, ValueError)


def _home(err):
    return type(err).__module__.partition(".")[0]


def about_event(err):
    """Whether the emitter may log and count err instead of raising it.

    These are Belfry's own errors, ValueError and TypeError for wrong arguments, and
    OSError. All others pass through to the caller, and so does any class that is not
    Python's own, whatever it derives from: a signal handler may raise during a call,
    as for Celery's SoftTimeLimitExceeded and the time limits of other task queues, and
    such an exception must never be lost. A plain ValueError, TypeError or OSError
    (TimeoutError is one) from a signal handler cannot be recognized: define a class
    for it.
    """
    return isinstance(err, EmitError) or (isinstance(err, (ValueError, TypeError, OSError)) and _home(err) in _PYTHON)


def stumble(err):
    """Whether err is one of Python's own exceptions for bugs and system errors."""
    return isinstance(err, _STUMBLES) and _home(err) in _PYTHON or _home(err) == "struct"


def about_link(err):
    """Whether err, raised inside an AMQP library, means that the connection is lost."""
    return isinstance(err, Exception) and (_home(err) in _LIBRARIES or stumble(err))
