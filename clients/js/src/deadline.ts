/** A time-out that can be extended. Setting it replaces the previous one. All times are
 *  in milliseconds. */
export class Deadline {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due = 0; // by performance.now(), which is monotonic
  private last = 0; // due is never later than this

  /** Calls late after ms. putOff can extend this to at most longest. */
  set(ms: number, late: () => void, longest = Infinity): void {
    this.clear();
    this.last = performance.now() + longest;
    this.putOff(ms);
    this.run(ms, late);
  }

  /** Extends the time-out to ms from now. It sets no timer, so it is cheap enough to
   *  call for every frame; it must not shorten the time-out. */
  putOff(ms: number): void { this.due = Math.min(this.last, performance.now() + ms); }

  /** Extends the time-out to ms from now, regardless of longest. */
  renew(ms: number): void {
    this.last = Infinity;
    this.putOff(ms);
  }

  clear(): void { clearTimeout(this.timer); }

  private run(ms: number, late: () => void): void {
    this.timer = setTimeout(() => {
      const left = Math.ceil(this.due - performance.now());
      if (left > 0) this.run(left, late);
      else late();
    }, ms);
  }
}
