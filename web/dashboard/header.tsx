import { useEffect, useRef } from "preact/hooks";
import { ALGORITHM_NAMES } from "../../lib/core/mod.ts";
import { usePage } from "./context.ts";
import type { Theme } from "./view_state.ts";

export function Header() {
  const { dashboard, view } = usePage();
  const snapshot = dashboard.snapshot.value;
  return (
    <header>
      <div class="title">
        <h1>lbsim</h1>
        {snapshot?.listen && <span class="muted">listens on {snapshot.listen}</span>}
        <Link />
      </div>
      <div class="tools">
        <Algorithm />
        <Token />
        <a href="playground/#live" title="Simulate this balancer's configuration">Playground</a>
        <label>
          Theme{" "}
          <select
            value={view.theme.value}
            onChange={(event) => view.theme.value = event.currentTarget.value as Theme}
          >
            <option value="system">as the system</option>
            <option value="light">light</option>
            <option value="dark">dark</option>
          </select>
        </label>
      </div>
      <NoticeLine />
      <Wishes />
    </header>
  );
}

/** Whether frames arrive. */
function Link() {
  const link = usePage().dashboard.link.value;
  const words = link.kind === "connected"
    ? "● live"
    : link.kind === "connecting"
    ? "◌ connecting"
    : link.kind === "token needed"
    ? "✕ enter the token to read"
    : `✕ connection lost (${link.reason}); trying again`;
  return (
    <span class={`link ${link.kind === "connected" ? "good" : "bad"}`} role="status">{words}</span>
  );
}

function Algorithm() {
  const { dashboard } = usePage();
  const algorithm = dashboard.snapshot.value?.algorithm ?? "";
  if (dashboard.source.operator === undefined) return <span>{algorithm}</span>;
  return (
    <label>
      Algorithm{" "}
      <select
        value={algorithm}
        onChange={async ({ currentTarget }) => {
          const wanted = currentTarget.value;
          const done = await dashboard.operate(
            `algorithm ${wanted}`,
            (operator) => operator.setAlgorithm(wanted),
          );
          if (!done) currentTarget.value = algorithm;
        }}
      >
        {[...new Set([...ALGORITHM_NAMES, algorithm])].map((name) => (
          <option key={name} value={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

/** The token is kept in this page's memory only. */
function Token() {
  const { dashboard } = usePage();
  const input = useRef<HTMLInputElement>(null);
  const wanted = dashboard.wantsToken.value;
  useEffect(() => {
    if (wanted > 0) input.current?.focus();
  }, [wanted]);
  const { operator } = dashboard.source;
  if (operator === undefined) return null;
  return (
    <label>
      Token{" "}
      <input
        ref={input}
        type="password"
        autocomplete="off"
        spellcheck={false}
        placeholder="needed for changes"
        size={16}
        onInput={(event) => {
          operator.useToken(event.currentTarget.value.trim());
          dashboard.notice.value = undefined;
        }}
      />
    </label>
  );
}

function NoticeLine() {
  const notice = usePage().dashboard.notice.value;
  return (
    <p class={`notice ${notice?.isError ? "bad" : "good"}`} role="status" hidden={!notice}>
      {notice && `${notice.isError ? "✕" : "✓"} ${notice.text}`}
    </p>
  );
}

/** How the operator's wishes differ from the file. */
function Wishes() {
  const { dashboard } = usePage();
  const wishes = dashboard.snapshot.value?.wishes ?? [];
  if (wishes.length === 0) return null;
  return (
    <div class="wishes">
      <span>
        <strong>Other than the file says:</strong> {wishes.join("; ")}
      </span>
      {dashboard.source.operator && (
        <button
          type="button"
          onClick={() => dashboard.operate("withdraw all", (operator) => operator.withdraw())}
        >
          Withdraw all
        </button>
      )}
    </div>
  );
}
