// A set that changes often: what the server gets of it. A gateway closes a
// connection with 4429 that sends over 10 messages a second for long.
import { describe, expect, it, vi } from "vitest";
import { accepted, connected, nextTry, paced, playClients, settle } from "./client.js";
import { FakeSocket } from "./fake.js";

playClients();

/** Answers all that was not answered. Returns how many messages that were. */
function answering(socket: FakeSocket) {
  let answered = socket.sent.length;
  return () => {
    for (; answered < socket.sent.length; answered++) socket.answer();
    return answered;
  };
}

describe("changes of one turn", () => {
  it("are one message: unsubscribe, then subscribe", async () => {
    const b = await accepted();
    const one = b.subscribe("job_events", 1);
    await paced();
    FakeSocket.last.answer(["job_events-1"]);
    one.unsubscribe();
    b.subscribe("job_events", 2);
    await paced();
    expect(FakeSocket.last.asked).toEqual([{}, { job_events: ["1"] }, { job_events: ["2"] }]);
  });

  it("are no message where they end where they began", async () => {
    const b = await connected();
    await paced();
    const one = b.subscribe("job_events", 1);
    one.unsubscribe();
    await b.events("job_events", 2).return();
    await paced();
    expect(FakeSocket.last.sent).toHaveLength(1);
  });

  it("are one message, however many", async () => {
    const b = await accepted();
    const many = Array.from({ length: 500 }, (_, n) => b.subscribe("job_events", n));
    await paced();
    FakeSocket.last.answer(many.map((_, n) => `job_events-${n}`));
    for (const one of many) one.unsubscribe();
    await paced();
    expect(FakeSocket.last.asked.map((groups) => groups["job_events"]?.length)).toEqual([undefined, 500, undefined]);
  });

  it.each([
    ["subscribe", (b: Awaited<ReturnType<typeof accepted>>, n: number, off: { unsubscribe(): void }[]) => { off.pop()?.unsubscribe(); off.push(b.subscribe("job_events", n)); }],
    ["setGroups", (b: Awaited<ReturnType<typeof accepted>>, n: number) => { void b.setGroups({ job_events: [n] }); }],
    ["an iterator", (b: Awaited<ReturnType<typeof accepted>>, n: number, off: { unsubscribe(): void }[]) => {
      off.pop()?.unsubscribe();
      const it = b.events("job_events", n);
      off.push({ unsubscribe: () => void it.return() });
    }],
  ])("of many turns are about 8 messages a second, and the newest set is the last: %s", async (_, change) => {
    const b = await accepted();
    const answer = answering(FakeSocket.last);
    const off: { unsubscribe(): void }[] = [];
    for (let n = 0; n < 500; n++) { // 50 a second
      change(b, n, off);
      await vi.advanceTimersByTimeAsync(20);
      answer();
    }
    await paced();
    expect(answer()).toBeGreaterThan(70);
    expect(answer()).toBeLessThan(90);
    expect(FakeSocket.last.asked.at(-1)).toEqual({ job_events: ["499"] });
  });
});

it("the first message of a connection waits for nothing", async () => {
  const b = await connected();
  b.subscribe("job_events", 1);
  FakeSocket.last.end(1006);
  await nextTry();
  FakeSocket.last.accept();
  expect(FakeSocket.last.asked).toEqual([{ job_events: ["1"], jobs: ["summary"] }]);
});

it("a set that is refused again and again, and a sign of life that is asked for, keep the pace too", async () => {
  const b = await accepted();
  for (let n = 0; n < 64; n++) b.subscribe("bad", n);
  const from = FakeSocket.last.sent.length;
  for (let ms = 0; ms < 1000; ms += 10) {
    await vi.advanceTimersByTimeAsync(10);
    if (b.state === "connected" && FakeSocket.last.sent.length > from) FakeSocket.last.refuse("no");
  }
  expect(FakeSocket.last.sent.length - from).toBeLessThanOrEqual(9);
});

it("an answer that is late holds up the next set, which is then the newest", async () => {
  const b = await accepted();
  const sets = [1, 2, 3].map((n) => b.setGroups({ job_events: [n] }));
  await settle();
  for (const n of [4, 5]) {
    await paced();
    sets.push(b.setGroups({ job_events: [n] }));
  }
  FakeSocket.last.answer(["job_events-3"]);
  await paced();
  expect(FakeSocket.last.asked).toEqual([{}, { job_events: ["3"] }, { job_events: ["5"] }]);
  FakeSocket.last.answer(["job_events-5"]);
  expect((await Promise.all(sets)).map((r) => r.current)).toEqual([["job_events-3"], ["job_events-3"], ["job_events-3"], ["job_events-5"], ["job_events-5"]]);
});
