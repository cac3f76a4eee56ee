/** Who wants the events of a group, by name and item. */
export class Routes<E> {
  private readonly names = new Map<string, Map<string, Set<(event: E) => void>>>();

  /** Returns a function that takes it away again. */
  add(name: string, item: string, take: (event: E) => void): () => void {
    const items = this.names.get(name) ?? new Map<string, Set<(event: E) => void>>();
    const takers = items.get(item) ?? new Set();
    this.names.set(name, items.set(item, takers.add(take)));
    return () => {
      if (!takers.delete(take) || takers.size > 0) return;
      items.delete(item);
      if (items.size === 0) this.names.delete(name);
    };
  }

  has(name: string): boolean { return this.names.has(name); }

  /** Those of the item; where the payload does not tell it, all of the name. */
  find(name: string, item: string | undefined): ((event: E) => void)[] {
    const items = this.names.get(name);
    const found = item === undefined ? [...items?.values() ?? []] : [items?.get(item) ?? []];
    return found.flatMap((takers) => [...takers]);
  }
}
