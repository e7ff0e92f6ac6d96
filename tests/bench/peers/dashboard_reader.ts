/**
 * Reads what the dashboard reads, in the way in which it reads, until it is killed:
 * `deno run --allow-net=127.0.0.1:9900 dashboard_reader.ts http://127.0.0.1:9900`.
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
