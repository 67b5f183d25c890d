package io.tenantanalytics.flinkhost.source;

import java.io.Serializable;
import java.util.Map;
import org.apache.flink.api.common.JobID;

/** The partitions that one subtask of a live source reads now, and whether they have more to give. */
public interface PartitionTips {
  /**
   * Whether this subtask knows its partitions. Before that {@link #partitions()} is empty, and nothing follows from it:
   * neither that the restored ones have ended, nor that there are none to wait for.
   */
  boolean isKnown();

  /** By partition: those assigned to this subtask that have not ended. */
  Map<String, Tip> partitions();

  /** Why a partition has nothing to deliver, and since when. */
  final class Tip {
    /** Since when reads that succeeded have returned nothing at the stream's tip; -1 when that is not so. */
    public final long emptySince;

    /** How far the last read was behind the tip; -1 when it does not tell. */
    public final long millisBehindLatest;

    public Tip(long emptySince, long millisBehindLatest) {
      this.emptySince = emptySince;
      this.millisBehindLatest = millisBehindLatest;
    }
  }

  /** Finds them from the operator that is chained behind the source, in the same task. */
  interface Finder extends Serializable {
    /** The source in the graph. */
    String sourceId();

    PartitionTips find(JobID job, int subtask);
  }
}
