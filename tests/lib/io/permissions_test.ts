import assert from "node:assert/strict";
import { resolve } from "node:path";
import { giveUp, keepWritingTo } from "../../../lib/io/permissions.ts";

/** The permissions with which lbsim is started. They apply to one test only. */
const STARTED: Deno.PermissionOptionsObject = {
  read: true,
  write: [resolve("/")],
  net: true,
  sys: true,
};

const state = async (descriptor: Deno.PermissionDescriptor) =>
  (await Deno.permissions.query(descriptor)).state;

Deno.test("giveUp() gives up permissions as a whole", { permissions: STARTED }, async () => {
  await giveUp("net", "sys");
  assert.equal(await state({ name: "net" }), "prompt");
  assert.equal(await state({ name: "net", host: "127.0.0.1:80" }), "prompt");
  assert.equal(await state({ name: "sys" }), "prompt");
  assert.equal(await state({ name: "read" }), "granted");
});

Deno.test(
  "keepWritingTo() keeps the permission for the named directory and everything below it, and for nothing else",
  { permissions: STARTED },
  async () => {
    const directory = resolve("/srv/lbsim");
    await keepWritingTo([directory]);
    assert.equal(await state({ name: "write", path: directory }), "granted");
    assert.equal(await state({ name: "write", path: `${directory}/sessions.db-wal` }), "granted");
    for (const path of ["/", "/srv", "/srv/lbsim2", "/srv/lbsim/../x", "/tmp", "/etc/passwd"]) {
      assert.equal(await state({ name: "write", path: resolve(path) }), "prompt", path);
    }
    assert.equal(await state({ name: "write" }), "prompt");
    assert.equal(await state({ name: "read" }), "granted");
  },
);

Deno.test(
  "keepWritingTo() keeps the permission for a single file",
  { permissions: STARTED },
  async () => {
    await keepWritingTo([resolve("/srv/report.html")]);
    assert.equal(await state({ name: "write", path: resolve("/srv/report.html") }), "granted");
    for (const path of ["/srv", "/srv/report.html2", "/srv/other.html"]) {
      assert.equal(await state({ name: "write", path: resolve(path) }), "prompt", path);
    }
  },
);

Deno.test("keepWritingTo() without paths gives up the whole permission", {
  permissions: STARTED,
}, async () => {
  await keepWritingTo([]);
  assert.equal(await state({ name: "write", path: resolve("/tmp") }), "prompt");
});

Deno.test(
  "keepWritingTo() without paths gives up the whole permission, also after a plain --allow-write",
  {
    permissions: { write: true },
  },
  async () => {
    await keepWritingTo([]);
    assert.equal(await state({ name: "write", path: resolve("/tmp") }), "prompt");
  },
);

Deno.test("keepWritingTo() requests no permission that was not granted", {
  permissions: { write: [resolve("/srv")] },
}, async () => {
  // A request for /tmp would wait for an answer at a terminal.
  await keepWritingTo([resolve("/tmp"), resolve("/srv")]);
  assert.equal(await state({ name: "write", path: resolve("/tmp") }), "prompt");
  assert.equal(await state({ name: "write", path: resolve("/srv/x") }), "granted");
});
