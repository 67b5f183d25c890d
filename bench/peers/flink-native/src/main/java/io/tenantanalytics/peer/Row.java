package io.tenantanalytics.peer;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.math.BigDecimal;

/** An enriched company, as it is written. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
  "companyID", "industry", "revenu", "employees", "job30", "job90", "monthlyFee", "totalFee", "riskOfChurn", "scoreStatus",
  "trigger", "eventID", "eventTime", "userID", "nbJobs", "dataSize", "version", "companyStale"
})
public class Row {
  public String companyID;
  public String industry;
  public BigDecimal revenu;
  public BigDecimal employees;
  public long job30;
  public long job90;
  public BigDecimal monthlyFee;
  public BigDecimal totalFee;

  /** There is no score. */
  @JsonInclude(JsonInclude.Include.ALWAYS)
  public Boolean riskOfChurn;

  public String scoreStatus;
  public String trigger;
  public String eventID;
  public long eventTime;
  public String userID;
  public long nbJobs;
  public Long dataSize;
  public long version;
  public boolean companyStale;
}
