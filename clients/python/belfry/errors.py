"""What can go wrong when an event is emitted."""


class EmitError(Exception):
    """The event was not emitted; the message says why and what to do."""


class Refused(EmitError):
    """The broker refused the event: its queue is full. It is not tried again."""


class Unroutable(EmitError):
    """No queue takes the event: BELFRY_SHARDS differs from the workers'."""


class LinkLost(EmitError):
    """The broker was not reached in time. The event may or may not have arrived."""
