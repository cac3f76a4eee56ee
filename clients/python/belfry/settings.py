"""An emitter's settings, from arguments and the environment."""

import dataclasses
import math
import os
import typing

from . import address, addresses, tls

NULL_URL = "null://"
DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672/"
MAX_SHARDS = 256
MAX_EXPIRATION = 2**32 // 1000  # seconds: RabbitMQ counts milliseconds in 32 bits
MAX_TIMEOUT = 86400


@dataclasses.dataclass(frozen=True)
class Settings:
    addresses: typing.Tuple[address.Address, ...]  # of the broker's nodes; empty: nothing is sent
    files: tls.Files
    shards: int
    expiration: float
    timeout: float
    driver: str


def read(url, shards, expiration, timeout, driver):
    """Returns the Settings. Raises ValueError that says which setting is wrong and what to set."""
    _number("expiration", expiration, MAX_EXPIRATION)
    _number("timeout", timeout, MAX_TIMEOUT)
    if driver not in (None, "pika", "kombu"):
        raise ValueError(f'driver is {driver!r}: use "pika", "kombu", or None for whichever is installed')
    return Settings(_addresses(url), _files(), _shards(shards), expiration, timeout, driver)


def _number(name, value, most):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not 0 < value <= most:
        raise ValueError(f"{name} is {value!r}: it must be a number of seconds, above 0 and at most {most}")


def _addresses(url):
    """Returns the addresses; an empty tuple for null://."""
    name, url = ("url", url) if url else ("BELFRY_AMQP_URL", os.environ.get("BELFRY_AMQP_URL") or DEFAULT_URL)
    if not isinstance(url, str):
        raise ValueError(f"{name} is of type {type(url).__name__}: write amqp://user:password@host:5672/")
    if url == NULL_URL:
        return ()
    try:
        return addresses.parse(url)
    except ValueError as err:
        raise ValueError(f"{name} {err}") from None


def _files():
    """Reads the same variables as Belfry's programs."""
    files = tls.Files(*(os.environ.get(f"BELFRY_AMQP_{what}_FILE") or None for what in ("CA", "CERT", "KEY")))
    if (files.certificate is None) != (files.key is None):
        raise ValueError("BELFRY_AMQP_CERT_FILE and BELFRY_AMQP_KEY_FILE belong together: set both or neither")
    return files


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
