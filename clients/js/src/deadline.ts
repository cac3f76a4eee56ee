/** One wait with an end. Setting it replaces the wait before. Milliseconds. */
export class Deadline {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due = 0; // as performance.now(), which no clock change moves

  set(ms: number, late: () => void): void {
    this.clear();
    this.putOff(ms);
    this.run(ms, late);
  }

  /** Moves the end of the wait. Costs no timer, so every frame may do it; the
   *  wait must not become shorter. */
  putOff(ms: number): void { this.due = performance.now() + ms; }

  clear(): void { clearTimeout(this.timer); }

  private run(ms: number, late: () => void): void {
    this.timer = setTimeout(() => {
      const left = Math.ceil(this.due - performance.now());
      if (left > 0) this.run(left, late);
      else late();
    }, ms);
  }
}
