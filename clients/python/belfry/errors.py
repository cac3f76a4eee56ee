"""What can go wrong when an event is emitted, and what is not about the event."""


class EmitError(Exception):
    """The event was not emitted; the message says why and what to do."""


class Refused(EmitError):
    """The broker refused the event: its queue is full. It is not tried again."""


class Unroutable(EmitError):
    """No queue takes the event: BELFRY_SHARDS differs from the workers'."""


class _Away(EmitError):
    """The broker does not take events, and may not for a while."""

    repeated = False  # an earlier call found out; this one sent nothing

    def again(self, pause):
        """The same for a later call, which is not tried; the next is in pause seconds."""
        err = type(self)(f"{self}; nothing was sent, the next try is in {pause:.1f} s")
        err.repeated = True
        return err


class LinkLost(_Away):
    """The broker was not reached in time. The event may or may not have arrived."""


class Blocked(LinkLost):
    """The broker has an alarm, memory or disk, and reads nothing that is published."""


class AccessRefused(_Away):
    """The broker does not let this user in, or not into this virtual host. Nothing was sent."""


_LIBRARIES = {"pika", "amqp", "kombu", "vine"}
_PYTHON = {"builtins", "json", "select", "socket", "ssl", "struct"}

# What code lets out that stumbles over its own state, as the AMQP libraries do
# when a connection breaks at a bad moment.
_STUMBLES = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, TypeError, ValueError)


def _home(err):
    return type(err).__module__.partition(".")[0]


def about_event(err):
    """Whether the emitter may log and count err instead of raising it.

    That is: Belfry's own errors, ValueError and TypeError for bad arguments,
    OSError. Everything else goes through to the caller, and so does any class
    that somebody else defined, whatever it derives from: a signal may raise in
    the middle of a call, as Celery's SoftTimeLimitExceeded and the time limits
    of other task queues do, and such an exception must never be lost. The rule
    cannot tell when a signal handler raises a bare ValueError, TypeError or
    OSError (TimeoutError is one): define a class for it.
    """
    return isinstance(err, EmitError) or (isinstance(err, (ValueError, TypeError, OSError)) and _home(err) in _PYTHON)


def stumble(err):
    """Whether err is one of Python's own that tell of a mistake or of the system."""
    return isinstance(err, _STUMBLES) and _home(err) in _PYTHON or _home(err) == "struct"


def about_link(err):
    """Whether err, raised while an AMQP library worked, means a lost link."""
    return isinstance(err, Exception) and (_home(err) in _LIBRARIES or stumble(err))
