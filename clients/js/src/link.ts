import { Backoff } from "./backoff.js";
import { closeRule, retryAfter } from "./close.js";
import { accepts } from "./frames.js";
import type { BelfryOptions, ErrorNotice, SocketLike, StateNotice } from "./types.js";

/** Whom the link tells. */
export interface LinkUser {
  connecting(): void;
  /** The server has let the connection in. */
  accepted(): void;
  text(text: string): void;
  /** The connection is lost; the notice says when the next try is. */
  lost(notice: StateNotice): void;
  /** There will be no other try by itself. */
  stopped(notice: StateNotice): void;
  error(notice: ErrorNotice): void;
}

/** One websocket that is kept open: token, back-off, and the browser's word on
 *  whether there is a network. It knows nothing about groups. */
export class Link {
  readonly backoff: Backoff;
  private socket: SocketLike | undefined;
  private token: string | undefined;
  private running = false;
  private accepted = false;
  private attempt = 0; // tells an outdated socket or token apart
  private timer: ReturnType<typeof setTimeout> | undefined; // runs until the next try
  private due = 0; // when that is; as performance.now(), which no clock change moves
  private notBefore = 0; // the server asked for no try before that

  constructor(
    private readonly url: string, private readonly options: Omit<BelfryOptions, "itemOf">, private readonly user: LinkUser,
  ) {
    this.backoff = new Backoff(options.minDelay ?? 500, options.maxDelay ?? 20_000);
  }

  get stopped(): boolean { return !this.running; }

  /** Opens the connection in a microtask, so that listeners can be attached. */
  start(): void {
    if (this.running) return;
    this.running = true;
    globalThis.addEventListener?.("online", this.online);
    globalThis.addEventListener?.("offline", this.offline);
    const attempt = ++this.attempt;
    queueMicrotask(() => { if (attempt === this.attempt) void this.open(); });
  }

  stop(notice: StateNotice): void {
    if (!this.running) return;
    this.running = false;
    globalThis.removeEventListener?.("online", this.online);
    globalThis.removeEventListener?.("offline", this.offline);
    this.abandon();
    this.user.stopped(notice);
  }

  send(text: string): void { this.socket?.send(text); }

  /** A network is there: the next try may come sooner. */
  private readonly online = (): void => {
    if (this.timer === undefined) return;
    const now = performance.now();
    const due = Math.max(now, this.notBefore) + Math.random() * 1000;
    if (due < this.due) this.wait({ state: "disconnected", reason: "online" }, Math.round(due - now));
  };

  /** No network is there. Browsers err, so tries go on. */
  private readonly offline = (): void => {
    if (this.socket) this.lose({ state: "disconnected", reason: "offline" }, 0);
  };

  private async open(): Promise<void> {
    const attempt = ++this.attempt;
    this.user.connecting();
    try {
      const token = (this.token ??= await this.options.getToken());
      if (attempt === this.attempt) this.connect(attempt, token);
    } catch (cause) {
      if (attempt !== this.attempt) return;
      this.user.error({ message: "no token, or no socket", cause });
      this.lose({ state: "disconnected" }, 0);
    }
  }

  private connect(attempt: number, token: string): void {
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

  private receive(text: string): void {
    if (this.accepted) {
      this.user.text(text);
    } else if (accepts(text)) { // otherwise a close with 4401 follows
      this.accepted = true;
      this.user.accepted();
    }
  }

  private closed(code: number, reason: string): void {
    const rule = closeRule(code);
    if (rule.newToken) this.token = undefined;
    const notice: StateNotice = { state: "disconnected", code, reason };
    if (rule.reconnect) this.lose(notice, retryAfter(reason));
    else this.stop(notice);
  }

  private lose(notice: StateNotice, atLeast: number): void {
    this.abandon();
    this.notBefore = performance.now() + atLeast;
    this.wait(notice, atLeast + this.backoff.next());
  }

  private wait(notice: StateNotice, retryIn: number): void {
    clearTimeout(this.timer);
    this.due = performance.now() + retryIn;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.open();
    }, retryIn);
    this.user.lost({ ...notice, retryIn });
  }

  /** Forgets the socket, the try and the timer. */
  private abandon(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.attempt++;
    this.accepted = false;
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }
}
