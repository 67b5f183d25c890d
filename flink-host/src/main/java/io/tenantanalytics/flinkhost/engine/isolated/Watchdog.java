package io.tenantanalytics.flinkhost.engine.isolated;

import java.security.AccessController;
import java.security.PrivilegedAction;
import java.util.ArrayList;
import java.util.List;

/**
 * Ends scripts that run longer than they may: one thread for all engines of a JVM (of a class loader), alive as long as
 * there is an engine.
 */
public final class Watchdog {
  /** How late a script may be ended. */
  private static final long TICK_MS = 25;

  private static final List<Watch> WATCHES = new ArrayList<>();
  private static Thread thread;

  private Watchdog() {}

  /** One engine's runs. {@code begin} and {@code end} are called by the thread that runs the script. */
  public static final class Watch {
    private final long limitNanos;
    private final Runnable stop;
    private boolean running;
    private boolean late;
    private boolean retired;
    private long deadline;

    private Watch(long limitNanos, Runnable stop) {
      this.limitNanos = limitNanos;
      this.stop = stop;
    }

    /** False when the engine is retired: then nothing may run. */
    public synchronized boolean begin() {
      if (retired) return false;
      deadline = System.nanoTime() + limitNanos;
      late = false;
      running = true;
      return true;
    }

    /** After this the script is not stopped any more. Returns whether it was, for its time. */
    public synchronized boolean end() {
      running = false;
      return late;
    }

    /** No run begins after this. Returns false while one is under way; that one is stopped, and its thread cleans up. */
    public synchronized boolean retire() {
      retired = true;
      return !running;
    }

    public synchronized boolean isRetired() {
      return retired;
    }

    private synchronized void check(long now) {
      if (!running) return;
      if (now - deadline >= 0) late = true;
      // Again at each tick: what a script does on its way out may be endless too.
      if (late || retired) stop.run();
    }

    public void close() {
      synchronized (WATCHES) {
        WATCHES.remove(this);
        WATCHES.notifyAll();
      }
    }
  }

  /** {@code stop} is called by another thread than the script's, perhaps several times, only while the script runs. */
  public static Watch watch(long limitNanos, Runnable stop) {
    Watch watch = new Watch(limitNanos, stop);
    synchronized (WATCHES) {
      WATCHES.add(watch);
      if (thread == null) {
        thread = unattached("tenant-analytics-script-watchdog", Watchdog::patrol);
        thread.start();
      }
    }
    return watch;
  }

  private static void patrol() {
    while (true) {
      Watch[] watches;
      synchronized (WATCHES) {
        if (WATCHES.isEmpty()) {
          thread = null;
          return;
        }
        watches = WATCHES.toArray(new Watch[0]);
      }
      long now = System.nanoTime();
      for (Watch watch : watches) {
        try {
          watch.check(now);
        } catch (RuntimeException ignored) {
          // The other engines need their watch still; this one is tried again at the next tick.
        }
      }
      synchronized (WATCHES) {
        try {
          if (!WATCHES.isEmpty()) WATCHES.wait(TICK_MS);
        } catch (InterruptedException interrupted) {
          // Nobody has a reason to interrupt this thread, and scripts must not go unwatched.
        }
      }
    }
  }

  /**
   * A daemon thread that keeps nothing of the thread that made it alive: not its class loader, not its thread locals, and
   * not the code on its stack (a thread inherits an access control context, which refers to the class loaders of its callers).
   */
  static Thread unattached(String name, Runnable work) {
    return AccessController.doPrivileged(
        (PrivilegedAction<Thread>)
            () -> {
              Thread made = new Thread(null, work, name, 0, false);
              made.setContextClassLoader(Watchdog.class.getClassLoader());
              made.setDaemon(true);
              return made;
            });
  }
}
