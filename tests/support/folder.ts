/** Runs a test with a folder of its own, which is removed when the test has ended. */
export async function inFolder<T>(test: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes a configuration into a folder: a balancer without an admin API, and one backend. Returns its file. */
export async function writeConfig(folder: string, backend: string, more: string): Promise<string> {
  const file = `${folder}/config.yaml`;
  const lines = [
    "listen: 127.0.0.1:0",
    "admin: {listen: off}",
    `backends: [{id: B1, address: "${backend}"}]`,
  ];
  await Deno.writeTextFile(file, `${lines.join("\n")}\n${more}`);
  return file;
}
