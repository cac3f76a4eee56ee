/** Exponential back-off with full jitter: each delay is random between the minimum
 *  and a ceiling that doubles up to the maximum. All times are in milliseconds. */
export class Backoff {
  private readonly min: number;
  private readonly max: number;
  private tries = 0;

  constructor({ minDelay = 500, maxDelay = 20_000 }: { minDelay?: number; maxDelay?: number }) {
    this.min = minDelay;
    this.max = maxDelay;
  }

  next(): number {
    const ceiling = Math.min(this.max, this.min * 2 ** ++this.tries);
    return Math.round(this.min + Math.random() * (ceiling - this.min));
  }

  reset(): void { this.tries = 0; }
}
