import { Duration } from 'aws-cdk-lib';
import { Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import type { Construct } from 'constructs';
import { type BaseProps, BaseStack, DATA, type StreamName } from '../base-stack.ts';

/** The three streams, under the names that users know. */
export class StreamsStack extends BaseStack {
  readonly jobs: Stream;
  readonly companies: Stream;
  readonly enriched: Stream;

  constructor(scope: Construct, props: BaseProps) {
    super(scope, 'Streams', { ...props, description: 'Job events and companies in, enriched companies out' });
    this.jobs = this.#stream('bigdatajobs');
    this.companies = this.#stream('companies');
    this.enriched = this.#stream('enrichedcompanies');
  }

  #stream(name: StreamName): Stream {
    const { streamMode, shards, retentionHours } = this.settings;
    return new Stream(this, name, {
      streamName: this.named(name),
      ...(streamMode === 'on-demand'
        ? { streamMode: StreamMode.ON_DEMAND }
        : { streamMode: StreamMode.PROVISIONED, shardCount: shards }),
      retentionPeriod: Duration.hours(retentionHours),
      encryption: StreamEncryption.MANAGED,
      // What producers sent and nobody has read yet must not go with a stack.
      removalPolicy: DATA,
    });
  }
}
