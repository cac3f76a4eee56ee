import { describe, expect, it } from "vitest";
import type { EventIterator } from "../src/index.js";
import { accepted, connected, nextTry, paced, playClients, settle } from "./client.js";
import { FakeSocket } from "./fake.js";

playClients();

const event = (job: number, counter: number) => JSON.stringify({ group_name: "job_events", job, counter });

/** Reads an iterator to its end, and says how it ended. */
async function read(events: EventIterator<{ text: string }>): Promise<string[]> {
  const out: string[] = [];
  try {
    for await (const { text } of events) out.push(text);
  } catch (err) {
    out.push(String(err));
  }
  return out;
}

describe("an iterator", () => {
  it("yields the events of its item, and ending it unsubscribes", async () => {
    const b = await accepted();
    const it = b.events("ad_hoc_command_events", 5);
    await paced();
    FakeSocket.last.answer(["ad_hoc_command_events-5"]);
    FakeSocket.last.frame('{"group_name":"ad_hoc_command_events","ad_hoc_command":4,"counter":1}');
    FakeSocket.last.frame('{"group_name":"ad_hoc_command_events","ad_hoc_command":5,"counter":2}');
    expect((await it.next()).value!.payload).toHaveProperty("counter", 2);
    await it.return();
    await paced();
    expect(FakeSocket.last.asked[2]).toEqual({});
    expect(await it.next()).toEqual({ value: undefined, done: true });
  });

  it("serves reads in their order, also those that came first", async () => {
    const b = await accepted();
    const it = b.events("job_events", 1);
    const reads = [it.next(), it.next(), it.next()];
    for (const n of [1, 2]) FakeSocket.last.frame(event(1, n));
    await it.return();
    expect((await Promise.all(reads)).map((r) => r.value?.text)).toEqual([event(1, 1), event(1, 2), undefined]);
  });

  it("of jobs keeps changes and summaries apart", async () => {
    const b = await accepted();
    const changes = read(b.events("jobs", "status_changed"));
    const summaries = read(b.events("jobs", "summary"));
    const change = '{"group_name":"jobs","unified_job_id":1,"status":"running"}';
    const summary = '{"group_name":"jobs","unified_job_id":1}';
    for (const text of [change, summary]) FakeSocket.last.frame(text);
    b.close();
    expect(await changes).toEqual([change]);
    expect(await summaries).toEqual([summary]);
  });

  it.each([
    ["job_events", { job: 1 }], ["project_update_events", { project_update: 1 }], ["inventory_update_events", { inventory_update: 1 }],
    ["system_job_events", { system_job: 1 }], ["ad_hoc_command_events", { ad_hoc_command: 1 }], ["workflow_events", { workflow_job_id: 1 }],
  ])("of %s yields one item", async (name, ids) => {
    const b = await accepted();
    const [one, other] = [read(b.events(name, "1")), read(b.events(name, 2))];
    FakeSocket.last.frame(JSON.stringify({ group_name: name, ...ids }));
    b.close();
    expect([(await one).length, (await other).length]).toEqual([1, 0]);
  });

  it.each([["control", { reason: "limit_reached" }], ["schedules", { id: 3 }], ["chat", { chat: { room: 1 } }]])(
    "of %s yields all of the name, for its payloads do not tell the item", async (name, payload) => {
      const b = await accepted();
      const one = read(b.events(name, "x"));
      FakeSocket.last.frame(JSON.stringify({ group_name: name, ...payload }));
      FakeSocket.last.frame("null");
      b.close();
      expect(await one).toHaveLength(1);
    });

  it("asks itemOf where the page says it", async () => {
    const b = await accepted({ itemOf: ({ payload }) => (payload as { room: number }).room });
    const one = read(b.events("chat", 1));
    for (const room of [1, 2]) FakeSocket.last.frame(JSON.stringify({ group_name: "chat", room }));
    b.close();
    expect(await one).toEqual(['{"group_name":"chat","room":1}']);
  });

  it("goes on over a reconnect", async () => {
    const b = await accepted();
    const lines = read(b.events("job_events", 1));
    FakeSocket.last.answer(["job_events-1"]);
    FakeSocket.last.frame(event(1, 1));
    FakeSocket.last.end(1006);
    await nextTry();
    FakeSocket.last.accept();
    FakeSocket.last.answer(["job_events-1"]);
    FakeSocket.last.frame(event(1, 2));
    b.close();
    expect(await lines).toEqual([event(1, 1), event(1, 2)]);
  });
});

describe("an iterator ends", () => {
  it("after close, when what came before is read", async () => {
    const b = await accepted();
    const it = b.events("job_events", 1);
    FakeSocket.last.frame(event(1, 1));
    b.close();
    expect(await read(it)).toEqual([event(1, 1)]);
  });

  it("at once where the connection is closed already", async () => {
    const b = await accepted();
    b.close();
    expect(await read(b.events("job_events", 1))).toEqual([]);
    b.connect();
    await settle();
    FakeSocket.last.accept();
    expect(FakeSocket.last.asked).toEqual([{}]); // it wants nothing any more
  });

  it.each([4403, 1002, 1003, 1007, 1009])("with an error when the server ends the connection with %i", async (code) => {
    const b = await accepted();
    const lines = read(b.events("job_events", 1));
    FakeSocket.last.answer(["job_events-1"]);
    FakeSocket.last.frame(event(1, 1));
    FakeSocket.last.end(code, "for a reason");
    expect(await lines).toEqual([event(1, 1), `Error: the connection is closed ${code} for a reason`]);
    b.connect();
    await settle();
    FakeSocket.last.accept();
    expect(FakeSocket.last.asked).toEqual([{}]);
  });

  it("with an error when its group is denied, and others go on", async () => {
    const b = await connected();
    const [denied, other] = [read(b.events("job_events", 1)), read(b.events("job_events", 2))];
    await paced();
    FakeSocket.last.deny("job_events", 1);
    FakeSocket.last.answer(["jobs-summary", "job_events-2"]);
    expect(await denied).toEqual(["Error: access denied to channel job_events for resource id 1"]);
    await paced();
    expect(FakeSocket.last.asked.at(-1)).toEqual({ jobs: ["summary"], job_events: ["2"] });
    FakeSocket.last.frame(event(2, 1));
    b.close();
    expect(await other).toEqual([event(2, 1)]);
  });

  it("with an error when its group is not valid", async () => {
    const b = await connected();
    const lines = read(b.events("a-b", 1));
    await paced();
    FakeSocket.last.refuse("not a name");
    expect(await lines).toEqual(["Error: not a name"]);
    await paced();
    expect(FakeSocket.last.sent).toHaveLength(2);
  });

  it("with an error that one read gets, and then it is over", async () => {
    const b = await connected();
    const it = b.events("a-b", 1);
    const reads = Promise.allSettled([it.next(), it.next()]);
    await paced();
    FakeSocket.last.refuse("not a name");
    expect((await reads).map((r) => r.status)).toEqual(["rejected", "fulfilled"]);
    expect(await it.next()).toEqual({ value: undefined, done: true });
  });
});
