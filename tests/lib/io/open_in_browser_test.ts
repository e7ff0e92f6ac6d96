import assert from "node:assert/strict";
import { openInBrowser } from "../../../lib/io/mod.ts";
import { eventually } from "../../support/sockets.ts";

const isPosix = Deno.build.os !== "windows";

Deno.test({
  name: "openInBrowser() starts the program with the address",
  ignore: !isPosix,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const program = `${folder}/open`;
      await Deno.writeTextFile(program, `#!/bin/sh\nprintf %s "$1" > ${folder}/address\n`, {
        mode: 0o755,
      });
      assert.equal(await openInBrowser("http://127.0.0.1:1/", program), undefined);
      await eventually(
        async () => await Deno.readTextFile(`${folder}/address`) === "http://127.0.0.1:1/",
        "the program got the address",
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("openInBrowser() says why it could not open the page", async () => {
  assert.match(
    await openInBrowser("http://127.0.0.1:1/", "/no/such/program") ?? "",
    /^there is no/,
  );
  if (isPosix) {
    assert.match(await openInBrowser("http://127.0.0.1:1/", "/bin/false") ?? "", /code 1$/);
  }
});
