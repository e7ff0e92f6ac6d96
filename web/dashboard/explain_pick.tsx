import { useSignal } from "@preact/signals";
import { usePage } from "./context.ts";
import { formatNumber } from "./format.ts";
import { ClientInput } from "./sessions.tsx";
import type { ExplainedPick } from "./source.ts";

/** The backend that a client would get now, and why. */
export function ExplainPick() {
  const { dashboard, view } = usePage();
  const pick = useSignal<ExplainedPick | undefined>(undefined);
  return (
    <section aria-labelledby="explain-title">
      <h2 id="explain-title">Explain a pick</h2>
      <form
        class="heading"
        onSubmit={(event) => {
          event.preventDefault();
          const client = view.client.value;
          void dashboard.operate(`explain ${client}`, async () => {
            pick.value = await dashboard.source.explain(client);
          });
        }}
      >
        <ClientInput label="Where would this client go now?" />
        <button type="submit">Explain</button>
      </form>
      <div role="status">{pick.value && <Explained {...pick.value} />}</div>
    </section>
  );
}

function Explained({ client, backend, rule, candidates }: ExplainedPick) {
  return (
    <>
      <p>
        {client} → <strong>{backend ?? "no backend"}</strong>: {rule}
      </p>
      <Candidates backend={backend} candidates={candidates} />
    </>
  );
}

/** The backends among which a pick was made, with their numbers. */
export function Candidates(
  { backend, candidates }: Pick<ExplainedPick, "backend" | "candidates">,
) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Candidates">
      <table>
        <thead>
          <tr>
            <th scope="col">Backend</th>
            <th scope="col" class="number">Weight</th>
            <th scope="col" class="number">In flight</th>
            <th scope="col" class="number">Score</th>
            <th scope="col">Why not</th>
          </tr>
        </thead>
        <tbody>
          {candidates.map((one) => (
            <tr key={one.backend} class={one.backend === backend ? "picked" : ""}>
              <th scope="row">{one.backend === backend ? `→ ${one.backend}` : one.backend}</th>
              <td class="number">{formatNumber(one.weight)}</td>
              <td class="number">{formatNumber(one.in_flight)}</td>
              <td class="number">
                {one.score === undefined ? "–" : Number(one.score.toPrecision(4))}
              </td>
              <td>{one.unavailable ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
