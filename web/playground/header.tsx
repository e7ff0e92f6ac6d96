import type { Theme } from "../dashboard/mod.ts";
import { useShared } from "./context.ts";
import { saveText } from "./save.ts";
import { ADDRESS_MAX, RUN_ENDING } from "./share.ts";

export function Header() {
  const { playground, opener, theme, tour } = useShared();
  const { examples, lessons } = playground.library.value;
  return (
    <header>
      <div class="title">
        <h1>lbsim playground</h1>
        <span class="muted">the scheduler of the live balancer, in virtual time</span>
      </div>
      <div class="tools">
        <label>
          Open{" "}
          <select
            aria-label="Open a lesson or an example"
            value=""
            onChange={({ currentTarget }) => {
              location.hash = currentTarget.value;
              currentTarget.value = "";
            }}
          >
            <option value="">a lesson or an example…</option>
            <optgroup label="Lessons">
              {lessons.map(({ number, title }) => (
                <option key={number} value={`#lesson=${number}`}>{number}. {title}</option>
              ))}
            </optgroup>
            <optgroup label="Examples">
              {examples.map(({ name, title }) => (
                <option key={name} value={`#example=${name}`}>{title}</option>
              ))}
            </optgroup>
          </select>
        </label>
        <label class="file">
          a file{" "}
          <input
            type="file"
            multiple
            accept=".yaml,.yml,.csv,.jsonl,.playground,.1,.2,.3,.4"
            aria-label="Open a scenario, a config.yaml or a recording"
            onChange={({ currentTarget }) => {
              void opener.files([...currentTarget.files ?? []]);
              currentTarget.value = "";
            }}
          />
        </label>
        <button type="button" onClick={() => tour.value = 0}>Tour (1 min)</button>
        <Share />
        <Export />
        <label>
          Theme{" "}
          <select
            value={theme.value}
            onChange={({ currentTarget }) => theme.value = currentTarget.value as Theme}
          >
            <option value="system">as the system</option>
            <option value="light">light</option>
            <option value="dark">dark</option>
          </select>
        </label>
      </div>
      <NoticeLine />
    </header>
  );
}

function Share() {
  const { opener, playground } = useShared();
  return (
    <button
      type="button"
      onClick={async () => {
        const shared = await opener.share();
        if ("file" in shared) {
          const size = `${Math.ceil(shared.file.length / 1000)} KB`;
          playground.notice.value = {
            isError: true,
            text:
              `This run does not fit into an address: it has ${size}, and an address can have ` +
              `${ADDRESS_MAX / 1000} KB. Save it as a file: if you drop the file on this page, ` +
              "it opens the same run.",
            action: {
              label: "Save the run as a file",
              run: () => {
                const name = playground.file.peek().replace(/(\.ya?ml)?$/i, RUN_ENDING);
                saveText(name, "text/plain", shared.file);
              },
            },
          };
          return;
        }
        let isCopied = false;
        try {
          await navigator.clipboard.writeText(shared.address);
          isCopied = true;
        } catch {
          // The browser does not allow the copy. The address bar shows the address.
        }
        playground.notice.value = {
          isError: false,
          text: isCopied
            ? "The address was copied. It contains the whole run."
            : "The address of this page now contains the whole run: copy it.",
        };
      }}
    >
      Share
    </button>
  );
}

/** The run as a scenario for the command line, with the digest that it gives there. */
function Export() {
  const { playground } = useShared();
  const done = playground.exporting.value;
  if (done !== undefined) {
    return (
      <button type="button" onClick={() => playground.cancelExport()}>
        Cancel the export ({Math.floor(100 * done)} %)
      </button>
    );
  }
  return (
    <button
      type="button"
      onClick={async () => {
        const exported = await playground.export();
        if (exported === undefined) return;
        const name = playground.file.peek().replace(/(\.ya?ml)?$/i, "-playground.yaml");
        saveText(name, "application/yaml", exported.text);
        for (const [path, { text }] of Object.entries(exported.files)) {
          saveText(path, "text/plain", text);
        }
        playground.exported.value = { digest: exported.digest, file: name };
      }}
    >
      Export
    </button>
  );
}

function NoticeLine() {
  const { playground } = useShared();
  const notice = playground.notice.value;
  const exported = playground.exported.value;
  return (
    <>
      <p
        class={`notice ${notice?.isError ? "bad" : ""}`}
        role={notice?.isError ? "alert" : "status"}
        hidden={!notice}
      >
        {notice && `${notice.isError ? "✕" : "✓"} ${notice.text}`}
        {notice?.action !== undefined && (
          <>
            {" "}
            <button type="button" class="small" onClick={notice.action.run}>
              {notice.action.label}
            </button>
          </>
        )}
      </p>
      {exported !== undefined && (
        <p class="exported" data-digest={exported.digest}>
          Saved. This command gives the digest <code>{exported.digest.slice(0, 16)}…</code>:{" "}
          <code>lbsim sim {exported.file}</code>{" "}
          <button
            type="button"
            class="small"
            aria-label="Close the message about the export"
            onClick={() => playground.exported.value = undefined}
          >
            ✕
          </button>
        </p>
      )}
    </>
  );
}
