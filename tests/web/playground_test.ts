/** The playground in a browser, served as `lbsim play` serves it. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { lbsim } from "../support/process.ts";
import {
  axeFindings,
  browserTest,
  closeBrowser,
  type Complaints,
  type Look,
  withPage,
} from "./browser.ts";
import {
  drop,
  NGINX,
  passed,
  problems,
  seek,
  served,
  servedByNginx,
  until,
} from "./playground_pages.ts";

Deno.test.afterAll(closeBrowser);

const NO_COMPLAINT: Complaints = { console: [], foreign: [] };

function test(
  name: string,
  use: (page: Page, url: string) => Promise<void>,
  { hash = "#example=gray-failure", ...look }: Look & { readonly hash?: string } = {},
): void {
  browserTest(name, async () => {
    await served(async (url) => {
      await withPage(url + hash, async (page, complaints) => {
        await passed(page, 0);
        await until(page, `performance.getEntriesByName("complete").length > 0`);
        await use(page, url);
        assert.deepEqual(complaints, NO_COMPLAINT);
      }, look);
    });
  });
}

/** Opens an example or a lesson. */
async function open(page: Page, hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
}

/** The tables of the numbers that the canvas shows, at the present time of the run. */
async function picture(page: Page): Promise<string> {
  return await page.evaluate(
    `[...document.querySelectorAll(".scene table")].map((one) => one.innerText).join("\\n")`,
  );
}

const LOOKS: readonly Look[] = [
  { width: 1280, theme: "light" },
  { width: 1280, theme: "dark" },
  { width: 390, theme: "light" },
  { width: 390, theme: "dark", reducedMotion: true },
];

for (const look of LOOKS) {
  test(
    `the playground at ${look.width} px, ${look.theme}: axe finds nothing, also with all tables open`,
    async (page) => {
      await passed(page, 200);
      await page.getByRole("button", { name: "Next pick" }).click();
      await page.getByRole("region", { name: "Candidates" }).waitFor();
      await page.evaluate(
        `document.querySelectorAll("main details").forEach((one) => one.open = true)`,
      );
      assert.deepEqual(await axeFindings(page), []);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), look.width);
    },
    look,
  );
}

test("every example and every lesson opens and runs", async (page) => {
  const hashes: readonly string[] = await page.evaluate(
    `[...document.querySelectorAll("#library a")].map(({ hash }) => hash)`,
  );
  assert.ok(hashes.length > 30, `${hashes.length}`);
  assert.ok(hashes.includes("#example=three-worlds"), "also one that extends a config.yaml");
  for (const hash of hashes) {
    await open(page, hash);
    await until(page, `document.querySelector("main").dataset.route === ${JSON.stringify(hash)}`);
    await passed(page, 1);
    assert.deepEqual(await problems(page), [], hash);
  }
});

test("a click on a backend breaks it, and the next click repairs it", async (page) => {
  await passed(page, 100);
  await page.getByRole("button", { name: "Pause" }).click();
  // Waits until the picture has been drawn, so that its size is final.
  await until(page, `Number(document.querySelector("[data-dots]").dataset.picturesPerS) > 0`);
  const canvas = page.locator(".scene canvas");
  const box = (await canvas.boundingBox())!;
  // The first backend of the last variant is at the right edge.
  const position = { x: box.width - 40, y: 60 };
  const row = page.locator('tr[data-backend="B1"]');
  await canvas.click({ position });
  await page.locator('tr[data-backend="B1"][data-broken="true"]').waitFor();
  assert.match(await row.innerText(), /crash/);
  await canvas.click({ position });
  await page.locator('tr[data-backend="B1"][data-broken="false"]').waitFor();
  // One fault is the user's, the other is in the scenario.
  await page.getByText("Faults and changes: 2").waitFor();
});

test("every kind of fault can be caused and repaired by buttons", async (page) => {
  await page.getByRole("button", { name: "Pause" }).click();
  const kinds = page.getByLabel("A click causes");
  const names: readonly string[] = await page.evaluate(
    `[...document.querySelectorAll('#backends .heading option')].map(({ value }) => value)`,
  );
  assert.equal(names.length, 11);
  for (const name of names) {
    await kinds.selectOption(name);
    await page.getByRole("button", { name: /^Break B2/ }).click();
    await page.getByRole("button", { name: "Repair B2" }).click();
    await page.getByRole("button", { name: /^Break B2/ }).waitFor();
    assert.deepEqual(await problems(page), [], name);
  }
});

test("the page shows the same numbers of a time after it has gone back and forward", async (page) => {
  await page.locator(".scene summary").click();
  await page.getByRole("button", { name: "Pause" }).click();
  const times = [31_000, 45_000, 60_000];
  const before: string[] = [];
  for (const time of times) {
    await seek(page, time);
    before.push(await picture(page));
  }
  assert.equal(new Set(before).size, times.length);
  await seek(page, 2000);
  for (const [i, time] of times.entries()) {
    await seek(page, time);
    assert.equal(await picture(page), before[i], `${time}`);
  }
});

test("the frames of a time are the same bytes, no matter how the run has reached this time", async (page) => {
  const digests = await page.evaluate(`(async () => {
    const { examples } = await (await fetch("lessons.json")).json();
    const { text } = examples.find(({ name }) => name === "retry-storm");
    const worker = new Worker("worker.js", { type: "module" });
    const pending = new Map();
    let came = () => {};
    worker.onmessage = ({ data }) => {
      if (data.kind === "update") came(data);
      else if (data.request !== undefined) pending.get(data.request)(data);
    };
    let request = 0;
    const ask = (command) => new Promise((resolve) => {
      pending.set(++request, resolve);
      worker.postMessage({ request, ...command });
    });
    const state = (_, value) => ArrayBuffer.isView(value) ? [...value].map(String) : value;
    const at = async (at_ms) => {
      const there = new Promise((resolve) => {
        came = (update) => {
          const { run } = update;
          if (run.progress === null && Math.abs(run.at_ms - at_ms) < 1) resolve(update);
        };
      });
      await ask({ kind: "seek", at_ms });
      const { run, variants } = await there;
      const seen = variants.map(({ truth, beliefs, counts, dots, dots_total }) =>
        ({ truth, beliefs, counts, dots, dots_total }));
      const bytes = new TextEncoder().encode(JSON.stringify(seen, state));
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      return run.at_ms + " " + [...hash].join();
    };
    await ask({ kind: "open", source: { file: "x.yaml", text } });
    await ask({ kind: "speed", speed: 0 });
    const times = [500, 20000, 33333, 47000];
    const first = [];
    for (const time of times) first.push(await at(time));
    const again = [];
    for (const time of times.toReversed()) again.unshift(await at(time));
    worker.terminate();
    return { first, again };
  })()`) as { readonly first: readonly string[]; readonly again: readonly string[] };
  assert.deepEqual(digests.again, digests.first);
  assert.equal(new Set(digests.first).size, digests.first.length);
});

test(
  "the shared address opens the same run with the changes of the user, at the same time",
  async (page, url) => {
    await page.locator(".scene summary").click();
    await passed(page, 300);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: /^Break B1/ }).click();
    await page.getByLabel("Weight of B2").fill("3");
    await page.getByLabel("Weight of B2").press("Enter");
    await page.getByText("Faults and changes: 3").waitFor();
    await seek(page, 40_000);
    const before = await picture(page);
    await page.getByRole("button", { name: "Share", exact: true }).click();
    await page.locator(".notice", { hasText: "whole run" }).waitFor();
    const address = page.url();
    assert.match(address, /#s=1\./);
    await page.goto("about:blank");
    await page.goto(address);
    await until(
      page,
      `Math.abs(Number(document.querySelector(".clock")?.dataset.at) - 40000) < 100`,
    );
    await page.locator(".scene summary").click();
    await page.getByText("Faults and changes: 3").waitFor();
    assert.equal(await picture(page), before);
    assert.ok(address.startsWith(url));
  },
);

for (
  const [what, hash, words] of [
    ["that is damaged", "#s=1.abcdef.x", /the address is damaged/],
    ["of a newer version", "#s=2.abcdef.x", /from a newer playground/],
    ["that names no example", "#example=nothing", /there is no example nothing/],
  ] as const
) {
  test(
    `an address ${what} is refused with a clear message, and the page still works`,
    async (page) => {
      await page.locator(".notice.bad").waitFor();
      assert.match((await problems(page)).join(), words);
      await open(page, "#example=two-choices");
      await page.locator(".notice.bad").waitFor({ state: "hidden" });
    },
    { hash },
  );
}

const CONFIG = `listen: 127.0.0.1:8000
algorithm: least-connections
backends:
  - { id: web1, address: 127.0.0.1:9001 }
  - { id: web2, address: 127.0.0.1:9002, weight: 2 }
`;

test("a config.yaml and a scenario that extends it can be dropped on the page", async (page) => {
  await drop(page, { "config.yaml": CONFIG });
  await page.locator('tr[data-backend="web2"]').waitFor();
  await drop(page, {
    "mine.yaml": "title: My own\nextends: config.yaml\nduration: 5s\n",
    "config.yaml": CONFIG,
  });
  await page.getByRole("heading", { name: "My own" }).waitFor();
  assert.deepEqual(await problems(page), []);
});

test("mistakes in a dropped file are shown as on the command line", async (page) => {
  const text = "balancer: {backends: 3, algorithm: round-robbin}\nduration: 5 apples\n";
  await drop(page, { "wrong.yaml": text });
  await page.locator(".notice.bad").waitFor();
  const [shown] = await problems(page);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/wrong.yaml`, text);
    const { code, stderr } = await lbsim(["sim", "wrong.yaml"], { cwd: folder });
    assert.equal(code, 2);
    const lines = stderr.replace(/^lbsim: /, "").trim();
    assert.equal(shown!.replace(/^✕ /, "").trim(), lines);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("a pick is explained with its candidates; ring-hash shows its ring", async (page) => {
  await passed(page, 100);
  await page.getByRole("button", { name: "Next pick" }).click();
  await page.getByRole("region", { name: "Candidates" }).waitFor();
  await page.getByLabel("Value 1").selectOption("ring-hash");
  await page.getByLabel("Value 2").selectOption("maglev");
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByText("Compared: balancer.algorithm").waitFor();
  await page.getByRole("button", { name: "Explain the last pick" }).click();
  await page.getByRole("img", { name: /^The ring with/ }).waitFor();
  // Each backend has a colour of its own in the ring.
  const colours: readonly string[] = await page.evaluate(
    `[...document.querySelectorAll(".why-picture .swatch rect")].map((one) => one.getAttribute("fill"))`,
  );
  assert.ok(colours.length >= 2 && new Set(colours).size === colours.length, colours.join());
});

test(
  "forms change settings during the run, and show the settings at the present time",
  async (page) => {
    await passed(page, 100);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.evaluate(
      `document.querySelectorAll("main details").forEach((one) => one.open = true)`,
    );
    const algorithm = page.getByLabel("algorithm", { exact: true });
    const names = "round-robin, least-connections, power-of-two";
    assert.equal(await algorithm.locator("option:checked").innerText(), `compared: ${names}`);
    const change = async (label: string, value: string) => {
      const field = page.getByLabel(label, { exact: true });
      await field.fill(value);
      await field.press("Enter");
      await page.locator(".notice", { hasText: value }).waitFor();
    };
    await change("load", "90%");
    await change("interval", "700ms");
    await change("Weight of B2", "4");
    await change("Speed of B3", "0.5");
    await change("Slots of B1", "3");
    await change("Connections of B1 at most", "40");
    await page.getByLabel("queue", { exact: true }).check();
    await page.getByLabel("sticky", { exact: true }).check();
    await algorithm.selectOption("power-of-two");
    await change("choices", "3");
    await page.getByRole("button", { name: "Add a backend" }).click();
    await page.locator('tr[data-backend="B4"]').waitFor();
    await page.getByRole("button", { name: "Remove B2" }).click();
    await page.locator('tr[data-backend="B2"]', { hasText: "removed" }).waitFor();
    // The 12 changes of this test, and the fault of the scenario.
    await page.getByText("Faults and changes: 13").waitFor();
    assert.deepEqual(await problems(page), []);
    await seek(page, 0);
    await until(page, `document.querySelector('[aria-label="Weight of B2"]').value === "1"`);
    await page.getByLabel("interval", { exact: true }).fill("3 apples");
    await page.getByLabel("interval", { exact: true }).press("Enter");
    await page.locator(".notice.bad", { hasText: "3 apples" }).waitFor();
  },
  { hash: "#example=gray-failure" },
);

/** Opens a picture in a browser. Returns its size, and the number of its colours. */
async function opened(
  page: Page,
  bytes: Uint8Array,
  type: string,
): Promise<{ readonly width: number; readonly height: number; readonly colours: number }> {
  // The policy of the playground allows no picture from memory, so an empty page opens it.
  const blank = await page.context().newPage();
  const result = await blank.evaluate(`(async () => {
    const image = new Image();
    image.src = "data:${type};base64,${bytes.toBase64()}";
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth || 640, image.naturalHeight || 360);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set(new Uint32Array(data.buffer));
    return { width: canvas.width, height: canvas.height, colours: colours.size };
  })()`);
  await blank.close();
  return result as { width: number; height: number; colours: number };
}

/**
 * Asserts that all lines have the same number of cells. After the head, every cell except the first of a line must be a
 * number or empty.
 */
function mustBeTable(csv: string, what: string): void {
  const rows = csv.trimEnd().split("\n").map((line) => line.split(","));
  assert.ok(rows.length > 2, `${what}: ${rows.length} lines`);
  for (const row of rows.slice(1)) {
    assert.equal(row.length, rows[0]!.length, what);
    for (const cell of row.slice(1)) assert.ok(Number.isFinite(Number(cell)), `${what}: ${cell}`);
  }
}

test("the run and every plot can be saved as files", async (page) => {
  await page.getByRole("button", { name: "Pause" }).click();
  await seek(page, 12_000);
  const save = async (name: string | RegExp) => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name }).first().click(),
    ]);
    return await Deno.readFile(await download.path());
  };
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const titles: readonly string[] = await page.evaluate(
    `[...document.querySelectorAll(".plot-figure figcaption")].map((one) => one.textContent)`,
  );
  assert.ok(titles.length >= 5, titles.join());
  for (const title of titles) {
    const file = async (kind: string) =>
      await save(new RegExp(`^Save ${RegExp.escape(title)} as ${kind}$`));
    const png = await opened(page, await file("PNG"), "image/png");
    assert.ok(
      png.width > 100 && png.height > 50 && png.colours > 2,
      `${title}: ${Object.values(png)}`,
    );
    const svg = text(await file("SVG"));
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/, title);
    const drawn = await opened(page, new TextEncoder().encode(svg), "image/svg+xml");
    assert.ok(drawn.width > 100 && drawn.height > 50 && drawn.colours > 2, title);
    mustBeTable(text(await file("CSV")), title);
  }
  assert.match(text(await save("All as CSV")), /^[^\n]+\n[^\n]+\d/);
  assert.match(text(await save(/^Export/)), /replications: 1/);
  await page.locator("[data-digest]", { hasText: "lbsim sim two-choices-playground.yaml" })
    .waitFor();
}, { hash: "#example=two-choices" });

test("the tour breaks a backend, repairs it, goes back, explains a pick, and ends", async (page) => {
  await page.getByRole("button", { name: /^Tour/ }).click();
  const tour = page.getByRole("complementary", { name: "Tour" });
  const next = tour.getByRole("button", { name: "Next", exact: true });
  await next.click();
  await passed(page, 1);
  await next.click();
  await page.locator('tr[data-backend="B2"][data-broken="true"]').waitFor();
  await next.click();
  await next.click();
  await page.locator('tr[data-backend="B2"][data-broken="false"]').waitFor();
  await next.click();
  await next.click();
  await page.getByRole("region", { name: "Candidates" }).waitFor();
  await next.click();
  assert.deepEqual(await problems(page), []);
  await tour.getByRole("button", { name: "End the tour" }).click();
  await tour.waitFor({ state: "hidden" });
});

test("the page can be used with the keyboard: pause, steps, time and the link to the run", async (page) => {
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate("document.activeElement.id"), "time");
  await page.keyboard.press(" ");
  await page.getByRole("button", { name: "Play" }).waitFor();
  await page.keyboard.press("p");
  await page.getByRole("region", { name: "Candidates" }).waitFor();
  await page.getByRole("slider", { name: "Time" }).focus();
  await page.keyboard.press("ArrowRight");
  await passed(page, 1);
});

test("with reduced motion nothing moves between two frames", async (page) => {
  await passed(page, 200);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Play" }).waitFor();
  const shown = `document.querySelector(".scene canvas").toDataURL()`;
  const still = `(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    await frame();
    await frame();
    const first = ${shown};
    for (let i = 0; i < 10; i++) await frame();
    return first === ${shown};
  })()`;
  assert.equal(await page.evaluate(still), true);
}, { reducedMotion: true });

browserTest("the static folder works behind a plain nginx, below a path", async () => {
  await servedByNginx(async (url) => {
    await withPage(`${url}#lesson=2`, async (page, complaints) => {
      await passed(page, 100);
      await page.getByRole("heading", { name: "Lesson 2: A slow server" }).waitFor();
      assert.deepEqual(await problems(page), []);
      assert.deepEqual(complaints, NO_COMPLAINT);
    });
  });
}, NGINX === undefined);
