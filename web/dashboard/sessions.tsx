import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { usePage } from "./context.ts";
import { messageOf } from "./dashboard.ts";
import { formatAge, formatNumber } from "./format.ts";
import type { SessionPage } from "./source.ts";

const SHOWN = 100;
const READ_EVERY_MS = 2000;

/** The sessions: the backend of each client. */
export function Sessions() {
  const { dashboard, view } = usePage();
  const page = useSignal<SessionPage | undefined>(undefined);
  const problem = useSignal("");
  const client = view.client.value;
  const isOn = dashboard.snapshot.value?.sessions.limit !== null;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let isOver = false;
    const read = async () => {
      try {
        if (!document.hidden && dashboard.link.peek().kind === "connected") {
          page.value = await dashboard.source.sessions(SHOWN, client || undefined);
          problem.value = "";
        }
      } catch (error) {
        problem.value = messageOf(error);
      }
      if (!isOver) timer = setTimeout(read, READ_EVERY_MS);
    };
    timer = setTimeout(read, 200);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [client]);
  const now_ms = dashboard.frame.value?.at_ms ?? 0;
  const rows = page.value?.sessions ?? [];
  return (
    <section aria-labelledby="sessions-title">
      <div class="heading">
        <h2 id="sessions-title">Sessions</h2>
        <ClientInput label="Of the client" />
      </div>
      {!isOn && (
        <p class="muted">
          Clients do not stick: the configuration has no <code>sticky</code>.
        </p>
      )}
      {problem.value !== "" && <p class="bad" role="status">✕ {problem.value}</p>}
      {isOn && (
        <p class="muted">
          {formatNumber(page.value?.count)} sessions
          {rows.length > 0 && rows.length < (page.value?.count ?? 0) && `; ${rows.length} shown`}
          {rows.length > 0 && `: ${perBackend(rows)}`}
        </p>
      )}
      {rows.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Session map">
          <table>
            <thead>
              <tr>
                <th scope="col">Client</th>
                <th scope="col">Backend</th>
                <th scope="col" class="number">Connections</th>
                <th scope="col" class="number">Last use</th>
                <th scope="col">Action</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ client, backend, home, connections, used_at_ms }) => (
                <tr key={client}>
                  <th scope="row">{client}</th>
                  <td>{backend}{home !== backend && <small>home {home}</small>}</td>
                  <td class="number">{connections}</td>
                  <td class="number">
                    {connections > 0 ? "now" : `${formatAge(now_ms - used_at_ms)} ago`}
                  </td>
                  <td>
                    <button
                      type="button"
                      aria-label={`Choose ${client}`}
                      onClick={() => view.client.value = client}
                    >
                      Choose
                    </button>
                    {dashboard.source.operator && (
                      <button
                        type="button"
                        aria-label={`End the session of ${client}`}
                        onClick={() =>
                          dashboard.operate(
                            `end the session of ${client}`,
                            (operator) => operator.endSession(client),
                          )}
                      >
                        End
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function perBackend(rows: SessionPage["sessions"]): string {
  const counts = new Map<string, number>();
  for (const { backend } of rows) counts.set(backend, (counts.get(backend) ?? 0) + 1);
  return [...counts].toSorted(([a], [b]) => a < b ? -1 : 1)
    .map(([backend, count]) => `${backend} ${count}`).join(", ");
}

/** The address of a client, which the sessions and the explained pick share. */
export function ClientInput({ label }: { readonly label: string }) {
  const { view } = usePage();
  return (
    <label>
      {label}{" "}
      <input
        type="text"
        inputMode="decimal"
        spellcheck={false}
        autocomplete="off"
        placeholder="192.0.2.7"
        size={16}
        value={view.client.value}
        onInput={({ currentTarget }) => view.client.value = currentTarget.value.trim()}
      />
    </label>
  );
}
