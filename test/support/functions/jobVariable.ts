import { GATES_OFF_DOCUMENT } from '../../fixtures/gatesOff.ts';

/** A job document as tests write it. */
interface TestJob {
  readonly input: string;
  readonly scores: string;
  readonly model: string;
  readonly [key: string]: unknown;
}

/** The functions' variable `JOB`, in this process. No gate looks unless the job says so: most tests' nights are no real ones. */
export function setJob(job: TestJob): void {
  process.env.JOB = JSON.stringify({ gates: GATES_OFF_DOCUMENT, ...job });
}

export function currentJob(): TestJob {
  return JSON.parse(process.env.JOB!);
}

export function changeJob(over: object): void {
  setJob({ ...currentJob(), ...over });
}
