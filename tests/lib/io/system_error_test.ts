import assert from "node:assert/strict";
import { systemReason, writeFailure } from "../../../lib/io/system_error.ts";

Deno.test("writeFailure() says why a file was not written, without the system's numbers", () => {
  const { IsADirectory, NotFound, PermissionDenied, NotCapable } = Deno.errors;
  const cases: readonly (readonly [Error, string])[] = [
    [new IsADirectory("Is a directory (os error 21)"), "it is a directory: name a file in it"],
    [new NotFound("No such file or directory (os error 2)"), "its directory does not exist"],
    [
      new PermissionDenied("Permission denied (os error 13)"),
      "this user has no permission to write it",
    ],
    [
      new NotCapable('Requires all access to "/proc/x", run again with the --allow-all flag'),
      "lbsim has no permission to write there",
    ],
    [new Error("No space left on device (os error 28): writefile 'x'"), "No space left on device"],
  ];
  for (const [error, words] of cases) assert.equal(writeFailure(error), words);
});

Deno.test("systemReason() leaves out the system's numbers, and reports an unknown name in plain words", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [new Error("Network is unreachable (os error 101)"), "Network is unreachable"],
    [
      new Error("failed to lookup address information: Name or service not known"),
      "the name is unknown",
    ],
    ["anything else", "anything else"],
  ];
  for (const [error, words] of cases) assert.equal(systemReason(error), words);
});
