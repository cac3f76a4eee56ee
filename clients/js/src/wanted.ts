import type { Item } from "./item.js";
import type { GroupsResult } from "./types.js";

/** The groups that one call requested: the set of setGroups, or the group of subscribe or
 *  events. */
export class Wish {
  /** Whether the server has accepted it before. */
  proven = false;
  readonly answered: Promise<GroupsResult>;
  resolve!: (result: GroupsResult) => void;
  reject!: (err: Error) => void;
  readonly groups: readonly (readonly [name: string, items: readonly string[]])[];

  constructor(groups: { readonly [name: string]: readonly Item[] | undefined }) {
    this.groups = Object.entries(groups).map(([name, items = []]) => [name, items.map(String)]);
    this.answered = new Promise((resolve, reject) => { this.resolve = resolve; this.reject = reject; });
    this.answered.catch(() => {}); // so that a caller who ignores the promise gets no unhandled rejection
  }
}

/** A client message and the wishes in it. */
export interface Message {
  text: string;
  page: Wish | undefined;
  /** Its wishes that the server has not accepted yet. */
  trial: Wish[];
  /** Whether the set of setGroups is among them: its caller waits for the answer, even if
   *  no group changes. */
  asked: boolean;
}

/** All groups that the page wants to watch: the set of setGroups and the groups of
 *  subscribe and events. */
export class Wanted {
  private page: Wish | undefined; // the last set of setGroups that the server accepted
  private next: Wish | undefined; // the set that will replace it
  private readonly held = new Set<Wish>();

  /** Replaces the set of setGroups. A set that was not sent yet gets the same answer as the
   *  new one; one that was sent gets its own answer, which comes first. */
  set(wish: Wish): void {
    const last = this.next;
    this.next = wish;
    if (last) wish.answered.then(last.resolve, last.reject);
  }

  hold(wish: Wish): void { this.held.add(wish); }

  /** Drops a wish and returns false if it was dropped before. If a set of setGroups is
   *  refused, the last accepted one stays. */
  drop(wish: Wish): boolean {
    if (this.next === wish) this.next = undefined;
    else if (this.page === wish) this.page = undefined;
    else return this.held.delete(wish);
    return true;
  }

  /** Returns the message for the accepted wishes and the first `portion` of the others. */
  message(portion: number): Message {
    const trial: Wish[] = [];
    const all = new Map<string, Set<string>>();
    for (const wish of this.all()) {
      if (!wish.proven) {
        if (trial.length >= portion) continue;
        trial.push(wish);
      }
      for (const [name, items] of wish.groups) {
        const set = all.get(name) ?? new Set();
        all.set(name, set);
        for (const item of items) set.add(item);
      }
    }
    const groups = Object.fromEntries([...all].sort().map(([name, items]) => [name, [...items].sort()]));
    const page = this.next ?? this.page;
    return { text: JSON.stringify({ groups }), page, trial, asked: trial.some((wish) => wish === page) };
  }

  /** The server has made the message's set active. */
  accepted({ page, trial }: Message, result: GroupsResult): void {
    if (this.next === page) this.next = undefined;
    this.page = page;
    for (const wish of trial) {
      wish.proven = true;
      wish.resolve(result);
    }
  }

  /** Marks all wishes as not accepted, and returns them. */
  doubted(): Wish[] {
    const all = this.all();
    for (const wish of all) wish.proven = false;
    return all;
  }

  /** Rejects the promises of all waiting calls. The wanted groups stay. */
  rejectAll(err: Error): void {
    for (const wish of this.all()) wish.reject(err);
  }

  private all(): Wish[] {
    const page = this.next ?? this.page;
    return page ? [page, ...this.held] : [...this.held];
  }
}
