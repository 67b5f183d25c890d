package io.tenantanalytics.peer;

import java.math.BigDecimal;

/** What a company record says. */
public class Profile {
  public String industry;
  public BigDecimal revenu;
  public BigDecimal employees;
  public long job30;
  public long job90;
  public BigDecimal monthlyFee;
  public BigDecimal totalFee;
}
