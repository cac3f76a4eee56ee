/** Full-jitter exponential back-off: each delay is drawn evenly between the
 *  minimum and a ceiling that doubles until the maximum. Milliseconds. */
export class Backoff {
  private tries = 0;

  constructor(private readonly min: number, private readonly max: number) {}

  next(): number {
    const ceiling = Math.min(this.max, this.min * 2 ** ++this.tries);
    return Math.round(this.min + Math.random() * (ceiling - this.min));
  }

  reset(): void { this.tries = 0; }
}
