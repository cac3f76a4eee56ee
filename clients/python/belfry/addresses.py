"""The addresses of a cluster's nodes, in the order in which they are tried.

``pkg/amqpbus/testdata/broker_address_lists.json`` has the forms.
"""

import re

from . import address

MAX_ADDRESSES = 32

# The separator of two addresses: a comma, or kombu's semicolon. A password may
# contain both, but is not followed by a scheme.
_BETWEEN = re.compile(r"[,;]\s*(?=amqps?://)", re.IGNORECASE)


def parse(text):
    """Returns a tuple of Addresses. text is a list of addresses, separated by commas or
    semicolons, or one address with several hosts, separated by commas. All must have
    the same user and virtual host. Raises ValueError with a text that continues the
    name of a setting."""
    if text.strip().endswith((",", ";")):
        raise ValueError("ends in a separator: write another address behind it, or take it away")
    texts = [one for whole in _BETWEEN.split(text) for one in _each_host(whole)]
    if len(texts) > MAX_ADDRESSES:
        raise ValueError(f"has {len(texts)} addresses: at most {MAX_ADDRESSES} are taken")
    found = []
    for n, one in enumerate(texts, start=1):
        try:
            found.append(address.parse(one.rstrip(" ") if n < len(texts) else one))
        except ValueError as err:
            raise ValueError(f"(address {n} of {len(texts)}) {err}" if len(texts) > 1 else str(err)) from None
    if len({a.user for a in found}) > 1:
        raise ValueError("has addresses of different users: write the same user into each")
    if len({a.vhost for a in found}) > 1:
        raise ValueError("has addresses of different virtual hosts: write the nodes of one cluster, with the same virtual host")
    return tuple(found)


def _each_host(text):
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, hosts = authority.rpartition("@")
    if not separator or "," not in hosts:
        return [text]
    return [f"{scheme}://{login}{at}{host.strip()}{slash}{path}" for host in hosts.split(",")]
