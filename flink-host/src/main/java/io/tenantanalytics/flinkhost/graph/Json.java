package io.tenantanalytics.flinkhost.graph;

import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/** JSON by the parser that Flink brings. */
public final class Json {
  private static final ObjectMapper MAPPER =
      new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);

  private static final ObjectMapper WHOLE =
      new ObjectMapper().configure(DeserializationFeature.FAIL_ON_TRAILING_TOKENS, true);

  private Json() {}

  public static <T> T parse(String text, Class<T> type) {
    try {
      return MAPPER.readValue(text, type);
    } catch (JsonProcessingException error) {
      // Its own message would quote the text, and that may hold a key.
      throw new IllegalArgumentException("expected JSON of " + type.getSimpleName() + ", got something else");
    }
  }

  /** The object that is the whole of the text, its names in their order; null when it is something else. */
  @SuppressWarnings("unchecked")
  public static Map<String, Object> objectIn(String text) {
    try {
      return (Map<String, Object>) WHOLE.readValue(text, LinkedHashMap.class);
    } catch (JsonProcessingException error) {
      return null;
    }
  }

  public static String write(Object value) {
    try {
      return MAPPER.writeValueAsString(value);
    } catch (JsonProcessingException error) {
      throw new IllegalStateException("cannot be written as JSON: " + value.getClass(), error);
    }
  }
}
