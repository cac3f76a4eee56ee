// The client against a real gateway, with a websocket that is passed in.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { Belfry } from "../src/index.js";
import type { BelfryOptions, DeniedNotice, GapNotice, SocketLike, StateNotice } from "../src/index.js";
import { Gateway } from "./gateway.js";

const patience = { timeout: 20_000, interval: 20 };
const socket = WebSocket as unknown as new (url: string) => SocketLike;

let gateway: Gateway;
let open: Belfry[] = [];

function watch(options: Partial<BelfryOptions> = {}) {
  const b = new Belfry(gateway.url, { getToken: () => "alice", WebSocket: socket, minDelay: 50, maxDelay: 500, ...options });
  const seen = { texts: [] as string[], gaps: [] as GapNotice[], states: [] as StateNotice[], denied: [] as DeniedNotice[] };
  b.on("event", (e) => seen.texts.push(e.text));
  b.on("gap", (e) => seen.gaps.push(e));
  b.on("state", (e) => seen.states.push(e));
  b.on("denied", (e) => seen.denied.push(e));
  open.push(b);
  return { b, seen };
}

beforeAll(async () => { gateway = await Gateway.make(); });
beforeEach(async () => { await gateway.start(); }, 30_000);
afterEach(() => { for (const b of open.splice(0)) b.close(); });
afterAll(async () => { await gateway.remove(); });

test("what is emitted after the promise arrives, in order, byte for byte", async () => {
  const { b, seen } = watch();
  expect(await b.setGroups({ job_events: [42] })).toEqual({
    current: ["job_events-42"], joined: ["job_events-42"], left: [], denied: [],
  });
  const payloads = Array.from({ length: 50 }, (_, n) => `{ "group_name":"job_events",  "job": 42, "stdout": "Zeile ${n} \\u00e4 ä 🎉" }`);
  for (const p of payloads) await gateway.emit("job_events-42", p);
  await gateway.emit("job_events-43", '{"group_name": "job_events", "job": 43}');
  await gateway.emit("job_events-42", '{"last": true}');
  await vi.waitFor(() => expect(seen.texts.at(-1)).toBe('{"last": true}'), patience);
  expect(seen.texts.slice(0, -1)).toEqual(payloads);
  expect(seen.gaps).toEqual([]);
});

test("a group that is not allowed is named, the others are watched", async () => {
  const { b, seen } = watch({ getToken: () => "bob" });
  const result = await b.setGroups({ control: ["limit_reached_7", "limit_reached_8"], job_events: [42] });
  expect(result.current).toEqual(["control-limit_reached_8"]);
  expect(result.denied.sort()).toEqual(["control-limit_reached_7", "job_events-42"]);
  expect(seen.denied.map((d) => `${d.name} ${d.item}`).sort()).toEqual(["control limit_reached_7", "job_events 42"]);
});

test("a refused token is replaced by a new one", async () => {
  const tokens = ["expired", "alice"];
  const getToken = vi.fn(() => tokens.shift()!);
  const { b, seen } = watch({ getToken });
  await b.setGroups({ jobs: ["summary"] });
  expect(getToken).toHaveBeenCalledTimes(2);
  expect(seen.states.map((s) => s.code ?? s.state)).toEqual([4401, "connecting", "connected"]);
});

test("subscribe and iterators follow one item beside the others", async () => {
  const { b } = watch();
  await b.setGroups({ jobs: ["summary"] });
  const lines = b.events("job_events", 2);
  expect((await b.setGroups({ jobs: ["summary"] })).current.sort()).toEqual(["job_events-2", "jobs-summary"]);
  for (const job of [1, 2]) await gateway.emit(`job_events-${job}`, `{"group_name": "job_events", "job": ${job}, "stdout": "of ${job}"}`);
  expect((await lines.next()).value.payload["stdout"]).toBe("of 2");
  await lines.return!();
  expect((await b.setGroups({ jobs: ["summary"] })).current).toEqual(["jobs-summary"]);
});

test.each([["SIGKILL", 1006], ["SIGTERM", 1001]] as const)("after %s of the gateway the groups are back, with a gap", async (signal, code) => {
  const { b, seen } = watch();
  await b.setGroups({ jobs: ["status_changed"], job_events: [1] });
  await gateway.emit("job_events-1", '{"n": 1}');
  await vi.waitFor(() => expect(seen.texts).toEqual(['{"n": 1}']), patience);
  await gateway.end(signal);
  await vi.waitFor(() => expect(seen.states.some((s) => s.code === code)).toBe(true), patience);
  expect(b.state).not.toBe("connected");
  await gateway.start();
  await vi.waitFor(() => expect(b.state).toBe("connected"), patience);
  expect(seen.gaps).toEqual([{ groups: expect.arrayContaining(["job_events-1", "jobs-status_changed"]), cause: "reconnect" }]);
  await gateway.emit("job_events-1", '{"n": 2}');
  await vi.waitFor(() => expect(seen.texts).toEqual(['{"n": 1}', '{"n": 2}']), patience);
}, 60_000);
