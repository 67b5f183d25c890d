package io.tenantanalytics.flinkhost.operator;

import io.tenantanalytics.flinkhost.bytes.BytesIn;
import io.tenantanalytics.flinkhost.bytes.BytesOut;
import io.tenantanalytics.flinkhost.graph.GraphDescription;
import io.tenantanalytics.flinkhost.sink.SinkRow;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.OutputTag;

/**
 * All stages of the graph, in one script: it holds the state of the keys in use; Flink holds all of it as of the last
 * checkpoint, the timers, and what waits for an answer, each by key.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>The script has run for everything that came before a barrier, a watermark, or the end of the input.
 *   <li>Timers fire up to the watermark, but never beyond that of an input that still waits before a stage with timers.
 * </ul>
 */
public final class StagesOperator extends AbstractStreamOperator<SinkRow>
    implements OneInputStreamOperator<Element, SinkRow>, Triggerable<String, String>, BoundedOneInput {
  private static final long serialVersionUID = 1L;
  private static final long STATUS_MS = 2000;

  private static final int RECORD = 1;
  private static final int TIMER = 2;
  private static final int ANSWER = 3;
  private static final int HELD = 4;
  private static final int WORK = 1;
  private static final int SNAPSHOT = 2;
  private static final int START = 3;

  private static final int ROWS = 1;
  private static final int ROW = 2;
  private static final int DEAD_LETTERS = 3;
  private static final int TIMER_AT = 4;
  private static final int STATE = 5;
  private static final int GONE = 6;
  private static final int REQUEST = 7;
  private static final int COUNTS = 8;
  private static final int WARNING = 9;
  private static final int CALL_CHANGE = 10;
  private static final int STATUS = 11;

  private final ScriptSettings settings;
  private final List<OutputTag<SinkRow>> sinks;
  private final OutputTag<SinkRow> deadLetters;
  private final boolean isLive;
  private final transient MailboxExecutor mailbox;

  private transient Script script;
  private transient HttpTransport transport;
  private transient InternalTimerService<String> timers;
  private transient List<String> keyedStages;
  private transient KeyedStates states;

  private transient BytesOut request;
  private transient int entries;
  private transient LaterFlush laterFlush;
  private transient Queue<HttpTransport.Answer> answers;
  private transient AtomicBoolean isAnswerMailed;
  private transient ScheduledFuture<?> wake;
  private transient long wakeAt;

  /** As Flink tells it; and how far timers may go behind what waits. */
  private transient long watermark;

  private transient long low;
  private transient long firedUpTo;
  private transient boolean isFull;
  private transient boolean isDone;
  private transient boolean isIdle;
  private transient boolean isFiring;
  private transient boolean timersAdded;
  private transient StageMetrics metrics;

  StagesOperator(
      ScriptSettings settings,
      List<OutputTag<SinkRow>> sinks,
      OutputTag<SinkRow> deadLetters,
      boolean isLive,
      MailboxExecutor mailbox) {
    this.settings = settings;
    this.sinks = sinks;
    this.deadLetters = deadLetters;
    this.isLive = isLive;
    this.mailbox = mailbox;
  }

  @Override
  public void open() throws Exception {
    super.open();
    keyedStages = ids("keyed");
    states = new KeyedStates(keyedStages, ids("http"), getRuntimeContext(), getKeyedStateBackend());
    timers = getInternalTimerService("stages", StringSerializer.INSTANCE, this);
    request = new BytesOut(DecodeOperator.BUNDLE_BYTES);
    laterFlush = new LaterFlush(getProcessingTimeService(), this::flush);
    answers = new ConcurrentLinkedQueue<>();
    isAnswerMailed = new AtomicBoolean();
    transport = new HttpTransport();
    watermark = Element.NO_WATERMARK;
    firedUpTo = Element.NO_WATERMARK;
    low = Long.MAX_VALUE;
    wakeAt = Long.MAX_VALUE;
    isDone = true;
    script = new Script(settings, "open-stages", Secrets.resolve(settings), getMetricGroup());
    metrics = new StageMetrics(script, () -> watermark);
    restoreHeld();
    tellStatus();
  }

  @Override
  public void processElement(StreamRecord<Element> element) throws Exception {
    Element record = element.getValue();
    begin();
    request.write(RECORD);
    request.signed(record.watermark);
    states.tell(record.key, request);
    request.raw(record.bytes, 0, record.bytes.length);
    if (++entries >= DecodeOperator.BUNDLE_RECORDS || request.length() >= DecodeOperator.BUNDLE_BYTES) {
      flush();
    } else {
      laterFlush.ask();
    }
    // Back-pressure, whichever exchange told of it: answers come by mail, as does the flush of what does not fill a bundle. What waits
    // is bounded, so a checkpoint may have to wait for a service.
    while (isFull) mailbox.yield();
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    // The end of a bounded input says that there is no more, not that all time has passed.
    if (mark.getTimestamp() != Watermark.MAX_WATERMARK.getTimestamp()) advance(mark.getTimestamp());
    output.emitWatermark(mark);
  }

  @Override
  public void processWatermarkStatus(WatermarkStatus status) throws Exception {
    isIdle = status.isIdle();
    output.emitWatermarkStatus(status);
  }

  @Override
  public void onEventTime(InternalTimer<String, String> timer) throws Exception {
    int stage = keyedStages.indexOf(timer.getNamespace());
    if (stage < 0) return; // of a stage that this graph has no more
    begin();
    request.write(TIMER);
    request.varint(stage);
    states.tell(timer.getKey(), request);
    if (++entries >= DecodeOperator.BUNDLE_RECORDS) flush();
  }

  @Override
  public void onProcessingTime(InternalTimer<String, String> timer) {
    throw new IllegalStateException("there are no timers of processing time");
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
    flush();
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    flush();
    BytesOut ask = new BytesOut(1);
    ask.write(SNAPSHOT);
    take(script.exchange(ask));
  }

  /** All that waits for an answer gets it before the operator ends. */
  @Override
  public void endInput() throws Exception {
    flush();
    while (!isDone) mailbox.yield();
    fireTimers();
  }

  @Override
  public void close() throws Exception {
    if (transport != null) transport.close();
    if (script != null) script.close();
    super.close();
  }

  private List<String> ids(String kind) {
    return settings.graph.stages.stream()
        .filter(stage -> stage.kind.equals(kind))
        .map(stage -> stage.id)
        .collect(Collectors.toList());
  }

  /** A request begins with the time and the watermark. */
  private void begin() {
    if (request.length() > 0) return;
    request.write(WORK);
    request.varint(getProcessingTimeService().getCurrentProcessingTime());
    request.signed(watermark);
  }

  private void flush() throws Exception {
    if (request.length() == 0) return;
    entries = 0;
    script.exchange(request);
    request.clear();
    take(script.collect());
    if (!isFiring) fireTimers();
  }

  private void advance(long to) throws Exception {
    flush();
    if (to <= watermark) return;
    watermark = to;
    fireTimers();
  }

  /** Fires what is due, and what becomes due by that, up to what waits. */
  private void fireTimers() throws Exception {
    long upTo = Math.min(watermark, low);
    if (isFiring || (upTo <= firedUpTo && !timersAdded)) return;
    isFiring = true;
    try {
      firedUpTo = Math.max(firedUpTo, upTo);
      do {
        timersAdded = false;
        getTimeServiceManager()
            .orElseThrow(() -> new IllegalStateException("there is no timer service"))
            .advanceWatermark(new Watermark(firedUpTo));
        flush();
      } while (timersAdded);
    } finally {
      isFiring = false;
    }
  }

  /** Hands on what the script answered. */
  private void take(BytesIn answer) throws Exception {
    while (answer.hasMore()) {
      int item = answer.read();
      switch (item) {
        case ROWS:
        case ROW:
          output.collect(sinks.get((int) answer.varint()), new StreamRecord<>(new SinkRow(answer.text(), answer.block())));
          break;
        case DEAD_LETTERS:
          output.collect(deadLetters, new StreamRecord<>(new SinkRow(answer.text(), answer.block())));
          break;
        case TIMER_AT:
          timerAt((int) answer.varint(), answer.text(), answer.varint());
          break;
        case STATE:
          states.state((int) answer.varint(), answer.text(), answer.block());
          break;
        case GONE:
          states.letGo(answer.text());
          break;
        case REQUEST:
          send(answer);
          break;
        case COUNTS:
          script.count(answer);
          break;
        case WARNING:
          script.warn(answer.text());
          break;
        case CALL_CHANGE:
          states.held((int) answer.varint(), answer.text(), answer.varint(), answer.block());
          break;
        case STATUS:
          int flags = answer.read();
          isFull = (flags & 1) != 0;
          isDone = (flags & 2) != 0;
          low = time(answer);
          wakeAt(time(answer));
          break;
        default:
          throw new IllegalStateException("the script answered with an item of kind " + item);
      }
    }
  }

  private static long time(BytesIn answer) {
    int kind = answer.read();
    return kind == 0 ? answer.varint() : kind == 1 ? Long.MAX_VALUE : Element.NO_WATERMARK;
  }

  private void timerAt(int stage, String key, long at) {
    setCurrentKey(key);
    timers.registerEventTimeTimer(keyedStages.get(stage), at);
    if (at <= firedUpTo) timersAdded = true;
  }

  private void send(BytesIn answer) {
    long id = answer.varint();
    long timeoutMs = answer.varint();
    String method = answer.text();
    String url = answer.text();
    List<String> headers = new ArrayList<>();
    for (long left = answer.varint(); left > 0; left--) {
      headers.add(answer.text());
      headers.add(answer.text());
    }
    String body = answer.read() == 1 ? answer.text() : null;
    transport.send(
        new HttpTransport.Request(id, timeoutMs, method, url, headers, body),
        came -> {
          answers.add(came);
          // One mail for all that came meanwhile.
          if (isAnswerMailed.compareAndSet(false, true)) mailbox.execute(this::takeAnswers, "answers of services");
        });
  }

  private void takeAnswers() throws Exception {
    isAnswerMailed.set(false);
    for (HttpTransport.Answer came = answers.poll(); came != null; came = answers.poll()) {
      begin();
      request.write(ANSWER);
      request.varint(came.id);
      request.write(came.kind);
      if (came.kind == HttpTransport.Answer.WHOLE) {
        request.varint(came.status);
        request.varint(came.headers.size() / 2);
        for (String header : came.headers) request.text(header);
      }
      request.text(came.text);
      if (request.length() >= DecodeOperator.BUNDLE_BYTES) flush();
    }
    flush();
  }

  private void wakeAt(long at) {
    if (at == wakeAt && wake != null && !wake.isDone()) return;
    if (wake != null) wake.cancel(false);
    wake = null;
    wakeAt = at;
    if (at == Long.MAX_VALUE) return;
    wake =
        getProcessingTimeService()
            .registerTimer(
                at,
                ignored -> {
                  wakeAt = Long.MAX_VALUE;
                  begin();
                  flush();
                });
  }

  /** What waited as of the checkpoint waits again; the script keeps it from now on, under new numbers. */
  private void restoreHeld() throws Exception {
    states.restoreHeld(
        (stage, key, id, bytes) -> {
          begin();
          request.write(HELD);
          states.tell(key, request);
          request.varint(stage);
          request.varint(id);
          request.block(bytes);
        });
    flush();
    BytesOut start = new BytesOut(1);
    start.write(START);
    script.exchange(start);
    take(script.collect());
  }

  /** With all shards idle the wall clock moves timers: silence lets time pass, too. */
  private void tellStatus() throws Exception {
    metrics.read();
    long now = getProcessingTimeService().getCurrentProcessingTime();
    if (isLive && isIdle) advance(now - settings.graph.outOfOrdernessMs);
    getProcessingTimeService().registerTimer(now + (isLive ? 250 : STATUS_MS), ignored -> tellStatus());
  }
}
