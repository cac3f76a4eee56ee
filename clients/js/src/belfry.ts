import { closeRule } from "./close.js";
import { Emitter, call } from "./emitter.js";
import { Exchange } from "./exchange.js";
import { groupName, readMessage } from "./frames.js";
import type { Item } from "./item.js";
import { Link } from "./link.js";
import { check } from "./options.js";
import { Routes } from "./routes.js";
import { Stream } from "./stream.js";
import { type TowerPayloads, towersItem } from "./towers.js";
import type {
  BelfryEvents, BelfryOptions, EventIterator, EventNotice, Groups, GroupsResult, Name, State, StateNotice, Subscription,
} from "./types.js";
import { Wanted, Wish } from "./wanted.js";

/**
 * A client that keeps one websocket to Belfry open: it reconnects with back-off,
 * subscribes to its groups again, and says when events may have been missed.
 *
 *     const belfry = new Belfry("wss://tower.example/websocket", { getToken });
 *     belfry.on("event", ({ name, payload }) => ...);
 *     belfry.on("gap", ({ groups }) => reload(groups));
 *     await belfry.setGroups({ jobs: ["status_changed"], job_events: [42] });
 *
 * P maps the names of groups to the types of their payloads; the default has Tower's.
 */
export class Belfry<P extends object = TowerPayloads> extends Emitter<BelfryEvents<P>> {
  private static readonly pages = new Map<string, Belfry<any>>();

  private readonly wanted = new Wanted();
  private readonly routes = new Routes<EventNotice<P>>();
  private readonly link: Link;
  private readonly exchange: Exchange;
  private readonly streams = new Set<Pick<Stream<unknown>, "end">>();
  private current: State = "disconnected";

  /** Throws if url or options are invalid. The connection is opened in a microtask,
   *  so that the caller can attach listeners first. */
  constructor(url: string, private readonly options: BelfryOptions<P>) {
    super();
    check(options);
    this.link = new Link(url, options, {
      connecting: () => this.change({ state: "connecting" }),
      accepted: () => this.exchange.start(),
      text: (text) => this.receive(text),
      silent: () => this.exchange.ask(),
      lost: (notice) => this.lost(notice),
      stopped: (notice) => this.stopped(notice),
      error: (notice) => this.emit("error", notice),
    });
    this.exchange = new Exchange(this.wanted, options, {
      send: (text) => this.link.send(text),
      answered: () => this.link.answered(),
      active: (returned) => this.active(returned),
      denied: (notice) => this.emit("denied", notice),
      invalid: (message) => this.emit("error", { kind: "groups_invalid", message }),
    });
    this.link.start();
  }

  /** Returns the page's shared client for url. The first call makes it and must pass
   *  options. Later calls pass the same options or none; other options throw. A client
   *  that was closed for good is replaced by a new one. */
  static shared<P extends object = TowerPayloads>(url: string, options?: BelfryOptions<P>): Belfry<P> {
    let one = Belfry.pages.get(url) as Belfry<P> | undefined;
    if (!one || one.link.stopped) {
      if (!options) throw new Error(`nothing is connected to ${url} yet: pass options`);
      Belfry.pages.set(url, (one = new Belfry(url, options)));
    }
    const other = options && difference(one.options, options);
    if (other) throw new Error(`${url} is shared with another ${other}: pass the same options, or none`);
    return one;
  }

  get state(): State { return this.current; }

  /** Replaces the groups that the page watches. Resolves when the new set is active:
   *  every event that is emitted from then on arrives. May be called at any time.
   *  Rejects if the server refuses the set as invalid; the last accepted set stays.
   *  Rejects while the client is closed; connect() then requests the set again. */
  setGroups(groups: Groups<P>): Promise<GroupsResult> {
    const wish = new Wish(groups);
    this.wanted.set(wish);
    if (this.link.stopped) wish.reject(closedFor({}));
    this.exchange.send();
    return wish.answered;
  }

  /** Watches one group, in addition to those of setGroups, until unsubscribe. The
   *  handler gets the group's events, chosen as described at itemOf. */
  subscribe<N extends Name<P>>(name: N, item: Item, handler?: (event: EventNotice<P, N>) => void): Subscription {
    const wish = this.hold(name, item);
    const off = handler && this.route(name, item, (e) => handler(e)); // a function of its own for each call, also of the same handler
    const active = wish.answered.then(({ denied }) => {
      if (denied.includes(`${name}-${item}`)) throw new Error(`access denied to ${name}-${item}`);
    });
    active.catch(() => {}); // so that a caller who ignores the promise gets no unhandled rejection
    return {
      active,
      unsubscribe: () => {
        off?.();
        this.release(wish);
      },
    };
  }

  /**
   * Watches one group as an async iterator. Leaving the loop unsubscribes. The loop
   * ends by itself after close(). It throws if the group is denied or invalid, if the
   * server closes the connection for good, if nothing is read within 30 s, or if
   * 250,000 events are waiting to be read.
   */
  events<N extends Name<P>>(name: N, item: Item): EventIterator<EventNotice<P, N>> {
    const wish = this.hold(name, item);
    const stream = new Stream<EventNotice<P, N>>(() => {
      for (const off of listening) off();
      this.streams.delete(stream);
      this.release(wish);
    });
    const listening = [
      this.route(name, item, (e) => stream.push(e)),
      this.on("denied", (d) => {
        if (d.name === name && d.item === String(item)) stream.end(new Error(d.message));
      }),
    ];
    wish.answered.catch((err: Error) => stream.end(err));
    this.streams.add(stream);
    if (this.link.stopped) stream.end();
    return stream;
  }

  /** Opens the connection again after close(), or after the server closed it for good. */
  connect(): void { this.link.start(); }

  /** Closes the connection for good. */
  close(): void { this.link.stop({ state: "disconnected" }); }

  private hold(name: string, item: Item): Wish {
    const wish = new Wish({ [name]: [item] });
    this.wanted.hold(wish);
    if (this.link.stopped) wish.reject(closedFor({}));
    this.exchange.send();
    return wish;
  }

  private release(wish: Wish): void {
    wish.reject(new Error("unsubscribed"));
    if (this.wanted.drop(wish)) this.exchange.send();
  }

  private route<N extends Name<P>>(name: N, item: Item, handler: (event: EventNotice<P, N>) => void): () => void {
    return this.routes.add(name, String(item), handler as (event: EventNotice<P>) => void);
  }

  private deliver(event: EventNotice<P>): void {
    if (!this.routes.has(event.name)) return;
    const item = (this.options.itemOf ?? towersItem)(event);
    for (const handler of this.routes.find(event.name, item === undefined ? item : String(item))) call(handler, event);
  }

  private receive(text: string): void {
    let payload: unknown;
    try {
      payload = JSON.parse(text);
    } catch (cause) {
      this.emit("error", { kind: "event_form", message: "an event is not JSON", cause });
      return;
    }
    const message = readMessage(payload, this.exchange.awaited);
    if (!message) {
      const event = { name: groupName(payload), payload, text } as EventNotice<P>;
      this.emit("event", event);
      call((e) => this.deliver(e), event); // itemOf is the page's function and may throw
    } else if (message.kind === "gap") this.emit("gap", { groups: message.groups, cause: "server" });
    else this.exchange.receive(message);
  }

  private active(returned: string[]): void {
    if (this.current !== "connected") this.change({ state: "connected" });
    if (returned.length > 0) this.emit("gap", { groups: returned, cause: "reconnect" });
  }

  private lost(notice: StateNotice): void {
    this.exchange.end();
    this.change(notice);
  }

  private stopped(notice: StateNotice): void {
    const { code, reason } = notice;
    const err = closedFor(notice);
    if (code !== undefined && closeRule(code).mistake) this.exchange.forget(err);
    this.exchange.end();
    this.change(notice);
    for (const stream of [...this.streams]) stream.end(code || reason ? err : undefined);
    this.wanted.rejectAll(err);
  }

  private change(notice: StateNotice): void {
    this.current = notice.state;
    this.emit("state", notice);
  }
}

function closedFor({ code, reason }: { code?: number; reason?: string }): Error {
  return new Error(["the connection is closed", code, reason].filter(Boolean).join(" "));
}

/** Returns the name of an option that differs between two callers. */
function difference<T extends object>(a: T, b: T): string | undefined {
  return Object.keys({ ...a, ...b }).find((key) => a[key as keyof T] !== b[key as keyof T]);
}
