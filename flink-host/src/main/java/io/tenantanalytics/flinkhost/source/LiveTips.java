package io.tenantanalytics.flinkhost.source;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.common.JobID;

/**
 * The tips of the subtasks that run in this JVM, for the operators chained behind them: Flink gives those no other way to
 * each other. The operator is opened before its source is, so it looks each time.
 */
final class LiveTips {
  private static final Map<String, ShardTips> TIPS = new ConcurrentHashMap<>();

  private LiveTips() {}

  static String key(JobID job, String sourceId, int subtask) {
    return job + "/" + subtask + "/" + sourceId;
  }

  static void put(String key, ShardTips tips) {
    TIPS.put(key, tips);
  }

  /** Only these: a later attempt may have put its own in their place. */
  static void remove(ShardTips tips) {
    TIPS.values().remove(tips);
  }

  static PartitionTips find(String key) {
    return new PartitionTips() {
      @Override
      public boolean isKnown() {
        ShardTips tips = TIPS.get(key);
        return tips != null && tips.isKnown();
      }

      @Override
      public Map<String, Tip> partitions() {
        ShardTips tips = TIPS.get(key);
        return tips == null ? Map.of() : tips.partitions();
      }
    };
  }
}
