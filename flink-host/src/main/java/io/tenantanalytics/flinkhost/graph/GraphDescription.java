package io.tenantanalytics.flinkhost.graph;

import java.io.Serializable;
import java.util.List;

/** The graph as data, as the bundle describes it ({@code src/hosts/flink/describe.ts}). */
public final class GraphDescription implements Serializable {
  private static final long serialVersionUID = 1L;

  public String name;
  public String engine;
  public List<Source> sources;
  public List<Stage> stages;
  public List<Sink> sinks;
  public Sink deadLetters;
  public long outOfOrdernessMs;
  public long idleMs;
  public S3 s3;
  public List<Secret> secrets;

  public static final class Source implements Serializable {
    private static final long serialVersionUID = 1L;
    public String id;
    public String stream;
    public boolean drivesWatermark;
    public boolean readFirst;
    public int maxRecordBytes;
    public String region;
    public String endpoint;
    public String initialPosition;
    public long initialTimestamp;
    public String consumer;
  }

  public static final class Stage implements Serializable {
    private static final long serialVersionUID = 1L;
    public String id;
    /** {@code keyed} or {@code http}. */
    public String kind;
  }

  public static final class Sink implements Serializable {
    private static final long serialVersionUID = 1L;
    public String id;
    /** {@code objects} or {@code stream}. */
    public String kind;
    public String path;
    public String extension;
    public long rollBytes;
    public long rollAgeMs;
    public String stream;
    public String region;
    public String endpoint;
  }

  public static final class S3 implements Serializable {
    private static final long serialVersionUID = 1L;
    public String endpoint;
    public boolean pathStyle;
  }

  public static final class Secret implements Serializable {
    private static final long serialVersionUID = 1L;
    public String group;
    public String name;
    public String arn;
  }
}
