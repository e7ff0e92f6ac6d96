import type { TextFile } from "./protocol.ts";

/** A scenario that the page can open: its text, and the files that it names. */
export interface Example {
  /** The name of its file without the ending. */
  readonly name: string;
  readonly title: string;
  readonly watch: string;
  readonly text: string;
  /** The configuration that it extends, by the path that it uses. */
  readonly files: Readonly<Record<string, TextFile>>;
}

/** An experiment of a lesson: a scenario with settings that override its own. */
export interface LessonRun {
  readonly example: string;
  /** As after `--set` on the command line. */
  readonly set: readonly string[];
}

/** A lesson of the lab. Its texts are Markdown without blocks. */
export interface Lesson {
  readonly number: number;
  readonly title: string;
  /** What to predict before the run. */
  readonly question: string;
  readonly run: LessonRun;
  /** What to look at during the run. */
  readonly look: string;
  /** What to change afterwards. */
  readonly changes: readonly LessonRun[];
  /** Each question with its answer. */
  readonly questions: readonly { readonly question: string; readonly answer: string }[];
}

/** The content of lessons.json. */
export interface Library {
  readonly examples: readonly Example[];
  readonly lessons: readonly Lesson[];
}

/**
 * Reads the lessons of the lab.
 *
 * @param lab The text of docs/lab.md.
 * @param answers The text of docs/lab-answers.md.
 */
export function parseLessons(lab: string, answers: string): Lesson[] {
  return [...longLessons(lab, answers), ...shortLessons(lab, answers)];
}

function longLessons(lab: string, answers: string): Lesson[] {
  const sections = sectionsOf(answers);
  return [...sectionsOf(lab)].flatMap(([heading, text]) => {
    const [, number, title] = /^(\d+)\. (.*)$/.exec(heading) ?? [];
    const [run, ...changes] = runsIn(text);
    if (number === undefined || run === undefined) return [];
    const given = itemsOf(sections.get(heading) ?? "");
    return [{
      number: Number(number),
      title: title!,
      question: paragraph(text, "Predict"),
      run,
      look: paragraph(text, "Look", true),
      changes,
      questions: [...itemsOf(text.split("**Questions**")[1] ?? "")].map(([i, question]) => ({
        question,
        answer: given.get(i) ?? "",
      })),
    }];
  });
}

function shortLessons(lab: string, answers: string): Lesson[] {
  const given = itemsOf(sectionsOf(answers).get("Shorter lessons") ?? "");
  return [...itemsOf(sectionsOf(lab).get("Shorter lessons") ?? "")].flatMap(([number, text]) => {
    const [run] = runsIn(text);
    // A lesson on real sockets has no run here.
    if (run === undefined) return [];
    const title = boldIn(text);
    const question = text.slice(text.indexOf(")") + 1).replace(/^\.\s*/, "").trim();
    const answer = given.get(number) ?? "";
    return [{
      number,
      title,
      question,
      run,
      look: "",
      changes: [],
      questions: [{ question, answer: answer.slice(answer.indexOf("**", 2) + 2).trim() }],
    }];
  });
}

/** The sections of the second level, by their headings. */
function sectionsOf(text: string): Map<string, string> {
  const [, ...sections] = text.split(/^## /m);
  return new Map(sections.map((section) => {
    const end = section.indexOf("\n");
    return [section.slice(0, end).trim(), section.slice(end + 1)];
  }));
}

/** The items of the numbered lists, by number. */
function itemsOf(text: string): Map<number, string> {
  const items = new Map<number, string>();
  for (const [, number, body] of text.matchAll(/^(\d+)\. ((?:.+\n?)(?: {3,}.+\n?)*)/gm)) {
    items.set(Number(number), oneLine(body!));
  }
  return items;
}

/** The paragraph that begins with this word in bold; if `isWhole`, with the word. */
function paragraph(text: string, word: string, isWhole = false): string {
  const found = text.split("\n\n").find((part) => part.startsWith(`**${word}`)) ?? "";
  const line = oneLine(found);
  return isWhole ? line.replaceAll("**", "") : line.replace(/^\*\*[^*]*\*\*\s*/, "");
}

function boldIn(text: string): string {
  return /\*\*([^*]+)\*\*/.exec(text)?.[1] ?? "";
}

/** The runs of scenarios among the commands. */
function runsIn(text: string): LessonRun[] {
  return [...text.matchAll(/lbsim sim examples\/([\w-]+)\.yaml([^\n`]*)/g)].map((
    [, example, flags],
  ) => ({
    example: example!,
    set: [...flags!.matchAll(/--set (?:"([^"]+)"|(\S+))/g)].map(([, quoted, bare]) =>
      quoted ?? bare!
    ),
  }));
}

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}
