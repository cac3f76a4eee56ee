/** Runs a task once for all requests in one turn of the event loop, and at most once
 *  within `interval` milliseconds. */
export class Pace {
  private waiting = false;
  private last = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** task returns whether it did something; if not, it may run again at once. */
  constructor(private readonly interval: number, private readonly task: () => boolean) {}

  ask(): void {
    if (this.waiting) return;
    this.waiting = true;
    const left = this.last + this.interval - performance.now();
    if (left > 0) this.timer = setTimeout(() => this.run(), Math.ceil(left));
    else queueMicrotask(() => this.run());
  }

  /** Runs the task now. */
  now(): void {
    this.waiting = true;
    this.run();
  }

  /** Drops the requests. */
  cancel(): void {
    clearTimeout(this.timer);
    this.waiting = false;
  }

  private run(): void {
    if (!this.waiting) return;
    clearTimeout(this.timer);
    this.waiting = false;
    if (this.task()) this.last = performance.now();
  }
}
