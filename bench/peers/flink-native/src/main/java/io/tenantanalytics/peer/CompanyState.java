package io.tenantanalytics.peer;

import java.util.Arrays;

/** One company: its record, the job counts of 90 days, and how far its counts are settled. */
public class CompanyState {
  static final int LONG_WINDOW = 90;
  static final int SHORT_WINDOW = 30;

  /** Null once the company was deleted. */
  public Profile profile;

  public long recordTime;
  public long version;
  public int baseDay;

  /** The day of the latest job event, with which the buckets end; NONE before the first. */
  public int clockDay = Days.NONE;

  /** Of day d in slot d % 90; null before the first event. */
  public long[] buckets;

  public long sum30;
  public long sum90;

  /** The last day boundary that is settled; NONE before the first. */
  public int settled = Days.NONE;

  public long stated30;
  public long stated90;

  /** The next boundary at which the counts change if no event comes; NONE for none. */
  public int due = Days.NONE;

  /** The earliest timer that is set; NONE for none. */
  public int timer = Days.NONE;

  void restate(Profile stated, long time) {
    profile = stated;
    recordTime = time;
    baseDay = Days.of(time);
    if (buckets != null) clear();
    stated30 = stated.job30;
    stated90 = stated.job90;
    due = nextDue();
  }

  /** What is left is when, and how many rows there were; a timer that is set finds nothing to do. */
  void delete(long time) {
    profile = null;
    recordTime = time;
    clockDay = Days.NONE;
    buckets = null;
    sum30 = 0;
    sum90 = 0;
    settled = Days.NONE;
    due = Days.NONE;
  }

  void begin(int day) {
    buckets = new long[LONG_WINDOW];
    clockDay = day;
    if (settled == Days.NONE) {
      settled = Math.min(day, baseDay);
      due = nextDue();
    }
  }

  void advanceTo(int day) {
    if (day - clockDay >= LONG_WINDOW) {
      clear();
      clockDay = day;
      return;
    }
    while (clockDay < day) {
      clockDay++;
      sum30 -= bucket(clockDay - SHORT_WINDOW);
      sum90 -= bucket(clockDay);
      buckets[clockDay % LONG_WINDOW] = 0;
    }
  }

  void add(int day, long jobs) {
    buckets[day % LONG_WINDOW] += jobs;
    sum90 += jobs;
    if (day > clockDay - SHORT_WINDOW) sum30 += jobs;
  }

  long job30() {
    return sum30 + (clockDay - baseDay < SHORT_WINDOW ? profile.job30 : 0);
  }

  long job90() {
    return sum90 + (clockDay - baseDay < LONG_WINDOW ? profile.job90 : 0);
  }

  /** As of a day after the clock's, if no event comes. */
  long job30AsOf(int day) {
    return (day - baseDay < SHORT_WINDOW ? profile.job30 : 0) + sumAfter(day - SHORT_WINDOW);
  }

  long job90AsOf(int day) {
    return (day - baseDay < LONG_WINDOW ? profile.job90 : 0) + sumAfter(day - LONG_WINDOW);
  }

  /** The first boundary after the settled one as of which the counts differ from those last stated. */
  int nextDue() {
    int boundary = (settled == Days.NONE ? baseDay : settled) + 1;
    while (boundary != Days.NONE) {
      if (job30AsOf(boundary) != stated30 || job90AsOf(boundary) != stated90) return boundary;
      boundary = nextChange(boundary);
    }
    return Days.NONE;
  }

  private int nextChange(int day) {
    int next = Math.min(leaves(day, SHORT_WINDOW), leaves(day, LONG_WINDOW));
    if (profile.job30 > 0 && baseDay + SHORT_WINDOW > day) next = Math.min(next, baseDay + SHORT_WINDOW);
    if (profile.job90 > 0 && baseDay + LONG_WINDOW > day) next = Math.min(next, baseDay + LONG_WINDOW);
    return next;
  }

  /** The first boundary after {@code day} at which a day with jobs leaves the window. */
  private int leaves(int day, int window) {
    if (buckets == null) return Days.NONE;
    for (int counted = Math.max(day - window, clockDay - LONG_WINDOW) + 1; counted <= clockDay; counted++) {
      if (bucket(counted) > 0) return counted + window;
    }
    return Days.NONE;
  }

  private long sumAfter(int after) {
    if (buckets == null) return 0;
    if (after == clockDay + 1 - SHORT_WINDOW) return sum30 - bucket(after);
    if (after == clockDay + 1 - LONG_WINDOW) return sum90 - bucket(after);
    long sum = 0;
    for (int day = Math.max(after, clockDay - LONG_WINDOW) + 1; day <= clockDay; day++) sum += bucket(day);
    return sum;
  }

  private long bucket(int day) {
    return buckets[Math.floorMod(day, LONG_WINDOW)];
  }

  private void clear() {
    Arrays.fill(buckets, 0);
    sum30 = 0;
    sum90 = 0;
  }
}
