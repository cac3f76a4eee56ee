"""A program with types, which mypy reads strictly; it is not run."""

import datetime
import json
from typing import Any, Optional

import belfry


class Encoder(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime.datetime) else super().default(o)


def trace(group: str) -> Optional[str]:
    return None


def work() -> bool:
    with belfry.Emitter("amqp://guest:guest@127.0.0.1//", shards=4, timeout=2, raise_errors=True, driver="pika",
                        trace=trace, encoder=Encoder, default=str) as emitter:
        sent: bool = emitter.emit("jobs-a", {"at": datetime.datetime.now()}, message_id="mine", traceparent=None)
        emitter.disconnect(7, session="s")
        counted: int = emitter.emitted + emitter.failed
    configured: belfry.Emitter = belfry.configure(encoder=Encoder)
    configured.close()
    try:
        return belfry.emit_channel_notification("jobs-a", b"{}") and sent and counted > 0
    except belfry.Blocked as err:
        raise RuntimeError(str(err)) from err
    except (belfry.AccessRefused, belfry.LinkLost, belfry.Refused, belfry.Unroutable):
        return belfry.shard_of("jobs-a", 4) == 0
