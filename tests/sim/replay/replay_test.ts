import assert from "node:assert/strict";
import { inFolder } from "../../support/folder.ts";
import { lbsim } from "../../support/process.ts";
import { HEAD, recordedLife } from "../../support/recorded_life.ts";

Deno.test("sim --replay repeats the decisions of a recording, and simulates its traffic with other settings", () =>
  inFolder(async (folder) => {
    const file = `${folder}/run.jsonl`;
    const lines = recordedLife(1, 600);
    const replay = async (written: readonly string[], ...options: string[]) => {
      await Deno.writeTextFile(file, `${written.join("\n")}\n`);
      return await lbsim(["sim", "--replay", file, ...options]);
    };

    const same = await replay(lines);
    assert.match(same.stdout, /^all \d+ picks and \d+ refusals are the same under the recorded/);
    assert.deepEqual([same.code, same.stderr], [0, ""]);

    const at = lines.findIndex((line) => line.startsWith('{"type":"backend_picked"'));
    const other = lines.with(at, lines[at]!.replace(/"backend":"\w+"/, '"backend":"B99"'));
    const differs = await replay(other, "--json");
    assert.equal(differs.code, 1);
    const { same: isSame, difference } = JSON.parse(differs.stdout);
    assert.equal(isSame, false);
    assert.deepEqual(difference.place, { file, line: at + 1 });

    const cut = [...lines.slice(0, 300), "{"];
    const damaged = await replay(cut);
    assert.equal(damaged.code, 2);
    assert.match(damaged.stderr, /run\.jsonl:301:2: this is not JSON\n.*--until-damage/);
    const used = await replay(cut, "--until-damage");
    assert.equal(used.code, 0, used.stderr);
    assert.match(
      used.stdout,
      /are the same.*\nthe rest of the recording was not used: .*:301:2: this is not JSON/,
    );

    // A later file of a recording states its number, and can be simulated without the earlier
    // files.
    const begun = lines.filter((line) => !/"(run_started|configuration_used)"/.test(line)).slice(1);
    const { configuration } = JSON.parse(lines[1]!);
    const later = [JSON.stringify({ ...HEAD, part: 3, configuration }), ...begun];
    const alone = await replay(later, "--algorithm", "random,round-robin", "--json", "--no-timing");
    assert.equal(alone.code, 0, alone.stderr);
    const { replay: replayed, variants } = JSON.parse(alone.stdout);
    assert.match(replayed.why_not_compared, /begins with file 3/);
    assert.ok(replayed.assumptions.length > 2);
    assert.ok(variants.length >= 2);
  }));

Deno.test("sim refuses options about a recording without one", async () => {
  const { code, stderr } = await lbsim(["sim", "--algorithm", "random"]);
  assert.equal(code, 2);
  assert.match(stderr, /--algorithm needs a recording: add --replay RECORDING/);
});
