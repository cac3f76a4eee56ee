// Sockets that cannot be opened: the runtime has none, forbids it, or says no.
import { afterEach, describe, expect, it, vi } from "vitest";
import { Belfry } from "../src/index.js";
import type { ErrorNotice, SocketLike, StateNotice } from "../src/index.js";
import { connected, fetchToken, nextTry, playClients, settle, start, tokens } from "./client.js";
import { FakeSocket } from "./fake.js";
import { playPage } from "./page.js";

playClients();
afterEach(() => { vi.unstubAllGlobals(); });

function told(b: Belfry<any>) {
  const seen = { errors: [] as ErrorNotice[], states: [] as StateNotice[] };
  b.on("error", (e) => seen.errors.push(e));
  b.on("state", (s) => seen.states.push(s));
  return seen;
}

describe("an error without a close, as where Content-Security-Policy forbids the socket", () => {
  it("ends the try, is told, and is followed by another", async () => {
    const b = start();
    const { errors, states } = told(b);
    await settle();
    FakeSocket.last.onerror!({});
    await vi.advanceTimersByTimeAsync(1000);
    expect(errors).toMatchObject([{ kind: "handshake_failed" }]);
    expect(states.at(-1)).toMatchObject({ state: "disconnected", code: 1006, retryIn: expect.any(Number) });
    await nextTry();
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("ends a connection too", async () => {
    const b = await connected();
    FakeSocket.last.onerror!({});
    await vi.advanceTimersByTimeAsync(1000);
    expect(b.state).toBe("disconnected");
  });

  it("changes nothing where the close follows: its code counts", async () => {
    const b = await connected();
    const { states } = told(b);
    FakeSocket.last.onerror!({});
    FakeSocket.last.end(4403);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states).toEqual([{ state: "disconnected", code: 4403, reason: "" }]);
  });

  it("of a socket that was given up ends no other", async () => {
    const b = await connected();
    const old = FakeSocket.last;
    old.end(1006);
    await nextTry();
    FakeSocket.last.accept();
    FakeSocket.last.answer(["jobs-summary"]);
    old.onerror!({});
    await vi.advanceTimersByTimeAsync(1000);
    expect(b.state).toBe("connected");
  });
});

describe("a handshake that fails", () => {
  it("is told each time: a browser does not say why", async () => {
    const { errors } = told(start());
    await settle();
    for (let n = 0; n < 2; n++) {
      FakeSocket.last.end(1006);
      await nextTry();
    }
    expect(errors.map((e) => e.kind)).toEqual(["handshake_failed", "handshake_failed"]);
    expect(errors[0]!.message).toMatch(/away.*origin.*Content-Security-Policy/);
  });

  it("is not what a lost connection is, nor one that the server closed with a reason", async () => {
    const b = start();
    const { errors } = told(b);
    await settle();
    FakeSocket.last.onopen!();
    FakeSocket.last.end(1013);
    await nextTry();
    FakeSocket.last.accept();
    FakeSocket.last.end(1006);
    expect(errors).toEqual([]);
  });
});

describe("a runtime without a WebSocket, as on a server that renders pages", () => {
  const none = () => {
    vi.stubGlobal("WebSocket", undefined);
    return new Belfry("ws://gateway/websocket", { getToken: fetchToken });
  };

  it("is told once, asks for no token, tries no more, and leaves no timer", async () => {
    const b = none();
    const { errors, states } = told(b);
    await settle();
    expect(errors).toMatchObject([{ kind: "no_socket", message: expect.stringContaining("pass the option WebSocket") }]);
    expect(states.at(-1)).toEqual({ state: "disconnected", reason: errors[0]!.message });
    expect(tokens).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects what waits, and says why", async () => {
    const b = none();
    const set = b.setGroups({ jobs: ["summary"] });
    const { active } = b.subscribe("job_events", 1);
    const read = b.events("job_events", 2).next();
    for (const wait of [set, active, read]) await expect(wait).rejects.toThrow("no WebSocket here");
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a socket that the runtime refuses to open", () => {
  it("is told once and not tried again; the notice has no token", async () => {
    const b = start({ WebSocket: class { constructor(url: string) { throw new DOMException(`'${url}' is insecure`, "SecurityError"); } } as unknown as new (url: string) => SocketLike });
    const { errors, states } = told(b);
    await settle();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(errors).toMatchObject([{ kind: "no_socket", message: expect.stringContaining("SecurityError") }]);
    expect(states.at(-1)).toEqual({ state: "disconnected", reason: errors[0]!.message });
    expect(JSON.stringify(errors) + String(errors[0]!.cause)).not.toContain("t1");
  });
});

describe("an address", () => {
  const open = (url: string) => new Belfry(url, { getToken: fetchToken, WebSocket: FakeSocket });

  it.each([
    ["relative", "/websocket", "absolute"], ["empty", "", "absolute"], ["without a host", "wss://", "not a URL"], ["no address", "tower.example/websocket", "absolute"],
    ["with another scheme", "ftp://tower/websocket", "wss://"], ["with a fragment", "ws://tower/websocket#x", "fragment"],
    ["with an empty fragment", "ws://tower/websocket#", "fragment"],
    ["with a token inside", "ws://tower/websocket?token=secret-1", "getToken"], ["with a token among others", "ws://tower/websocket?a=1&token=secret-1", "getToken"],
    ["with an empty token inside", "ws://tower/websocket?token=", "getToken"], ["with a token and a fragment", "ws://tower/websocket?token=secret-1#x", "fragment"],
  ])("that cannot work is refused in the constructor: %s", async (_, url, why) => {
    expect(() => open(url)).toThrow(TypeError);
    expect(() => open(url)).toThrow(why);
    expect(() => open(url)).not.toThrow("secret");
    await settle();
    expect(tokens).toEqual([]);
  });

  it.each([
    ["ws://tower/websocket", "ws://tower/websocket?token=t1"], ["wss://tower:8043/websocket/?a=b", "wss://tower:8043/websocket/?a=b&token=t1"],
    ["https://tower/websocket", "wss://tower/websocket?token=t1"], ["http://tower/websocket", "ws://tower/websocket?token=t1"],
  ])("that can is used: %s", async (url, opened) => {
    const b = open(url);
    await settle();
    expect(FakeSocket.last.url).toBe(opened);
    b.close();
  });
});

describe("in a page", () => {
  playPage();

  it.each([["/websocket", "wss://tower.example/websocket?token=t1"], ["../websocket/", "wss://tower.example/websocket/?token=t1"], ["//other/websocket", "wss://other/websocket?token=t1"]])(
    "an address may be relative: %s", async (url, opened) => {
      const b = new Belfry(url, { getToken: fetchToken, WebSocket: FakeSocket });
      await settle();
      expect(FakeSocket.last.url).toBe(opened);
      b.close();
    });
});

it.each<[string, unknown]>([
  ["no options", undefined], ["no getToken", {}], ["a getToken that is a token", { getToken: "t" }],
  ...["minDelay", "maxDelay", "timeout", "activityTimeout"].flatMap((key) => [0, -1, NaN, Infinity, 2 ** 31, "fast"].map((value): [string, unknown] => [`${key} of ${value}`, { getToken: fetchToken, [key]: value }])),
])("options that cannot work are refused in the constructor: %s", (_, options) => {
  expect(() => new Belfry("ws://tower/websocket", options as never)).toThrow(/^the option /);
});
