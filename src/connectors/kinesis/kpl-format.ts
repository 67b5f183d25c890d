/**
 * The format of the Kinesis Producer Library: these four bytes, a protobuf message, the MD5 of the message.
 *
 *     message AggregatedRecord {
 *       repeated string partition_key_table = 1;
 *       repeated string explicit_hash_key_table = 2;
 *       repeated Record records = 3;
 *     }
 *     message Record {
 *       required uint64 partition_key_index = 1;
 *       optional uint64 explicit_hash_key_index = 2;
 *       required bytes data = 3;
 *       repeated Tag tags = 4;
 *     }
 *
 * Source: https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
 */
export const MAGIC = [0xf3, 0x89, 0x9a, 0xc2] as const;
export const DIGEST_BYTES = 16;
export const PARTITION_KEY_TABLE = 1;
export const RECORDS = 3;
export const PARTITION_KEY_INDEX = 1;
export const DATA = 3;
