import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { IAMClient } from '@aws-sdk/client-iam';
import { KinesisAnalyticsV2Client } from '@aws-sdk/client-kinesis-analytics-v2';
import { S3Client } from '@aws-sdk/client-s3';
import { STSClient } from '@aws-sdk/client-sts';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { isLoopback, localCredentials } from '../../connectors/aws/local-credentials.ts';
import { CALLS } from './aws-call.ts';

/** The services of one region that an application is made of. */
export interface AwsClients {
  readonly region: string;
  readonly analytics: KinesisAnalyticsV2Client;
  readonly s3: S3Client;
  /** Of large objects. */
  readonly uploads: S3Client;
  readonly iam: IAMClient;
  readonly logs: CloudWatchLogsClient;
  readonly metrics: CloudWatchClient;
  readonly sts: STSClient;
}

const nothing = () => undefined;
/** The SDK tells the console of requests that it does not repeat; what a person should know, we tell. */
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
const CONNECT_MS = 10_000;
/** A connection on which nothing moves for so long is given up. */
const SILENCE_MS = 60_000;

/**
 * Clients that try everything once: what is repeated, and how often, is said in one place (aws-call.ts).
 * @param endpoint of a server of one's own; '' for AWS
 */
export function awsClients(region: string, endpoint: string): AwsClients {
  const url = endpoint === '' ? undefined : endpointURL(endpoint);
  const local = url?.protocol === 'http:' && isLoopback(url.hostname);
  const patience = { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS };
  const config = {
    region,
    maxAttempts: 1,
    logger: SILENT,
    requestHandler: { ...patience, requestTimeout: SILENCE_MS, throwOnRequestTimeout: true },
    ...(url === undefined ? {} : { endpoint }),
    ...(local ? { credentials: localCredentials(new STSClient({ region }).config.credentials) } : {}),
  };
  return {
    region,
    analytics: new KinesisAnalyticsV2Client(config),
    // A server of one's own seldom has a name for each bucket.
    s3: new S3Client({ ...config, forcePathStyle: endpoint !== '' }),
    // A large object goes in pieces, which the SDK repeats one by one, and which may take longer than an answer.
    uploads: new S3Client({
      ...config,
      maxAttempts: CALLS.attempts,
      requestHandler: patience,
      forcePathStyle: endpoint !== '',
    }),
    iam: new IAMClient(config),
    logs: new CloudWatchLogsClient(config),
    metrics: new CloudWatchClient(config),
    sts: new STSClient(config),
  };
}

function endpointURL(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new TenantAnalyticsError(
    'USAGE',
    `--endpoint: expected an address such as http://127.0.0.1:4566, got ${JSON.stringify(endpoint)}. Leave it out for AWS.`,
  );
}
