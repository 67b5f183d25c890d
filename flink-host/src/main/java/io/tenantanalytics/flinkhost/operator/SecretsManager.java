package io.tenantanalytics.flinkhost.operator;

final class SecretsManager {
  private SecretsManager() {}

  static String read(String parameter, String arn) {
    throw new IllegalStateException(parameter + ": secrets are not read here yet: " + arn);
  }
}
