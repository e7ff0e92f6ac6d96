// A TCP load balancer as written with Node's `net`: node node_proxy.mjs PORT BACKEND_PORT…
import net from "node:net";

const [port, ...backends] = process.argv.slice(2).map(Number);
let next = 0;

net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const backend = net.connect({
    host: "127.0.0.1",
    port: backends[next++ % backends.length],
    allowHalfOpen: true,
    noDelay: true,
  });
  client.on("error", () => backend.destroy());
  backend.on("error", () => client.destroy());
  client.pipe(backend);
  backend.pipe(client);
}).listen({ host: "127.0.0.1", port, backlog: 4096 });
