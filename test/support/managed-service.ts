import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Operator } from '../../src/hosts/managed/aws-call.ts';
import { awsClients } from '../../src/hosts/managed/aws-clients.ts';

type Json = Record<string, unknown>;

export interface Asked {
  /** As the SDK calls it: StartApplication, GetRole, FilterLogEvents, … */
  readonly action: string;
  readonly input: Json;
}

/** An error as the service words it. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  /** 400 unless given. */
  readonly status?: number;
  /** It was carried out all the same: only the answer is this. */
  readonly isDone?: true;
}

interface Application {
  status: string;
  version: number;
  code: string;
  parallelism: number;
  properties: { PropertyGroupId: string; PropertyMap: Record<string, string> }[];
}

export const PROPERTIES = [
  { PropertyGroupId: 'ConsumerConfigProperties', PropertyMap: { 'aws.region': 'us-west-2' } },
  { PropertyGroupId: 'ProducerConfigProperties', PropertyMap: { 'aws.region': 'us-west-2' } },
  {
    PropertyGroupId: 'ApplicationConfigProperties',
    PropertyMap: { S3SinkPath: 's3://rows/enriched', enrichment: 'join', scoring: 'off' },
  },
];

const CREATED = 1_772_366_400;
const LOG_STREAM = 'arn:aws:logs:us-west-2:123456789012:log-group:/aws/kinesis-analytics/app:log-stream:the-stream';

/**
 * The managed service in miniature, in its wire protocols: it answers with the errors of its reference, and goes through the
 * states that a test lists. What no server of one's own does: fail late, refuse, be slow.
 */
export class ManagedService {
  application: Application | undefined;
  readonly asked: Asked[] = [];
  /** Asked for each call; set by a test. */
  fault: (asked: Asked) => Refusal | undefined = () => undefined;
  /** What follows a call that was accepted: a state for each look, of which the last stays. */
  states: Record<string, readonly string[]> = {};
  /** Done when a state was shown. */
  shown: (status: string) => void = () => undefined;
  snapshots: { SnapshotName: string; SnapshotStatus: string; SnapshotCreationTimestamp: number }[] = [];
  operationError: string | undefined;
  /** Pages of the log. */
  log: { eventId: string; timestamp: number; message: string }[][] = [];
  hasRole = false;
  policy: string | undefined;
  #upcoming: string[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<ManagedService> {
    const service = new ManagedService();
    await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve));
    return service;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  put(status = 'RUNNING', more: Partial<Application> = {}): void {
    this.application = { status, version: 7, code: 'churn/a.jar', parallelism: 1, properties: PROPERTIES, ...more };
  }

  /** Refuses an action so many times. */
  refuse(action: string, refusal: Refusal, times = Number.POSITIVE_INFINITY): void {
    let left = times;
    this.fault = (asked) => (asked.action === action && left-- > 0 ? refusal : undefined);
  }

  count(action: string): number {
    return this.asked.filter((each) => each.action === action).length;
  }

  last(action: string): Json | undefined {
    return this.asked.findLast((each) => each.action === action)?.input;
  }

  /** An operator of this service, in time that passes only by its own sleeps. */
  operator(more: Partial<Operator> = {}) {
    const { port } = this.#server.address() as AddressInfo;
    let now = CREATED * 1000 + 3_600_000;
    const told = { said: [] as string[], done: [] as string[], slept: [] as number[] };
    const operator: Operator = {
      aws: awsClients('us-west-2', `http://127.0.0.1:${port}`),
      application: 'app',
      clock: { now: () => now },
      sleep: async (ms) => {
        told.slept.push(ms);
        now += ms;
      },
      random: () => 0.5,
      signal: new AbortController().signal,
      limitMs: 900_000,
      say: (line) => void told.said.push(line),
      did: (line) => void told.done.push(line),
      ...more,
    };
    return { operator, ...told };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const target = request.headers['x-amz-target'];
    const form = new URLSearchParams(body);
    const action =
      typeof target === 'string' ? (target.split('.')[1] ?? '') : (form.get('Action') ?? `${request.method}Object`);
    const input = typeof target === 'string' ? (JSON.parse(body) as Json) : Object.fromEntries(form);
    this.asked.push({ action, input });
    const isQuery = typeof target !== 'string';
    const refusal = this.fault({ action, input });
    if (refusal?.isDone) this.#answer(action, input);
    const answer = refusal ?? this.#answer(action, input);
    if (isRefusal(answer)) {
      const { code, message, status = 400 } = answer;
      response.writeHead(status, { 'content-type': isQuery ? 'text/xml' : 'application/x-amz-json-1.1' });
      return void response.end(
        isQuery
          ? `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`
          : JSON.stringify({ __type: code, message }),
      );
    }
    if (action === 'HEADObject') return void response.writeHead(200, { 'content-length': '5' }).end();
    response.writeHead(200, { 'content-type': isQuery ? 'text/xml' : 'application/x-amz-json-1.1' });
    response.end(isQuery ? String(answer.xml) : JSON.stringify(answer));
  }

  #answer(action: string, input: Json): Json | Refusal {
    switch (action) {
      case 'HEADObject':
      case 'CreateLogGroup':
      case 'CreateLogStream':
      case 'PutRetentionPolicy':
        return {};
      case 'GetCallerIdentity':
        return result(action, '<Arn>arn:aws:iam::123456789012:user/me</Arn><Account>123456789012</Account>');
      case 'GetRole':
        return this.hasRole ? result(action, ROLE) : { code: 'NoSuchEntity', message: 'no such role', status: 404 };
      case 'CreateRole':
        this.hasRole = true;
        return result(action, ROLE);
      case 'GetRolePolicy':
        return this.policy === undefined
          ? { code: 'NoSuchEntity', message: 'no such policy', status: 404 }
          : result(action, `<PolicyDocument>${encodeURIComponent(this.policy)}</PolicyDocument>`);
      case 'PutRolePolicy':
        this.policy = String(input.PolicyDocument);
        return result(action, '');
      case 'FilterLogEvents': {
        const page = Number(input.nextToken ?? 0);
        return { events: this.log[page] ?? [], ...(page + 1 < this.log.length ? { nextToken: `${page + 1}` } : {}) };
      }
      case 'CreateApplication': {
        const configuration = input.ApplicationConfiguration as CreateConfiguration;
        this.put('READY', {
          version: 1,
          code: configuration.ApplicationCodeConfiguration.CodeContent.S3ContentLocation.FileKey,
          parallelism: configuration.FlinkApplicationConfiguration.ParallelismConfiguration.Parallelism,
          properties: configuration.EnvironmentProperties.PropertyGroups,
        });
        return { ApplicationDetail: this.#detail() };
      }
      default:
        return this.application === undefined ? NOT_FOUND : this.#answerOf(this.application, action, input);
    }
  }

  #answerOf(application: Application, action: string, input: Json): Json | Refusal {
    switch (action) {
      case 'DescribeApplication': {
        application.status = this.#upcoming.shift() ?? application.status;
        const answer = { ApplicationDetail: this.#detail() };
        this.shown(application.status);
        return answer;
      }
      case 'DescribeApplicationOperation':
        return this.operationError === undefined
          ? { code: 'UnknownOperationException', message: '' }
          : {
              ApplicationOperationInfoDetails: {
                Operation: 'Start',
                OperationFailureDetails: { ErrorInfo: { ErrorString: this.operationError } },
              },
            };
      case 'UpdateApplication':
        if (input.CurrentApplicationVersionId !== application.version) return STALE;
        update(application, (input.ApplicationConfigurationUpdate ?? {}) as UpdateConfiguration);
        break;
      case 'ListApplicationSnapshots': {
        const from = Number(input.NextToken ?? 0);
        const SnapshotSummaries = this.snapshots.slice(from, from + 2);
        return { SnapshotSummaries, ...(from + 2 < this.snapshots.length ? { NextToken: `${from + 2}` } : {}) };
      }
      case 'DescribeApplicationSnapshot': {
        const SnapshotDetails = this.snapshots.find((each) => each.SnapshotName === input.SnapshotName);
        return SnapshotDetails === undefined ? NOT_FOUND : { SnapshotDetails };
      }
    }
    this.#upcoming = [...(this.states[action] ?? [])];
    return { OperationId: 'op-1', ApplicationDetail: this.#detail() };
  }

  #detail(): Json {
    const { status, version, code, parallelism, properties } = this.application ?? {};
    return {
      ApplicationName: 'app',
      ApplicationARN: 'arn:aws:kinesisanalytics:us-west-2:123456789012:application/app',
      ApplicationStatus: status,
      ApplicationVersionId: version,
      RuntimeEnvironment: 'FLINK-1_20',
      ServiceExecutionRole: 'arn:aws:iam::123456789012:role/CompanyAnalyticsRole',
      CreateTimestamp: CREATED,
      CloudWatchLoggingOptionDescriptions: [{ LogStreamARN: LOG_STREAM }],
      ApplicationConfigurationDescription: {
        ApplicationSnapshotConfigurationDescription: { SnapshotsEnabled: true },
        ApplicationCodeConfigurationDescription: {
          CodeContentDescription: {
            S3ApplicationCodeLocationDescription: { BucketARN: 'arn:aws:s3:::codes', FileKey: code },
          },
        },
        EnvironmentPropertyDescriptions: { PropertyGroupDescriptions: properties },
        FlinkApplicationConfigurationDescription: {
          MonitoringConfigurationDescription: { LogLevel: 'INFO', MetricsLevel: 'APPLICATION' },
          ParallelismConfigurationDescription: {
            Parallelism: parallelism,
            ParallelismPerKPU: 1,
            AutoScalingEnabled: true,
          },
        },
      },
    };
  }
}

interface CreateConfiguration {
  ApplicationCodeConfiguration: { CodeContent: { S3ContentLocation: { FileKey: string } } };
  FlinkApplicationConfiguration: { ParallelismConfiguration: { Parallelism: number } };
  EnvironmentProperties: { PropertyGroups: Application['properties'] };
}

interface UpdateConfiguration {
  ApplicationCodeConfigurationUpdate?: { CodeContentUpdate: { S3ContentLocationUpdate: { FileKeyUpdate: string } } };
  FlinkApplicationConfigurationUpdate?: { ParallelismConfigurationUpdate: { ParallelismUpdate: number } };
  EnvironmentPropertyUpdates?: { PropertyGroups: Application['properties'] };
}

function update(application: Application, change: UpdateConfiguration): void {
  application.version++;
  const { ApplicationCodeConfigurationUpdate: code, EnvironmentPropertyUpdates: properties } = change;
  application.code = code?.CodeContentUpdate.S3ContentLocationUpdate.FileKeyUpdate ?? application.code;
  application.properties = properties?.PropertyGroups ?? application.properties;
  application.parallelism =
    change.FlinkApplicationConfigurationUpdate?.ParallelismConfigurationUpdate.ParallelismUpdate ??
    application.parallelism;
}

const NOT_FOUND: Refusal = { code: 'ResourceNotFoundException', message: 'not found' };
export const STALE: Refusal = {
  code: 'ConcurrentModificationException',
  message: 'The provided application version ID does not match the most recent version for the application.',
};
const ROLE =
  '<Role><Path>/</Path><RoleName>CompanyAnalyticsRole</RoleName><RoleId>AROA</RoleId><Arn>arn:aws:iam::123456789012:role/CompanyAnalyticsRole</Arn></Role>';

function result(action: string, inner: string): Json {
  return { xml: `<${action}Response><${action}Result>${inner}</${action}Result></${action}Response>` };
}

function isRefusal(answer: Json | Refusal): answer is Refusal {
  return typeof answer.code === 'string' && typeof answer.message === 'string';
}
