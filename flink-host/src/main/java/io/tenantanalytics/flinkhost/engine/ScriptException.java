package io.tenantanalytics.flinkhost.engine;

/** The script threw, or did not end within its time. After the latter the engine is of no more use. */
public final class ScriptException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ScriptException(String message, Throwable cause) {
    super(message, cause);
  }
}
