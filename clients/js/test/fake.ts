import type { SocketLike } from "../src/index.js";
import { paced } from "./client.js";

/** A socket whose server side is the test. */
export class FakeSocket implements SocketLike {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((e: { data: string }) => void) | null = null;
  onclose: ((e: { code: number; reason: string }) => void) | null = null;
  onerror: ((e: unknown) => void) | null = null;
  sent: string[] = [];
  closed = false;

  constructor(readonly url: string) { FakeSocket.all.push(this); }

  static get last(): FakeSocket { return FakeSocket.all[FakeSocket.all.length - 1]!; }

  send(text: string): void { this.sent.push(text); }
  close(): void { this.closed = true; }

  /** The groups of each message that the client sent. */
  get asked(): Record<string, string[]>[] { return this.sent.map((text) => JSON.parse(text).groups); }

  /** What the server sends. */
  frame(text: string): void { this.onmessage?.({ data: text }); }
  accept(): void { this.frame('{"accept": true, "user": 7}'); }
  answer(current: string[] = [], joined: string[] = current, left: string[] = []): void {
    this.frame(JSON.stringify({ groups_current: current, groups_left: left, groups_joined: joined }));
  }
  refuse(message: string): void { this.frame(JSON.stringify({ error: message })); }
  deny(name: string, item: string | number): void { this.refuse(`access denied to channel ${name} for resource id ${item}`); }
  end(code: number, reason = ""): void { this.onclose?.({ code, reason }); }

  /** Answers as a gateway does, message by message, until none is left; `bad`
   *  are the names that it calls invalid. */
  async serve(bad: string[]): Promise<void> {
    for (let n = 0; n < this.sent.length; n++) {
      const groups = this.asked[n]!;
      if (Object.keys(groups).some((name) => bad.includes(name))) this.refuse("that is not valid");
      else this.answer(Object.entries(groups).flatMap(([name, items]) => items.map((item) => `${name}-${item}`)));
      await paced();
    }
  }
}
