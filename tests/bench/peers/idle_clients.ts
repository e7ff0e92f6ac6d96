/**
 * Holds connections open: `deno run --allow-net=127.0.0.1 idle_clients.ts PORT COUNT`. On each, one
 * request is answered, so each is known to be relayed; then it says nothing. Writes one line of JSON when
 * all of them are, and holds them until standard input ends.
 */
const [port, count] = Deno.args.map(Number);
const REQUEST = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: lbsim\r\n\r\n");
/** How many to open at a time. */
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
      // What is not answered is not counted.
    }
  }
}

await Promise.all(Array.from({ length: AT_A_TIME }, open));
console.log(JSON.stringify({ answered }));
for await (const _ of Deno.stdin.readable);
held.forEach((connection) => connection.close());
