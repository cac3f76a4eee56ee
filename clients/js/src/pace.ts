/** Does a task once for all who ask in one turn of the event loop, and no two
 *  times within `interval` milliseconds. */
export class Pace {
  private waiting = false;
  private last = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** task says whether it did something: otherwise it may be repeated at once. */
  constructor(private readonly interval: number, private readonly task: () => boolean) {}

  ask(): void {
    if (this.waiting) return;
    this.waiting = true;
    const left = this.last + this.interval - performance.now();
    if (left > 0) this.timer = setTimeout(() => this.run(), Math.ceil(left));
    else queueMicrotask(() => this.run());
  }

  /** Does it now. */
  now(): void {
    this.waiting = true;
    this.run();
  }

  /** Forgets who asked. */
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
