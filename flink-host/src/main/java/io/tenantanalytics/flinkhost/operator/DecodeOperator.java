package io.tenantanalytics.flinkhost.operator;

import io.tenantanalytics.flinkhost.bytes.BytesIn;
import io.tenantanalytics.flinkhost.bytes.BytesOut;
import io.tenantanalytics.flinkhost.graph.GraphDescription;
import io.tenantanalytics.flinkhost.graph.Json;
import io.tenantanalytics.flinkhost.sink.SinkRow;
import io.tenantanalytics.flinkhost.source.PartitionTips;
import io.tenantanalytics.flinkhost.source.SourceRecord;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.OutputTag;

/**
 * Asks the script for the key and the event time of each record, and makes the watermark of the partitions that this
 * subtask reads. Chained behind its source; records cross in bundles.
 *
 * <p>Only sources that drive the watermark hold it back: those that do not are idle for Flink, always.
 */
public final class DecodeOperator extends AbstractStreamOperator<Element>
    implements OneInputStreamOperator<SourceRecord, Element>, BoundedOneInput {
  private static final long serialVersionUID = 1L;

  /** Measured: more at a time is slower, fewer cost more crossings. */
  static final int BUNDLE_RECORDS = 128;

  static final int BUNDLE_BYTES = 256 * 1024;
  private static final long WATERMARK_MS = 200;
  private static final int DECODED = 1;
  private static final int END = 2;

  private final ScriptSettings settings;
  private final OutputTag<SinkRow> deadLetters;
  /** Null for files: each is read to its end, and never idle. */
  private final PartitionTips.Finder tipsFinder;

  private transient Script script;
  private transient PartitionClocks clocks;
  private transient PartitionTips tips;
  private transient BytesOut request;
  private transient SourceRecord[] pending;
  private transient byte[][] encoded;
  private transient int count;
  private transient BytesOut scratch;
  private transient LaterFlush laterFlush;
  private transient boolean isIdle;
  private transient long lastWatermark;
  private transient ListState<Tuple2<String, Long>> maxTimes;

  /** What partitions had shown as of the checkpoint, of those that this subtask does not read yet. */
  private transient Map<String, Long> restored;

  public DecodeOperator(ScriptSettings settings, OutputTag<SinkRow> deadLetters, PartitionTips.Finder tipsFinder) {
    this.settings = settings;
    this.deadLetters = deadLetters;
    this.tipsFinder = tipsFinder;
    // In the task of its source: a shard counts as empty only once its records have come here.
    chainingStrategy = ChainingStrategy.ALWAYS;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    clocks = new PartitionClocks(settings.graph.outOfOrdernessMs);
    // Each subtask is told of all partitions: which of them it will read is known only later.
    maxTimes =
        context
            .getOperatorStateStore()
            .getUnionListState(new ListStateDescriptor<>("max-times", Types.TUPLE(Types.STRING, Types.LONG)));
    restored = new HashMap<>();
    for (Tuple2<String, Long> each : maxTimes.get()) restored.merge(each.f0, each.f1, Math::max);
  }

  @Override
  public void open() throws Exception {
    super.open();
    script = new Script(settings, "open-sources", Json.parse(settings.properties, List.class), getMetricGroup());
    request = new BytesOut(BUNDLE_BYTES);
    laterFlush = new LaterFlush(getProcessingTimeService(), this::flush);
    request.write(1);
    scratch = new BytesOut(1024);
    pending = new SourceRecord[BUNDLE_RECORDS];
    encoded = new byte[BUNDLE_RECORDS][];
    lastWatermark = PartitionClocks.NOT_YET;
    if (tipsFinder == null) {
      restored.forEach(clocks::restore);
      clocks.update();
    } else {
      tips =
          tipsFinder.find(
              getContainingTask().getEnvironment().getJobID(), getRuntimeContext().getTaskInfo().getIndexOfThisSubtask());
    }
    every(WATERMARK_MS, this::tellTime);
  }

  @Override
  public void processElement(StreamRecord<SourceRecord> element) throws Exception {
    SourceRecord record = element.getValue();
    encode(record, scratch);
    byte[] bytes = scratch.copyFrom(0);
    scratch.clear();
    request.raw(bytes, 0, bytes.length);
    pending[count] = record;
    encoded[count++] = bytes;
    if (count == BUNDLE_RECORDS || request.length() >= BUNDLE_BYTES) flush();
    else laterFlush.ask();
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
    flush();
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    maxTimes.clear();
    Map<String, Long> shown = clocks.maxTimes();
    // Shards are not known yet: what was restored of them is still to be.
    if (tips != null && !tips.isKnown()) restored.forEach(shown::putIfAbsent);
    for (Map.Entry<String, Long> each : shown.entrySet()) {
      maxTimes.add(Tuple2.of(each.getKey(), each.getValue()));
    }
  }

  /** Ours is made here; at the end of a bounded input Flink's own says only that there is no more. */
  @Override
  public void processWatermark(Watermark mark) throws Exception {
    if (mark.getTimestamp() != Watermark.MAX_WATERMARK.getTimestamp()) return;
    // It comes before the end of the input is told, and behind it no watermark counts any more.
    flush();
    emitWatermark();
    output.emitWatermark(mark);
  }

  @Override
  public void processWatermarkStatus(WatermarkStatus status) {
    // Idleness is made here, too.
  }

  @Override
  public void endInput() throws Exception {
    flush();
    emitWatermark();
  }

  @Override
  public void close() throws Exception {
    if (script != null) script.close();
    super.close();
  }

  /** As {@code record-format.ts} reads it. */
  private static void encode(SourceRecord record, BytesOut to) {
    boolean isCut = record.size > record.bytes.length;
    to.write(record.source);
    to.write((record.partition != null ? 1 : 0) | (record.subSequence >= 0 ? 2 : 0) | (isCut ? 4 : 0));
    if (record.partition != null) to.text(record.partition);
    to.text(record.sequenceNumber);
    if (record.subSequence >= 0) to.varint(record.subSequence);
    to.varint(record.arrivalTime);
    if (isCut) to.varint(record.size);
    to.block(record.bytes);
  }

  private void flush() {
    if (count == 0) return;
    BytesIn answer = script.exchange(request);
    request.clear();
    request.write(1);
    for (int at = 0; at < count; at++) {
      if (answer.read() == DECODED) emit(at, answer.text(), answer.varint());
      pending[at] = null;
      encoded[at] = null;
    }
    count = 0;
    if (answer.read() != END) throw new IllegalStateException("the script answered to more records than it was sent");
    for (long blocks = answer.varint(); blocks > 0; blocks--) {
      output.collect(deadLetters, new StreamRecord<>(new SinkRow(answer.text(), answer.block())));
    }
    script.count(answer);
  }

  private void emit(int at, String key, long time) {
    SourceRecord record = pending[at];
    GraphDescription.Source source = settings.graph.sources.get(record.source);
    // One partition at a time is read from files: its watermark goes with each record.
    long carried = tipsFinder == null && clocks.value() >= 0 ? clocks.value() : Element.NO_WATERMARK;
    output.collect(new StreamRecord<>(new Element(key, carried, encoded[at])));
    if (source.drivesWatermark) clocks.show(record.partition == null ? source.id : record.partition, time);
  }

  private void tellTime() throws Exception {
    flush();
    if (tips != null) followTips();
    emitWatermark();
  }

  /** Which partitions there are, and which of them are idle. */
  private void followTips() {
    if (!tips.isKnown()) return;
    long now = getProcessingTimeService().getCurrentProcessingTime();
    Map<String, PartitionTips.Tip> current = tips.partitions();
    for (String partition : clocks.partitions()) if (!current.containsKey(partition)) clocks.end(partition);
    for (Map.Entry<String, PartitionTips.Tip> each : current.entrySet()) {
      String partition = each.getKey();
      if (!clocks.has(partition)) {
        clocks.add(partition);
        Long known = restored.remove(partition);
        if (known != null) clocks.restore(partition, known);
      }
      long emptySince = each.getValue().emptySince;
      clocks.idle(partition, emptySince >= 0 && now - emptySince >= settings.graph.idleMs);
    }
    clocks.update();
  }

  private void emitWatermark() {
    boolean nothingDrives = settings.graph.sources.stream().noneMatch(this::drivesHere);
    boolean idleNow = nothingDrives || (tips != null && tips.isKnown() && clocks.allIdle());
    if (idleNow != isIdle) {
      isIdle = idleNow;
      output.emitWatermarkStatus(isIdle ? WatermarkStatus.IDLE : WatermarkStatus.ACTIVE);
    }
    if (isIdle || clocks.value() <= lastWatermark) return;
    lastWatermark = clocks.value();
    output.emitWatermark(new Watermark(lastWatermark));
  }

  private boolean drivesHere(GraphDescription.Source source) {
    return source.drivesWatermark && (tipsFinder == null || tipsFinder.sourceId().equals(source.id));
  }

  private interface Action {
    void run() throws Exception;
  }

  private void every(long ms, Action action) {
    long at = getProcessingTimeService().getCurrentProcessingTime() + ms;
    getProcessingTimeService()
        .registerTimer(
            at,
            ignored -> {
              action.run();
              every(ms, action);
            });
  }
}
