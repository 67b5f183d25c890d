package io.tenantanalytics.peer;

/** A line of one of the two files. */
public class Line {
  public boolean ofCompanies;
  public String file;
  public long number;
  public long arrivalTime;
  public byte[] bytes;

  public Line() {}

  public Line(boolean ofCompanies, String file, long number, long arrivalTime, byte[] bytes) {
    this.ofCompanies = ofCompanies;
    this.file = file;
    this.number = number;
    this.arrivalTime = arrivalTime;
    this.bytes = bytes;
  }
}
