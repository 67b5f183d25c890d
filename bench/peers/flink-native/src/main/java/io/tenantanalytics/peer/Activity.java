package io.tenantanalytics.peer;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** Joins job events with their company, counts them over 30 and 90 days, and tells of counts that fall by themselves. */
public class Activity extends KeyedProcessFunction<String, Event, Row> {
  private static final long serialVersionUID = 1L;
  private static final long COUNT_MAX = (1L << 53) - 1;
  private final String companiesFile;
  private final String jobsFile;
  private final long jobsArrivalTime;
  private transient ValueState<CompanyState> companies;

  public Activity(String companiesFile, String jobsFile, long jobsArrivalTime) {
    this.companiesFile = companiesFile;
    this.jobsFile = jobsFile;
    this.jobsArrivalTime = jobsArrivalTime;
  }

  @Override
  public void open(OpenContext context) {
    companies = getRuntimeContext().getState(new ValueStateDescriptor<>("company", CompanyState.class));
  }

  @Override
  public void processElement(Event event, Context context, Collector<Row> out) throws Exception {
    CompanyState state = companies.value();
    if (event.ofCompany) {
      state = onRecord(state, event);
    } else if (state == null || state.profile == null) {
      reject(event, "unknown-company", "companyID: expected a known company, got " + event.companyID, context);
      return;
    } else {
      onJob(state, event, context, out);
    }
    setTimer(state, context);
    companies.update(state);
  }

  private static CompanyState onRecord(CompanyState known, Event record) {
    CompanyState state = known == null ? new CompanyState() : known;
    if (known != null) {
      boolean isOlder = record.time < state.recordTime;
      if (isOlder || (state.profile == null && record.time == state.recordTime)) return state;
    }
    Profile before = state.profile;
    if (record.profile == null) {
      state.delete(record.time);
    } else if (before == null || before.job30 != record.profile.job30 || before.job90 != record.profile.job90) {
      state.restate(record.profile, record.time);
    } else {
      state.profile = record.profile;
      state.recordTime = record.time;
    }
    return state;
  }

  private void onJob(CompanyState state, Event job, Context context, Collector<Row> out) {
    int day = Days.of(job.time);
    if (state.buckets == null) state.begin(day);
    if (state.due <= day) settle(state, job.companyID, day, out);
    if (state.settled < day) state.settled = day;
    state.advanceTo(day);
    if (day <= state.clockDay - CompanyState.LONG_WINDOW) {
      reject(job, "late", "creationDate: expected less than 90 days before the company's latest event", context);
      return;
    }
    boolean inShort = day > state.clockDay - CompanyState.SHORT_WINDOW;
    long before30 = state.job30();
    long before90 = state.job90();
    long job30 = inShort ? before30 + job.nbJobs : before30;
    long job90 = before90 + job.nbJobs;
    if (job30 > COUNT_MAX || job90 > COUNT_MAX) {
      reject(job, "invalid", "nbJobs: expected a count that stays below 2^53", context);
      return;
    }
    boolean asStated = state.settled == state.clockDay && state.stated30 == before30 && state.stated90 == before90;
    state.add(day, job.nbJobs);
    state.stated30 = job30;
    state.stated90 = job90;
    state.version++;
    if (!asStated) {
      state.due = state.nextDue();
    } else if (job.nbJobs > 0) {
      state.due = Math.min(state.due, day + (inShort ? CompanyState.SHORT_WINDOW : CompanyState.LONG_WINDOW));
    }
    Row row = row(state, job.companyID);
    row.trigger = "job";
    row.eventID = job.eventID;
    row.eventTime = job.time;
    row.userID = job.userID;
    row.nbJobs = job.nbJobs;
    row.dataSize = job.dataSize < 0 ? null : job.dataSize;
    out.collect(row);
  }

  @Override
  public void onTimer(long timestamp, OnTimerContext context, Collector<Row> out) throws Exception {
    // The end of the input is not the end of time.
    if (context.timerService().currentWatermark() == Long.MAX_VALUE) return;
    CompanyState state = companies.value();
    if (state == null) return;
    if (state.timer == Days.of(timestamp)) state.timer = Days.NONE;
    if (state.profile != null) settle(state, context.getCurrentKey(), Days.of(timestamp), out);
    setTimer(state, context);
    companies.update(state);
  }

  private static void settle(CompanyState state, String companyID, int upTo, Collector<Row> out) {
    while (state.due <= upTo) {
      int boundary = state.due;
      state.stated30 = state.job30AsOf(boundary);
      state.stated90 = state.job90AsOf(boundary);
      state.settled = boundary;
      state.version++;
      state.due = state.nextDue();
      Row row = row(state, companyID);
      row.trigger = "decay";
      row.eventID = "decay:" + companyID + ":" + Days.date(boundary);
      row.eventTime = Days.start(boundary);
      out.collect(row);
    }
  }

  /** A timer too early finds nothing due, and sets the next one: none is taken back. */
  private static void setTimer(CompanyState state, Context context) {
    if (state.due >= state.timer) return;
    state.timer = state.due;
    context.timerService().registerEventTimeTimer(Days.start(state.due));
  }

  private static Row row(CompanyState state, String companyID) {
    Profile profile = state.profile;
    Row row = new Row();
    row.companyID = companyID;
    row.industry = profile.industry;
    row.revenu = profile.revenu;
    row.employees = profile.employees;
    row.job30 = state.stated30;
    row.job90 = state.stated90;
    row.monthlyFee = profile.monthlyFee;
    row.totalFee = profile.totalFee;
    row.scoreStatus = "off";
    row.version = state.version;
    return row;
  }

  private void reject(Event event, String reason, String message, Context context) {
    String file = event.ofCompany ? companiesFile : jobsFile;
    context.output(NativePeer.DEAD_LETTERS,
        new DeadLetter(file, event.line, jobsArrivalTime, reason, message, event.payload));
  }
}
