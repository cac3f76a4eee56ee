/** A first-in, first-out queue whose operations take constant time on average. */
export class Queue<T> {
  private items: (T | undefined)[] = [];
  private first = 0; // the index of the first item; those before it were removed

  get size(): number { return this.items.length - this.first; }

  push(item: T): void { this.items.push(item); }

  shift(): T | undefined {
    const item = this.items[this.first];
    if (this.size > 0) this.items[this.first++] = undefined; // so that it can be freed
    if (this.size <= this.first) { // copies no more items than were removed
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }
}
