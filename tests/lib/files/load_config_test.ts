import assert from "node:assert/strict";
import { UserError } from "../../../lib/base/mod.ts";
import { DiagnosticsError } from "../../../lib/config/mod.ts";
import { loadConfig, loadConfigAndCertificates } from "../../../lib/files/mod.ts";

const ONE = "backends: [{id: B1, address: 10.0.0.1:80}]\n";

Deno.test("loadConfig() says what is wrong with a file that it cannot read", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/config.yaml`;
    const says = (expected: RegExp) =>
      assert.rejects(
        loadConfig(file),
        (error) =>
          error instanceof UserError && error.exitCode === 2 && expected.test(error.message),
      );
    await says(/there is no such file/);
    await Deno.writeFile(file, new Uint8Array([0xff, 0xfe, 0x00]));
    await says(/is not UTF-8/);
    await Deno.writeTextFile(file, "#".repeat(2 * 1024 * 1024));
    await says(/is larger than 1 MB/);
    await Deno.remove(file);
    await Deno.mkdir(file);
    await says(/is a directory/);
    if (Deno.build.os === "windows") return;
    await Deno.remove(file);
    await Deno.symlink("/dev/zero", file);
    await says(/is a pipe, a device or a socket/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("loadConfigAndCertificates() reports mistakes in certificates together with all others", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/config.yaml`;
    await Deno.writeTextFile(
      file,
      `${ONE}retries: many\nlog: {level: warn}\ntls: {certificate: none.pem, key: none.key}\n`,
    );
    await assert.rejects(loadConfigAndCertificates(file, 0), (error) => {
      assert.ok(error instanceof DiagnosticsError);
      assert.deepEqual(
        error.located().map(({ line }) => line),
        [2, 3, 4, 4],
        error.message,
      );
      return true;
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("loadConfig() refuses a long file that begins with many mistakes, without reading the rest", async () => {
  const file = await Deno.makeTempFile();
  const says = async (text: string) => {
    await Deno.writeTextFile(file, text);
    const error = await loadConfig(file).then(() => undefined, (error) => error);
    assert.ok(error instanceof DiagnosticsError, String(error));
    return error;
  };
  try {
    // The end is not valid YAML, but only mistakes of the beginning are reported.
    const keys = Array.from({ length: 10_000 }, (_, i) => `k${i}: b\n`).join("");
    const { diagnostics, message } = await says(`${keys}[[[`);
    assert.equal(diagnostics.length, 21);
    assert.match(message, /:1:1: unknown key "k0"/);
    assert.match((await says("- a\n".repeat(10_000))).message, /:1:1: the file must be a group of/);
    // A key that is missing in the beginning may follow, and a list that is cut there may continue.
    const comments = "# a comment\n".repeat(1000);
    assert.match((await says(`${comments}retries: x\n${ONE}`)).message, /^[^\n]*:1001:10: retries/);
    const long = Array.from({ length: 1000 }, (_, i) => `  - {id: B${i}, address: "a:${i + 1}"}\n`);
    assert.match(
      (await says(`retries: x\nbackends:\n${long.join("")}log: {level: warn}\n`)).message,
      /:1:10: retries[^]*:1003:14: unknown log\.level/,
    );
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("loadConfig() resolves a relative path in a file from the directory of that file", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/lb.yaml`;
    await Deno.writeTextFile(file, `${ONE}sticky: {store: {sqlite: sessions.db}}\n`);
    const { sticky } = await loadConfig(file);
    assert.deepEqual(sticky!.store, { sqlite: `${directory}/sessions.db` });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
