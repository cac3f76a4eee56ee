/** Does a task whenever it is asked to, one at a time, and again after a failure
 *  that may pass, with back-off, until it succeeds or is stopped. */
export class Reload {
  /** task returns a promise. failed is told each error and says whether another
   *  try may help; succeeded is told the task's result. Delays are milliseconds. */
  constructor(task, { failed, succeeded, first = 500, last = 10_000 }) {
    Object.assign(this, { task, failed, succeeded, first, last });
    this.tries = 0;
    this.wanted = this.busy = this.stopped = false;
  }

  /** What the task does after this call has seen everything before it: one that
   *  is under way is followed by another. */
  run() {
    this.wanted = true;
    if (!this.busy && !this.stopped) this.loop();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Never rejects. */
  async loop() {
    this.busy = true;
    while (this.wanted && !this.stopped) {
      this.wanted = false;
      try {
        const result = await this.task();
        this.tries = 0;
        if (!this.stopped) this.succeeded(result);
      } catch (err) {
        if (this.stopped || !this.failed(err)) continue;
        this.wanted = true;
        await new Promise((resolve) => { this.timer = setTimeout(resolve, this.delay()); });
      }
    }
    this.busy = false;
  }

  /** Half of it is drawn, so that pages do not come back all at once. */
  delay() {
    const most = Math.min(this.last, this.first * 2 ** this.tries++);
    return most / 2 + Math.random() * most / 2;
  }
}
