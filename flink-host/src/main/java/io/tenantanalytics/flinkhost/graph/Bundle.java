package io.tenantanalytics.flinkhost.graph;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** The graph's bundle, inside the jar. */
public final class Bundle {
  public static final String NAME = "graph.js";

  private Bundle() {}

  public static String source() {
    try (InputStream in = Bundle.class.getResourceAsStream("/" + NAME)) {
      if (in == null) throw new IllegalStateException("the jar holds no " + NAME + "; build it with npm run build:flink");
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException error) {
      throw new IllegalStateException("cannot read " + NAME + " from the jar", error);
    }
  }
}
