// A person's page behind nginx with several gateways, one of which is killed
// while a job's output streams. Not a test of its own: a test that has started all
// of these runs it with the page's address, and kills when it prints "streaming".
import assert from "node:assert/strict";
import { browse, launch, lines, logIn, state, until } from "./tower.mjs";

const address = process.argv[2];
const { browser, close } = await browse();
try {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const sockets = []; // for each websocket: how many lines came over it
  page.on("websocket", (ws) => {
    const socket = { lines: 0 };
    sockets.push(socket);
    ws.on("framereceived", ({ payload }) => { if (String(payload).includes('"job_events"')) socket.lines++; });
  });
  await page.goto(address);
  await logIn(page, "alice", "tower");
  await until("the page to be live", async () => (await state(page)) === "connected");
  await launch(page, "count");
  await until("output", async () => (await lines(page)).length >= 5);
  assert.equal(sockets.length, 1);
  console.log("streaming");
  await until("another websocket", () => sockets.length > 1, 30_000);
  await until("the page to be live again", async () => (await state(page)) === "connected", 30_000);
  const want = Array.from({ length: 60 }, (_, i) => `line ${i + 1} of 60`);
  await until("the last line", async () => (await lines(page)).at(-1) === want.at(-1), 60_000);
  assert.deepEqual(await lines(page), want);
  assert.ok(sockets[0].lines > 0 && sockets.at(-1).lines > 0, `lines over each websocket: ${sockets.map((s) => s.lines)}`);
  console.log(`every line once, over ${sockets.length} websockets: ${sockets.map((s) => s.lines).join(" and ")} of them live`);
} finally {
  await close();
}
