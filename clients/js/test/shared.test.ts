import { beforeEach, expect, it } from "vitest";
import { Belfry } from "../src/index.js";
import type { BelfryOptions } from "../src/index.js";
import { type Anything, closeAfter, fetchToken, nextTry, playClients, settle } from "./client.js";
import { FakeSocket } from "./fake.js";

playClients();

let url: string;
let n = 0;
beforeEach(() => { url = `ws://page${++n}`; });

const options: BelfryOptions<Anything> = { getToken: fetchToken, WebSocket: FakeSocket, minDelay: 100 };
const shared = (given?: BelfryOptions<Anything>) => closeAfter(Belfry.shared<Anything>(url, given));

it("one shared connection serves a page", async () => {
  const one = shared(options);
  expect(shared(options)).toBe(one);
  expect(shared({ ...options })).toBe(one);
  expect(shared()).toBe(one);
  await settle();
  expect(FakeSocket.all).toHaveLength(1);
});

it.each([
  ["getToken", { ...options, getToken: () => "other" }], ["minDelay", { ...options, minDelay: 200 }],
  ["maxDelay", { ...options, maxDelay: 200 }], ["minDelay", { getToken: fetchToken, WebSocket: FakeSocket }],
])("options that differ are refused, not dropped: %s", (key, given) => {
  shared(options);
  expect(() => shared(given)).toThrow(`shared with another ${key}`);
});

it("the first call needs options", () => {
  expect(() => shared()).toThrow("pass options");
});

it("a connection that was closed is replaced", async () => {
  const one = shared(options);
  await settle();
  one.close();
  expect(() => shared()).toThrow("pass options");
  const two = shared({ ...options, minDelay: 200 });
  expect(two).not.toBe(one);
  await settle();
  expect(FakeSocket.all).toHaveLength(2);
});

it("a connection that the server ended is replaced", async () => {
  const one = shared(options);
  await settle();
  FakeSocket.last.end(4403);
  expect(shared(options)).not.toBe(one);
});

it("a connection that is only lost is kept", async () => {
  const one = shared(options);
  await settle();
  FakeSocket.last.end(1006);
  expect(shared(options)).toBe(one);
  await nextTry();
  expect(shared(options)).toBe(one);
});
