package io.tenantanalytics.flinkhost.source;

import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * What one subtask knows of the shards it reads. Readers tell it from their threads; the operator behind them asks.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>A shard is empty since the first of those reads that succeeded, found nothing and were at the stream's tip, without
 *       another one or a failure since; and only while the last of them is recent and all that was read before has been
 *       delivered. One that is throttled, paused or unreadable is not empty.
 *   <li>A shard waits until those of its parents that this subtask reads have ended. While it waits they stand for it.
 *   <li>A shard that ended stays until its children were listed, and until other subtasks had the time to list them: the
 *       watermark must not go on in between.
 * </ul>
 */
final class ShardTips implements PartitionTips {
  /** What a read told holds for so long; one that hangs tells nothing. */
  static final long READABLE_WITHIN_MS = 10_000;

  private static final long STOPPED_PAUSE_MS = 10;

  private final LongSupplier clock;

  /** From the end of a shard to the first listing that counts. */
  private final long listedByAllMs;

  private final Map<String, Shard> shards = new LinkedHashMap<>();
  private final Set<String> listed = new HashSet<>();
  private final Set<String> closed = new HashSet<>();
  private boolean isKnown;
  private boolean isStopped;
  /** Null: nobody asks, or it was told. */
  private Runnable onTip;

  private static final class Shard {
    private final List<String> parents;
    private long emptySince = -1;
    private long millisBehindLatest = -1;
    private long readAt = -1;
    /** Batches that a subscription took and that were not delivered yet. */
    private int undelivered;
    private Object subscription;
    /** All that it had at some moment since the start was delivered. */
    private boolean cameToTip;
    private boolean isAtEnd;
    private boolean hasEnded;
    private long endedAt;
    private Set<String> children = Set.of();

    private Shard(List<String> parents) {
      this.parents = parents;
    }
  }

  ShardTips(LongSupplier clock, long listedByAllMs) {
    this.clock = clock;
    this.listedByAllMs = listedByAllMs;
  }

  /** It is assigned to this subtask; known ones stay as they are. */
  synchronized void add(String shardId, List<String> parents) {
    shards.computeIfAbsent(shardId, ignored -> new Shard(parents));
  }

  /** All shards that this subtask begins with were added. */
  synchronized void known() {
    isKnown = true;
    lookWhetherAtTip();
  }

  /** Called once, when for the first time no shard has anything more to give, those that wait for others included. */
  synchronized void onTip(Runnable told) {
    onTip = told;
  }

  private void lookWhetherAtTip() {
    if (onTip == null || !isKnown) return;
    long now = clock.getAsLong();
    for (Shard shard : shards.values()) {
      boolean isThere = shard.cameToTip || tipOf(shard, now).emptySince >= 0;
      if (!shard.hasEnded && (isWaiting(shard) || !isThere)) return;
    }
    onTip.run();
    onTip = null;
  }

  @Override
  public synchronized boolean isKnown() {
    return isKnown;
  }

  @Override
  public synchronized Map<String, Tip> partitions() {
    if (!isKnown) return Map.of();
    long now = clock.getAsLong();
    Map<String, Tip> tips = new LinkedHashMap<>();
    shards.forEach((shardId, shard) -> {
      if (!isWaiting(shard)) tips.put(shardId, tipOf(shard, now));
    });
    return tips;
  }

  private static Tip tipOf(Shard shard, long now) {
    boolean isRecent = now - shard.readAt <= READABLE_WITHIN_MS;
    boolean isEmpty = isRecent && shard.undelivered == 0 && !shard.hasEnded;
    return new Tip(isEmpty ? shard.emptySince : -1, shard.millisBehindLatest);
  }

  private boolean isWaiting(Shard shard) {
    for (String parent : shard.parents) {
      Shard known = shards.get(parent);
      if (known != null && !known.hasEnded) return true;
    }
    return false;
  }

  /** Blocks until the shard may be read; false: it will not be. */
  synchronized boolean awaitTurn(String shardId) throws InterruptedException {
    while (!isStopped && isWaiting(shards.get(shardId))) wait();
    // The reader asks again until it notices that it is to end.
    if (isStopped) wait(STOPPED_PAUSE_MS);
    return !isStopped;
  }

  /** A read succeeded. @param millisBehindLatest null when it did not tell */
  synchronized void read(String shardId, int records, Long millisBehindLatest) {
    Shard shard = shards.get(shardId);
    if (shard == null) return;
    // Who reads on has delivered what the read before brought. A busy shard is seldom empty.
    if (shard.millisBehindLatest == 0) shard.cameToTip = true;
    read(shard, records, millisBehindLatest);
  }

  private void read(Shard shard, int records, Long millisBehindLatest) {
    shard.readAt = clock.getAsLong();
    shard.millisBehindLatest = millisBehindLatest == null ? -1 : millisBehindLatest;
    if (records > 0 || shard.millisBehindLatest != 0) shard.emptySince = -1;
    else if (shard.emptySince < 0) shard.emptySince = shard.readAt;
    lookWhetherAtTip();
  }

  /** A read failed, or was throttled: what was known of the tip does not hold any more. */
  synchronized void failed(String shardId) {
    Shard shard = shards.get(shardId);
    if (shard != null) shard.emptySince = -1;
  }

  /** @return to be shown with what this subscription tells; what an earlier one still tells does not count */
  synchronized Object subscribed(String shardId) {
    Object subscription = new Object();
    Shard shard = shards.get(shardId);
    if (shard != null) {
      shard.subscription = subscription;
      shard.undelivered = 0;
    }
    return subscription;
  }

  synchronized void arrived(String shardId, Object subscription, int records, Long millisBehindLatest) {
    Shard shard = shards.get(shardId);
    if (shard == null || shard.subscription != subscription) return;
    if (records > 0) shard.undelivered++;
    read(shard, records, millisBehindLatest);
  }

  /** All records of a batch were given to the operator behind the source. */
  synchronized void delivered(String shardId) {
    Shard shard = shards.get(shardId);
    if (shard != null && shard.undelivered > 0 && --shard.undelivered == 0 && shard.millisBehindLatest == 0) {
      shard.cameToTip = true;
    }
    lookWhetherAtTip();
  }

  /** The stream says that there is no more; what was read before is still to be delivered. */
  synchronized void atEnd(String shardId, Collection<String> children) {
    Shard shard = shards.get(shardId);
    if (shard == null) return;
    shard.isAtEnd = true;
    shard.children = Set.copyOf(children);
  }

  synchronized boolean isAtEnd(String shardId) {
    Shard shard = shards.get(shardId);
    return shard != null && shard.isAtEnd;
  }

  /** Its last record was delivered. */
  synchronized void ended(String shardId) {
    Shard shard = shards.get(shardId);
    if (shard == null || shard.hasEnded) return;
    shard.hasEnded = true;
    shard.endedAt = clock.getAsLong();
    lookWhetherAtTip();
    notifyAll();
  }

  /** The stream names this shard, whoever reads it. */
  synchronized void listed(String shardId) {
    listed.add(shardId);
  }

  /** The stream says that nothing more will be put into it; what is in it may still be to be read. */
  synchronized void closed(String shardId) {
    closed.add(shardId);
  }

  synchronized boolean isClosed(String shardId) {
    return closed.contains(shardId);
  }

  /** A listing is complete, and what it brought for this subtask was added. @param begunAt when it was asked for */
  synchronized void discovered(long begunAt) {
    shards
        .values()
        .removeIf(
            shard -> shard.hasEnded && begunAt >= shard.endedAt + listedByAllMs && listed.containsAll(shard.children));
  }

  long now() {
    return clock.getAsLong();
  }

  synchronized void stop() {
    isStopped = true;
    notifyAll();
  }

  synchronized boolean isStopped() {
    return isStopped;
  }
}
