"""The time limit of one call."""

import time


class Deadline:
    """Starts when the call starts, and is passed to everything in it that waits."""

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds

    def left(self):
        """Seconds, never below 0."""
        return max(self._end - time.monotonic(), 0.0)

    def over(self):
        return self.left() == 0.0

    def within(self, seconds):
        """Returns a Deadline that many seconds from now, but not after this one."""
        return Deadline(min(seconds, self.left()))
