import { usePage } from "./context.ts";
import { formatAge, formatBytes, formatMs, formatNumber } from "./format.ts";

/** The totals of the balancer. */
export function Summary() {
  const { dashboard } = usePage();
  const snapshot = dashboard.snapshot.value;
  const frame = dashboard.frame.value;
  if (snapshot === undefined) return <section class="summary" aria-label="Summary" />;
  const { connections, sessions, queue, process } = snapshot;
  const backends = snapshot.backends.length;
  const perS = frame?.opened_per_s.reduce((sum, value) => sum + value, 0);
  const facts: readonly (readonly [string, string, string?])[] = [
    ["Active backends", `${snapshot.active_servers.length} of ${backends}`],
    [
      "In flight",
      formatNumber(frame?.in_flight ?? connections.in_flight),
      `most ${formatNumber(connections.in_flight_max)}`,
    ],
    ["Connections / s", formatNumber(perS), `${formatNumber(connections.opened)} in all`],
    [
      "Refused / s",
      formatNumber(connections.refused_per_s),
      `${formatNumber(connections.refused)} in all`,
    ],
    ...queue.limit === null ? [] : [
      ["Waiting", formatNumber(frame?.waiting), `at most ${formatNumber(queue.limit)}`] as const,
    ],
    ...sessions.limit === null ? [] : [
      [
        "Sessions",
        formatNumber(frame?.sessions),
        `${formatNumber(sessions.moved)} moved`,
      ] as const,
    ],
    [
      "To clients",
      formatBytes(snapshot.bytes_to_clients),
      `${formatBytes(snapshot.bytes_to_backends)} to backends`,
    ],
    ...process === null
      ? []
      : [["Event loop late", formatMs(process.event_loop_delay_ms)] as const],
    ["Running", formatAge(snapshot.uptime_ms), `lbsim ${snapshot.version}`],
  ];
  return (
    <section class="summary" aria-label="Summary">
      <dl>
        {facts.map(([name, value, more]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <strong>{value}</strong>
              {more && <small>{more}</small>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
