package io.tenantanalytics.flinkhost.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ShardTipsTest {
  private static final String A = "shardId-000000000000";
  private static final String B = "shardId-000000000001";
  private static final String C = "shardId-000000000002";
  private static final long LISTED_BY_ALL_MS = 2000;

  private long now = 1_000_000;
  private final ShardTips tips = new ShardTips(() -> now, LISTED_BY_ALL_MS);

  private void begin(String... shardIds) {
    for (String each : shardIds) tips.add(each, List.of());
    tips.known();
  }

  private long emptySince(String shardId) {
    return tips.partitions().get(shardId).emptySince;
  }

  @Test
  void nothingIsToldBeforeAllShardsAreKnown() {
    tips.add(A, List.of());
    assertFalse(tips.isKnown());
    assertEquals(Set.of(), tips.partitions().keySet());
    tips.known();
    assertTrue(tips.isKnown());
    assertEquals(Set.of(A), tips.partitions().keySet());
  }

  @Test
  void aShardThatWasNotReadYetIsThereAndNotEmpty() {
    begin(A);
    assertEquals(-1, emptySince(A));
    assertEquals(-1, tips.partitions().get(A).millisBehindLatest);
  }

  @Test
  void aShardIsEmptySinceTheFirstReadAtTheTipThatFoundNothing() {
    begin(A);
    tips.read(A, 0, 0L);
    long since = now;
    for (int read = 0; read < 200; read++) {
      now += 200;
      tips.read(A, 0, 0L);
    }
    assertEquals(since, emptySince(A));
    tips.read(A, 1, 0L);
    assertEquals(-1, emptySince(A));
    now += 200;
    tips.read(A, 0, 0L);
    assertEquals(now, emptySince(A));
  }

  @Test
  void anEmptyReadBehindTheTipOrWithoutWordOfItIsNoSilence() {
    begin(A);
    tips.read(A, 0, 60_000L);
    assertEquals(-1, emptySince(A));
    assertEquals(60_000, tips.partitions().get(A).millisBehindLatest);
    tips.read(A, 0, null);
    assertEquals(-1, emptySince(A));
    tips.read(A, 0, 0L);
    assertEquals(now, emptySince(A));
  }

  @Test
  void aFailureOrAThrottledReadEndsSilence() {
    begin(A);
    tips.read(A, 0, 0L);
    tips.failed(A);
    assertEquals(-1, emptySince(A));
    now += 5000;
    tips.read(A, 0, 0L);
    assertEquals(now, emptySince(A));
  }

  @Test
  void aReadThatHangsTellsNothing() {
    begin(A);
    tips.read(A, 0, 0L);
    now += ShardTips.READABLE_WITHIN_MS;
    assertEquals(now - ShardTips.READABLE_WITHIN_MS, emptySince(A));
    now += 1;
    assertEquals(-1, emptySince(A));
  }

  @Test
  void aSubscribedShardIsNotEmptyWhileWhatArrivedIsNotDelivered() {
    begin(A);
    Object subscription = tips.subscribed(A);
    tips.arrived(A, subscription, 3, 0L);
    now += 100;
    tips.arrived(A, subscription, 0, 0L);
    assertEquals(-1, emptySince(A));
    tips.delivered(A);
    assertEquals(now, emptySince(A));
  }

  @Test
  void whatAnEarlierSubscriptionStillTellsDoesNotCount() {
    begin(A);
    Object before = tips.subscribed(A);
    tips.arrived(A, before, 3, 0L);
    Object subscription = tips.subscribed(A);
    tips.arrived(A, before, 3, 0L);
    tips.arrived(A, subscription, 0, 0L);
    assertEquals(now, emptySince(A));
  }

  @Test
  void aShardThatEndedHoldsOnUntilItsChildrenWereListedByAll() {
    begin(A);
    tips.read(A, 0, 0L);
    tips.atEnd(A, List.of(B, C));
    tips.ended(A);
    assertEquals(-1, emptySince(A));
    long endedAt = now;
    tips.listed(A);
    now += LISTED_BY_ALL_MS;
    tips.discovered(now);
    assertEquals(Set.of(A), tips.partitions().keySet(), "its children were not listed");
    tips.listed(B);
    tips.listed(C);
    tips.discovered(endedAt + LISTED_BY_ALL_MS - 1);
    assertEquals(Set.of(A), tips.partitions().keySet(), "others may not have listed them");
    tips.add(B, List.of(A));
    tips.discovered(now);
    assertEquals(Set.of(B), tips.partitions().keySet());
  }

  @Test
  void aChildWaitsForTheParentsThatAreReadHere() throws Exception {
    tips.add(C, List.of(A, B));
    begin(A, B);
    assertEquals(Set.of(A, B), tips.partitions().keySet());
    CompletableFuture<Boolean> turn = CompletableFuture.supplyAsync(() -> turnOf(C));
    tips.ended(A);
    assertEquals(Set.of(A, B), tips.partitions().keySet());
    assertFalse(turn.isDone());
    tips.ended(B);
    assertTrue(turn.get(20, TimeUnit.SECONDS));
    assertEquals(Set.of(A, B, C), tips.partitions().keySet());
  }

  @Test
  void aChildOfAParentThatIsReadElsewhereDoesNotWait() {
    begin(A);
    tips.add(C, List.of(B));
    assertTrue(turnOf(C));
  }

  @Test
  void whoWaitsIsToldWhenTheJobEnds() throws Exception {
    begin(A);
    tips.add(C, List.of(A));
    CompletableFuture<Boolean> turn = CompletableFuture.supplyAsync(() -> turnOf(C));
    tips.stop();
    assertFalse(turn.get(20, TimeUnit.SECONDS));
  }

  private boolean turnOf(String shardId) {
    try {
      return tips.awaitTurn(shardId);
    } catch (InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  private int toldOfTip;

  private void beginFirst(String... shardIds) {
    tips.onTip(() -> toldOfTip++);
    begin(shardIds);
  }

  @Test
  void theTipIsToldOnceAllShardsCameToIt() {
    beginFirst(A, B);
    tips.read(A, 0, 0L);
    tips.read(B, 5, 60_000L);
    assertEquals(0, toldOfTip);
    tips.read(B, 0, 0L);
    assertEquals(1, toldOfTip);
    tips.read(B, 5, 0L);
    tips.read(B, 0, 0L);
    assertEquals(1, toldOfTip);
  }

  @Test
  void theTipOfASubtaskWithoutShardsIsToldAtOnceAndNotBeforeTheyAreKnown() {
    tips.onTip(() -> toldOfTip++);
    assertEquals(0, toldOfTip);
    tips.known();
    assertEquals(1, toldOfTip);
  }

  @Test
  void theTipIsNotToldBeforeAWaitingChildCameToItToo() {
    tips.onTip(() -> toldOfTip++);
    tips.add(A, List.of());
    tips.add(B, List.of(A));
    tips.known();
    tips.read(A, 0, 0L);
    assertEquals(0, toldOfTip);
    tips.ended(A);
    assertEquals(0, toldOfTip);
    tips.read(B, 0, 0L);
    assertEquals(1, toldOfTip);
  }

  @Test
  void theTipOfABusyShardIsToldOnceWhatAReadAtItBroughtWasDelivered() {
    beginFirst(A);
    tips.read(A, 1000, 5000L);
    tips.read(A, 3, 0L);
    assertEquals(0, toldOfTip);
    tips.read(A, 2, 0L);
    assertEquals(1, toldOfTip);
  }

  @Test
  void theTipOfABusySubscriptionIsToldOnceAllThatCameWasDelivered() {
    beginFirst(A);
    Object subscription = tips.subscribed(A);
    tips.arrived(A, subscription, 3, 1000L);
    tips.arrived(A, subscription, 3, 0L);
    tips.delivered(A);
    assertEquals(0, toldOfTip);
    tips.delivered(A);
    assertEquals(1, toldOfTip);
  }

  @Test
  void theTipIsNotToldWhileABatchOfASubscriptionIsUndelivered() {
    beginFirst(A);
    Object subscription = tips.subscribed(A);
    tips.arrived(A, subscription, 3, 0L);
    tips.arrived(A, subscription, 0, 0L);
    assertEquals(0, toldOfTip);
    tips.delivered(A);
    assertEquals(1, toldOfTip);
  }

  @Test
  void aShardThatCannotBeReadIsNotAtTheTip() {
    beginFirst(A);
    tips.failed(A);
    now += 60_000;
    assertEquals(0, toldOfTip);
    tips.read(A, 0, 0L);
    assertEquals(1, toldOfTip);
  }
}
