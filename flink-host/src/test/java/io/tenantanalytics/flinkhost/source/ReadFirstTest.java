package io.tenantanalytics.flinkhost.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.junit.jupiter.api.Test;

class ReadFirstTest {
  private static final long LIMIT_MS = 60_000;
  private static final List<String> COMPANIES = List.of("companies");

  /** As the JobManager keeps them: one accumulator for each name. */
  private final Map<String, TreeSet<String>> accumulators = new HashMap<>();

  private boolean isAway;
  private int asked;
  private long now = 1_000_000;

  @SuppressWarnings("unchecked")
  private synchronized List<String> say(String name, String word, AggregateFunction<String, ?, ArrayList<String>> given)
      throws IOException {
    asked++;
    if (isAway) throw new IOException("away");
    AggregateFunction<String, TreeSet<String>, ArrayList<String>> function =
        (AggregateFunction<String, TreeSet<String>, ArrayList<String>>) given;
    TreeSet<String> words = accumulators.computeIfAbsent(name, ignored -> function.createAccumulator());
    accumulators.put(name, function.add(word, words));
    return function.getResult(accumulators.get(name));
  }

  private ReadFirst ofAttempt(int attempt) {
    return new ReadFirst(this::say, () -> now, attempt, LIMIT_MS);
  }

  private synchronized int words() {
    return accumulators.values().stream().mapToInt(TreeSet::size).sum();
  }

  private synchronized boolean isSaid(String word) {
    return accumulators.values().stream().anyMatch(words -> words.contains(word));
  }

  private void atTip(ReadFirst readFirst, String source, int subtask, int subtasks) throws InterruptedException {
    int before = words();
    readFirst.atTip(source, subtask, subtasks);
    for (int tries = 0; tries < 1000 && words() == before; tries++) Thread.sleep(5);
  }

  private boolean laterMayBegin(ReadFirst readFirst, long ms) {
    now += ms;
    return readFirst.mayBegin(COMPANIES);
  }

  @Test
  void withNothingBeforeItASourceBeginsAtOnceAndAsksNobody() {
    assertTrue(ofAttempt(0).mayBegin(List.of()));
    assertEquals(0, asked);
  }

  @Test
  void othersBeginOnceEachSubtaskCameToTheTipAndWhatItReadHadTimeToArrive() throws InterruptedException {
    ReadFirst readFirst = ofAttempt(0);
    assertFalse(readFirst.mayBegin(COMPANIES));
    atTip(readFirst, "companies", 0, 2);
    assertFalse(laterMayBegin(readFirst, 5000));
    atTip(readFirst, "companies", 1, 2);
    assertFalse(laterMayBegin(readFirst, 300));
    assertFalse(laterMayBegin(readFirst, ReadFirst.ON_THE_WAY_MS - 1));
    assertTrue(laterMayBegin(readFirst, 1));
    int before = asked;
    assertTrue(laterMayBegin(readFirst, 100_000));
    assertEquals(before, asked);
  }

  @Test
  void allOfSeveralSourcesAreWaitedFor() throws InterruptedException {
    ReadFirst readFirst = ofAttempt(0);
    List<String> firsts = List.of("companies", "prices of all");
    atTip(readFirst, "companies", 0, 1);
    assertFalse(readFirst.mayBegin(firsts));
    atTip(readFirst, "prices of all", 0, 1);
    now += 300;
    assertFalse(readFirst.mayBegin(firsts));
    now += ReadFirst.ON_THE_WAY_MS;
    assertTrue(readFirst.mayBegin(firsts));
  }

  @Test
  void theJobManagerIsNotAskedByEachThreadEachTime() {
    ReadFirst readFirst = ofAttempt(0);
    for (int thread = 0; thread < 100; thread++) assertFalse(readFirst.mayBegin(COMPANIES));
    assertEquals(1, asked);
  }

  @Test
  void nobodyIsHeldUpForGood() {
    ReadFirst readFirst = ofAttempt(0);
    assertFalse(readFirst.mayBegin(COMPANIES));
    assertFalse(laterMayBegin(readFirst, LIMIT_MS - 1));
    assertTrue(laterMayBegin(readFirst, 1));
  }

  @Test
  void norWhenTheJobManagerDoesNotAnswer() {
    isAway = true;
    ReadFirst readFirst = ofAttempt(0);
    readFirst.atTip("companies", 0, 1);
    assertFalse(readFirst.mayBegin(COMPANIES));
    assertTrue(laterMayBegin(readFirst, LIMIT_MS));
  }

  @Test
  void whatAnEarlierAttemptSaidDoesNotCountAndIsForgotten() throws InterruptedException {
    atTip(ofAttempt(3), "companies", 0, 1);
    ReadFirst next = ofAttempt(4);
    assertFalse(next.mayBegin(COMPANIES));
    next.atTip("companies", 0, 1);
    for (int tries = 0; tries < 1000 && !isSaid("4 0 1"); tries++) Thread.sleep(5);
    assertEquals(1, words());
    // One that was late to say it.
    ofAttempt(3).atTip("companies", 1, 2);
    assertFalse(laterMayBegin(next, 300));
    assertTrue(laterMayBegin(next, ReadFirst.ON_THE_WAY_MS));
    assertEquals(1, words());
  }
}
