package io.tenantanalytics.peer;

/** A company record or a job event: of one type, so that one keyed function meets them in the order of the files. */
public class Event {
  public boolean ofCompany;
  public String companyID;
  public long time;

  /** Of a company record; null when it tells of a deletion. */
  public Profile profile;

  public String userID;
  public long nbJobs;

  /** -1 when the event does not say. */
  public long dataSize;

  public String eventID;

  /** For a dead letter. */
  public long line;

  public byte[] payload;
}
