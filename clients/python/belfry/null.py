"""The driver of the address ``null://``, for tests and machines without a broker."""


class NullDriver:
    """Accepts every event and order, and sends nothing."""

    def publish(self, event, route, until, silence):
        pass

    def alarm(self):
        return ""

    def usable(self):
        return True

    def close(self, until):
        pass

    def abort(self):
        pass
