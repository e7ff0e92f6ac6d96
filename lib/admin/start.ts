import { type Address, isLoopback, UserError } from "../base/mod.ts";
import { localAddresses, systemReason } from "../io/mod.ts";
import { servedHosts } from "./access.ts";
import { AdminServer, type Api } from "./server.ts";
import { type Token, TokenFile } from "./token.ts";

/** Where an admin API listens and who may use it. */
export interface AdminSettings {
  readonly listen: Address | { readonly path: string };
  /** Further names under which the API is reached. */
  readonly hosts: readonly string[];
  /** The token for changes; without it, the API changes nothing. */
  readonly token: Token | undefined;
  /** PEM files, if the API speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined;
}

/** Called with one sentence for each warning. */
export type Warn = (sentence: string) => void;

/**
 * Starts the server of an admin API.
 *
 * @throws {UserError} if the server cannot listen, or a file of `tls` cannot be read.
 */
export async function startAdmin(
  { listen, hosts, token, tls }: AdminSettings,
  api: Api,
  warn: Warn,
): Promise<AdminServer> {
  const host = "path" in listen ? undefined : listen.host;
  const isLocal = host === undefined || isLoopback(host);
  const pair = tls && await certificateOf(tls);
  const server = await AdminServer.start({
    listen,
    access: {
      isLocal,
      hosts: servedHosts(host, localAddresses(), hosts),
      scheme: pair === undefined ? "http" : "https",
    },
    token,
    tls: pair,
    api,
  });
  if (!isLocal && pair === undefined) {
    warn(
      `the admin API on ${server.url} has no TLS: others on the network can read ` +
        "its token. Set admin.tls, or listen on 127.0.0.1",
    );
  }
  return server;
}

/**
 * Creates the token file, unless it exists, and warns if it cannot be used.
 *
 * @throws {UserError} if it cannot be created.
 */
export async function prepareTokenFile(file: string, warn: Warn): Promise<void> {
  const token = new TokenFile(file);
  await token.create();
  const problem = await token.problem();
  if (problem !== undefined) warn(`admin.token_file ${file}: ${problem}`);
}

async function certificateOf({ certificate, key }: NonNullable<AdminSettings["tls"]>) {
  try {
    const [certificateText, keyText] = await Promise.all([
      Deno.readTextFile(certificate),
      Deno.readTextFile(key),
    ]);
    return { certificate: certificateText, key: keyText };
  } catch (error) {
    throw new UserError(`admin.tls: ${systemReason(error)}`, { cause: error });
  }
}
