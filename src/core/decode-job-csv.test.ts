import { describe, expect, test } from 'vitest';
import { type Columns, type RecordMeta, Rejection } from '../runtime/contract.ts';
import { decodeJob, jobDecoder, jobHeader } from './decode-job.ts';
import type { JobEvent } from './events.ts';

const ARRIVAL = Date.UTC(2025, 4, 6);
const meta: RecordMeta = {
  source: 'jobs.csv',
  shardId: null,
  sequenceNumber: 3,
  subSequence: null,
  arrivalTime: ARRIVAL,
  live: false,
  columns: null,
};

function decode(line: string, columns: Columns | null = null): JobEvent | Rejection {
  const bytes = Buffer.from(line);
  const decoded = decodeJob(bytes, 0, bytes.length, { ...meta, columns });
  expect(jobDecoder(0)(bytes, 0, bytes.length, { ...meta, columns })).toEqual(decoded);
  return decoded;
}

describe('a CSV line without a header', () => {
  test('is company_id,userid,#job_submitted and may end with a timestamp', () => {
    const event = { kind: 'job', companyID: 'comp_4', userID: 'user_1', nbJobs: 2, dataSize: null };
    expect(decode('comp_4,user_1,2')).toEqual({ ...event, time: ARRIVAL, eventID: 'jobs.csv:3' });
    expect(decode('comp_4,user_1,2,1700000000000')).toMatchObject({ ...event, time: 1_700_000_000_000 });
    expect(decode('comp_4,user_1,2,2025-01-02T03:04:05Z')).toMatchObject({ time: Date.UTC(2025, 0, 2, 3, 4, 5) });
    expect(decode('comp_4,user_1,2,')).toMatchObject({ ...event, time: ARRIVAL });
    expect(decode('comp_4,user_1,2\r')).toMatchObject({ ...event, time: ARRIVAL });
  });

  test.each<[string, Partial<JobEvent>]>([
    ['"comma, Inc",u,1', { companyID: 'comma, Inc' }],
    ['"say ""hi""",u,1', { companyID: 'say "hi"' }],
    ['"c","u","1","2025-01-02"', { companyID: 'c', userID: 'u', nbJobs: 1, time: Date.UTC(2025, 0, 2) }],
    ['"c","u","1"\r', { companyID: 'c', nbJobs: 1 }],
    ['c,"",1', { userID: '' }],
    ['c,,1', { userID: '' }],
    ['c,"",0,""', { userID: '', nbJobs: 0, time: ARRIVAL }],
    [' c ,u, 12 , 1700000000000 ', { companyID: ' c ', nbJobs: 12, time: 1_700_000_000_000 }],
    ['c,u,007', { nbJobs: 7 }],
    ['c,u,9007199254740991', { nbJobs: Number.MAX_SAFE_INTEGER }],
    ['__proto__,u,1', { companyID: '__proto__' }],
    ['č{},u,1', { companyID: 'č{}' }],
  ])('%s is read', (line, expected) => {
    expect(decode(line)).toMatchObject({ kind: 'job', ...expected });
  });

  test('fields are judged as in JSON', () => {
    const integer = 'nbJobs: expected an integer of at least 0';
    const time = 'creationDate: expected epoch milliseconds or ISO 8601, from 1970 to 9999';
    const rejections: Record<string, string> = {
      'c,u,': `${integer}, got ""`,
      'c,u,-1': `${integer}, got "-1"`,
      'c,u,+1': `${integer}, got "+1"`,
      'c,u,1.0': `${integer}, got "1.0"`,
      'c,u,1e2': `${integer}, got "1e2"`,
      'c,u,0x1': `${integer}, got "0x1"`,
      'c,u,9007199254740992': `${integer}, got "9007199254740992"`,
      'c,u,many': `${integer}, got "many"`,
      'c,u,1,2025-02-29': `${time}, got "2025-02-29"`,
      'c,u,1,soon': `${time}, got "soon"`,
      ',u,1': 'companyID: expected 1 to 128 characters, got 0',
      [`${'x'.repeat(129)},u,1`]: 'companyID: expected 1 to 128 characters, got 129',
    };
    for (const [line, message] of Object.entries(rejections)) {
      expect(decode(line), line).toEqual(new Rejection('invalid', message));
    }
  });

  test('with too few or too many columns is malformed', () => {
    const columns = '3 to 4 columns (companyID,userID,nbJobs,creationDate)';
    const cases = { '': 1, c: 1, 'c,u': 2, 'c,u,1,5,6': 5, 'c,u,1,,': 5, '"c,u",1': 2, 'a b c': 1 };
    for (const [line, came] of Object.entries(cases)) {
      const message = `expected a job event as JSON or as ${columns}, got ${came}`;
      expect(decode(line), line).toEqual(new Rejection('malformed', message));
    }
  });

  test.each([
    ...['"c,u,1', 'c,"u,1', 'c,u,"1', 'c,u,1,"', '"c""","u,1'], // Not closed.
    ...['c,"u"x1', '"c"1,2', 'c,u, "1"', 'a"b,"c","1', '["a","b","1"]', 'say "hi",u,1', 'c,"u",1\rlost'],
  ])('with a quote or a line break out of place is malformed, and never read as something else: %j', (line) => {
    const message = 'expected a job event as a CSV line: a quote does not open and close a whole cell';
    expect(decode(line)).toEqual(new Rejection('malformed', message));
  });

  test('of many quotes is judged in no time', () => {
    const cells = Array.from({ length: 20_000 }, () => '"a ""b"" c"').join(',');
    for (const line of [cells, `${cells}"`, `"${'""'.repeat(500_000)}`, `c,u,"${'""'.repeat(8_000_000)}`]) {
      expect(decode(line)).toMatchObject({ reason: 'malformed' });
    }
  }, 5000);
});

describe('the header of a file of job events', () => {
  test.each<[string, Columns]>([
    ['company_id,userid,#job_submitted', { companyID: 0, userID: 1, nbJobs: 2 }],
    ['company_id,userid,#job_submitted,timestamp', { companyID: 0, userID: 1, nbJobs: 2, creationDate: 3 }],
    ['companyID,userID,nbJobs,creationDate', { companyID: 0, userID: 1, nbJobs: 2, creationDate: 3 }],
    [
      'date,dataSize,jobSubmitted,userid,company_id',
      { creationDate: 0, dataSize: 1, nbJobs: 2, userID: 3, companyID: 4 },
    ],
    ['eventID,COMPANYID,UserId,NBJOBS', { eventID: 0, companyID: 1, userID: 2, nbJobs: 3 }],
    ['"company_id","userid","#job_submitted"', { companyID: 0, userID: 1, nbJobs: 2 }],
    [' tenantID , user_id , jobSubmitted ', { companyID: 0, userID: 1, nbJobs: 2 }],
    ['region,company_id,"note, long",userid,#job_submitted', { companyID: 1, userID: 3, nbJobs: 4 }],
    ['company_id,userid,#job_submitted,30d_average', { companyID: 0, userID: 1, nbJobs: 2 }],
    ['company_id,userid,#job_submitted,company_id', { companyID: 0, userID: 1, nbJobs: 2 }],
  ])('%s names the columns', (line, columns) => {
    expect(jobHeader(line)).toEqual(columns);
  });

  test.each([
    'comp_4,user_1,2',
    'company_id,user_1,2',
    '{"companyID":"company_id"}',
    ' {"companyID":1}',
    'userid,#job_submitted',
    '',
    '"company_id,userid',
    '__proto__,constructor,toString',
  ])('%s is no header, but a record', (line) => {
    expect(jobHeader(line)).toBeUndefined();
  });

  test('without a required column says which, under all its names', () => {
    expect(jobHeader('company_id,date')).toEqual(
      new Rejection(
        'malformed',
        'its header has no column for userID or user_id or userid, nor for nbJobs or #job_submitted or jobSubmitted: company_id,date',
      ),
    );
  });
});

describe('a CSV line under a header', () => {
  const columns = jobHeader('date,x,nbJobs,company_id,userid,dataSize,eventID') as Columns;

  test('is read by name, and other columns are passed over', () => {
    expect(decode('2025-01-02,whatever,5,"c,1",u,2048,e-9', columns)).toEqual({
      kind: 'job',
      companyID: 'c,1',
      userID: 'u',
      nbJobs: 5,
      time: Date.UTC(2025, 0, 2),
      dataSize: 2048,
      eventID: 'e-9',
    });
  });

  test('optional columns may be empty or missing at its end, more than the header names are passed over', () => {
    const event = { companyID: 'c', nbJobs: 5, time: ARRIVAL, dataSize: null, eventID: 'jobs.csv:3' };
    expect(decode(',,5,c,u,,', columns)).toMatchObject(event);
    expect(decode(',,5,c,u', columns)).toMatchObject(event);
    expect(decode(',,5,c,u,,,more,and more', columns)).toMatchObject(event);
  });

  test('without a required column is malformed, with a bad value in it invalid', () => {
    expect(decode(',,5,c', columns)).toEqual(
      new Rejection('malformed', 'userID: expected in column 5, as the header says, got 4 columns'),
    );
    expect(decode(',,,c,u', columns)).toMatchObject({ reason: 'invalid' });
    expect(decode(',,5,,u', columns)).toMatchObject({ reason: 'invalid' });
    expect(decode(',,5,c,u,-1', columns)).toEqual(
      new Rejection('invalid', 'dataSize: expected an integer of at least 0, got "-1"'),
    );
  });

  test('a line of JSON stays JSON', () => {
    expect(decode('{"companyID":"j","userID":"u","nbJobs":1}', columns)).toMatchObject({
      companyID: 'j',
      time: ARRIVAL,
    });
  });
});
