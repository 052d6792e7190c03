import type { SQSRecord } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { compareSequencers, objectEvents } from '../../functions/s3Events.ts';

let count = 0;
const message = (...objects: { key: string; sequencer: string }[]): SQSRecord => {
  const Records = objects.map((object) => ({ s3: { bucket: { name: 'b' }, object } }));
  return { messageId: `m${count++}`, body: JSON.stringify({ Records }) } as SQSRecord;
};

describe('sequencers', () => {
  it('compare as hexadecimal numbers that are padded on the right', () => {
    expect(compareSequencers('0055AED6DCD90281E5', '0055AED6DCD90281E4')).toBe(1);
    expect(compareSequencers('0055', '00550000')).toBe(0);
    expect(compareSequencers('0055', '005500AA')).toBe(-1);
    expect(compareSequencers('00ff', '00FE')).toBe(1);
    expect(compareSequencers('', '0')).toBe(0);
  });
});

/** Objects of messages that are all whole. */
const objectsOf = (messages: readonly SQSRecord[]) =>
  objectEvents(messages, (_, error) => {
    throw error;
  });

describe('a batch of notifications', () => {
  it('names every object once with its latest event and all messages that told of it', () => {
    const first = message(
      { key: 'dt%3D1/a.parquet', sequencer: '02' },
      { key: 'dt%3D1/b.parquet', sequencer: '01' },
    );
    const older = message({ key: 'dt%3D1/a.parquet', sequencer: '01FF' });
    expect(objectsOf([older, first])).toEqual([
      { uri: 's3://b/dt=1/a.parquet', sequencer: '02', messageIds: [older.messageId, first.messageId] },
      { uri: 's3://b/dt=1/b.parquet', sequencer: '01', messageIds: [first.messageId] },
    ]);
    expect(objectsOf([first, older])[0]).toMatchObject({ sequencer: '02' });
  });

  it('decodes keys as forms encode them', () => {
    const [event] = objectsOf([message({ key: 'a+b/%C3%BC%2B.parquet', sequencer: '1' })]);
    expect(event!.uri).toBe('s3://b/a b/ü+.parquet');
  });

  it('passes over the test event, and names the messages that are no notifications beside the objects of the others', () => {
    expect(objectsOf([{ messageId: 'm', body: '{"Event":"s3:TestEvent"}' } as SQSRecord])).toEqual([]);
    const undecodable = '{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"%zz"}}}]}';
    const bodies = ['{"Records":[{"s3":{}}]}', 'null', '{"Records":', undecodable];
    const broken = bodies.map((body, i) => ({ messageId: `broken ${i}`, body }) as SQSRecord);
    const named: string[] = [];
    const whole = message({ key: 'dt%3D1/a.parquet', sequencer: '1' });
    const found = objectEvents([...broken, whole], (messageId) => named.push(messageId));
    expect(named).toEqual(['broken 0', 'broken 1', 'broken 2', 'broken 3']);
    expect(found).toMatchObject([{ uri: 's3://b/dt=1/a.parquet', messageIds: [whole.messageId] }]);
  });
});
