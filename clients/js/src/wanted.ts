import type { Item } from "./item.js";
import type { GroupsResult } from "./types.js";

/** What one call asked for: a dictionary of setGroups, or a group of subscribe. */
export class Wish {
  /** The server has accepted it once. */
  proven = false;
  readonly answered: Promise<GroupsResult>;
  resolve!: (result: GroupsResult) => void;
  reject!: (err: Error) => void;
  readonly groups: readonly (readonly [name: string, items: readonly string[]])[];

  constructor(groups: { readonly [name: string]: readonly Item[] | undefined }) {
    this.groups = Object.entries(groups).map(([name, items = []]) => [name, items.map(String)]);
    this.answered = new Promise((resolve, reject) => { this.resolve = resolve; this.reject = reject; });
    this.answered.catch(() => {}); // a caller who does not wait need not catch
  }
}

/** A client message, and whose wishes it carries. */
export interface Message {
  text: string;
  page: Wish | undefined;
  /** Those of its wishes that the server has not accepted yet. */
  trial: Wish[];
  /** The page's is among them: an answer is due, also where nothing changes. */
  asked: boolean;
}

/** All that the page wants to watch: the dictionary of setGroups, and beside it
 *  the groups of subscribe. */
export class Wanted {
  private page: Wish | undefined; // the last dictionary that the server accepted
  private next: Wish | undefined; // the one that is to replace it
  private readonly held = new Set<Wish>();

  /** Replaces the dictionary. One whose turn has not come shares the answer of
   *  its successor; one that is on its way gets its own, which comes first. */
  set(wish: Wish): void {
    const last = this.next;
    this.next = wish;
    if (last) wish.answered.then(last.resolve, last.reject);
  }

  hold(wish: Wish): void { this.held.add(wish); }

  /** Forgets a wish; false if it was forgotten before. A refused dictionary
   *  leaves the last accepted one in its place. */
  drop(wish: Wish): boolean {
    if (this.next === wish) this.next = undefined;
    else if (this.page === wish) this.page = undefined;
    else return this.held.delete(wish);
    return true;
  }

  /** The message that makes it the connection's set: what is proven, and of the
   *  rest the first `portion` wishes. */
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

  /** Takes every proof back, and returns what is to be proven again. */
  doubted(): Wish[] {
    const all = this.all();
    for (const wish of all) wish.proven = false;
    return all;
  }

  /** Tells those who wait that no answer will come; what is wanted stays. */
  rejectAll(err: Error): void {
    for (const wish of this.all()) wish.reject(err);
  }

  private all(): Wish[] {
    const page = this.next ?? this.page;
    return page ? [page, ...this.held] : [...this.held];
  }
}
