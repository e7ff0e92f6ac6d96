/**
 * Tries an lbsim executable as a newcomer would: its version, a check, and a line that a backend sends back.
 *
 * @param command The words that run the executable.
 * @throws {Error} with what did not work.
 */
export async function smoke(command: readonly string[]): Promise<void> {
  await expect(command, ["--version"], /^\d+\.\d+\.\d+$/m);
  await expect(command, ["check", `${import.meta.dirname}/../config.yaml`], /is valid/);
  // The executable contains the texts that `init` prints.
  await expect(command, ["init", "-"], /^backends:$/m);
  await expect(command, ["init", "--local", "-"], /127\.0\.0\.1:9003/);
  const [program, ...before] = command;
  const backend = new Deno.Command(program!, {
    args: [...before, "backend", "127.0.0.1:0", "--id", "S1"],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  try {
    const reader = backend.stdout.getReader();
    let said = "";
    const decoder = new TextDecoder();
    while (!said.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the backend ended at once");
      said += decoder.decode(value, { stream: true });
    }
    await reader.cancel();
    const address = /listening on (\S+)/.exec(said)?.[1];
    if (address === undefined) throw new Error(`the backend said ${JSON.stringify(said)}`);
    await expect(command, ["client", address, "hi"], /^Hello from S1: hi$/m);
  } finally {
    backend.kill("SIGTERM");
    await backend.status;
  }
}

async function expect(command: readonly string[], args: string[], pattern: RegExp): Promise<void> {
  const [program, ...before] = command;
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args: [...before, ...args],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (code !== 0 || !pattern.test(text.decode(stdout))) {
    throw new Error(
      `${args.join(" ")} exited with ${code} and said ${text.decode(stdout)}${text.decode(stderr)}`,
    );
  }
}
