import assert from "node:assert/strict";
import fc from "fast-check";
import { RecordingDamage, RecordingReader } from "../../../lib/recording/mod.ts";
import { jsonDamage } from "../../../lib/recording/damage.ts";
import { damageRecordings } from "../../support/damaged_recording.ts";
import { HEAD } from "../../support/recorded_life.ts";

const ARRIVED = '{"type":"connection_arrived","at_ms":1,"connection":1,"client":"10.0.0.1"}';

/** Reads all lines. Returns what went wrong, and how to go on. */
function damageOf(text: string): string {
  try {
    for (const _ of new RecordingReader("run.jsonl", [text]));
  } catch (error) {
    assert.ok(error instanceof RecordingDamage);
    assert.equal(error.exitCode, 2);
    return `${error.message} (${error.hint})`;
  }
  return "";
}

Deno.test("RecordingReader reads a text that comes in pieces of any size", () => {
  const text = `${JSON.stringify(HEAD)}\n${ARRIVED}\n${ARRIVED}\n`;
  for (let size = 1; size < 40; size++) {
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, "g"))!;
    const reader = new RecordingReader("run.jsonl", pieces);
    assert.deepEqual(reader.head, HEAD);
    assert.deepEqual([...reader].map(({ line }) => line), [2, 3]);
  }
});

Deno.test("RecordingReader names the place of a mistake", () => {
  const head = JSON.stringify(HEAD);
  const cases: [text: string, expected: RegExp][] = [
    ["", /^run\.jsonl:1:1: is empty, so it is not a recording \(a recording is written by/],
    ["hello\n", /^run\.jsonl:1:1: is not a recording/],
    ['{"a": 1}\n', /^run\.jsonl:1:1: is not a recording/],
    [head.slice(0, 40), /^run\.jsonl:1:41: ends in the middle of its first line/],
    [
      `${head.replace('"format":1', '"format":2')}\n`,
      /^run\.jsonl:1:30: this recording has format 2, and this version of lbsim reads format 1 \(use the version that wrote it, 0\.0\.0, or a newer one\)/,
    ],
    [
      `${head}\n${ARRIVED}\n${ARRIVED.slice(0, 30)}`,
      /^run\.jsonl:3:31: the recording ends in the middle of a line \(--until-damage uses/,
    ],
    [`${head}\n{"type" "probe"}\n`, /^run\.jsonl:2:9: this is not JSON/],
    [`${head}\n{"at_ms":1}\n`, /^run\.jsonl:2:1: this is not an event/],
    [`${head}\n{"type":"dance"}\n`, /^run\.jsonl:2:9: there is no event "dance"/],
    [
      `${head}\n${ARRIVED.replace('"connection":1', '"connection":"1"')}\n`,
      /^run\.jsonl:2:53: `connection` must be a number/,
    ],
    [
      `${head}\n${ARRIVED}\n${ARRIVED.replace('"at_ms":1', '"at_ms":0.5')}\n`,
      /^run\.jsonl:3:38: this event is earlier than the one before it/,
    ],
  ];
  for (const [text, expected] of cases) assert.match(damageOf(text), expected, text);
});

Deno.test("jsonDamage() returns a place if a text is not JSON, and none if it is", () => {
  const mutated = fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 3 }))
    .map(([text, at, put]) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + put + text.slice(from + put.length);
    });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string()), (text) => {
      const damage = jsonDamage(text);
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      assert.equal(damage === undefined, isJson);
      assert.ok(damage === undefined || damage <= text.length);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("RecordingReader and Replay survive any damage", () => damageRecordings(400));
