"""The address ``null://``: for tests and for machines that have no broker."""


class NullDriver:
    """Takes every event and every order, and sends nothing."""

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
