/** The playground: a page that shows a simulation, and the worker that runs it. */
export * from "./protocol.ts";
export {
  type Example,
  type Lesson,
  type LessonRun,
  type Library,
  parseLessons,
} from "./lessons.ts";
