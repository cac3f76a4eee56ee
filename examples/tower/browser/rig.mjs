// One Tower and one browser for the tests of a file.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Tower, browse, connected, faults, person } from "./tower.mjs";

/** rig starts both before the file's tests and ends them after; then no page may
 *  have had an error that nobody caught. */
export function rig(start = () => Tower.start()) {
  const r = {
    /** someone is logged in and live, with cookies of their own. */
    async someone(name) {
      const page = await person(r.browser, r.tower, name);
      await connected(page);
      return page;
    },
  };
  before(async () => {
    r.tower = await start();
    ({ browser: r.browser, close: r.close } = await browse());
  });
  after(async () => {
    await r.close?.();
    const status = await r.tower?.stop();
    assert.equal(status, 0, `tower ended with ${status}: ${r.tower?.output}`);
    assert.deepEqual(faults, []);
  });
  return r;
}
