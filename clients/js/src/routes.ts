/** The handlers of groups' events, by name and item. */
export class Routes<E> {
  private readonly names = new Map<string, Map<string, Set<(event: E) => void>>>();

  /** Adds a handler and returns a function that removes it. */
  add(name: string, item: string, handler: (event: E) => void): () => void {
    const items = this.names.get(name) ?? new Map<string, Set<(event: E) => void>>();
    const handlers = items.get(item) ?? new Set();
    this.names.set(name, items.set(item, handlers.add(handler)));
    return () => {
      if (!handlers.delete(handler) || handlers.size > 0) return;
      items.delete(item);
      if (items.size === 0) this.names.delete(name);
    };
  }

  has(name: string): boolean { return this.names.has(name); }

  /** Returns the handlers of an item or, if the item is not known, all of the name. */
  find(name: string, item: string | undefined): ((event: E) => void)[] {
    const items = this.names.get(name);
    const found = item === undefined ? [...items?.values() ?? []] : [items?.get(item) ?? []];
    return found.flatMap((handlers) => [...handlers]);
  }
}
