import type { Groups, Item } from "./types.js";

/** What the page wants to watch: the dictionary of setGroups, plus a count for
 *  each group that subscribe holds. */
export class Wanted {
  private page: Groups = {};
  private readonly held = new Map<string, { name: string; item: string; count: number }>();

  set(groups: Groups): void {
    this.page = Object.fromEntries(Object.entries(groups).map(([name, items]) => [name, [...items]]));
  }

  hold(name: string, item: Item): void {
    const key = `${name}-${item}`;
    const entry = this.held.get(key) ?? { name, item: String(item), count: 0 };
    entry.count++;
    this.held.set(key, entry);
  }

  release(name: string, item: Item): void {
    const key = `${name}-${item}`;
    const entry = this.held.get(key);
    if (entry && --entry.count === 0) this.held.delete(key);
  }

  /** The client message that makes all of it the connection's set. */
  message(): string {
    const all = new Map<string, Set<string>>();
    const add = (name: string, item: Item) => {
      let items = all.get(name);
      if (!items) all.set(name, (items = new Set()));
      items.add(String(item));
    };
    for (const [name, items] of Object.entries(this.page)) for (const item of items) add(name, item);
    for (const { name, item } of this.held.values()) add(name, item);
    const groups = Object.fromEntries([...all].sort().map(([name, items]) => [name, [...items].sort()]));
    return JSON.stringify({ groups });
  }
}
