/**
 * Reads the same data as the dashboard, in the same way, until it is killed: `deno run
 * --allow-net=127.0.0.1:9900 dashboard_reader.ts http://127.0.0.1:9900`.
 */
import { LiveSource } from "../../../web/dashboard/live_source.ts";

const [base] = Deno.args;
new LiveSource(base!).start({
  link: () => {},
  snapshot: () => {},
  frame: () => {},
  event: () => {},
  lost: () => {},
});
