// Draws the moving picture of the README: the real page, a job whose output
// streams, Belfry killed, the gap shown and healed. `make picture` calls it with the
// file to write.
import { writeFileSync } from "node:fs";
import gifenc from "gifenc";
import { PNG } from "pngjs";
import { Tower, browse, connected, launch, lines, person, state, until } from "./tower.mjs";

const { GIFEncoder, applyPalette, quantize } = gifenc;
const file = process.argv[2];
const size = { width: 960, height: 600 };
const every = 250; // ms between two frames, and what one of them shows
const colours = 48; // a palette for all frames; one more index is "as before"

const tower = await Tower.start();
const { browser, close } = await browse();
const frames = [];
try {
  const page = await person(browser, tower, "alice");
  await page.setViewportSize(size);
  await connected(page);
  let recording = true;
  const record = (async () => {
    while (recording) {
      const due = performance.now() + every;
      frames.push(PNG.sync.read(await page.screenshot({ animations: "disabled" })).data);
      await page.waitForTimeout(Math.max(0, due - performance.now()));
    }
  })();
  await page.waitForTimeout(800);
  await launch(page, "count");
  await until("output", async () => (await lines(page)).length >= 12);
  await caption(page, "$ kill -9 $(pgrep -x belfry)");
  tower.killGateway();
  await until("the light to be off", async () => (await state(page)) !== "connected");
  await connected(page, 30_000);
  await caption(page, "");
  const healed = (await lines(page)).length;
  await until("more output, live", async () => (await lines(page)).length >= healed + 8, 30_000);
  recording = false;
  await record;
} finally {
  await close();
  await tower.stop();
}
writeFileSync(file, encode(frames));

/** A line at the bottom of the page: what is done outside of it. */
function caption(page, text) {
  return page.evaluate((words) => {
    let strip = document.getElementById("caption");
    strip ??= document.body.appendChild(Object.assign(document.createElement("div"), { id: "caption" }));
    strip.textContent = words;
    strip.style.cssText = "position:fixed;left:0;right:0;bottom:0;padding:.5rem 1.25rem;background:#101418;color:#ff7b72;font:600 17px ui-monospace,'DejaVu Sans Mono',monospace";
    strip.hidden = !words;
  }, text);
}

/** A GIF that loops. Frames alike become one; of the others only what changed is drawn. */
function encode(all) {
  const kept = [];
  for (const data of all) {
    if (kept.length > 0 && Buffer.compare(kept.at(-1).data, data) === 0) kept.at(-1).delay += every;
    else kept.push({ data, delay: every });
  }
  const sample = Buffer.concat([0, 0.25, 0.5, 0.75, 1].map((at) => kept[Math.round(at * (kept.length - 1))].data));
  const palette = quantize(sample, colours);
  const gif = GIFEncoder();
  let before;
  for (const { data, delay } of kept) {
    const index = applyPalette(data, palette);
    const drawn = before ? index.map((colour, i) => (colour === before[i] ? colours : colour)) : index;
    gif.writeFrame(drawn, size.width, size.height, { palette: [...palette, [0, 0, 0]], delay, transparent: Boolean(before), transparentIndex: colours, dispose: 1 });
    before = index;
  }
  gif.finish();
  return gif.bytes();
}
