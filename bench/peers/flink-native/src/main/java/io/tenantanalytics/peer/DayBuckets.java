package io.tenantanalytics.peer;

import java.io.Serializable;
import java.util.function.ToLongFunction;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.streaming.api.functions.sink.filesystem.BucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.SimpleVersionedStringSerializer;

/** {@code dt=YYYY-MM-DD}, the UTC date of a time that an element has. */
public class DayBuckets<T> implements BucketAssigner<T, String> {
  private static final long serialVersionUID = 1L;

  /** A function that Flink may send to its tasks. */
  public interface TimeOf<T> extends ToLongFunction<T>, Serializable {}

  private final TimeOf<T> timeOf;
  private transient int day;
  private transient String bucket;

  public DayBuckets(TimeOf<T> timeOf) {
    this.timeOf = timeOf;
  }

  @Override
  public String getBucketId(T element, Context context) {
    int of = Days.of(timeOf.applyAsLong(element));
    if (bucket == null || of != day) {
      day = of;
      bucket = "dt=" + Days.date(of);
    }
    return bucket;
  }

  @Override
  public SimpleVersionedSerializer<String> getSerializer() {
    return SimpleVersionedStringSerializer.INSTANCE;
  }
}
