import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./rig.mjs";
import { until, visit } from "./tower.mjs";

const r = rig();

/** Fails unless the element has the focus, and one can see it. */
async function focused(locator) {
  await until(`the focus on ${locator}`, () => locator.evaluate((e) => e === document.activeElement), 5_000);
  const look = await locator.evaluate((e) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(e);
    return { visible: e.matches(":focus-visible"), outlineStyle, outlineWidth: parseFloat(outlineWidth) };
  });
  assert.ok(look.visible && look.outlineStyle === "solid" && look.outlineWidth >= 2, `${locator}: ${JSON.stringify(look)}`);
}

/** Presses a key until the element has the focus; each on the way shows it. */
async function reach(page, key, locator) {
  for (let i = 0; i < 20; i++) {
    if (await locator.evaluate((e) => e === document.activeElement)) return focused(locator);
    await page.keyboard.press(key);
    await focused(page.locator(":focus"));
    const name = await page.locator(":focus").ariaSnapshot();
    assert.match(name, /^- \w+ "[^"]+"/, `what has the focus has no name: ${name}`);
  }
  throw new Error(`${key} does not reach ${locator}`);
}

test("everything can be done with the keyboard alone", async () => {
  const page = await visit(r.browser, r.tower);
  const press = (key) => page.keyboard.press(key);
  await focused(page.getByRole("textbox", { name: "Name" }));
  await page.keyboard.type("alice");
  await press("Tab");
  await focused(page.getByLabel("Password"));
  await page.keyboard.type("tower");
  await press("Enter");

  const form = page.getByRole("form", { name: "Launch a job" });
  const template = form.getByRole("combobox", { name: "Template" });
  await focused(template);
  await until("the templates", async () => (await template.locator("option").count()) > 1);
  await press("ArrowDown");
  await press("ArrowUp");
  await press("Tab");
  await focused(form.getByRole("button", { name: "Launch" }));
  const jobs = page.getByRole("list", { name: "Jobs" }).getByRole("button");
  const heading = (n) => page.getByRole("heading", { name: `Job ${n}: Count slowly to sixty` });
  for (const n of [1, 2, 3]) {
    await press("Enter");
    await heading(n).waitFor();
    await focused(form.getByRole("button", { name: "Launch" }));
  }
  await until("all in the list", async () => (await jobs.count()) === 3);

  await press("Tab"); // to the open job, the newest
  await focused(jobs.nth(0));
  assert.match(await jobs.nth(0).ariaSnapshot(), /^- button "#3 Count slowly to sixty by alice, .* (pending|running)"/);
  await press("ArrowDown");
  await focused(jobs.nth(1));
  await press("End");
  await focused(jobs.nth(2));
  await press("ArrowDown"); // there is none
  await press("ArrowUp");
  await focused(jobs.nth(1));
  await press("Enter");
  await heading(2).waitFor();
  assert.equal(await jobs.nth(1).getAttribute("aria-current"), "true");

  const cancel = page.getByRole("button", { name: "Cancel job" });
  await reach(page, "Tab", cancel);
  await press("Enter");
  await until("job 2 to be canceled", async () => (await jobs.nth(1).locator(".status").textContent()) === "canceled");
  await focused(page.getByRole("log", { name: "Job 2: Count slowly to sixty" })); // its button is gone

  const schedule = page.getByRole("form", { name: "Add a schedule" });
  await reach(page, "Shift+Tab", schedule.getByRole("button", { name: "Add" }));
  await press("Enter");
  const toggle = page.getByRole("switch", { name: "Count slowly to sixty, every 30 s" });
  await toggle.waitFor();
  await press("Tab");
  await focused(toggle);
  await press("Space");
  await until("it to be off", async () => (await toggle.getAttribute("aria-checked")) === "false");
  await reach(page, "Tab", page.getByRole("button", { name: "Delete Count slowly to sixty, every 30 s" }));
  await press("Enter");
  await page.waitForSelector("#no-schedules:not([hidden])");
  await focused(schedule.getByRole("combobox", { name: "Template" })); // its row is gone

  await reach(page, "Shift+Tab", page.getByRole("button", { name: "Log out" }));
  await press("Enter");
  await focused(page.getByRole("textbox", { name: "Name" }));
  await page.context().close();
});
