package io.tenantanalytics.flinkhost.operator;

import io.tenantanalytics.flinkhost.graph.GraphDescription;
import java.io.Serializable;

/** What an operator needs to open its script: in the job graph, so without secrets. */
public final class ScriptSettings implements Serializable {
  private static final long serialVersionUID = 1L;

  public final GraphDescription graph;

  /** The property groups as JSON, as the user gave them: a secret is an ARN in them. */
  public final String properties;

  /** What is known of each source before its first record, as JSON. */
  public final String inputs;

  /** Whether streams are written to; not in a bounded run. */
  public final boolean streams;

  public ScriptSettings(GraphDescription graph, String properties, String inputs, boolean streams) {
    this.graph = graph;
    this.properties = properties;
    this.inputs = inputs;
    this.streams = streams;
  }
}
