package io.tenantanalytics.flinkhost.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.tenantanalytics.flinkhost.graph.GraphDescription;
import io.tenantanalytics.flinkhost.graph.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against a server on this machine that speaks as Secrets Manager does. */
class SecretsManagerTest {
  private static final String KEY = "predictChurnApiKey";
  private static final String NAMED = "arn:aws:secretsmanager:us-west-2:123456789012:secret:";
  private static final Map<String, String> SECRETS = new ConcurrentHashMap<>();
  private static final ConcurrentLinkedQueue<String> SCOPES = new ConcurrentLinkedQueue<>();
  private static HttpServer server;

  @BeforeAll
  static void begin() throws IOException {
    SECRETS.put("plain", "a plain key");
    SECRETS.put("blanks", "  a key\n");
    SECRETS.put("one", "{\"apiKey\": \"of one\"}");
    SECRETS.put("two", "{\"apiKey\": \"of two\", \"other\": \"x\"}");
    SECRETS.put("number", "{\"apiKey\": 7}");
    SECRETS.put("empty", "{}");
    SECRETS.put("list", "[\"a\"]");
    SECRETS.put("nearly", "{\"apiKey\": \"a\"} and more");
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", SecretsManagerTest::answer);
    server.start();
    System.setProperty("aws.endpointUrlSecretsManager", "http://127.0.0.1:" + server.getAddress().getPort());
    System.setProperty("aws.accessKeyId", "test");
    System.setProperty("aws.secretAccessKey", "test");
  }

  @AfterAll
  static void end() {
    server.stop(0);
    for (String name : List.of("aws.endpointUrlSecretsManager", "aws.accessKeyId", "aws.secretAccessKey")) {
      System.clearProperty(name);
    }
  }

  private static void answer(HttpExchange exchange) throws IOException {
    String asked = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    String id = String.valueOf(Json.objectIn(asked).get("SecretId"));
    SCOPES.add(exchange.getRequestHeaders().getFirst("authorization").replaceAll(".*Credential=[^/]*/\\d+/([^,]*),.*", "$1"));
    String name = id.replaceAll(".*:secret:", "");
    String text = SECRETS.get(name);
    String body =
        "secretsmanager.GetSecretValue".equals(exchange.getRequestHeaders().getFirst("x-amz-target")) && text != null
            ? Json.write(Map.of("ARN", id, "Name", name, "SecretString", text))
            : name.equals("binary")
                ? "{\"SecretBinary\":\"AAAA\"}"
                : Json.write(Map.of("__type", nameOf(name), "message", "it is said so"));
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().add("content-type", "application/x-amz-json-1.1");
    exchange.sendResponseHeaders(body.contains("__type") ? 400 : 200, bytes.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(bytes);
    }
  }

  private static String nameOf(String secret) {
    return secret.equals("forbidden") ? "AccessDeniedException" : "ResourceNotFoundException";
  }

  private static String refusal(String value) {
    return assertThrows(SecretsManager.Unreadable.class, () -> SecretsManager.read(KEY, value, "us-west-2")).getMessage();
  }

  @ParameterizedTest(name = "{0} is {1}")
  @CsvSource(
      quoteCharacter = '`',
      value = {
        "plain, a plain key",
        "blanks, a key",
        "one, of one",
        "one#apiKey, of one",
        "two#apiKey, of two",
        "empty, {}",
        "list, `[\"a\"]`",
        "nearly, `{\"apiKey\": \"a\"} and more`"
      })
  void theTextOrTheOneKeyOrTheKeyThatIsNamed(String secret, String value) {
    assertEquals(value, SecretsManager.read(KEY, NAMED + secret, "us-west-2"));
  }

  @Test
  void aValueThatIsNoArnOfASecretIsTheValue() {
    assertEquals("arn:aws:ssm:x", SecretsManager.read(KEY, " arn:aws:ssm:x ", "us-west-2"));
  }

  @Test
  void itIsReadInTheRegionOfItsArn() {
    SCOPES.clear();
    assertEquals(
        "a plain key",
        SecretsManager.read(KEY, "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:plain", "us-west-2"));
    assertEquals(List.of("cn-north-1/secretsmanager/aws4_request"), List.copyOf(SCOPES));
  }

  @Test
  void ofSeveralKeysOneMustBeNamed() {
    assertEquals(
        KEY + ": the secret " + NAMED + "two could not be read: it is a JSON object with the keys apiKey, other. Name one: "
            + NAMED + "two#apiKey. [SECRET_UNREADABLE]",
        refusal(NAMED + "two"));
  }

  @Test
  void aKeyThatIsNotThereOrIsNoTextIsTold() {
    assertTrue(refusal(NAMED + "two#nope").contains("expected text under the key nope, but it has the keys apiKey, other."));
    assertTrue(refusal(NAMED + "number").contains("expected text under the key apiKey, but it has the keys apiKey."));
    assertTrue(refusal(NAMED + "plain#x").contains("but it has no keys: it is no JSON object."));
  }

  @Test
  void whatSecretsManagerSaysIsToldWithWhatToDo() {
    assertEquals(
        KEY + ": the secret " + NAMED + "none could not be read: ResourceNotFoundException: it is said so. Check its name,"
            + " account and region, and that it is not scheduled for deletion. [SECRET_UNREADABLE]",
        refusal(NAMED + "none"));
    assertTrue(refusal(NAMED + "forbidden").contains("Allow secretsmanager:GetSecretValue on it"));
    assertTrue(refusal(NAMED + "binary").contains("it is binary. Store it as text."));
    assertTrue(
        refusal("arn:aws:secretsmanager:eu-west-1:123456789012:secret:none")
            .contains("Its ARN says eu-west-1; aws.region is us-west-2."));
  }

  @Test
  void anArnThatIsCutOffIsTold() {
    assertTrue(refusal("arn:aws:secretsmanager:us-west-2:123:secret:x").contains("it is no whole ARN of a secret."));
  }

  @Test
  void noMessageHoldsASecret() {
    for (String asked : List.of("two", "two#nope", "number#nope", "plain#x")) {
      String message = refusal(NAMED + asked);
      for (String secret : List.of("of two", "a plain key", "7}")) assertFalse(message.contains(secret), message);
    }
    SecretsManager.Unreadable error =
        assertThrows(SecretsManager.Unreadable.class, () -> SecretsManager.read(KEY, NAMED + "none", "us-west-2"));
    assertNull(error.getCause());
  }

  @Test
  void aJobGraphHasTheArnAndTheOperatorTheSecret() {
    GraphDescription graph = new GraphDescription();
    graph.sources = List.of(new GraphDescription.Source());
    graph.sources.get(0).region = "us-west-2";
    GraphDescription.Secret secret = new GraphDescription.Secret();
    secret.group = "Group";
    secret.name = KEY;
    secret.arn = NAMED + "one";
    graph.secrets = List.of(secret);
    String properties =
        Json.write(List.of(Map.of("PropertyGroupId", "Group", "PropertyMap", Map.of(KEY, secret.arn, "other", "value"))));
    ScriptSettings settings = new ScriptSettings(graph, properties, "[]", true);
    assertEquals(
        List.of(Map.of("PropertyGroupId", "Group", "PropertyMap", Map.of(KEY, "of one", "other", "value"))),
        Secrets.resolve(settings));
    assertTrue(settings.properties.contains(secret.arn) && !settings.properties.contains("of one"));
  }
}
