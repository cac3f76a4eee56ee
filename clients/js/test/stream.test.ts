// What is kept for a reader that is slow, or never begins.
import { describe, expect, it, vi } from "vitest";
import { Queue } from "../src/queue.js";
import { accepted, paced, playClients } from "./client.js";
import { FakeSocket } from "./fake.js";

playClients();

const event = (counter: number) => `{"group_name":"job_events","job":1,"counter":${counter}}`;

/** Counts what arrays move while play runs: what they give up by shift, and what
 *  they copy by slice and splice. */
function counting(play: () => void | Promise<void>): () => number {
  let moved = 0;
  const kept = { shift: Array.prototype.shift, slice: Array.prototype.slice, splice: Array.prototype.splice };
  for (const [name, method] of Object.entries(kept)) {
    Object.assign(Array.prototype, { [name](this: unknown[], ...args: unknown[]) {
      moved += this.length - (name === "slice" ? Number(args[0] ?? 0) : 0);
      return (method as (...args: unknown[]) => unknown).apply(this, args);
    } });
  }
  const restore = () => { Object.assign(Array.prototype, kept); };
  const done = play();
  if (done) void done.then(restore, restore);
  else restore();
  return () => moved;
}

describe("a queue", () => {
  it("gives in the order in which it took, whatever is between", () => {
    const queue = new Queue<number>();
    const out: (number | undefined)[] = [queue.shift()];
    let next = 0;
    for (const [pushes, shifts] of [[1, 1], [3, 2], [1, 3], [100, 40], [7, 60], [0, 9]]) {
      for (let n = 0; n < pushes!; n++) queue.push(next++);
      for (let n = 0; n < shifts!; n++) out.push(queue.shift());
    }
    expect(queue.size).toBe(0);
    expect(out.filter((n) => n !== undefined)).toEqual(Array.from({ length: next }, (_, n) => n));
    expect(out).toHaveLength(next + 4);
  });

  it("moves no more than it gives: no shift of all that waits for each that is taken", () => {
    const queue = new Queue<number>();
    const most = 10_000;
    const moved = counting(() => {
      for (let n = 0; n < most; n++) queue.push(n);
      for (let n = 0; n < most; n++) queue.shift();
    });
    expect(moved()).toBeLessThanOrEqual(most);
  });
});

describe("an iterator that reads later", () => {
  it("has 100,000 events kept, and reads them with no move of the rest", async () => {
    const b = await accepted();
    const it = b.events("job_events", 1);
    const first = it.next();
    const most = 100_000;
    for (let n = 0; n <= most; n++) FakeSocket.last.frame(event(n));
    expect((await first).value!.text).toBe(event(0));
    let last;
    const reading = async () => { for (let n = 0; n < most; n++) last = await it.next(); };
    let read!: Promise<void>;
    const moved = counting(() => (read = reading()));
    await read;
    expect((last as unknown as IteratorResult<{ text: string }>).value.text).toBe(event(most));
    expect(moved()).toBeLessThanOrEqual(2 * most);
  }, 60_000);

  it("may have as many reads wait", async () => {
    const b = await accepted();
    const it = b.events("job_events", 1);
    const reads = Array.from({ length: 1000 }, () => it.next());
    for (let n = 0; n < 1000; n++) FakeSocket.last.frame(event(n));
    expect((await Promise.all(reads)).map((r) => r.value!.text)).toEqual(reads.map((_, n) => event(n)));
  });

  it("that falls 250,000 behind is told so after what is kept, and leaves its group", async () => {
    const b = await accepted();
    const it = b.events("job_events", 1);
    void it.next();
    await paced();
    FakeSocket.last.answer(["job_events-1"]);
    const frame = event(0);
    for (let n = 0; n < 250_003; n++) FakeSocket.last.frame(frame);
    for (let n = 0; n < 250_000; n++) await it.next();
    await expect(it.next()).rejects.toThrow("250000 events wait to be read");
    expect(await it.next()).toEqual({ value: undefined, done: true });
    await paced();
    expect(FakeSocket.last.asked.at(-1)).toEqual({});
  }, 60_000);
});

describe("an iterator that is never begun", () => {
  it("leaves its group after 30 s, and keeps nothing", async () => {
    const b = await accepted();
    const it = b.events("job_events", 1);
    await paced();
    FakeSocket.last.answer(["job_events-1"]);
    FakeSocket.last.frame(event(1));
    await vi.advanceTimersByTimeAsync(29_000);
    expect(FakeSocket.last.asked.at(-1)).toEqual({ job_events: ["1"] });
    await vi.advanceTimersByTimeAsync(1000);
    expect(FakeSocket.last.asked.at(-1)).toEqual({});
    await expect(it.next()).rejects.toThrow("not read within 30 s");
  });

  it("leaves it at once by return, and by close", async () => {
    const b = await accepted();
    await b.events("job_events", 1).return();
    b.events("job_events", 2);
    b.close();
    b.connect();
    await paced();
    FakeSocket.last.accept();
    expect(FakeSocket.last.asked).toEqual([{}]);
  });

  it("is begun by one read, and then has time", async () => {
    const b = await accepted();
    const it = b.events("job_events", 1);
    void it.next();
    for (let n = 0; n < 9; n++) {
      FakeSocket.last.frame(event(n));
      await vi.advanceTimersByTimeAsync(10_000);
    }
    expect((await it.next()).value!.text).toBe(event(1));
  });
});
