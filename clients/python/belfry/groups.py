"""Groups, and the shard that a group belongs to."""

import unicodedata

MAX_GROUP_BYTES = 200


def check_group(group: str) -> None:
    """Raises TypeError or ValueError unless group is a valid ``<name>-<item>``."""
    if not isinstance(group, str):
        raise TypeError(f"the group is of type {type(group).__name__}, not str")
    name, dash, item = group.partition("-")
    if not (name and dash and item):
        raise ValueError(f"the group {group!r} needs a name, a dash and an item")
    if len((name + item).encode("utf-8")) > MAX_GROUP_BYTES:
        raise ValueError(f"the group is longer than {MAX_GROUP_BYTES} bytes")
    if any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in group):
        raise ValueError("the group has control characters")


def shard_of(group: str, shards: int) -> int:
    """Returns the group's shard: the 32-bit FNV-1a hash of its UTF-8 bytes, modulo shards."""
    if shards < 2:
        return 0
    h = 2166136261
    for byte in group.encode("utf-8"):
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h % shards
