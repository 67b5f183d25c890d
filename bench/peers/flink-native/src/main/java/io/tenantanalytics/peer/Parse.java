package io.tenantanalytics.peer;

import com.fasterxml.jackson.annotation.JsonAlias;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;

/** Lines to events. What is none goes to the dead letters. */
public class Parse extends ProcessFunction<Line, Event> {
  private static final long serialVersionUID = 1L;
  private static final int COMPANY_ID_CHARACTERS_MAX = 128;
  private transient ObjectReader jobs;
  private transient ObjectReader companies;

  @Override
  public void open(OpenContext context) {
    JsonMapper mapper = JsonMapper.builder().disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT).build();
    jobs = mapper.readerFor(Job.class);
    companies = mapper.readerFor(Company.class);
  }

  @Override
  public void processElement(Line line, Context context, Collector<Event> out) throws IOException {
    try {
      out.collect(line.ofCompanies ? company(line) : job(line));
    } catch (JsonProcessingException | InvalidException error) {
      boolean isInvalid = error instanceof InvalidException || error.getCause() instanceof InvalidException;
      context.output(NativePeer.DEAD_LETTERS, new DeadLetter(line.file, line.number, line.arrivalTime,
          isInvalid ? "invalid" : "malformed", error.getMessage(), line.bytes));
    }
  }

  private Event job(Line line) throws IOException {
    Job job = isJson(line.bytes) ? jobs.readValue(line.bytes) : jobOf(cells(line, 3));
    if (job.nbJobs == null || job.nbJobs < 0) throw new InvalidException("nbJobs: expected an integer of at least 0");
    if (job.userID == null) throw new InvalidException("userID: expected a text");
    if (job.dataSize != null && job.dataSize < 0) throw new InvalidException("dataSize: expected an integer of at least 0");
    Event event = event(line, job.companyID, job.creationDate);
    event.userID = job.userID;
    event.nbJobs = job.nbJobs;
    event.dataSize = job.dataSize == null ? -1 : job.dataSize;
    event.eventID = job.eventID == null ? line.file + ":" + line.number : job.eventID;
    return event;
  }

  private Event company(Line line) throws IOException {
    Company company = isJson(line.bytes) ? companies.readValue(line.bytes) : companyOf(cells(line, 8));
    Event event = event(line, company.companyID, company.updatedAt);
    event.ofCompany = true;
    if (company.deleted) return event;
    if (company.industry == null || company.revenu == null || company.employees == null || company.job30 == null
        || company.job90 == null || company.monthlyFee == null || company.totalFee == null) {
      throw new InvalidException("expected the eight fields of a company record");
    }
    if (company.job30 < 0 || company.job90 < 0) throw new InvalidException("job30, job90: expected integers of at least 0");
    Profile profile = new Profile();
    profile.industry = company.industry;
    profile.revenu = company.revenu;
    profile.employees = company.employees;
    profile.job30 = company.job30;
    profile.job90 = company.job90;
    profile.monthlyFee = company.monthlyFee;
    profile.totalFee = company.totalFee;
    event.profile = profile;
    return event;
  }

  private static Event event(Line line, String companyID, Long time) throws InvalidException {
    if (companyID == null || companyID.isEmpty() || companyID.length() > COMPANY_ID_CHARACTERS_MAX) {
      throw new InvalidException("companyID: expected a text of 1 to 128 characters");
    }
    Event event = new Event();
    event.companyID = companyID;
    event.time = time == null ? line.arrivalTime : time;
    event.line = line.number;
    event.payload = line.bytes;
    return event;
  }

  private static boolean isJson(byte[] bytes) {
    int at = 0;
    while (at < bytes.length && bytes[at] <= ' ' && bytes[at] >= 0) at++;
    return at < bytes.length && bytes[at] == '{';
  }

  private static String[] cells(Line line, int least) throws InvalidException {
    String[] cells = new String(line.bytes, StandardCharsets.UTF_8).split(",", -1);
    if (cells.length < least) throw new InvalidException("expected " + least + " cells, got " + cells.length);
    return cells;
  }

  private static Job jobOf(String[] cells) throws InvalidException {
    Job job = new Job();
    job.companyID = cells[0];
    job.userID = cells[1];
    job.nbJobs = integer(cells[2]);
    job.creationDate = cells.length > 3 && !cells[3].isBlank() ? time(cells[3].trim()) : null;
    return job;
  }

  private static Company companyOf(String[] cells) throws InvalidException {
    Company company = new Company();
    company.companyID = cells[0];
    company.industry = cells[1];
    company.revenu = decimal(cells[2]);
    company.employees = decimal(cells[3]);
    company.job30 = integer(cells[4]);
    company.job90 = integer(cells[5]);
    company.monthlyFee = decimal(cells[6]);
    company.totalFee = decimal(cells[7]);
    return company;
  }

  private static Long integer(String cell) throws InvalidException {
    try {
      return Long.valueOf(cell.trim());
    } catch (NumberFormatException error) {
      throw new InvalidException("expected an integer, got " + cell);
    }
  }

  private static BigDecimal decimal(String cell) throws InvalidException {
    try {
      return new BigDecimal(cell.trim());
    } catch (NumberFormatException error) {
      throw new InvalidException("expected a number, got " + cell);
    }
  }

  private static Long time(String text) throws InvalidException {
    try {
      return text.chars().allMatch(Character::isDigit) ? Long.parseLong(text) : Instant.parse(text).toEpochMilli();
    } catch (DateTimeParseException | NumberFormatException error) {
      throw new InvalidException("expected epoch milliseconds or ISO 8601, got " + text);
    }
  }

  @JsonIgnoreProperties(ignoreUnknown = true)
  static final class Job {
    @JsonAlias({"company_id", "tenantID"})
    public String companyID;

    public String userID;
    public Long nbJobs;

    @JsonDeserialize(using = Time.class)
    public Long creationDate;

    public Long dataSize;
    public String eventID;
  }

  @JsonIgnoreProperties(ignoreUnknown = true)
  static final class Company {
    @JsonAlias({"company_id", "tenantID"})
    public String companyID;

    public String industry;
    public BigDecimal revenu;

    @JsonAlias("employee")
    public BigDecimal employees;

    public Long job30;
    public Long job90;
    public BigDecimal monthlyFee;
    public BigDecimal totalFee;

    @JsonDeserialize(using = Time.class)
    public Long updatedAt;

    public boolean deleted;
  }

  static final class Time extends JsonDeserializer<Long> {
    @Override
    public Long deserialize(JsonParser parser, DeserializationContext context) throws IOException {
      if (parser.currentToken() == JsonToken.VALUE_NUMBER_INT) return parser.getLongValue();
      return time(parser.getText().trim());
    }
  }

  static final class InvalidException extends IOException {
    private static final long serialVersionUID = 1L;

    InvalidException(String message) {
      super(message);
    }
  }
}
