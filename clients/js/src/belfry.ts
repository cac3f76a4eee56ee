import { Backoff } from "./backoff.js";
import { closeRule, retryAfter } from "./close.js";
import { Emitter } from "./emitter.js";
import { Stream } from "./stream.js";
import type {
  BelfryEvents, BelfryOptions, EventNotice, Groups, GroupsResult, Item, SocketLike, State, StateNotice, Subscription,
} from "./types.js";
import { Wanted } from "./wanted.js";

const deniedText = /^access denied to channel (\S+) for resource id ([^]*)$/;
const tryAgain = "subscriptions are unavailable, try again";

/** Tower's payloads carry the item under the family's name without "_events". */
function towersItem(name: string, payload: Record<string, unknown>): Item | undefined {
  const key = name === "workflow_events" ? "workflow_job_id" : name.replace(/(_command)?_events$/, "$1");
  return payload[key] as Item | undefined;
}

interface Waiter { resolve: (r: GroupsResult) => void; reject: (e: Error) => void }

/**
 * One websocket to Belfry that is kept open: it reconnects with full jitter,
 * sends its groups again first, and says when events may have been missed.
 *
 *     const belfry = new Belfry("wss://tower.example/websocket", { getToken });
 *     belfry.on("event", ({ name, payload }) => ...);
 *     belfry.on("gap", ({ groups }) => reload(groups));
 *     await belfry.setGroups({ jobs: ["status_changed"], job_events: [42] });
 */
export class Belfry extends Emitter<BelfryEvents> {
  private static readonly pages = new Map<string, Belfry>();

  private readonly wanted = new Wanted();
  private readonly backoff: Backoff;
  private socket: SocketLike | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private token: string | undefined;
  private current: State = "disconnected";
  private stopped = true;
  private attempt = 0; // tells an outdated socket or token apart
  private accepted = false;
  private served = false; // groups were active once: a reconnect is a gap
  private sent: string | undefined; // the message whose answer is awaited
  private active: string | undefined; // the message that is answered
  private denied: string[] = [];
  private waiters: Waiter[] = [];

  constructor(private readonly url: string, private readonly options: BelfryOptions) {
    super();
    this.backoff = new Backoff(options.minDelay ?? 500, options.maxDelay ?? 20_000);
    this.connect();
  }

  /** The page's one connection to url, made at the first call. */
  static shared(url: string, options: BelfryOptions): Belfry {
    let one = Belfry.pages.get(url);
    if (!one) Belfry.pages.set(url, (one = new Belfry(url, options)));
    return one;
  }

  get state(): State { return this.current; }

  /** Replaces what the page watches. Resolves when the new set is active: every
   *  event that is emitted from then on arrives. May be called at any time. */
  setGroups(groups: Groups): Promise<GroupsResult> {
    this.wanted.set(groups);
    const answered = new Promise<GroupsResult>((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      this.sendGroups(true);
    });
    answered.catch(() => {}); // a caller who does not wait need not catch
    return answered;
  }

  /** Watches one group beside those of setGroups, until unsubscribe. */
  subscribe(name: string, item: Item): Subscription {
    this.wanted.hold(name, item);
    this.sendGroups();
    let open = true;
    return {
      unsubscribe: () => {
        if (!open) return;
        open = false;
        this.wanted.release(name, item);
        this.sendGroups();
      },
    };
  }

  /** Watches one group as an async iterator; ending the loop unsubscribes. */
  events(name: string, item: Item): AsyncIterableIterator<EventNotice> {
    const subscription = this.subscribe(name, item);
    const itemOf = this.options.itemOf ?? towersItem;
    const stream = new Stream(() => { off(); subscription.unsubscribe(); });
    const off = this.on("event", (e) => {
      const of = itemOf(name, e.payload);
      if (e.name === name && (of === undefined || String(of) === String(item))) stream.push(e);
    });
    return stream;
  }

  /** Opens the connection again after close, or after the server forbade it. */
  connect(): void {
    if (!this.stopped) return;
    this.stopped = false;
    globalThis.addEventListener?.("online", this.online);
    globalThis.addEventListener?.("offline", this.offline);
    void this.open();
  }

  /** Closes the connection for good. */
  close(): void {
    this.stop({ state: "disconnected" });
  }

  private readonly online = () => {
    if (!this.stopped && !this.socket) this.retry(Math.random() * 1000);
  };

  private readonly offline = () => {
    if (!this.socket) return;
    this.abandon();
    this.setState({ state: "disconnected", reason: "offline" });
  };

  private async open(): Promise<void> {
    const attempt = ++this.attempt;
    clearTimeout(this.timer);
    this.setState({ state: "connecting" });
    try {
      const token = (this.token ??= await this.options.getToken());
      if (attempt !== this.attempt || this.stopped) return;
      this.listen(attempt, token);
    } catch (cause) {
      if (attempt !== this.attempt || this.stopped) return;
      this.emit("error", { message: "no token, or no socket", cause });
      this.lost({ state: "disconnected" }, 0);
    }
  }

  private listen(attempt: number, token: string): void {
    const make = this.options.WebSocket ?? (globalThis.WebSocket as new (url: string) => SocketLike);
    const separator = this.url.includes("?") ? "&" : "?";
    const socket = new make(`${this.url}${separator}token=${encodeURIComponent(token)}`);
    this.socket = socket;
    socket.onmessage = (e: { data: unknown }) => {
      if (attempt === this.attempt) this.receive(String(e.data));
    };
    socket.onclose = (e: { code: number; reason: string }) => {
      if (attempt === this.attempt) this.closed(e.code, e.reason ?? "");
    };
    socket.onerror = () => {}; // a close follows
  }

  private closed(code: number, reason: string): void {
    const rule = closeRule(code);
    if (rule.newToken) this.token = undefined;
    if (!rule.reconnect) {
      this.stop({ state: "disconnected", code, reason });
      return;
    }
    this.lost({ state: "disconnected", code, reason }, retryAfter(reason));
  }

  private lost(notice: StateNotice, atLeast: number): void {
    this.abandon();
    const retryIn = atLeast + this.backoff.next();
    this.setState({ ...notice, retryIn });
    this.retry(retryIn);
  }

  private retry(delay: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.open(), delay);
  }

  /** Forgets the socket; what is wanted stays. */
  private abandon(): void {
    clearTimeout(this.timer);
    this.attempt++;
    const socket = this.socket;
    this.socket = undefined;
    this.accepted = false;
    this.sent = this.active = undefined;
    socket?.close();
  }

  private stop(notice: StateNotice): void {
    this.stopped = true;
    globalThis.removeEventListener?.("online", this.online);
    globalThis.removeEventListener?.("offline", this.offline);
    this.abandon();
    this.setState(notice);
    for (const w of this.waiters.splice(0)) w.reject(new Error("the connection is closed"));
  }

  private setState(notice: StateNotice): void {
    if (notice.state === this.current && notice.code === undefined) return;
    this.current = notice.state;
    this.emit("state", notice);
  }

  /** Sends what is wanted, unless an answer is awaited: the latest wins then. */
  private sendGroups(force = false): void {
    if (!this.accepted || this.sent !== undefined) return;
    const message = this.wanted.message();
    if (message === this.active && !force) return;
    this.sent = message;
    this.denied = [];
    this.socket?.send(message);
  }

  private receive(text: string): void {
    let frame: Record<string, unknown>;
    try {
      frame = JSON.parse(text) as Record<string, unknown>;
    } catch {
      this.emit("error", { message: "an event is not JSON" });
      return;
    }
    if (!this.accepted) {
      if (frame["accept"] !== true) return; // refused: a close with 4401 follows
      this.accepted = true;
      this.sendGroups(true);
    } else if (Array.isArray(frame["groups_current"])) {
      this.answered(frame as unknown as { groups_current: string[]; groups_left: string[]; groups_joined: string[] });
    } else if (Array.isArray(frame["gap"]) && Object.keys(frame).length === 1) {
      this.emit("gap", { groups: frame["gap"] as string[], cause: "server" });
    } else if (typeof frame["error"] === "string" && Object.keys(frame).length === 1) {
      this.refused(frame["error"]);
    } else {
      this.emit("event", { name: String(frame["group_name"] ?? ""), payload: frame, text });
    }
  }

  private answered(a: { groups_current: string[]; groups_left: string[]; groups_joined: string[] }): void {
    const first = this.current !== "connected";
    this.active = this.sent;
    this.sent = undefined;
    this.backoff.reset();
    if (this.active !== this.wanted.message()) {
      this.sendGroups(); // something changed meanwhile; its waiters wait on
    } else {
      const result = { current: a.groups_current, joined: a.groups_joined, left: a.groups_left, denied: this.denied };
      for (const w of this.waiters.splice(0)) w.resolve(result);
    }
    if (!first) return;
    this.setState({ state: "connected" });
    if (this.served && a.groups_current.length > 0) this.emit("gap", { groups: a.groups_current, cause: "reconnect" });
    this.served = true;
  }

  private refused(message: string): void {
    const denied = deniedText.exec(message);
    if (denied) {
      this.denied.push(`${denied[1]}-${denied[2]}`);
      this.emit("denied", { name: denied[1]!, item: denied[2]!, message });
      return;
    }
    this.sent = undefined;
    if (message === tryAgain) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.sendGroups(true), this.backoff.next());
      return;
    }
    this.emit("error", { message });
    for (const w of this.waiters.splice(0)) w.reject(new Error(message));
  }
}
