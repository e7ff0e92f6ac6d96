/** The program of each system that opens a page in the user's browser. lbsim may run only these paths. */
const OPENERS: Readonly<Partial<Record<typeof Deno.build.os, string>>> = {
  linux: "/usr/bin/xdg-open",
  freebsd: "/usr/bin/xdg-open",
  darwin: "/usr/bin/open",
};

/** A program that runs longer has opened a browser, and waits until the browser ends. */
const STARTED_MS = 5000;

/**
 * Opens a page in the user's browser.
 *
 * @param program The program that opens the page; the system's own if left out.
 * @returns Why that was not possible, in words; undefined if it was.
 */
export async function openInBrowser(
  url: string,
  program: string | undefined = OPENERS[Deno.build.os],
): Promise<string | undefined> {
  if (program === undefined) return `not possible on ${Deno.build.os}`;
  try {
    const opener = new Deno.Command(program, {
      args: [url],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const started = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => started.resolve(undefined), STARTED_MS);
    const status = await Promise.race([opener.status, started.promise]);
    clearTimeout(timer);
    opener.unref();
    return status === undefined || status.success
      ? undefined
      : `${program} ended with code ${status.code}`;
  } catch (error) {
    return error instanceof Deno.errors.NotFound
      ? `there is no ${program}`
      : `${program}: ${(error as Error).message}`;
  }
}
