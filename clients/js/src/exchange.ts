import { Backoff } from "./backoff.js";
import type { Word } from "./frames.js";
import { Pace } from "./pace.js";
import type { DeniedNotice, GroupsResult } from "./types.js";
import type { Message, Wanted, Wish } from "./wanted.js";

const tryAgain = "subscriptions are unavailable, try again";

/** The least time between two messages, in milliseconds: a gateway closes a
 *  connection that sends over 10 a second for long (4429). */
const interval = 125;

/** Where the exchange writes, and whom it tells. */
export interface Partner {
  send(text: string): void;
  /** The message that was sent last is answered. */
  answered(): void;
  /** A set is active. `returned`: the groups of a lost connection that are back. */
  active(returned: string[]): void;
  denied(notice: DeniedNotice): void;
  /** A wish was not valid and is forgotten. */
  invalid(message: string): void;
}

/**
 * Messages and answers, one at a time: the server answers each message once, in
 * order, after the items it denies. What is wanted is sent until it is active.
 *
 * The server refuses a message as a whole, so where it refuses several new
 * wishes they are halved until one is alone: that one is forgotten, and the
 * others are not taken along.
 */
export class Exchange {
  private readonly pace = new Pace(interval, () => this.next());
  private readonly backoff: Backoff; // for a server that has no answer yet
  private open = false;
  private sent: Message | undefined; // its answer is awaited
  private active: string | undefined; // the text of the last that was answered
  private result: GroupsResult | undefined; // what that answer said
  private asking = false; // send what is active once more: its answer is a sign of life
  private portion = Infinity; // how many unproven wishes a message may carry
  private denied: string[] = [];
  private current: string[] = [];
  private readonly missed = new Set<string>(); // were active when the connection was lost
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly wanted: Wanted, delays: { minDelay?: number; maxDelay?: number }, private readonly partner: Partner,
  ) {
    this.backoff = new Backoff(delays);
  }

  get awaited(): boolean { return this.sent !== undefined; }

  /** A connection is there, without groups. */
  start(): void {
    this.open = true;
    this.pace.now();
  }

  /** The connection is gone; what is wanted stays. */
  end(): void {
    clearTimeout(this.timer);
    this.pace.cancel();
    this.open = this.asking = false;
    this.sent = this.active = this.result = undefined;
    for (const group of this.current.splice(0)) this.missed.add(group);
  }

  /** Forgets the new wishes of the message on its way: it must not be repeated. */
  forget(err: Error): void {
    for (const wish of this.sent?.trial ?? []) this.drop(wish, err);
  }

  /** Sends what is wanted when this turn is over, unless it is active. */
  send(): void {
    if (this.open) this.pace.ask();
  }

  /** Sends what is wanted, also where it is active. */
  ask(): void {
    this.asking = true;
    this.send();
  }

  receive(word: Exclude<Word, { kind: "gap" }>): void {
    const sent = this.sent!;
    if (word.kind === "denied") {
      const { name, item, message } = word;
      const group = `${name}-${item}`;
      this.denied.push(group);
      // A sign of life brings no news, but for a right that was taken away.
      const told = sent.text === this.active && !sent.asked && this.result!.denied.includes(group);
      if (!told) this.partner.denied({ name, item, message });
      return;
    }
    this.sent = undefined;
    this.partner.answered();
    if (word.kind === "groups") this.answered(sent, word);
    else if (word.message === tryAgain) this.sendLater();
    else this.refused(sent.trial, word.message);
  }

  /** Sends the next message, where one is due and no answer is awaited. */
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
    // Others have made the same groups active.
    this.wanted.accepted(message, { ...this.result!, joined: [], left: [] });
    return undefined;
  }

  private answered(sent: Message, { current, joined, left }: Word & { kind: "groups" }): void {
    this.active = sent.text;
    this.result = { current, joined, left, denied: this.denied };
    this.portion = Infinity;
    this.current = [...current];
    this.backoff.reset();
    this.wanted.accepted(sent, this.result);
    const returned = current.filter((group) => this.missed.delete(group));
    if (this.due()) this.send();
    else this.missed.clear(); // what has not come back is no longer wanted
    this.partner.active(returned);
  }

  private sendLater(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), this.backoff.next());
  }

  private refused(trial: Wish[], message: string): void {
    // Where all of it was accepted before, any of it may have become invalid.
    const suspects = trial.length > 0 ? trial : this.wanted.doubted();
    this.portion = suspects.length >> 1 || Infinity;
    if (suspects.length > 0) this.send();
    if (suspects.length > 1) return;
    for (const guilty of suspects) this.drop(guilty, new Error(message));
    this.partner.invalid(message);
  }

  private drop(wish: Wish, err: Error): void {
    this.wanted.drop(wish);
    wish.reject(err);
  }
}
