import type { EventIterator } from "./types.js";

type Result<T> = IteratorResult<T, undefined>;

const done = { value: undefined, done: true } as const;

/** An async iterator over pushed values. It keeps what is not yet read. */
export class Stream<T> implements EventIterator<T> {
  private readonly values: T[] = [];
  private readonly readers: ((result: Result<T> | Promise<Result<T>>) => void)[] = [];
  private ended = false;
  private failure: Error | undefined;

  constructor(private readonly onEnd: () => void) {}

  push(value: T): void {
    const reader = this.readers.shift();
    if (reader) reader({ value, done: false });
    else this.values.push(value);
  }

  /** Ends the iteration after what is kept; with an error, one read throws it. */
  end(err?: Error): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = err;
    this.onEnd();
    for (const reader of this.readers.splice(0)) reader(this.next());
  }

  next(): Promise<Result<T>> {
    if (this.values.length > 0) return Promise.resolve({ value: this.values.shift()!, done: false });
    const err = this.failure;
    this.failure = undefined;
    if (err) return Promise.reject(err);
    if (this.ended) return Promise.resolve(done);
    return new Promise((resolve) => { this.readers.push(resolve); });
  }

  /** Ends it at once, what is kept included: the reader has left. */
  return(): Promise<Result<T>> {
    this.values.length = 0;
    this.end();
    this.failure = undefined;
    return Promise.resolve(done);
  }

  [Symbol.asyncIterator](): this { return this; }
}
