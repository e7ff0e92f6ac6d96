import type { ScarceResource } from "../core/mod.ts";

/** The system's name of an error, like `ECONNRESET`; undefined if the system did not report the error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

/** The resources that this machine can lack when it opens connections. */
export type LocalResource = Exclude<ScarceResource, "other">;

/** The codes that the system reports if a resource is used up. */
const CODES: Readonly<Record<LocalResource, readonly string[]>> = {
  descriptors: ["EMFILE", "ENFILE"],
  local_ports: ["EADDRNOTAVAIL", "EADDRINUSE", "EAGAIN"],
  memory: ["ENOBUFS", "ENOMEM"],
};

const SHORTAGES: ReadonlyMap<string, LocalResource> = new Map(
  (Object.keys(CODES) as LocalResource[]).flatMap((resource) =>
    CODES[resource].map((code) => [code, resource] as const)
  ),
);

/**
 * The resource that this machine lacked, if an accept or a connect failed because of that. An outgoing
 * connection without a local address or port fails with EADDRNOTAVAIL, EADDRINUSE or EAGAIN, depending on the
 * system.
 */
export function localShortage(error: unknown): LocalResource | undefined {
  const code = systemCode(error);
  return code === undefined ? undefined : SHORTAGES.get(code);
}

/** Why a file could not be written, in plain words. */
export function writeFailure(error: unknown): string {
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory: name a file in it";
  if (error instanceof Deno.errors.NotFound) return "its directory does not exist";
  if (error instanceof Deno.errors.PermissionDenied) {
    return "this user has no permission to write it";
  }
  // Deno does not let lbsim write to devices, or to other drives on Windows. Its message would name Deno's flags.
  if (error instanceof Deno.errors.NotCapable) return "lbsim has no permission to write there";
  return systemReason(error);
}

/** Why the system refused something, in plain words, without its error numbers. */
export function systemReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/failed to lookup address information/.test(message)) return "the name is unknown";
  // `No space left on device (os error 28): writefile 'x'` → `No space left on device`.
  return message.replace(/ \(os error \d+\).*/s, "");
}
