import assert from "node:assert/strict";
import { listen, listenTls } from "../../../lib/io/listen.ts";
import { ONE } from "../../support/certificates.ts";

const ANYWHERE = { host: "127.0.0.1", port: 0 };
const BACKLOG = 4096;

async function output(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** How many connections the system keeps for a listener until they are accepted. */
async function backlogOf({ addr }: Deno.TcpListener | Deno.TlsListener): Promise<number> {
  const { port } = addr as Deno.NetAddr;
  // The columns are the state, Recv-Q, and Send-Q, which is the backlog of a listener.
  const fields = await output("ss", "--no-header", "-ltn", `sport = :${port}`);
  return Number(fields.split(/\s+/)[2]);
}

for (
  const [name, open] of [
    ["listen", () => listen(ANYWHERE)],
    ["listenTls", () => listenTls(ANYWHERE, ONE)],
  ] as const
) {
  Deno.test({
    name: `${name}() keeps ${BACKLOG} connections that wait to be accepted`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      using listener = open();
      // Deno itself reads files under /proc/sys only with all permissions.
      const allowed = Number(await output("cat", "/proc/sys/net/core/somaxconn"));
      assert.equal(await backlogOf(listener), Math.min(BACKLOG, allowed));
    },
  });
}
