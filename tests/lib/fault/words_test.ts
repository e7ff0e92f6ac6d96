import assert from "node:assert/strict";
import { type FAULT_NAMES, faultWords, parseFault, writtenFault } from "../../../lib/fault/mod.ts";
import { faultBody } from "../../../lib/api/mod.ts";
import { serverFaultOf } from "../../../lib/config/mod.ts";

const WORDS: Readonly<Record<(typeof FAULT_NAMES)[number], string>> = {
  crash: "crash",
  hang: "hang",
  pause: "pause",
  refuse: "refuse",
  reset: "reset",
  slow: "slow 2.5x",
  "fail-rate": "fail-rate 30%",
  "fast-errors": "fast-errors 12.5%",
  gray: "gray 0% 2x",
  flap: "flap 1m30s 50%",
};

for (const [name, words] of Object.entries(WORDS)) {
  Deno.test(`parseFault() reads "${words}", and the notation of the API gives the same fault`, () => {
    const fault = parseFault(words.split(" "));
    assert.equal(fault.name, name);
    assert.equal(faultWords(fault), words);
    const { kind } = faultBody.parse({ kind: writtenFault(fault) });
    assert.deepEqual(serverFaultOf(kind), fault);
  });
}

const WRONG: readonly (readonly [words: string, reason: RegExp])[] = [
  ["hangs", /unknown fault "hangs"; .*hang/],
  ["", /unknown fault/],
  ["hang 3s", /hang takes no value: "3s"/],
  ["slow", /write it like slow 5x/],
  ["slow 0x", /not a factor above 0/],
  ["slow -1x", /not a factor/],
  ["slow 5x 5x", /write it like slow 5x/],
  ["fail-rate 0%", /changes nothing/],
  ["fail-rate 101%", /not a share up to 100%/],
  ["fail-rate 0.3", /write it like fail-rate 30%/],
  ["gray 30%", /write it like gray 30% 2x/],
  ["flap 10 50%", /has no unit/],
  ["flap 1us 50%", /at least 1ms/],
  ["toString", /unknown fault/],
];

for (const [words, reason] of WRONG) {
  Deno.test(`parseFault() refuses "${words}"`, () => {
    assert.throws(() => parseFault(words.split(" ")), { name: "SyntaxError", message: reason });
  });
}
