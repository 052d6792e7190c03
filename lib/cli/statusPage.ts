import { counted } from '../base/formatCount.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { UnreadableFiles } from '../base/unreadableFiles.ts';
import { readPrices } from '../estimate/readPrices.ts';
import { RunRecords } from '../publish/runRecord.ts';
import { isKnown, readPartition } from '../report/readPartition.ts';
import { type KnownState, readPartitions } from '../report/readPartitions.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { pageLine, writePage } from './reportCommand.ts';

export interface StatusPage {
  /** File of the page. */
  readonly file: string;
  /** Output root of the scores. */
  readonly root: string;
  readonly states: readonly KnownState[];
  /** As in PartitionsPage. */
  readonly missingDays: readonly string[] | undefined;
  /** What the states were to be told from and couldn't, with code and file. */
  readonly unreadable: readonly string[];
  /** Write the report of every partition of which something is known, too, into `reports/` beside the page. */
  readonly withReports: boolean;
}

const AT_A_TIME = 4;

/**
 * Writes the page of all partitions, which links the reports that lie beside it.
 * @returns where they are, for who reads the command's text
 */
export async function writeStatusPage(page: StatusPage): Promise<string> {
  const { file, root, states, missingDays, withReports } = page;
  const unreadable = new UnreadableFiles(page.unreadable);
  const [{ partitionsPage }, { partitionReport }] = await Promise.all([
    import('../report/partitionsPage.ts'),
    import('../report/runReport.ts'),
  ]);
  const folder = file.replace(/[^/\\]*$/, '');
  const reportOf = (partition: string) => `reports/${partition}.html`;
  const prices = await readPrices();
  const records = new RunRecords(root);
  let written = 0;
  const linked = await mapConcurrently(states, AT_A_TIME, async ({ partition }) => {
    const report = joinUri(folder === '' ? '.' : folder, reportOf(partition));
    const read = () => readPartition(root, partition, records);
    const record = withReports ? await unreadable.attemptNeeded(read) : undefined;
    // Of what no run has touched yet a page would say nothing.
    if (record !== undefined && isKnown(record)) {
      await writePage(report, partitionReport(record, prices));
      written++;
      return [partition];
    }
    return (await storageFor(report).exists(report)) ? [partition] : [];
  });
  const hasReport = new Set(linked.flat());
  const linkOf = (partition: string) =>
    hasReport.has(partition) ? reportOf(partition).split('/').map(encodeURIComponent).join('/') : undefined;
  const partitions = await readPartitions(root, states, unreadable);
  const nowMillis = Date.now();
  await writePage(
    file,
    partitionsPage({ root, partitions, missingDays, unreadable: unreadable.problems, linkOf, nowMillis }),
  );
  return written === 0
    ? pageLine(file)
    : pageLine(`${file}, with ${counted(written, 'report')} in ${folder}reports/`);
}
