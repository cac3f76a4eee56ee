import { describe, expect, it, vi } from "vitest";
import type { GapNotice, StateNotice } from "../src/index.js";
import { closeRule } from "../src/index.js";
import { connected, lived, nextTry, playClients, settle, start, tokens } from "./client.js";
import { FakeSocket } from "./fake.js";

playClients();

describe("states", () => {
  it("are told from the first on", async () => {
    const b = start();
    const states: StateNotice[] = [];
    b.on("state", (s) => states.push(s));
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.answer();
    b.close();
    expect(states).toEqual([{ state: "connecting" }, { state: "connected" }, { state: "disconnected" }]);
  });

  it("do not begin where the client is closed at once", async () => {
    const b = start();
    const states = vi.fn();
    b.on("state", (s) => states(s.state));
    b.close();
    await settle();
    expect(states.mock.calls).toEqual([["disconnected"]]);
    expect(tokens).toEqual([]);
  });

  it("say that no try will follow when the page closes while one is awaited", async () => {
    const b = await connected();
    const states: StateNotice[] = [];
    b.on("state", (s) => states.push(s));
    FakeSocket.last.end(1006);
    b.close();
    expect(states.map((s) => s.retryIn === undefined)).toEqual([false, true]);
  });
});

describe("reconnecting", () => {
  it.each([1001, 1006, 1011, 1013, 4408, 4429])("follows %i, with the same token and a gap when the groups are back", async (code) => {
    const b = await connected();
    const gaps: GapNotice[] = [];
    b.on("gap", (g) => gaps.push(g));
    FakeSocket.last.end(code);
    expect(b.state).toBe("disconnected");
    await nextTry();
    expect(FakeSocket.all).toHaveLength(2);
    expect(tokens).toEqual(["t1"]);
    FakeSocket.last.accept();
    expect(FakeSocket.last.sent).toEqual(['{"groups":{"jobs":["summary"]}}']);
    expect(gaps).toEqual([]);
    FakeSocket.last.answer(["jobs-summary"]);
    expect(gaps).toEqual([{ groups: ["jobs-summary"], cause: "reconnect" }]);
  });

  it("declares no gap for a group that is new", async () => {
    const b = await connected();
    FakeSocket.last.end(1006);
    const gaps: GapNotice[] = [];
    b.on("gap", (g) => gaps.push(g));
    b.subscribe("job_events", 1);
    await nextTry();
    FakeSocket.last.accept();
    FakeSocket.last.answer(["job_events-1", "jobs-summary"]);
    expect(gaps).toEqual([{ groups: ["jobs-summary"], cause: "reconnect" }]);
  });

  it("gets a new token after 4401", async () => {
    await connected();
    FakeSocket.last.end(4401);
    await nextTry();
    expect(tokens).toEqual(["t1", "t2"]);
    expect(FakeSocket.last.url).toBe("ws://gateway/websocket?token=t2");
  });

  it.each([4403, 1002, 1003, 1007, 1009])("does not follow %i", async (code) => {
    const b = await connected();
    FakeSocket.last.end(code);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect(b.state).toBe("disconnected");
    b.connect();
    await settle();
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("waits at least retry_after_ms", async () => {
    const b = await connected();
    const states: StateNotice[] = [];
    b.on("state", (s) => states.push(s));
    FakeSocket.last.end(1001, "retry_after_ms=30000");
    expect(states[0]!.retryIn).toBeGreaterThanOrEqual(30_500);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(states[0]!.retryIn! - 30_000);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("backs off with jitter between the bounds, and starts anew after success", async () => {
    const b = await connected();
    const delays: number[] = [];
    b.on("state", (s) => { if (s.retryIn !== undefined) delays.push(s.retryIn); });
    for (let n = 0; n < 12; n++) {
      FakeSocket.last.end(1006);
      await nextTry();
    }
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...delays)).toBeLessThanOrEqual(20_000);
    expect(delays[0]).toBeLessThanOrEqual(1000);
    FakeSocket.last.accept();
    FakeSocket.last.answer();
    await lived();
    FakeSocket.last.end(1006);
    expect(delays.at(-1)).toBeLessThanOrEqual(1000);
  });

  it.each([1001, 1006, 1011, 1013, 4401, 4408, 4429])("backs off from a server that lets it in, answers, and closes with %i", async (code) => {
    start();
    for (let ms = 0; ms < 30_000; ms += 50) {
      await vi.advanceTimersByTimeAsync(50);
      if (FakeSocket.last.closed) continue;
      FakeSocket.last.accept();
      FakeSocket.last.answer();
      FakeSocket.last.end(code);
    }
    expect(FakeSocket.all.length).toBeGreaterThan(2);
    expect(FakeSocket.all.length).toBeLessThanOrEqual(12);
  });

  it.each(["retry_after_ms=99999999999", `retry_after_ms=${"9".repeat(400)}`])("waits a day where the server asks for longer: %s", async (reason) => {
    const b = await connected();
    const states: StateNotice[] = [];
    b.on("state", (s) => states.push(s));
    FakeSocket.last.end(1001, reason);
    expect(states[0]!.retryIn).toBeLessThan(864e5 + 20_001);
    await vi.advanceTimersByTimeAsync(864e5 - 1);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("goes on when getToken fails", async () => {
    let fail = true;
    const errors: string[] = [];
    const b = start({ getToken: async () => { if (fail) throw new Error("api away"); return "t"; } });
    b.on("error", (e) => errors.push(e.message));
    await settle();
    expect(errors).toHaveLength(1);
    fail = false;
    await nextTry();
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("ignores what an abandoned socket still says", async () => {
    const b = await connected();
    const old = FakeSocket.last;
    old.end(1006);
    await nextTry();
    const seen = vi.fn();
    b.on("event", seen);
    old.frame('{"group_name":"jobs"}');
    old.end(4403);
    expect(seen).not.toHaveBeenCalled();
    expect(b.state).toBe("connecting");
  });
});

describe("closing", () => {
  it("rejects what waits and stays closed", async () => {
    const b = start();
    const p = expect(b.setGroups({ jobs: ["x"] })).rejects.toThrow("closed");
    await settle();
    b.close();
    await p;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.last.closed).toBe(true);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("leaves nothing that waits: setGroups rejects, and connect asks for its set", async () => {
    const b = await connected();
    b.close();
    await expect(b.setGroups({ jobs: ["status_changed"] })).rejects.toThrow("closed");
    b.connect();
    await settle();
    FakeSocket.last.accept();
    expect(FakeSocket.last.asked).toEqual([{ jobs: ["status_changed"] }]);
  });
});

it("the rules of close codes are public", () => {
  expect([1001, 1009, 4401, 4403].map(closeRule)).toEqual([
    { reconnect: true, newToken: false, mistake: false }, { reconnect: false, newToken: false, mistake: true },
    { reconnect: true, newToken: true, mistake: false }, { reconnect: false, newToken: false, mistake: false },
  ]);
});
