"""The time that one call has."""

import time


class Deadline:
    """Begins with the call and is handed to everything in it that waits."""

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds

    def left(self):
        """Seconds, never below 0."""
        return max(self._end - time.monotonic(), 0.0)

    def over(self):
        return self.left() == 0.0

    def within(self, seconds):
        """A Deadline so far from now, and not after this one."""
        return Deadline(min(seconds, self.left()))
