import { Backoff } from "./backoff.js";
import type { ServerMessage } from "./frames.js";
import { Pace } from "./pace.js";
import type { DeniedNotice, GroupsResult } from "./types.js";
import type { Message, Wanted, Wish } from "./wanted.js";

const tryAgain = "subscriptions are unavailable, try again";

/** The minimum time between two messages in milliseconds. A gateway closes a
 *  connection that sends more than 10 a second for a long time (4429). */
const interval = 125;

/** How the exchange sends messages, and what it reports. */
export interface Partner {
  send(text: string): void;
  /** The last message was answered. */
  answered(): void;
  /** A set of groups is active. `returned` are the groups of a lost connection that
   *  are active again. */
  active(returned: string[]): void;
  denied(notice: DeniedNotice): void;
  /** The server refused a wish as invalid, and it was dropped. */
  invalid(message: string): void;
}

/**
 * Sends the wanted groups and handles the answers, one message at a time. The server
 * answers each message once, in order, after an error for each denied item. Messages
 * are sent until the wanted set is active.
 *
 * The server refuses a message as a whole. If it refuses a message with several new
 * wishes, half of them are tried, and so on, until a single one is found to be invalid.
 * That one is dropped, and the others are kept.
 */
export class Exchange {
  private readonly pace = new Pace(interval, () => this.next());
  private readonly backoff: Backoff; // while the server answers "try again"
  private open = false;
  private sent: Message | undefined; // the message whose answer is awaited
  private active: string | undefined; // the text of the last accepted message
  private result: GroupsResult | undefined; // its answer
  private asking = false; // send the active set again, to see whether the server answers
  private portion = Infinity; // how many new wishes a message may contain
  private denied: string[] = [];
  private current: string[] = [];
  private readonly missed = new Set<string>(); // groups that were active when the connection was lost
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly wanted: Wanted, delays: { minDelay?: number; maxDelay?: number }, private readonly partner: Partner,
  ) {
    this.backoff = new Backoff(delays);
  }

  get awaited(): boolean { return this.sent !== undefined; }

  /** A connection was opened. It has no groups yet. */
  start(): void {
    this.open = true;
    this.pace.now();
  }

  /** The connection was lost. The wanted groups stay. */
  end(): void {
    clearTimeout(this.timer);
    this.pace.cancel();
    this.open = this.asking = false;
    this.sent = this.active = this.result = undefined;
    for (const group of this.current.splice(0)) this.missed.add(group);
  }

  /** Drops the new wishes of the message whose answer is awaited, because it must not be
   *  sent again. */
  forget(err: Error): void {
    for (const wish of this.sent?.trial ?? []) this.drop(wish, err);
  }

  /** Sends the wanted groups in a microtask, unless they are active already. */
  send(): void {
    if (this.open) this.pace.ask();
  }

  /** Sends the wanted groups even if they are active, to see whether the server answers. */
  ask(): void {
    this.asking = true;
    this.send();
  }

  receive(answer: Exclude<ServerMessage, { kind: "gap" }>): void {
    const sent = this.sent!;
    if (answer.kind === "denied") {
      const { name, item, message } = answer;
      const group = `${name}-${item}`;
      this.denied.push(group);
      // An answer to a repeated message is news only if a permission was revoked.
      const told = sent.text === this.active && !sent.asked && this.result!.denied.includes(group);
      if (!told) this.partner.denied({ name, item, message });
      return;
    }
    this.sent = undefined;
    this.partner.answered();
    if (answer.kind === "groups") this.answered(sent, answer);
    else if (answer.message === tryAgain) this.sendLater();
    else this.refused(sent.trial, answer.message);
  }

  /** Sends the next message, if there is one and no answer is awaited. */
  private next(): boolean {
    if (this.sent) return false;
    const message = this.due();
    if (!message) return false;
    this.asking = false;
    this.sent = message;
    this.denied = [];
    this.partner.send(message.text);
    return true;
  }

  private due(): Message | undefined {
    const message = this.wanted.message(this.portion);
    if (message.text !== this.active || message.asked || this.asking || this.portion < Infinity) return message;
    // The same groups are active already.
    this.wanted.accepted(message, { ...this.result!, joined: [], left: [] });
    return undefined;
  }

  private answered(sent: Message, { current, joined, left }: ServerMessage & { kind: "groups" }): void {
    this.active = sent.text;
    this.result = { current, joined, left, denied: this.denied };
    this.portion = Infinity;
    this.current = [...current];
    this.backoff.reset();
    this.wanted.accepted(sent, this.result);
    const returned = current.filter((group) => this.missed.delete(group));
    if (this.due()) this.send();
    else this.missed.clear(); // the other groups are no longer wanted
    this.partner.active(returned);
  }

  private sendLater(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), this.backoff.next());
  }

  private refused(trial: Wish[], message: string): void {
    // If all wishes were accepted before, any of them may have become invalid.
    const suspects = trial.length > 0 ? trial : this.wanted.doubted();
    this.portion = suspects.length >> 1 || Infinity;
    if (suspects.length > 0) this.send();
    if (suspects.length > 1) return;
    for (const invalid of suspects) this.drop(invalid, new Error(message));
    this.partner.invalid(message);
  }

  private drop(wish: Wish, err: Error): void {
    this.wanted.drop(wish);
    wish.reject(err);
  }
}
