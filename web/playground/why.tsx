import { useEffect, useRef } from "preact/hooks";
import type { PickDetails } from "../../lib/core/mod.ts";
import { Candidates, formatMs, formatNumber, strokeOf } from "../dashboard/mod.ts";
import { useColours } from "./colours.ts";
import { useShared } from "./context.ts";
import type { Why } from "./protocol.ts";

/** How a pick was decided. */
export function WhyPanel() {
  const { playground } = useShared();
  const why = playground.why.value;
  return (
    <section aria-labelledby="why-title">
      <div class="heading">
        <h2 id="why-title">Why?</h2>
        <button type="button" onClick={() => playground.explain(playground.variant.value)}>
          Explain the last pick
        </button>
      </div>
      <div role="status">
        {why === undefined
          ? (
            <p class="muted">
              Pause, and click a dot that is at a backend; or step to the next pick.
            </p>
          )
          : <Explanation why={why} />}
      </div>
    </section>
  );
}

function Explanation({ why }: { readonly why: Why }) {
  const { playground } = useShared();
  const variants = playground.opened.value?.variants ?? [];
  const { client, backend, rule, candidates, details, at_ms, variant, balancer } = why;
  const where = [
    ...variants.length > 1 ? [variants[variant]?.name ?? ""] : [],
    ...(playground.opened.value?.load_balancers ?? 1) > 1 ? [`LB${balancer + 1}`] : [],
  ];
  return (
    <>
      <p>
        {(at_ms / 1000).toFixed(3)} s{where.length > 0 && ` (${where.join(", ")})`}: {client} →{" "}
        <strong>{backend ?? "no backend"}</strong>: {rule}
      </p>
      <Candidates backend={backend} candidates={candidates} />
      {details !== null && <Details details={details} />}
    </>
  );
}

function Details({ details }: { readonly details: PickDetails }) {
  switch (details.kind) {
    case "ring":
      return (
        <Ring
          backends={details.backends}
          points={details.points}
          owners={details.owners}
          client={details.key}
        />
      );
    case "table":
      return <Lookup {...details} />;
    case "turns":
      return (
        <Rows
          title="Whose turn it is"
          heads={["Backend", "Weight", "Current weight"]}
          rows={details.backends.map((id, i) => [
            id,
            formatNumber(details.weights[i]),
            String(Number((details.current[i] ?? 0).toPrecision(5))),
          ])}
        />
      );
    case "pool":
      return (
        <Rows
          title="Probe results in the pool"
          heads={["Backend", "In flight", "Latency", "Age", "Hot"]}
          rows={details.results.map(({ backend, in_flight, latency_ms, age_ms, hot }) => [
            backend,
            formatNumber(in_flight),
            formatMs(latency_ms),
            formatMs(age_ms),
            hot ? "hot" : "cold",
          ])}
        />
      );
    case "latencies":
      return (
        <Rows
          title="Latencies as the balancer remembers them"
          heads={["Backend", "Latency"]}
          rows={details.backends.map((id, i) => [id, formatMs(details.latency_ms[i])])}
        />
      );
    case "idle":
      return (
        <p>
          Backends that have reported that they are idle:{" "}
          {details.backends.length === 0 ? "none" : details.backends.join(", ")}
        </p>
      );
  }
}

function Rows({ title, heads, rows, colours }: {
  readonly title: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The colour that each row has in a picture. */
  readonly colours?: readonly string[];
}) {
  return (
    <>
      <h3>{title}</h3>
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>
        <table>
          <thead>
            <tr>
              {heads.map((head, i) => (
                <th key={head} scope="col" class={i === 0 ? "" : "number"}>{head}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, k) => (
              <tr key={k}>
                {row.map((cell, i) =>
                  i === 0
                    ? (
                      <th key={i} scope="row">
                        {colours && <Swatch colour={colours[k]!} />}
                        {cell}
                      </th>
                    )
                    : <td key={i} class="number">{cell}</td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Swatch({ colour }: { readonly colour: string }) {
  return (
    <svg class="swatch" width="14" height="14" aria-hidden="true">
      <rect width="14" height="14" rx="3" fill={colour} />
    </svg>
  );
}

/** The share of each backend of the ring or of the table. */
function Shares({ title, backends, shares }: {
  readonly title: string;
  readonly backends: readonly string[];
  readonly shares: readonly number[];
}) {
  const { isDark } = useColours();
  return (
    <Rows
      title={title}
      heads={["Backend", "Share"]}
      colours={backends.map((_, i) => strokeOf(i, isDark).colour)}
      rows={backends.map((id, i) => [id, `${(100 * shares[i]!).toFixed(1)} %`])}
    />
  );
}

function Ring({ backends, points, owners, client }: {
  readonly backends: readonly string[];
  readonly points: Float64Array;
  readonly owners: Uint32Array;
  /** Its place on the ring, from 0 to 1. */
  readonly client: number;
}) {
  const colours = useColours();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const { context, size } = prepared(canvas.current!, 260, 260);
    const middle = size.width / 2;
    const turn = (place: number) => 2 * Math.PI * place - Math.PI / 2;
    context.lineWidth = 22;
    for (let i = 0; i < points.length; i++) {
      const from = i === 0 ? points.at(-1)! - 1 : points[i - 1]!;
      context.strokeStyle = strokeOf(owners[i]!, colours.isDark).colour;
      context.beginPath();
      context.arc(middle, 130, 96, turn(from), turn(points[i]!));
      context.stroke();
    }
    const [x, y] = [Math.cos(turn(client)), Math.sin(turn(client))];
    context.strokeStyle = colours.text;
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(middle + 74 * x, 130 + 74 * y);
    context.lineTo(middle + 122 * x, 130 + 122 * y);
    context.stroke();
    context.fillStyle = colours.text;
    context.font = "600 13px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText("client", middle + 52 * x, 130 + 52 * y);
  }, [points, owners, client, colours]);
  const shares = backends.map(() => 0);
  points.forEach((point, i) => {
    shares[owners[i]!]! += point - (i === 0 ? points.at(-1)! - 1 : points[i - 1]!);
  });
  return (
    <div class="why-picture">
      <canvas
        ref={canvas}
        class="ring"
        role="img"
        aria-label={`The ring with ${points.length} points, and the client at ${
          (100 * client).toFixed(1)
        } % of a turn. The first point from there on, clockwise, decides.`}
      />
      <div>
        <Shares title="Shares of the ring" backends={backends} shares={shares} />
      </div>
    </div>
  );
}

function Lookup(
  { backends, owners, entry }: Extract<PickDetails, { readonly kind: "table" }>,
) {
  const colours = useColours();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const columns = Math.ceil(Math.sqrt(2.2 * owners.length));
    const rows = Math.ceil(owners.length / columns);
    const { context, size } = prepared(canvas.current!, 420, 190);
    const [wide, high] = [size.width / columns, size.height / rows];
    owners.forEach((owner, i) => {
      context.fillStyle = strokeOf(owner, colours.isDark).colour;
      context.fillRect(i % columns * wide, Math.floor(i / columns) * high, wide + 0.4, high + 0.4);
    });
    context.strokeStyle = colours.text;
    context.lineWidth = 2;
    const [x, y] = [(entry % columns + 0.5) * wide, (Math.floor(entry / columns) + 0.5) * high];
    context.beginPath();
    context.arc(x, y, Math.max(6, wide), 0, 2 * Math.PI);
    context.stroke();
  }, [owners, entry, colours]);
  const shares = backends.map(() => 0);
  owners.forEach((owner) => shares[owner]! += 1 / owners.length);
  return (
    <div class="why-picture">
      <canvas
        ref={canvas}
        class="lookup"
        role="img"
        aria-label={`The lookup table with ${owners.length} entries. The client's entry is ${entry}: ${
          backends[owners[entry]!] ?? "none"
        }.`}
      />
      <div>
        <Shares title="Shares of the table" backends={backends} shares={shares} />
      </div>
    </div>
  );
}

function prepared(canvas: HTMLCanvasElement, width: number, height: number) {
  const size = { width: Math.min(width, canvas.clientWidth || width), height };
  canvas.width = Math.round(size.width * devicePixelRatio);
  canvas.height = Math.round(height * devicePixelRatio);
  const context = canvas.getContext("2d")!;
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  return { context, size };
}
