package io.tenantanalytics.flinkhost.operator;

/** One record on its way to the stages: as it came, with what Flink must know of it. */
public final class Element {
  /** No watermark is carried. */
  public static final long NO_WATERMARK = -1;

  /** What all its stages keep their state by. */
  public final String key;

  /** The watermark when it was read, exactly; {@link #NO_WATERMARK} where several partitions decide. */
  public final long watermark;

  /** The record as the script reads it. */
  public final byte[] bytes;

  public Element(String key, long watermark, byte[] bytes) {
    this.key = key;
    this.watermark = watermark;
    this.bytes = bytes;
  }
}
