package io.tenantanalytics.flinkhost.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class PartitionClocksTest {
  private static final long DAY = 86_400_000;
  private static final long LATE = 60_000;

  private final PartitionClocks clocks = new PartitionClocks(LATE);

  @Test
  void afterARestoreTheSlowestCountsWhicheverIsRestoredFirst() {
    clocks.add("a");
    clocks.restore("a", 12 * DAY);
    clocks.add("b");
    clocks.restore("b", 10 * DAY);
    clocks.update();
    assertEquals(10 * DAY - LATE, clocks.value());
  }

  @Test
  void oneThatHasShownNothingHoldsItBack() {
    clocks.add("a");
    clocks.restore("a", 12 * DAY);
    clocks.add("b");
    clocks.update();
    assertEquals(PartitionClocks.NOT_YET, clocks.value());
    clocks.show("b", 11 * DAY);
    assertEquals(11 * DAY - LATE, clocks.value());
  }

  @Test
  void itNeverGoesBackAndIdleOnesLeaveTheMinimum() {
    clocks.show("a", 3 * DAY);
    clocks.add("b");
    clocks.idle("b", true);
    clocks.show("a", 4 * DAY);
    assertEquals(4 * DAY - LATE, clocks.value());
    clocks.show("b", DAY);
    clocks.update();
    assertEquals(4 * DAY - LATE, clocks.value());
  }
}
