import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import { RandomStream } from '../base/randomStream.ts';
import { scoreEncodedRows } from '../bundle/scoreEncodedRows.ts';
import { type ScoringModel, ScoringSession } from '../bundle/scoringSession.ts';
import {
  allocateEncodedRows,
  copyEncodedRows,
  type EncodedRows,
  sliceEncodedRows,
} from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { TaskScores } from '../profile/scoreReferences.ts';

/** Rows that are scored again elsewhere in other batches, and those of them that are scored alone. */
const MOVED_ROWS = 4096;
const LONE_ROWS = 32;
const SEED = 1;

/** Scores rows with an own model, of which nothing but its file is known: every error says what is wrong with it. */
export class OwnScores {
  readonly #session: ScoringSession;
  readonly #layout: FeatureLayout;
  readonly #file: string;

  private constructor(session: ScoringSession, layout: FeatureLayout, file: string) {
    this.#session = session;
    this.#layout = layout;
    this.#file = file;
  }

  /**
   * Opens a model and lets it score what data may not have shown yet: the largest ids, full lists, nothing at all.
   * @param file of the model, for errors
   * @throws Ncs4cvrError GRAPH_INVALID, MODEL_RUN_FAILED, MODEL_SCORES_INVALID
   */
  static async create(model: ScoringModel, layout: FeatureLayout, file: string): Promise<OwnScores> {
    const session = await sessionOf(model, layout, file);
    const scores = new OwnScores(session, layout, file);
    try {
      const extremes = extremeRows(layout);
      await scores.of(extremes, extremes.rowCapacity);
      return scores;
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /** @throws Ncs4cvrError MODEL_RUN_FAILED, MODEL_SCORES_INVALID */
  async of(rows: EncodedRows, rowCount: number): Promise<TaskScores> {
    try {
      return await scoreEncodedRows(this.#session, this.#layout, rows, rowCount);
    } catch (cause) {
      const file = this.#file;
      if (cause instanceof Ncs4cvrError && cause.code === 'METRIC_SCORE_INVALID') {
        const { expected = '', found = '' } = cause;
        throw new Ncs4cvrError('MODEL_SCORES_INVALID', cause.message.replace(/^\w+: | \(.*$/gs, ''), {
          ...{ file, expected, found, cause },
        });
      }
      throw new Ncs4cvrError('MODEL_RUN_FAILED', "the model can't score rows that the contract allows", {
        ...{ file, found: messageOf(cause), cause },
      });
    }
  }

  /** @param chosen rows, in the order of the result */
  ofChosen(rows: EncodedRows, chosen: Int32Array): Promise<TaskScores> {
    const picked = allocateEncodedRows(this.#layout, chosen.length);
    for (const [place, row] of chosen.entries()) {
      const to = sliceEncodedRows(this.#layout, picked, place, place + 1);
      copyEncodedRows(this.#layout, rows, row, row + 1, to);
    }
    return this.of(picked, chosen.length);
  }

  /**
   * Scores some rows again: among others, in other places of a batch, and alone. A bundle's scores may depend on nothing but the
   * row (decision 3), which norms over a batch, or scales that are taken from it, break.
   * @param scores of the first `rowCount` of the rows
   * @throws Ncs4cvrError MODEL_ROWS_DEPENDENT when a bit of a score differs
   */
  async refuseDependent(rows: EncodedRows, rowCount: number, scores: TaskScores): Promise<void> {
    const count = Math.min(rowCount, MOVED_ROWS);
    const chosen = Int32Array.from({ length: count }, (_, place) => Math.floor((place * rowCount) / count));
    const random = new RandomStream(SEED);
    for (let place = count - 1; place > 0; place--) {
      const other = random.nextBelow(place + 1);
      [chosen[place], chosen[other]] = [chosen[other]!, chosen[place]!];
    }
    this.#refuseOthers(scores, chosen, await this.ofChosen(rows, chosen));
    for (const row of chosen.subarray(0, LONE_ROWS)) {
      const lone = Int32Array.of(row);
      this.#refuseOthers(scores, lone, await this.ofChosen(rows, lone));
    }
  }

  #refuseOthers(expected: TaskScores, chosen: Int32Array, found: TaskScores): void {
    for (const name of ['pctr', 'pcvr'] as const) {
      // None is NaN, and -0 is no other probability than 0.
      const place = chosen.findIndex((row, at) => expected[name][row] !== found[name][at]);
      if (place === -1) continue;
      const summary = `the ${name} of a row depends on the rows beside it, or differs from run to run`;
      throw new Ncs4cvrError('MODEL_ROWS_DEPENDENT', summary, {
        file: this.#file,
        expected: `${expected[name][chosen[place]!]} in any place of any batch`,
        found: `${found[name][place]} in another one`,
      });
    }
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** @throws Ncs4cvrError GRAPH_INVALID with the file and what ONNX Runtime says */
async function sessionOf(model: ScoringModel, layout: FeatureLayout, file: string): Promise<ScoringSession> {
  try {
    return await ScoringSession.create(model, layout);
  } catch (error) {
    if (!(error instanceof Ncs4cvrError)) throw error;
    const { code, found } = error;
    throw new Ncs4cvrError(code, "the model can't be used", {
      ...{ file, cause: error },
      ...(found === undefined ? {} : { found }),
    });
  }
}

/** A row of zeros and missing values, and one with the largest id of every feature, its lists full. */
function extremeRows(layout: FeatureLayout): EncodedRows {
  const { singles, lists, numerics, listWidth } = layout;
  const rows = allocateEncodedRows(layout, 2);
  for (const [index, { table }] of singles.entries()) {
    rows.singleRows[index] = table.rowStart;
    rows.singleRows[singles.length + index] = table.rowStart + table.rowCount - 1;
  }
  for (const { position, table, feature } of lists) {
    // An empty table has no id to fill a list with.
    if (table.rowCount === 1) continue;
    const [from, end] = [listWidth + position, listWidth + position + feature.maxLength];
    rows.listRows.fill(table.rowStart + table.rowCount - 1, from, end);
    rows.listWeights.fill(1 / feature.maxLength, from, end);
  }
  for (const index of numerics.keys()) rows.dense[2 * index + 1] = 1;
  return rows;
}
