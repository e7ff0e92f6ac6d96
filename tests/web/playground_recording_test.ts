/** Recordings and long exports on the page of the playground. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { inFolder } from "../support/folder.ts";
import { lbsim, RunningLbsim } from "../support/process.ts";
import { recordedLife } from "../support/recorded_life.ts";
import { browserTest, closeBrowser, type Complaints, withPage } from "./browser.ts";
import { drop, passed, problems, served, until } from "./playground_pages.ts";

Deno.test.afterAll(closeBrowser);

const NO_COMPLAINT: Complaints = { console: [], foreign: [] };
const LIFE = recordedLife(1, 600);
const TEXT = `${LIFE.join("\n")}\n`;

function test(name: string, use: (page: Page) => Promise<void>, hash = "#example=two-choices") {
  browserTest(name, async () => {
    await served(async (url) => {
      await withPage(url + hash, async (page, complaints) => {
        await passed(page, 0);
        await use(page);
        assert.deepEqual(complaints, NO_COMPLAINT);
      });
    });
  });
}

/** The result of `lbsim sim --replay`. */
async function onCommandLine(text: string): Promise<{ stdout: string; stderr: string }> {
  let result = { stdout: "", stderr: "" };
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/run.jsonl`, text);
    result = await lbsim(["sim", "--replay", "run.jsonl", "--json"], { cwd: folder });
  });
  return result;
}

test("a dropped recording shows the recorded decisions; a change simulates its traffic", async (page) => {
  await drop(page, { "run.jsonl": TEXT });
  const panel = page.locator("[data-recorded]");
  await page.getByRole("heading", { name: "Recording: run.jsonl" }).waitFor();
  const { picks, refusals, same } = JSON.parse((await onCommandLine(TEXT)).stdout);
  assert.equal(same, true);
  assert.match(
    await panel.innerText(),
    new RegExp(`all ${picks} picks and ${refusals} refusals are the same`),
  );
  await page.getByRole("button", { name: "Pause" }).click();
  await page.evaluate(`(() => {
    const slider = document.querySelector('input[type="range"]');
    slider.value = 0;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  })()`);
  await until(page, `Number(document.querySelector(".clock").dataset.at) < 5`);
  await page.getByRole("button", { name: "Next pick" }).click();
  await page.getByRole("region", { name: "Candidates" }).waitFor();
  const first = LIFE.map((line) => JSON.parse(line)).find(({ type }) => type === "backend_picked");
  const why = await page.locator('section[aria-labelledby="why-title"]').innerText();
  assert.ok(why.includes(`${first.client} → ${first.backend}`), why);
  await page.getByLabel("algorithm", { exact: true }).selectOption("random");
  await page.getByRole("heading", { name: "What if? The traffic of run.jsonl" }).waitFor();
  assert.match(await panel.innerText(), /a connection takes as long as recorded/);
  await page.getByRole("button", { name: "Back to the recording" }).click();
  await page.getByRole("heading", { name: "Recording: run.jsonl" }).waitFor();
  assert.deepEqual(await problems(page), []);
});

test("a damaged recording is refused with the message of the command line, and can be opened up to the damage", async (page) => {
  const text = `${LIFE.slice(0, 300).join("\n")}\n{`;
  await drop(page, { "run.jsonl": text });
  await page.locator(".notice.bad").waitFor();
  const { stderr } = await onCommandLine(text);
  const words = stderr.replace(/^lbsim: /, "").split("\n")[0]!;
  assert.ok((await problems(page)).join().includes(words), words);
  await page.getByRole("button", { name: "Open the part before the damage" }).click();
  await page.getByText("the rest of the recording was not used").waitFor();
});

test("a run that does not fit into an address is offered as a file, which opens the same run", async (page) => {
  const long = `${recordedLife(2, 6000).join("\n")}\n`;
  await drop(page, { "run.jsonl": long });
  await page.getByRole("heading", { name: "Recording: run.jsonl" }).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Share", exact: true }).click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save the run as a file" }).click(),
  ]);
  assert.match((await problems(page)).join(), /does not fit into an address: it has \d+ KB/);
  const saved = await Deno.readTextFile(await download.path());
  await drop(page, { "two.yaml": "title: Another\nbalancer: {backends: 2}\nduration: 3s\n" });
  await page.getByRole("heading", { name: "Another" }).waitFor();
  await drop(page, { [download.suggestedFilename()]: saved });
  await page.getByRole("heading", { name: "Recording: run.jsonl" }).waitFor();
  await drop(page, { [download.suggestedFilename()]: saved.slice(0, 5000) });
  await page.locator(".notice.bad", { hasText: "the file is damaged" }).waitFor();
});

test("a file that cannot be opened is refused with a message, and the open run continues", async (page) => {
  const wrong: readonly (readonly [files: Record<string, string>, words: string])[] = [
    [{ "a.yaml": "\u0000\u0001" }, "a.yaml"],
    [{ "run.jsonl": "GET / HTTP/1.1" }, "its first line is not the head of a recording"],
    [{ "run.jsonl": TEXT.replace('"format":1', '"format":9') }, "this recording has format 9"],
    [{ "run.jsonl": TEXT, "a.yaml": "duration: 3s" }, "a recording is opened alone"],
    [{ "a.yaml": `duration: 3s # ${"x".repeat(2 ** 20)}` }, "larger than 1 MB"],
    [{ "mine.yaml": "extends: config.yaml\nduration: 5s\n" }, "config.yaml"],
    [{ "a.playground": "2.abc.x" }, "the file is from a newer playground"],
  ];
  for (const [files, words] of wrong) {
    await drop(page, files);
    await page.locator(".notice.bad", { hasText: words }).waitFor();
    assert.doesNotMatch((await problems(page)).join(), /undefined|\bat .*:\d+:\d+\)/);
  }
  const at = `Number(document.querySelector(".clock").dataset.at)`;
  const before: number = await page.evaluate(at);
  await until(page, `${at} > ${before}`);
  // Two scenarios: one is opened, and the page names the other.
  const scenario = "title: One of two\nbalancer: {backends: 2}\nduration: 3s\n";
  await drop(page, { "b.yaml": scenario, "c.yaml": scenario });
  await page.getByRole("heading", { name: "One of two" }).waitFor();
  await page.locator(".notice", { hasText: "it does not name c.yaml" }).waitFor();
});

/** A run of millions of events. */
const LONG = `title: Long
balancer: {backends: 3}
duration: 2h
workload: {arrivals: {poisson: {load: 80%}}}
service: {exponential: {mean: 2ms}}
`;

test("the page and its buttons keep working while a long run is exported, and the export can be cancelled", async (page) => {
  await drop(page, { "long.yaml": LONG });
  await page.getByRole("heading", { name: "Long" }).waitFor();
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const cancel = page.getByRole("button", { name: /^Cancel the export/ });
  await cancel.waitFor();
  const at = `Number(document.querySelector(".clock").dataset.at)`;
  const before: number = await page.evaluate(at);
  await until(page, `${at} > ${before}`);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Play" }).waitFor();
  await page.getByRole("button", { name: "Next pick" }).click();
  await page.getByRole("region", { name: "Candidates" }).waitFor();
  await cancel.click();
  await page.getByRole("button", { name: "Export", exact: true }).waitFor();
  assert.match((await problems(page)).join(), /the export was cancelled/);
});

browserTest("`lbsim play run.jsonl` opens the recording", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/run.jsonl`, TEXT);
    const process = new RunningLbsim(["play", "--no-open", `${folder}/run.jsonl`]);
    try {
      const line = await process.line((line) => line.includes("#given"));
      await withPage(/http:\S+#given/.exec(line)![0], async (page) => {
        await page.getByRole("heading", { name: "Recording: run.jsonl" }).waitFor();
      });
    } finally {
      process.kill("SIGKILL");
      await process.ended();
    }
  });
});
