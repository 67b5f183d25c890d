package io.tenantanalytics.flinkhost.source;

import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongSupplier;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Streams that are read to their tip before others begin (the graph's {@code readFirst}): what they hold must be in state
 * before the records that need it. Each subtask that came to the tip says so to the JobManager, and readers of the others ask
 * there, at each start of the job.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>Nobody is held up for good: after {@link #limitMs} the others begin whatever was said, or could not be asked.
 *   <li>What was said counts for its own attempt alone: a job that was restarted says and asks anew.
 * </ul>
 *
 * <p>What came to the tip may still be on its way through the job then, and another stream has no order with it: the others
 * begin {@link #ON_THE_WAY_MS} later.
 */
final class ReadFirst {
  static final long ON_THE_WAY_MS = 1000;

  private static final Logger LOG = LoggerFactory.getLogger(ReadFirst.class);
  private static final String NAME = "tenant-analytics-read-first";
  private static final long ASK_MS = 250;
  private static final String NOTHING = "";

  /** The JobManager's memory: takes a word of one subtask, and answers with those of all. */
  interface Words {
    List<String> say(String name, String word, AggregateFunction<String, ?, ArrayList<String>> function) throws IOException;
  }

  private final Words words;
  private final LongSupplier clock;
  private final int attempt;
  private final long limitMs;
  private long waitingSince = -1;
  private long askedAt = -1;
  private long openAt = -1;
  private boolean isOpen;

  /**
   * @param attempt the same for all subtasks of one start; where it is not (a reactive cluster that grew), the others begin after
   *     their time
   */
  ReadFirst(Words words, LongSupplier clock, int attempt, long limitMs) {
    this.words = words;
    this.clock = clock;
    this.attempt = attempt;
    this.limitMs = limitMs;
  }

  /** This subtask has read all that there was. Once it is said; a failure is told, and the others wait their time. */
  void atTip(String sourceId, int subtask, int subtasks) {
    CompletableFuture.runAsync(() -> {
      try {
        words.say(NAME, word(sourceId, subtask, subtasks), new Collected());
      } catch (IOException error) {
        LOG.warn("That {} was read to its tip could not be said: others begin without that in {} ms.", sourceId, limitMs, error);
      }
    });
  }

  private String word(String sourceId, int subtask, int subtasks) {
    return attempt + " " + subtask + " " + subtasks + " " + sourceId;
  }

  /** Whether a source that comes after these may begin. Asked by the threads of all its shards. */
  synchronized boolean mayBegin(List<String> firsts) {
    if (isOpen || firsts.isEmpty()) return true;
    long now = clock.getAsLong();
    if (waitingSince < 0) waitingSince = now;
    if (openAt < 0 && (askedAt < 0 || now - askedAt >= ASK_MS)) {
      askedAt = now;
      if (haveAll(firsts)) openAt = now + ON_THE_WAY_MS;
    }
    boolean isOver = now - waitingSince >= limitMs;
    if (isOver && openAt < 0) LOG.warn("{} were not read to their tip within {} ms. Others begin.", firsts, limitMs);
    isOpen = isOver || (openAt >= 0 && now >= openAt);
    return isOpen;
  }

  private boolean haveAll(List<String> firsts) {
    try {
      List<String> said = words.say(NAME, NOTHING, new Collected());
      for (String first : firsts) if (!hasCome(first, said)) return false;
      return true;
    } catch (IOException error) {
      LOG.debug("Could not ask what was read to its tip.", error);
      return false;
    }
  }

  private boolean hasCome(String sourceId, List<String> said) {
    int come = 0;
    int subtasks = -1;
    for (String word : said) {
      String[] parts = word.split(" ", 4);
      if (attemptOf(word) != attempt || !parts[3].equals(sourceId)) continue;
      subtasks = Integer.parseInt(parts[2]);
      come++;
    }
    return come == subtasks;
  }

  private static int attemptOf(String word) {
    return Integer.parseInt(word.substring(0, word.indexOf(' ')));
  }

  /** The words of the latest attempt, each once. Of the JDK alone, as the JobManager passes them on without the job's classes. */
  static final class Collected implements AggregateFunction<String, TreeSet<String>, ArrayList<String>>, Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public TreeSet<String> createAccumulator() {
      return new TreeSet<>();
    }

    @Override
    public TreeSet<String> add(String word, TreeSet<String> words) {
      if (word.equals(NOTHING)) return words;
      int attempt = attemptOf(word);
      words.removeIf(each -> attemptOf(each) < attempt);
      if (words.isEmpty() || attemptOf(words.first()) == attempt) words.add(word);
      return words;
    }

    @Override
    public ArrayList<String> getResult(TreeSet<String> words) {
      return new ArrayList<>(words);
    }

    @Override
    public TreeSet<String> merge(TreeSet<String> some, TreeSet<String> others) {
      some.addAll(others);
      return some;
    }
  }
}
