package io.tenantanalytics.flinkhost.engine;

/** The script threw, or was ended because it went beyond its limits. The message has the script's own words and stack. */
public final class ScriptException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean engineLost;

  public ScriptException(String message, boolean engineLost) {
    this(message, engineLost, null);
  }

  public ScriptException(String message, boolean engineLost, Throwable cause) {
    super(message, cause);
    this.engineLost = engineLost;
  }

  /**
   * False: the script threw, and can be called again. True: it was ended (time, memory) in the middle of its work, so its
   * state is not to be trusted; the engine is closed, and a new one is needed to go on.
   */
  public boolean engineLost() {
    return engineLost;
  }
}
