package io.tenantanalytics.flinkhost.operator;

import io.tenantanalytics.flinkhost.graph.GraphDescription;
import io.tenantanalytics.flinkhost.graph.Json;
import java.util.List;
import java.util.Map;

/** Puts secrets in the place of their ARNs, in the operator that needs them: they are in no job graph and no checkpoint. */
final class Secrets {
  private Secrets() {}

  @SuppressWarnings("unchecked")
  static List<Object> resolve(ScriptSettings settings) {
    List<Object> groups = Json.parse(settings.properties, List.class);
    String region = settings.graph.sources.isEmpty() ? "" : settings.graph.sources.get(0).region;
    for (GraphDescription.Secret secret : settings.graph.secrets) {
      for (Object group : groups) {
        Map<String, Object> fields = (Map<String, Object>) group;
        if (!secret.group.equals(fields.get("PropertyGroupId"))) continue;
        Map<String, Object> values = (Map<String, Object>) fields.get("PropertyMap");
        values.put(secret.name, SecretsManager.read(secret.name, secret.arn, region));
      }
    }
    return groups;
  }
}
