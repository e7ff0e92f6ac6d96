import assert from "node:assert/strict";
import { usageError } from "../../../lib/cli/usage.ts";

Deno.test("usageError() rewrites Commander's messages in the style of lbsim's own", () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      "error: option '-n, --count <n>' argument '0' is invalid. it must be a whole number\n",
      "lbsim: --count 0: it must be a whole number\n",
    ],
    [
      "error: option '--rate <rate>' argument 'it's\nx' is invalid. it must be a rate\n",
      "lbsim: --rate it's\nx: it must be a rate\n",
    ],
    [
      "error: unknown option '--listn'\n(Did you mean --listen?)\n",
      'lbsim: unknown option "--listn"\n  did you mean --listen?\n',
    ],
    [
      "error: unknown command 'x'\n(Did you mean one of lb, up?)\n",
      'lbsim: unknown command "x"\n  did you mean one of lb, up?\n',
    ],
    [
      "error: option '--slots <n>' argument '' is invalid. it must be a whole number\n",
      'lbsim: --slots "": it must be a whole number\n',
    ],
    [
      "error: option '-c, --config <file>' argument missing\n",
      "lbsim: --config needs a value: --config <file>\n",
    ],
    [
      "error: command-argument value '' is invalid for argument 'file'. it must have a name\n",
      'lbsim: file "": it must have a name\n',
    ],
    ["error: missing required argument 'files'\n", "lbsim: the argument <files> is missing\n"],
    [
      "error: too many arguments for 'lb'. Expected 0 arguments but got 2: a, b.\n",
      "lbsim: lb takes no arguments, but got: a, b\n",
    ],
    [
      "error: too many arguments for 'sim'. Expected 1 argument but got 2: a, b.\n",
      "lbsim: sim takes 1 argument, but got: a, b\n",
    ],
  ];
  for (const [commanders, ours] of cases) assert.equal(usageError(commanders), ours);
});
