package io.tenantanalytics.flinkhost.engine;

class GraalEngineTest extends ScriptEngineContract {
  @Override
  String kind() {
    return "graaljs";
  }
}
