package io.tenantanalytics.flinkhost.operator;

import io.tenantanalytics.flinkhost.sink.SinkRow;
import java.util.List;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.YieldingOperatorFactory;
import org.apache.flink.util.OutputTag;

/** Gives the stages the mailbox of their task: answers come to it from other threads. */
public final class StagesOperatorFactory extends AbstractStreamOperatorFactory<SinkRow>
    implements OneInputStreamOperatorFactory<Element, SinkRow>, YieldingOperatorFactory<SinkRow> {
  private static final long serialVersionUID = 1L;

  private final ScriptSettings settings;
  private final List<OutputTag<SinkRow>> sinks;
  private final OutputTag<SinkRow> deadLetters;
  private final boolean isLive;

  public StagesOperatorFactory(
      ScriptSettings settings, List<OutputTag<SinkRow>> sinks, OutputTag<SinkRow> deadLetters, boolean isLive) {
    this.settings = settings;
    this.sinks = sinks;
    this.deadLetters = deadLetters;
    this.isLive = isLive;
  }

  @Override
  @SuppressWarnings("unchecked")
  public <T extends StreamOperator<SinkRow>> T createStreamOperator(StreamOperatorParameters<SinkRow> parameters) {
    StagesOperator operator = new StagesOperator(settings, sinks, deadLetters, isLive, getMailboxExecutor());
    operator.setProcessingTimeService(processingTimeService);
    operator.setup(parameters.getContainingTask(), parameters.getStreamConfig(), parameters.getOutput());
    return (T) operator;
  }

  @Override
  @SuppressWarnings("rawtypes")
  public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
    return StagesOperator.class;
  }
}
