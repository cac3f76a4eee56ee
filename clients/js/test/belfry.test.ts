import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Belfry } from "../src/index.js";
import type { BelfryOptions, GapNotice, StateNotice } from "../src/index.js";
import { FakeSocket } from "./fake.js";

let tokens: string[];
let open: Belfry[];

function start(options: Partial<BelfryOptions> = {}): Belfry {
  const b = new Belfry("ws://gateway/websocket", {
    getToken: () => { tokens.push(`t${tokens.length + 1}`); return tokens[tokens.length - 1]!; },
    WebSocket: FakeSocket,
    ...options,
  });
  open.push(b);
  return b;
}

const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => { vi.useFakeTimers(); FakeSocket.all = []; tokens = []; open = []; });
afterEach(() => { for (const b of open) b.close(); vi.useRealTimers(); });

describe("groups", () => {
  it("are sent first, after the accept frame, and the promise waits for the answer", async () => {
    const b = start();
    const done = vi.fn();
    void b.setGroups({ job_events: [42], jobs: ["status_changed"] }).then(done);
    await settle();
    expect(FakeSocket.last.sent).toEqual([]);
    FakeSocket.last.accept();
    expect(FakeSocket.last.sent).toEqual(['{"groups":{"job_events":["42"],"jobs":["status_changed"]}}']);
    await settle();
    expect(done).not.toHaveBeenCalled();
    FakeSocket.last.frame('{"error": "access denied to channel job_events for resource id 42"}');
    FakeSocket.last.answer(["jobs-status_changed"]);
    await settle();
    expect(done).toHaveBeenCalledWith({
      current: ["jobs-status_changed"], joined: ["jobs-status_changed"], left: [], denied: ["job_events-42"],
    });
    expect(b.state).toBe("connected");
  });

  it("changed while an answer is awaited are sent once, the latest, and every promise resolves with it", async () => {
    const b = start();
    const first = b.setGroups({ jobs: ["summary"] });
    await settle();
    FakeSocket.last.accept();
    void b.setGroups({ jobs: ["a"] });
    const last = b.setGroups({ jobs: ["b"] });
    expect(FakeSocket.last.sent).toHaveLength(1);
    FakeSocket.last.answer(["jobs-summary"]);
    expect(FakeSocket.last.sent[1]).toBe('{"groups":{"jobs":["b"]}}');
    FakeSocket.last.answer(["jobs-b"]);
    expect((await first).current).toEqual(["jobs-b"]);
    expect((await last).current).toEqual(["jobs-b"]);
  });

  it("of subscribe come on top of setGroups and leave with the last holder", async () => {
    const b = start();
    void b.setGroups({ jobs: ["summary"] });
    const one = b.subscribe("job_events", 1);
    const two = b.subscribe("job_events", "1");
    await settle();
    FakeSocket.last.accept();
    expect(FakeSocket.last.sent[0]).toBe('{"groups":{"job_events":["1"],"jobs":["summary"]}}');
    FakeSocket.last.answer();
    one.unsubscribe();
    one.unsubscribe();
    expect(FakeSocket.last.sent).toHaveLength(1);
    two.unsubscribe();
    expect(FakeSocket.last.sent[1]).toBe('{"groups":{"jobs":["summary"]}}');
  });

  it("that the server calls invalid reject the promise", async () => {
    const b = start();
    const p = b.setGroups({ "a-b": ["x"] });
    await settle();
    FakeSocket.last.accept();
    const seen = expect(p).rejects.toThrow("not allowed");
    FakeSocket.last.frame('{"error": "the group name \\"a-b\\" is not allowed"}');
    await seen;
  });

  it("that are unavailable are asked for again", async () => {
    const b = start();
    void b.setGroups({ jobs: ["summary"] });
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.frame('{"error": "subscriptions are unavailable, try again"}');
    expect(FakeSocket.last.sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(FakeSocket.last.sent).toHaveLength(2);
  });
});

describe("events", () => {
  it("reach listeners with the text as it was, and only after acceptance", async () => {
    const b = start();
    const seen: string[] = [];
    b.on("event", (e) => seen.push(e.name + " " + e.text));
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.answer();
    FakeSocket.last.frame('{"group_name":"jobs",  "error":"of the job"}');
    expect(seen).toEqual(['jobs {"group_name":"jobs",  "error":"of the job"}']);
  });

  it("are iterated per item, and ending the loop unsubscribes", async () => {
    const b = start();
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.answer();
    const it = b.events("ad_hoc_command_events", 5);
    FakeSocket.last.answer(["ad_hoc_command_events-5"]);
    FakeSocket.last.frame('{"group_name":"ad_hoc_command_events","ad_hoc_command":4,"counter":1}');
    FakeSocket.last.frame('{"group_name":"ad_hoc_command_events","ad_hoc_command":5,"counter":2}');
    const first = await it.next();
    expect(first.value.payload["counter"]).toBe(2);
    await it.return!();
    expect(FakeSocket.last.sent[2]).toBe('{"groups":{}}');
  });

  it("a listener that throws does not keep the next from being called", async () => {
    const b = start();
    const thrown = vi.fn();
    process.once("uncaughtException", thrown);
    const second = vi.fn();
    b.on("event", () => { throw new Error("mine"); });
    b.on("event", second);
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.frame('{"group_name":"jobs"}');
    expect(second).toHaveBeenCalledOnce();
    vi.clearAllTimers(); // the rethrow is the page's business
    process.removeListener("uncaughtException", thrown);
  });
});

describe("reconnecting", () => {
  async function connected(): Promise<Belfry> {
    const b = start();
    void b.setGroups({ jobs: ["summary"] });
    await settle();
    FakeSocket.last.accept();
    FakeSocket.last.answer(["jobs-summary"]);
    return b;
  }

  it.each([1001, 1006, 1011, 1013, 4408, 4429])("follows %i, with the same token and a gap when the groups are back", async (code) => {
    const b = await connected();
    const gaps: GapNotice[] = [];
    b.on("gap", (g) => gaps.push(g));
    FakeSocket.last.end(code);
    expect(b.state).toBe("disconnected");
    await vi.advanceTimersByTimeAsync(20_001);
    expect(FakeSocket.all).toHaveLength(2);
    expect(tokens).toEqual(["t1"]);
    FakeSocket.last.accept();
    expect(FakeSocket.last.sent).toEqual(['{"groups":{"jobs":["summary"]}}']);
    expect(gaps).toEqual([]);
    FakeSocket.last.answer(["jobs-summary"]);
    expect(gaps).toEqual([{ groups: ["jobs-summary"], cause: "reconnect" }]);
  });

  it("gets a new token after 4401", async () => {
    await connected();
    FakeSocket.last.end(4401);
    await vi.advanceTimersByTimeAsync(20_001);
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
  });

  it("backs off with jitter between the bounds, and starts anew after success", async () => {
    const b = await connected();
    const delays: number[] = [];
    b.on("state", (s) => { if (s.retryIn !== undefined) delays.push(s.retryIn); });
    for (let n = 0; n < 12; n++) {
      FakeSocket.last.end(1006);
      await vi.advanceTimersByTimeAsync(20_001);
    }
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...delays)).toBeLessThanOrEqual(20_000);
    expect(delays[0]).toBeLessThanOrEqual(1000);
    FakeSocket.last.accept();
    FakeSocket.last.answer();
    FakeSocket.last.end(1006);
    expect(delays.at(-1)).toBeLessThanOrEqual(1000);
  });

  it("goes on when getToken fails", async () => {
    let fail = true;
    const errors: string[] = [];
    const b = start({ getToken: async () => { if (fail) throw new Error("api away"); return "t"; } });
    b.on("error", (e) => errors.push(e.message));
    await settle();
    expect(errors).toHaveLength(1);
    fail = false;
    await vi.advanceTimersByTimeAsync(20_001);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("ignores what an abandoned socket still says", async () => {
    const b = await connected();
    const old = FakeSocket.last;
    old.end(1006);
    await vi.advanceTimersByTimeAsync(20_001);
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

  it("one shared connection serves a page", () => {
    const one = Belfry.shared("ws://page", { getToken: () => "t", WebSocket: FakeSocket });
    open.push(one);
    expect(Belfry.shared("ws://page", { getToken: () => "t", WebSocket: FakeSocket })).toBe(one);
  });
});
