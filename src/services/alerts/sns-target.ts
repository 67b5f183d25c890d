import { createHash } from 'node:crypto';
import { PublishCommand, SNSClient, type SNSClientConfig, SNSServiceException } from '@aws-sdk/client-sns';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { keyOf } from './alert.ts';
import { jsonMessage } from './messages.ts';
import { type Outcome, type Target, type TargetAddress, targetID } from './target.ts';

type Topic = Extract<TargetAddress, { readonly kind: 'sns' }>;

/** Answers that are no success now, though their status says that they never will be: credentials are renewed. */
const TEMPORARY: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'KMSThrottlingException',
  'RequestExpired',
  'RequestTimeout',
  'Throttled',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
]);

/** A topic of SNS. Credentials are those of the SDK's default chain; AWS_ENDPOINT_URL_SNS names a local one. */
export function snsTarget({ arn, region, isFifo }: Topic, timeoutMs: number, config: SNSClientConfig = {}): Target {
  // The SDK's own switch for its warning about Node versions that it is going to drop. We support Node 20 as long as it does.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  // Repeated by us: it has to be seen, and to outlast a restart.
  const requestHandler = new NodeHttpHandler({ connectionTimeout: timeoutMs, requestTimeout: timeoutMs });
  const client = new SNSClient({ region, maxAttempts: 1, requestHandler, ...config });
  return {
    id: targetID(`sns ${arn}`),
    name: `sns ${arn.split(':').at(-1)}`,
    kind: 'sns',
    async send(alert, link, signal) {
      const command = new PublishCommand({
        TopicArn: arn,
        Message: jsonMessage(alert, link),
        Subject: `Tenant alert: ${alert.change}`,
        MessageAttributes: {
          companyID: text(alert.companyID),
          version: { DataType: 'Number', StringValue: String(alert.version) },
          change: text(alert.change),
          key: text(keyOf(alert)),
        },
        ...(isFifo ? { MessageGroupId: digest(alert.companyID), MessageDeduplicationId: digest(keyOf(alert)) } : {}),
      });
      try {
        await client.send(command, { abortSignal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
        return { kind: 'sent' };
      } catch (error) {
        return outcomeOf(error, timeoutMs);
      }
    },
    close: () => client.destroy(),
  };
}

function outcomeOf(error: unknown, timeoutMs: number): Outcome {
  if (!(error instanceof SNSServiceException)) {
    const name = error instanceof Error ? error.name : 'Error';
    const problem = name === 'AbortError' || name === 'TimeoutError' ? `no answer within ${timeoutMs} ms` : name;
    return { kind: 'failed', problem, retryAfterMs: 0 };
  }
  const status = error.$metadata.httpStatusCode ?? 0;
  const problem = `it answers ${status} ${error.name}`;
  const isRefusal = status >= 400 && status < 500 && status !== 408 && status !== 429 && !TEMPORARY.has(error.name);
  return isRefusal ? { kind: 'refused', problem } : { kind: 'failed', problem, retryAfterMs: 0 };
}

function text(value: string): { DataType: 'String'; StringValue: string } {
  return { DataType: 'String', StringValue: value };
}

/** Ids of a FIFO topic are 128 ASCII characters at most, and a company id may be anything. */
function digest(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}
