import { Duration } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, BucketEncryption, type BucketProps, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { accept, type BaseProps, BaseStack, DATA } from '../base-stack.ts';

/** Folders of the bucket. Dead letters lie beside the rows, not under them: no query of rows lists them. */
export const CODE_FOLDER = 'churn/';
export const ROWS_FOLDER = 'enriched/';
export const DEAD_LETTERS_FOLDER = 'dead-letters/';
/** Requests to it are counted by S3: the alarm of dead letters looks at that. */
export const DEAD_LETTERS_METRICS = 'dead-letters';
export const RESULTS_FOLDER = 'athena-results/';

/** The bucket for code, rows, dead letters and answers of Athena. */
export class StorageStack extends BaseStack {
  readonly bucket: Bucket;

  constructor(scope: Construct, props: BaseProps) {
    super(scope, 'Storage', { ...props, description: 'Code, rows, dead letters and answers of queries' });
    const { rowDays } = this.settings;
    const shared: BucketProps = {
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: DATA,
    };
    const accessLog = new Bucket(this, 'AccessLog', {
      ...shared,
      lifecycleRules: [{ expiration: Duration.days(90) }],
    });
    accept(
      accessLog,
      'AwsSolutions-S1',
      'It holds the access log of the other bucket; a log of the log has no reader.',
    );
    this.bucket = new Bucket(this, 'Bucket', {
      ...shared,
      bucketName: this.bucketName,
      // A jar that was written over, or rows deleted by mistake, can be had back for a month.
      versioned: true,
      serverAccessLogsBucket: accessLog,
      serverAccessLogsPrefix: 'data/',
      metrics: [{ id: DEAD_LETTERS_METRICS, prefix: DEAD_LETTERS_FOLDER }],
      lifecycleRules: [
        // Parts of uploads that no process goes on with; the application's own go on within a checkpoint.
        { abortIncompleteMultipartUploadAfter: Duration.days(7), noncurrentVersionExpiration: Duration.days(30) },
        { prefix: ROWS_FOLDER, expiration: Duration.days(rowDays) },
        { prefix: DEAD_LETTERS_FOLDER, expiration: Duration.days(rowDays) },
        { prefix: RESULTS_FOLDER, expiration: Duration.days(30) },
      ],
    });
  }
}
