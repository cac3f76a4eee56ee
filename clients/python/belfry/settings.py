"""What an emitter is told, by arguments or by the environment."""

import dataclasses
import math
import os
import urllib.parse

DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672/"
MAX_SHARDS = 256
MAX_EXPIRATION = 2**32 // 1000  # seconds: RabbitMQ counts milliseconds in 32 bits
MAX_TIMEOUT = 86400


@dataclasses.dataclass(frozen=True)
class Settings:
    url: str = dataclasses.field(repr=False)  # it holds a password
    shards: int
    expiration: float
    timeout: float
    driver: str


def read(url, shards, expiration, timeout, driver):
    """Checks them. Raises ValueError, which names what is wrong and what to set."""
    _number("expiration", expiration, MAX_EXPIRATION)
    _number("timeout", timeout, MAX_TIMEOUT)
    if driver not in (None, "pika", "kombu"):
        raise ValueError(f'driver is {driver!r}: use "pika", "kombu", or None for whichever is installed')
    return Settings(_url(url), _shards(shards), expiration, timeout, driver)


def _number(name, value, most):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not 0 < value <= most:
        raise ValueError(f"{name} is {value!r}: it is a number of seconds, above 0 and at most {most}")


def _url(url):
    name, url = ("url", url) if url else ("BELFRY_AMQP_URL", os.environ.get("BELFRY_AMQP_URL") or DEFAULT_URL)
    # No error may show the URL, or a piece of it, such as urlsplit's own do.
    wrong = ValueError(f"{name} is not one broker's address: it has the form amqp://user:password@host:port/vhost, or "
                       "amqps://, with the special characters of the password percent-encoded")
    if not isinstance(url, str) or url.count("://") != 1:
        raise wrong
    try:
        parts = urllib.parse.urlsplit(url)
        parts.port  # noqa: B018 - it raises
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("amqp", "amqps"):
        raise wrong
    return url


def _shards(shards):
    name = "shards"
    if shards is None:
        name, shards = "BELFRY_SHARDS", os.environ.get("BELFRY_SHARDS") or 1
    try:
        n = int(shards)
    except (TypeError, ValueError):
        n = 0
    if isinstance(shards, (bool, float)) or not 1 <= n <= MAX_SHARDS:
        raise ValueError(f"{name} is {shards!r}: set the number of shards that the workers have in their "
                         f"BELFRY_SHARDS, 1 to {MAX_SHARDS}")
    return n
