/** Lets `Deno.connect` be something else until it is disposed of. */
export function stubConnect(
  fake: (options: Deno.ConnectOptions, real: typeof Deno.connect) => Promise<Deno.TcpConn>,
): Disposable {
  const real = Deno.connect;
  Reflect.set(Deno, "connect", (options: Deno.ConnectOptions) => fake(options, real));
  return { [Symbol.dispose]: () => void Reflect.set(Deno, "connect", real) };
}

/** An error as the system reports it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`it failed (${code})`), { code });
}
