/** The server of `lbsim play`: serves the page, and all files that it loads, to a browser of this machine. */
import { AdminServer, type ApiAnswer, failure } from "../lib/admin/mod.ts";
import { playgroundPage } from "../web/mod.ts";

const HOST = "127.0.0.1";

/**
 * Serves the playground until it is stopped.
 *
 * @param port 0 for any.
 * @param given The content of `given.json` for the page; undefined if there is none.
 * @throws {UserError} if it cannot listen.
 */
export async function servePlayground(
  port: number,
  given: string | undefined,
): Promise<AdminServer> {
  return await AdminServer.start({
    name: "the playground",
    listen: { host: HOST, port },
    access: {
      isLocal: true,
      hosts: new Set([HOST, "localhost"]),
      hostHint: "lbsim play serves 127.0.0.1 and localhost",
      scheme: "http",
      isReadOnly: true,
    },
    token: undefined,
    api: ({ path }) => answer(path.slice(1), given),
  });
}

async function answer(name: string, given: string | undefined): Promise<ApiAnswer> {
  if (name === "given.json" && given !== undefined) return { status: 200, text: given };
  return await playgroundPage(name) ?? failure(404, "there is nothing at this path");
}
