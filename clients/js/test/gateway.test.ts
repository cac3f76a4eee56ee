// The client against a real gateway, with a websocket that is passed in.
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Gateway } from "./gateway.js";
import { patience, watch } from "./watch.js";

let gateway: Gateway;

beforeAll(async () => { gateway = await Gateway.make(); });
beforeEach(async () => { await gateway.start(); }, 30_000);
afterAll(async () => { await gateway.remove(); });

test("what is emitted after the promise arrives, in order, byte for byte", async () => {
  const { b, seen } = watch(gateway);
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

test("any JSON is an event", async () => {
  const { b, seen } = watch(gateway);
  await b.setGroups({ job_events: [42] });
  const payloads = ["null", "7", '"text"', "[1, null]", "{}", '{"group_name": null}', '{"error": "of a job"}', '{"groups_current": []}'];
  for (const p of payloads) await gateway.emit("job_events-42", p);
  await vi.waitFor(() => expect(seen.texts).toEqual(payloads), patience);
});

test("a set that is not valid rejects, and neither the set before nor the one after is touched", async () => {
  const { b, seen } = watch(gateway);
  await b.setGroups({ job_events: [1] });
  await expect(b.setGroups({ jobs: [""] })).rejects.toThrow(/item/);
  expect((await b.setGroups({ job_events: [1, 2] })).joined).toEqual(["job_events-2"]);

  await expect(b.setGroups({ jobs: [""] })).rejects.toThrow(/item/);
  b.subscribe("job_events", 3);
  for (const n of [1, 2]) b.subscribe("jobs", `${"x".repeat(200)}${n}`);
  expect((await b.setGroups({ job_events: [1] })).current).toEqual(["job_events-1", "job_events-3"]);
  await gateway.emit("job_events-3", '{"n": 1}');
  await vi.waitFor(() => expect(seen.texts).toEqual(['{"n": 1}']), patience);
  expect(seen.states.map((s) => s.state)).toEqual(["connecting", "connected"]);
});

test("a set that is too big ends the connection, and connect brings the set before back", async () => {
  const { b, seen } = watch(gateway);
  await b.setGroups({ job_events: [1] });
  await expect(b.setGroups({ job_events: ["x".repeat(70_000)] })).rejects.toThrow("1009");
  expect(b.state).toBe("disconnected");
  b.connect();
  await vi.waitFor(() => expect(seen.gaps).toEqual([{ groups: ["job_events-1"], cause: "reconnect" }]), patience);
});

test("a group that is not allowed is named, the others are watched", async () => {
  const { b, seen } = watch(gateway, { getToken: () => "bob" });
  const result = await b.setGroups({ control: ["limit_reached_7", "limit_reached_8"], job_events: [42] });
  expect(result.current).toEqual(["control-limit_reached_8"]);
  expect(result.denied.sort()).toEqual(["control-limit_reached_7", "job_events-42"]);
  expect(seen.denied.map((d) => `${d.name} ${d.item}`).sort()).toEqual(["control limit_reached_7", "job_events 42"]);
});

test("a refused token is replaced by a new one", async () => {
  const tokens = ["expired", "alice"];
  const getToken = vi.fn(() => tokens.shift()!);
  const { b, seen } = watch(gateway, { getToken });
  await b.setGroups({ jobs: ["summary"] });
  expect(getToken).toHaveBeenCalledTimes(2);
  expect(seen.states.map((s) => s.code ?? s.state)).toEqual(["connecting", 4401, "connecting", "connected"]);
});

test("subscribe and iterators follow one item beside the others", async () => {
  const { b } = watch(gateway);
  await b.setGroups({ jobs: ["summary"] });
  const lines = b.events("job_events", 2);
  expect((await b.setGroups({ jobs: ["summary"] })).current.sort()).toEqual(["job_events-2", "jobs-summary"]);
  for (const job of [1, 2]) await gateway.emit(`job_events-${job}`, `{"group_name": "job_events", "job": ${job}, "stdout": "of ${job}"}`);
  expect((await lines.next()).value!.payload.stdout).toBe("of 2");
  await lines.return();
  expect((await b.setGroups({ jobs: ["summary"] })).current).toEqual(["jobs-summary"]);
});

test("an iterator throws when its group is denied, and ends when the client closes", async () => {
  const { b } = watch(gateway, { getToken: () => "bob" });
  await b.setGroups({ jobs: ["summary"] });
  await expect(b.events("job_events", 1).next()).rejects.toThrow("access denied to channel job_events for resource id 1");
  const summaries = b.events("jobs", "summary");
  const end = summaries.next();
  b.close();
  expect(await end).toEqual({ value: undefined, done: true });
});

test("retry_after_ms of a gateway that stops is kept", async () => {
  const { b, seen } = watch(gateway);
  await b.setGroups({ jobs: ["summary"] });
  await gateway.end("SIGTERM");
  const notice = await vi.waitFor(() => {
    const left = seen.states.find((s) => s.code === 1001);
    expect(left).toBeDefined();
    return left!;
  }, patience);
  const atLeast = Number(/^retry_after_ms=(\d+)$/.exec(notice.reason!)![1]);
  expect(atLeast).toBeGreaterThan(500); // more than any back-off here
  expect(notice.retryIn).toBeGreaterThanOrEqual(atLeast + 50);
  expect(notice.retryIn).toBeLessThanOrEqual(atLeast + 500);
  await gateway.start();
  await vi.waitFor(() => expect(b.state).toBe("connected"), patience);
}, 60_000);

test.each([["SIGKILL", 1006], ["SIGTERM", 1001]] as const)("after %s of the gateway the groups are back, with a gap", async (signal, code) => {
  const { b, seen } = watch(gateway);
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
