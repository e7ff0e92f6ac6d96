/**
 * Holds connections open: `deno run --allow-net=127.0.0.1 idle_clients.ts PORT COUNT`. One request on each connection
 * is answered, which shows that the connection is relayed; then the connection is idle. Writes one line of JSON when
 * all requests are answered, and holds the connections until standard input ends.
 */
const [port, count] = Deno.args.map(Number);
const REQUEST = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: lbsim\r\n\r\n");
/** The number of connections that are opened at a time. */
const AT_A_TIME = 64;

const held: Deno.TcpConn[] = [];
const buffer = new Uint8Array(4096);
let started = 0;
let answered = 0;

async function open(): Promise<void> {
  while (started < count!) {
    started++;
    try {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: port! });
      held.push(connection);
      await connection.write(REQUEST);
      if (await connection.read(buffer) !== null) answered++;
    } catch {
      // A connection whose request is not answered does not count.
    }
  }
}

await Promise.all(Array.from({ length: AT_A_TIME }, open));
console.log(JSON.stringify({ answered }));
for await (const _ of Deno.stdin.readable);
held.forEach((connection) => connection.close());
