"""The application that test_server.py runs under each web server: WSGI and ASGI.

    /emit?group=...&n=...   emits one event and says what emit returned
    /slow                   emits to a broker that does not answer yet
    /ping                   does nothing else than answer
"""

import asyncio
import json
import os
import urllib.parse

import belfry

belfry.configure(driver=os.environ["BELFRY_TEST_DRIVER"], timeout=60, raise_errors=True)


def answer(path, query):
    if path == "/emit":
        [group], [n] = query["group"], query["n"]
        payload = {"n": int(n), "pid": os.getpid()}
        return json.dumps(belfry.emit_channel_notification(group, payload))
    if path == "/slow":
        with belfry.Emitter(os.environ["BELFRY_TEST_SLOW"], driver=os.environ["BELFRY_TEST_DRIVER"], timeout=50) as slow:
            return json.dumps(slow.emit("jobs-slow", {}))
    return "pong"


def wsgi(environ, start_response):
    try:
        status, text = "200 OK", answer(environ["PATH_INFO"], urllib.parse.parse_qs(environ.get("QUERY_STRING", "")))
    except Exception as err:
        status, text = "500 Internal Server Error", repr(err)
    body = text.encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    try:
        query = urllib.parse.parse_qs(scope["query_string"].decode())
        # As the README says: emit waits, so it runs in a thread.
        status, text = 200, await asyncio.to_thread(answer, scope["path"], query)
    except Exception as err:
        status, text = 500, repr(err)
    body = text.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


application = wsgi  # where mod_wsgi looks for it
