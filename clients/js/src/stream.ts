import { Queue } from "./queue.js";
import type { EventIterator } from "./types.js";

type Result<T> = IteratorResult<T, undefined>;

const done = { value: undefined, done: true } as const;

/** How long an iterator waits for its first read, in milliseconds. */
const unreadFor = 30_000;

/** How many values may wait to be read. */
const most = 250_000;

/** An async iterator over pushed values, which it stores until they are read. */
export class Stream<T> implements EventIterator<T> {
  private values = new Queue<T>();
  private readonly readers = new Queue<(result: Result<T> | Promise<Result<T>>) => void>();
  private ended = false;
  private failure: Error | undefined;
  private readonly unread = setTimeout(() => {
    this.values = new Queue();
    this.end(new Error("not read within 30 s: no longer watched"));
  }, unreadFor);

  constructor(private readonly onEnd: () => void) {}

  push(value: T): void {
    const reader = this.readers.shift();
    if (reader) reader({ value, done: false });
    else if (this.values.size < most) this.values.push(value);
    else this.end(new Error(`${most} events wait to be read: no longer watched`));
  }

  /** Ends the iteration after the stored values. With an error, one read throws it. */
  end(err?: Error): void {
    if (this.ended) return;
    clearTimeout(this.unread);
    this.ended = true;
    this.failure = err;
    this.onEnd();
    for (let reader; (reader = this.readers.shift());) reader(this.next());
  }

  next(): Promise<Result<T>> {
    clearTimeout(this.unread);
    if (this.values.size > 0) return Promise.resolve({ value: this.values.shift()!, done: false });
    const err = this.failure;
    this.failure = undefined;
    if (err) return Promise.reject(err);
    if (this.ended) return Promise.resolve(done);
    return new Promise((resolve) => { this.readers.push(resolve); });
  }

  /** Ends the iteration at once and drops the stored values, because the loop was left. */
  return(): Promise<Result<T>> {
    this.values = new Queue();
    this.end();
    this.failure = undefined;
    return Promise.resolve(done);
  }

  [Symbol.asyncIterator](): this { return this; }
}
