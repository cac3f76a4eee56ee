// One Tower and one browser for the tests of a file.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Tower, browse, person, state, until } from "./tower.mjs";

/** rig starts both before the file's tests and ends them after. */
export function rig() {
  const r = {
    /** someone is logged in and live, with cookies of their own. */
    async someone(name) {
      const page = await person(r.browser, r.tower, name);
      await until(`${name} to be live`, async () => (await state(page)) === "connected");
      return page;
    },
  };
  before(async () => {
    r.tower = await Tower.start();
    ({ browser: r.browser, close: r.close } = await browse());
  });
  after(async () => {
    await r.close?.();
    const status = await r.tower?.stop();
    assert.equal(status, 0, `tower ended with ${status}: ${r.tower?.output}`);
  });
  return r;
}
