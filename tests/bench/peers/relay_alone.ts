/**
 * The relay without the rest of the balancer: it accepts, connects and relays. The additional cost of `lbsim lb` is the
 * cost of its decisions. `deno run --allow-net relay_alone.ts PORT BACKEND_PORT…`
 */
import { Relays } from "../../../lb/relay/relay.ts";
import { NS_PER_S } from "../../../lib/base/mod.ts";

const [port, ...backends] = Deno.args.map(Number);
const relays = new Relays<undefined>({ idleTimeout: 300 * NS_PER_S });
let next = 0;

async function serve(client: Deno.TcpConn): Promise<void> {
  try {
    const backend = await Deno.connect({
      hostname: "127.0.0.1",
      port: backends[next++ % backends.length]!,
    });
    relays.start(client, backend, undefined);
  } catch {
    client.close();
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: port!, tcpBacklog: 4096 });
while (true) void serve(await listener.accept());
