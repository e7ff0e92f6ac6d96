/** A recording in the playground: its decisions are repeated and shown, and its traffic is simulated with other settings. */
import assert from "node:assert/strict";
import type { Changed, Exported, Opened, Stepped, Update, Why } from "../../../sim/play/mod.ts";
import { inFolder } from "../../support/folder.ts";
import { lbsim } from "../../support/process.ts";
import { HEAD, recordedLife } from "../../support/recorded_life.ts";
import { Failed, Playing } from "./playing.ts";

const LIFE = recordedLife(1, 600);
const PART = { file: "run.jsonl", text: `${LIFE.join("\n")}\n` };

/** The picks of a recording, in their order. */
const PICKS = LIFE.map((line) => JSON.parse(line)).filter(({ type }) => type === "backend_picked");

function opened(...lines: readonly string[]): { one: Playing; info: Opened } {
  const one = new Playing();
  const text = lines.length === 0 ? PART.text : `${lines.join("\n")}\n`;
  const info = one.ask<Opened>({ kind: "open recording", parts: [{ file: "run.jsonl", text }] });
  return { one, info };
}

/** The update at a time. */
function at(one: Playing, at_ms: number): Update {
  one.ask({ kind: "seek", at_ms });
  return one.rest()!;
}

/** The parts of an update that do not depend on earlier frames. */
function picture({ variants }: Update): unknown {
  return variants.map(({ truth, beliefs, counts, dots }) => ({ truth, beliefs, counts, dots }));
}

Deno.test("Player opens a recording with the result of `sim --replay --json`", () =>
  inFolder(async (folder) => {
    const file = `${folder}/run.jsonl`;
    await Deno.writeTextFile(file, PART.text);
    const { stdout } = await lbsim(["sim", "--replay", file, "--json"]);
    const { info: { recording } } = opened();
    const { assumptions, ...rest } = recording!.json;
    assert.deepEqual(rest, { ...JSON.parse(stdout), recording: "run.jsonl" });
    assert.deepEqual(assumptions, recording!.assumptions);
    assert.match(recording!.result.join(), /^all \d+ picks and \d+ refusals are the same/);
    assert.equal(rest.picks, PICKS.length);
  }));

Deno.test("Player steps through the recorded picks, and explains each pick", () => {
  const { one } = opened();
  const next = () => one.ask<Stepped>({ kind: "step", to: "pick" }).why;
  for (const { client, backend, at_ms } of PICKS.slice(0, 60)) {
    let why = next();
    // A client for which no backend is available is explained, too.
    for (let i = 0; why?.backend === null && i < 1000; i++) why = next();
    assert.deepEqual([why!.client, why!.backend, why!.at_ms], [client, backend, at_ms]);
    assert.ok(why!.candidates.some((candidate) => candidate.backend === backend));
  }
  const last = PICKS[59]!;
  const why = one.ask<Why>({ kind: "why", variant: 0 });
  assert.deepEqual([why.client, why.backend], [last.client, last.backend]);
});

Deno.test("Player shows a recording as dots, and shows the same dots after it has gone back and forward in time", () => {
  const { one } = opened();
  const { length_ms } = one.rest()!.run;
  const times = [0.2, 0.5, 0.9].map((share) => share * length_ms);
  const first = times.map((time) => at(one, time));
  for (const { run, variants: [variant] } of first) {
    assert.equal(run.recorded, true);
    assert.equal(variant!.dots!.count, variant!.dots_total);
  }
  assert.ok(first.some(({ variants: [variant] }) => variant!.dots!.count > 0));
  for (const i of [1, 0, 2]) assert.deepEqual(picture(at(one, times[i]!)), picture(first[i]!));
  const end = at(one, length_ms);
  assert.equal(end.run.over, true);
  const { offered } = end.variants[0]!.counts;
  assert.equal(offered, LIFE.filter((line) => line.includes('"connection_arrived"')).length);
  assert.ok(end.statistics!.variants[0]!.series.length > 0);
});

Deno.test("a change of settings simulates the recorded traffic, and `replay` shows the recording again", () => {
  const { one, info } = opened();
  assert.ok(info.controls.some(({ path }) => path === "balancer.algorithm"));
  const before = picture(at(one, 300));
  const changed = one.ask<Changed>({ kind: "change", set: { "balancer.algorithm": "random" } });
  assert.match(changed.text, /random/);
  const simulated = one.rest()!;
  assert.equal(simulated.run.recorded, false);
  assert.ok(Math.abs(simulated.run.at_ms - 300) < 1);
  assert.equal(simulated.variants[0]!.algorithm, "random");
  one.ask({ kind: "replay" });
  const again = one.rest()!;
  assert.equal(again.run.recorded, true);
  assert.deepEqual(picture(at(one, 300)), before);
  assert.ok(again.run.interventions!.every(({ set }) => set === null), "the change is gone");
});

Deno.test("the export of a recording has the digest of the command line", () =>
  inFolder(async (folder) => {
    const { one } = opened();
    one.ask({
      kind: "compare",
      compare: { "balancer.algorithm": ["random", "least-connections"] },
    });
    const { text, files, digest } = one.ask<Exported>({ kind: "export" });
    await Deno.writeTextFile(`${folder}/what-if.yaml`, text);
    for (const [path, file] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${path}`, file.text);
    }
    const { stdout, stderr } = await lbsim(["sim", "what-if.yaml", "--json", "--no-timing"], {
      cwd: folder,
    });
    assert.ok(stdout.startsWith("{"), stderr);
    assert.equal(JSON.parse(stdout).digest, digest);
  }));

/** The message of the command line about a wrong recording. */
async function onCommandLine(text: string): Promise<string> {
  let first = "";
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/run.jsonl`, text);
    const { code, stderr } = await lbsim(["sim", "--replay", "run.jsonl"], { cwd: folder });
    assert.equal(code, 2);
    first = stderr.replace(/^lbsim: /, "").split("\n")[0]!;
  });
  return first;
}

const WRONG: Readonly<Record<string, readonly string[]>> = {
  damaged: [...LIFE.slice(0, 300), "{", ...LIFE.slice(301)],
  foreign: ["GET / HTTP/1.1"],
  newer: [JSON.stringify({ ...HEAD, format: 2 })],
};
for (const [what, lines] of Object.entries(WRONG)) {
  Deno.test(`a recording that is ${what} is refused with the message of the command line`, async () => {
    let problem: Failed["problem"] | undefined;
    try {
      opened(...lines);
    } catch (error) {
      assert.ok(error instanceof Failed);
      ({ problem } = error);
    }
    assert.equal(problem?.message, await onCommandLine(`${lines.join("\n")}\n`));
    assert.equal(problem?.damaged === true, what === "damaged");
  });
}

Deno.test("the part of a recording before its damage is opened with until_damage", () => {
  const one = new Playing();
  const text = `${LIFE.slice(0, 300).join("\n")}\n{`;
  const parts = [{ file: "run.jsonl", text }];
  const { recording } = one.ask<Opened>({ kind: "open recording", parts, until_damage: true });
  assert.match(recording!.result.join("\n"), /the rest of the recording was not used: .*:301:2/);
  assert.equal(one.rest()!.run.recorded, true);
});

Deno.test("all files of a recording are opened together; a later file alone is only simulated", () => {
  const { configuration } = JSON.parse(LIFE[1]!);
  const later = { ...HEAD, part: 2, configuration };
  const parts = [
    { file: "run.jsonl", text: `${[JSON.stringify(later), ...LIFE.slice(301)].join("\n")}\n` },
    { file: "run.jsonl.1", text: `${LIFE.slice(0, 301).join("\n")}\n` },
  ];
  const one = new Playing();
  const { recording } = one.ask<Opened>({ kind: "open recording", parts: parts.toReversed() });
  assert.deepEqual(recording!.files, ["run.jsonl.1", "run.jsonl"]);
  assert.deepEqual(recording!.json.picks, PICKS.length);
  const alone = one.ask<Opened>({ kind: "open recording", parts: parts.slice(0, 1) });
  assert.match(alone.recording!.result.join(), /begins with file 2/);
  assert.equal(one.rest()!.run.recorded, false);
});

Deno.test("a recording with another decision is shown until the first difference", () => {
  const place = LIFE.findIndex((line) => line.startsWith('{"type":"backend_picked"'));
  const other = LIFE.with(place, LIFE[place]!.replace(/"backend":"\w+"/, '"backend":"B99"'));
  const { one, info } = opened(...other);
  assert.match(info.recording!.result.join("\n"), /first difference: pick 1 at run\.jsonl:/);
  const { length_ms } = one.rest()!.run;
  const { run } = at(one, length_ms);
  assert.equal(run.over, true);
});
