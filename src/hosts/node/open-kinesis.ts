import { awsKinesis } from '../../connectors/kinesis/aws-kinesis.ts';
import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';

/** The region's Kinesis, or the one at `endpoint`. */
export function openKinesis(region: string, endpoint: string): KinesisApi {
  return awsKinesis({ region, endpoint });
}
