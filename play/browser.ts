/**
 * What opens an address in the user's browser, by platform. lbsim may start these programs and no others. They are
 * paths, since Deno reports a name that it does not find, at every start.
 */
const OPENERS: Readonly<Partial<Record<typeof Deno.build.os, string>>> = {
  darwin: "/usr/bin/open",
};
const OPENER = OPENERS[Deno.build.os] ?? "/usr/bin/xdg-open";

/** Opens an address in the user's browser. Returns whether a browser was asked to. */
export async function openBrowser(url: string): Promise<boolean> {
  try {
    const opener = new Deno.Command(OPENER, {
      args: [url],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    // A browser that was started with this may go on for longer than lbsim.
    opener.unref();
    return (await opener.status).success;
  } catch {
    return false;
  }
}
