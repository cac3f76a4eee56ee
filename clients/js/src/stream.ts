import type { EventNotice } from "./types.js";

/** An async iterator over pushed events. It buffers what is not yet consumed. */
export class Stream implements AsyncIterableIterator<EventNotice> {
  private readonly waiting: EventNotice[] = [];
  private wake: ((r: IteratorResult<EventNotice>) => void) | undefined;
  private ended = false;

  constructor(private readonly onEnd: () => void) {}

  push(e: EventNotice): void {
    if (this.wake) {
      this.wake({ value: e, done: false });
      this.wake = undefined;
    } else {
      this.waiting.push(e);
    }
  }

  next(): Promise<IteratorResult<EventNotice>> {
    const first = this.waiting.shift();
    if (first) return Promise.resolve({ value: first, done: false });
    if (this.ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => { this.wake = resolve; });
  }

  return(): Promise<IteratorResult<EventNotice>> {
    if (!this.ended) {
      this.ended = true;
      this.onEnd();
      this.wake?.({ value: undefined, done: true });
      this.wake = undefined;
    }
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this { return this; }
}
