package io.tenantanalytics.peer;

import java.time.LocalDate;

/** UTC days as numbers. */
final class Days {
  static final long DAY_MS = 86_400_000;

  /** No day: after all others. */
  static final int NONE = Integer.MAX_VALUE;

  private Days() {}

  static int of(long time) {
    return (int) Math.floorDiv(time, DAY_MS);
  }

  static long start(int day) {
    return day * DAY_MS;
  }

  static String date(int day) {
    return LocalDate.ofEpochDay(day).toString();
  }
}
