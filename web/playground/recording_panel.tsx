import { useShared } from "./context.ts";

/**
 * The open recording: whether the replay makes the same decisions, and the assumptions of a simulation of its
 * traffic.
 */
export function RecordingPanel() {
  const { playground } = useShared();
  const recording = playground.opened.value?.recording ?? null;
  const run = playground.run.value;
  if (recording === null || run === undefined) return null;
  const { file, files, result, assumptions } = recording;
  return (
    <section aria-labelledby="recording-title" class="lesson" data-recorded={run.recorded}>
      <h2 id="recording-title">
        {run.recorded ? `Recording: ${file}` : `What if? The traffic of ${file}`}
      </h2>
      {files.length > 1 && <p class="muted">Files: {files.join(", ")}</p>}
      {result.map((line) => <p key={line}>{line}</p>)}
      {run.recorded
        ? (
          <p class="muted">
            The scheduler makes the recorded decisions. Change a setting or break a backend: then
            the recorded traffic is simulated with that change.
          </p>
        )
        : (
          <p>
            <button type="button" onClick={() => playground.replay()}>Back to the recording</button>
            {" "}
            This removes the changes that you have made.
          </p>
        )}
      <details open={!run.recorded}>
        <summary>What a simulation of this traffic assumes</summary>
        <ul>
          {assumptions.map((assumption) => <li key={assumption}>{assumption}</li>)}
        </ul>
      </details>
    </section>
  );
}
