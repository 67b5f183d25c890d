package io.tenantanalytics.peer;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;

/** What could not be used. */
@JsonPropertyOrder({"source", "shardId", "sequenceNumber", "arrivalTime", "reason", "message", "payload"})
public class DeadLetter {
  public String source;
  public String shardId;
  public String sequenceNumber;
  public long arrivalTime;
  public String reason;
  public String message;
  public byte[] payload;

  public DeadLetter() {}

  public DeadLetter(String source, long line, long arrivalTime, String reason, String message, byte[] payload) {
    this.source = source;
    this.sequenceNumber = Long.toString(line);
    this.arrivalTime = arrivalTime;
    this.reason = reason;
    this.message = message;
    this.payload = payload;
  }
}
