/** No text from outside can control the terminal on which lbsim shows it. */
import assert from "node:assert/strict";
import { escapeLines } from "../../lib/base/escape.ts";
import { lbsim } from "../support/process.ts";

/** Characters that clear the screen, overwrite the line, begin another line and reverse the direction of text. */
const EVIL = "\x1b[2J\r\u009b1m\u202e\u2066\u061c\u2028\x7f";
/** The same characters, escaped for YAML, which must not contain them unescaped. */
const EVIL_IN_YAML = JSON.stringify(EVIL + "\n").replaceAll(
  /[\u007f-\uffff]/g,
  (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
).slice(1, -1);

const CONFIG = `listen: 127.0.0.1:0
admin: {listen: off}
backends: [{id: B1, address: "127.0.0.1:1"}]
`;

const SCENARIO = `duration: 1s
warmup: 0s
replications: 1
balancer: {backends: 1}
workload: {arrivals: {poisson: {rate: 100/s}}}
service: 1ms
`;

const CASES: readonly {
  readonly name: string;
  readonly file?: string;
  readonly text?: string;
  readonly args: (file: string) => readonly string[];
}[] = [
  {
    name: "an unknown key",
    text: `"${EVIL_IN_YAML}": 1\n${CONFIG}`,
    args: (file) => ["check", file],
  },
  {
    name: "a wrong value",
    text: CONFIG.replace("127.0.0.1:1", EVIL_IN_YAML),
    args: (file) => ["check", file],
  },
  {
    name: "unescaped characters in a file",
    text: `${CONFIG}algorithm: a\u202eb\u2066\u061c\u009b1m\u2028\n`,
    args: (file) => ["check", file],
  },
  {
    name: "unescaped characters in a file, as JSON",
    text: `${CONFIG}algorithm: a\u202eb\u2066\u061c\u009b1m\u2028\n`,
    args: (file) => ["check", file, "--json"],
  },
  {
    name: "a valid value",
    text: `${CONFIG}health_check: {type: http, path: "/${EVIL_IN_YAML.replaceAll("\\n", "")}"}\n`,
    args: (file) => ["check", file],
  },
  { name: "the name of a file", file: `x${EVIL}\n.yaml`, args: (file) => ["check", file] },
  {
    name: "the name of a file with mistakes",
    file: `x${EVIL}\n.yaml`,
    text: "listen: 1",
    args: (file) => ["check", file],
  },
  { name: "an argument", args: () => [`x${EVIL}`] },
  { name: "an option", args: () => ["lb", `--x${EVIL}`] },
  { name: "an address", args: () => ["client", `x${EVIL}`] },
  {
    name: "a state",
    text: CONFIG,
    args: (file) => ["explain", "-c", file, "--state", `x${EVIL}=1`],
  },
  ...[[], ["--json"], ["--csv"]].map((more) => ({
    name: `the title of a scenario ${more.join("")}`,
    text: `title: "${EVIL_IN_YAML}"\n${SCENARIO}compare: {service: [1ms, 2ms]}\n`,
    args: (file: string) => ["sim", file, ...more],
  })),
  {
    name: "a key of a scenario",
    text: `${SCENARIO}"${EVIL_IN_YAML}": 1\n`,
    args: (file) => ["sim", file],
  },
  {
    name: "a setting",
    text: SCENARIO,
    args: (file) => ["sim", file, "--set", `x${EVIL}=1`],
  },
];

for (const { name, file = "x.yaml", text, args } of CASES) {
  Deno.test({
    name: `lbsim escapes control characters in ${name}`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const directory = await Deno.makeTempDir();
      try {
        if (text !== undefined) await Deno.writeTextFile(`${directory}/${file}`, text);
        const { stdout, stderr } = await lbsim(args(`${directory}/${file}`));
        const shown = stdout + stderr;
        assert.notEqual(shown, "");
        assert.equal(escapeLines(shown), shown);
        assert.doesNotMatch(shown, /defect/);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}
