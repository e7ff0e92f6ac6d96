import { useShared } from "./context.ts";
import { Inline } from "./inline.tsx";

/** The open lesson: its question, the things to look at and to change, and the answers. */
export function LessonPanel() {
  const { playground } = useShared();
  const { lessons } = playground.library.value;
  const lesson = lessons.find(({ number }) => number === playground.lesson.value);
  const watch = playground.opened.value?.watch;
  if (lesson === undefined) {
    const title = playground.opened.value?.title;
    // A recording has a panel of its own.
    if (playground.opened.value?.recording) return null;
    if (!title && !watch) return null;
    return (
      <section aria-labelledby="lesson-title" class="lesson">
        <h2 id="lesson-title">{title ?? "What to look at"}</h2>
        {watch && (
          <p>
            <Inline text={watch} />
          </p>
        )}
      </section>
    );
  }
  return (
    <section aria-labelledby="lesson-title" class="lesson">
      <h2 id="lesson-title">Lesson {lesson.number}: {lesson.title}</h2>
      <p>
        <strong>Question.</strong> <Inline text={lesson.question} />
      </p>
      <p>
        <strong>Run.</strong> It runs now. {watch && <Inline text={watch} />}
      </p>
      {lesson.changes.length > 0 && (
        <p>
          <strong>Change.</strong> The lesson again, with other settings:{" "}
          {lesson.changes.map(({ set }, i) => (
            <a key={i} class="chip" href={`#lesson=${lesson.number}.${i + 1}`}>
              {set.length === 0 ? `variant ${i + 1}` : set.map(shortSetting).join(", ")}
            </a>
          ))}
        </p>
      )}
      <details>
        <summary>Answer</summary>
        {lesson.look !== "" && (
          <p class="muted">
            <Inline text={lesson.look} />
          </p>
        )}
        <ol class="answers">
          {lesson.questions.map(({ question, answer }) => (
            <li key={question}>
              {lesson.questions.length > 1 && (
                <p>
                  <Inline text={question} />
                </p>
              )}
              <p>
                <Inline text={answer} />
              </p>
            </li>
          ))}
        </ol>
      </details>
    </section>
  );
}

/** `workload.arrivals.poisson.load=50%` → `load=50%`. */
function shortSetting(setting: string): string {
  const [path = "", ...value] = setting.split("=");
  return `${path.split(".").at(-1)}=${value.join("=")}`;
}

/** All examples and lessons. Each opens with one click. */
export function Library() {
  const { playground } = useShared();
  const { examples, lessons } = playground.library.value;
  return (
    <section aria-labelledby="library-title" id="library" tabIndex={-1}>
      <h2 id="library-title">Lessons and examples</h2>
      <div class="pair">
        <div>
          <h3>Lessons of the lab</h3>
          <ol class="links">
            {lessons.map(({ number, title }) => (
              <li key={number}>
                <a
                  href={`#lesson=${number}`}
                  aria-current={playground.lesson.value === number ? "true" : undefined}
                >
                  {number}. {title}
                </a>
              </li>
            ))}
          </ol>
        </div>
        <div>
          <h3>Examples</h3>
          <ul class="links">
            {examples.map(({ name, title }) => (
              <li key={name}>
                <a href={`#example=${name}`}>{title}</a> <small>{name}.yaml</small>
              </li>
            ))}
          </ul>
        </div>
      </div>
    </section>
  );
}
