/** First in, first out, at the same cost for any length. */
export class Queue<T> {
  private items: (T | undefined)[] = [];
  private first = 0; // those before it are taken

  get size(): number { return this.items.length - this.first; }

  push(item: T): void { this.items.push(item); }

  shift(): T | undefined {
    const item = this.items[this.first];
    if (this.size > 0) this.items[this.first++] = undefined; // what is taken is not kept
    if (this.size <= this.first) { // what moves is no more than what was taken
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }
}
