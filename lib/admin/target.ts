import { type Address, isWildcard, parseAddress, UserError } from "../base/mod.ts";
import { type Config, DEFAULT_ADMIN_LISTEN } from "../config/mod.ts";
import { loadAuthorities } from "../files/mod.ts";
import { systemReason } from "../io/mod.ts";
import type { Target } from "./client.ts";

/**
 * The admin API of a balancer with this configuration.
 *
 * @param file The file of the configuration.
 * @param ca A file with further CAs to trust.
 * @throws {UserError} if the balancer has no admin API.
 */
export async function targetOf(
  { admin }: Config,
  file: string,
  ca: string | undefined,
): Promise<Target> {
  const listen = admin.listen ?? parseAddress(DEFAULT_ADMIN_LISTEN);
  if (listen === "off") {
    throw new UserError(`a balancer with ${file} has no admin API: admin.listen is off`);
  }
  const place = "path" in listen ? listen : reachable(listen);
  const host = "path" in place ? "localhost" : place.host;
  return {
    listen: place,
    name: admin.tls === undefined ? host : admin.hosts[0] ?? host,
    trusted: await trustedBy(admin, ca),
    ...await tokenOf(file, admin),
  };
}

/**
 * The admin API of a backend. It has the token and the certificate of the balancer's admin API.
 *
 * @param balancer The admin API of the balancer.
 * @param address The address of the backend's admin API.
 */
export function backendTarget(balancer: Target, { admin }: Config, address: Address): Target {
  const place = reachable(address);
  return {
    ...balancer,
    listen: place,
    name: admin.tls === undefined ? place.host : admin.hosts[0] ?? place.host,
  };
}

/** An address at which this machine reaches the API: a loopback address if the API listens on every address. */
function reachable({ host, port }: Address): Address {
  if (!isWildcard(host)) return { host, port };
  return { host: host === "::" ? "::1" : "127.0.0.1", port };
}

/** The certificate that the configuration names is trusted, and so are the other certificates in its file. */
async function trustedBy(
  { tls }: Config["admin"],
  ca: string | undefined,
): Promise<readonly string[] | undefined> {
  if (tls === undefined) return undefined;
  try {
    const own = await Deno.readTextFile(tls.certificate);
    return ca === undefined ? [own] : [own, await loadAuthorities(ca)];
  } catch (error) {
    throw new UserError(`admin.tls.certificate ${tls.certificate}: ${systemReason(error)}`, {
      cause: error,
    });
  }
}

async function tokenOf(
  file: string,
  { tokenFile }: Config["admin"],
): Promise<Pick<Target, "token" | "tokenSource">> {
  if (tokenFile === undefined) {
    return { token: undefined, tokenSource: `${file} has no admin.token_file` };
  }
  try {
    const token = (await Deno.readTextFile(tokenFile)).trim();
    if (/^[!-~]+$/.test(token)) return { token, tokenSource: tokenFile };
    return { token: undefined, tokenSource: `there is no token in ${tokenFile}` };
  } catch (error) {
    // This is not an error yet: reading the state of a balancer on this machine needs no token.
    const tokenSource = `the token file ${tokenFile} cannot be read: ${systemReason(error)}`;
    return { token: undefined, tokenSource };
  }
}
