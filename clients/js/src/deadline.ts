/** One wait with an end. Setting it replaces the wait before. Milliseconds. */
export class Deadline {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due = 0; // as performance.now(), which no clock change moves
  private last = 0; // due is never later

  /** Calls late after ms, put off to at most longest. */
  set(ms: number, late: () => void, longest = Infinity): void {
    this.clear();
    this.last = performance.now() + longest;
    this.putOff(ms);
    this.run(ms, late);
  }

  /** Moves the end of the wait. Costs no timer, so every frame may do it; the
   *  wait must not become shorter. */
  putOff(ms: number): void { this.due = Math.min(this.last, performance.now() + ms); }

  /** Waits for ms more, however long it was put off before. */
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
