package io.tenantanalytics.flinkhost.operator;

import io.tenantanalytics.flinkhost.graph.Json;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.secretsmanager.SecretsManagerClient;
import software.amazon.awssdk.services.secretsmanager.model.GetSecretValueRequest;

/**
 * Secrets by their ARN, read from AWS Secrets Manager in the region that the ARN names. What an ARN means and what is said of
 * one that cannot be read is as on the Node host ({@code src/connectors/aws/secrets.ts}).
 *
 * <p>Credentials and, for tests, the endpoint are those of the SDK's own chains: the role of the application; {@code
 * AWS_ENDPOINT_URL_SECRETS_MANAGER} or {@code aws.endpointUrlSecretsManager}.
 */
final class SecretsManager {
  private static final Pattern ARN =
      Pattern.compile(
          "(?<id>arn:aws[a-z-]*:secretsmanager:(?<region>[a-z0-9-]+):\\d{12}:secret:[^#\\s]+)(?:#(?<key>.+))?");
  private static final Pattern LOOKS_LIKE_ARN = Pattern.compile("arn:aws[a-z-]*:secretsmanager:.*", Pattern.DOTALL);
  private static final Duration CALL_LIMIT = Duration.ofSeconds(10);

  private static final String PERMISSION = "Allow secretsmanager:GetSecretValue on it, and kms:Decrypt on its key";
  private static final String CREDENTIALS =
      "Give the application a role that may read it; elsewhere set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
  private static final Map<String, String> ADVICE =
      Map.of(
          "ResourceNotFoundException",
          "Check its name, account and region, and that it is not scheduled for deletion",
          "InvalidRequestException",
          "Check that it is not scheduled for deletion",
          "AccessDeniedException",
          PERMISSION,
          "DecryptionFailure",
          PERMISSION,
          "CredentialsProviderError",
          CREDENTIALS,
          "UnrecognizedClientException",
          CREDENTIALS,
          "ExpiredTokenException",
          CREDENTIALS);

  private SecretsManager() {}

  /**
   * The value itself, or the secret that it is the ARN of, without blanks around it.
   *
   * @param parameter that has this value, for the message of an error
   * @param region the application's own, for advice
   * @throws Unreadable and its message never contains the secret
   */
  static String read(String parameter, String value, String region) {
    try {
      return resolve(value, region).strip();
    } catch (Unreadable error) {
      throw new Unreadable(parameter + ": " + error.getMessage() + " [SECRET_UNREADABLE]");
    }
  }

  /** Without a cause: what the SDK throws may carry requests and answers. */
  static final class Unreadable extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private Unreadable(String message) {
      super(message);
    }

    private Unreadable(String asked, String why, String advice) {
      this("the secret " + asked + " could not be read: " + why + ". " + advice + ".");
    }
  }

  private static String resolve(String value, String region) {
    if (!LOOKS_LIKE_ARN.matcher(value).matches()) return value;
    Matcher arn = ARN.matcher(value);
    if (!arn.matches()) {
      throw new Unreadable(
          value,
          "it is no whole ARN of a secret",
          "Expected arn:aws:secretsmanager:<region>:<account>:secret:<name>, with #<key> after it for one key of several");
    }
    String id = arn.group("id");
    String key = arn.group("key");
    String text = text(id, arn.group("region"), region);
    Map<String, Object> values = Json.objectIn(text);
    if (key != null) return under(value, key, values);
    if (values == null || values.isEmpty()) return text;
    String first = values.keySet().iterator().next();
    if (values.size() == 1) return under(value, first, values);
    throw new Unreadable(
        value, "it is a JSON object with the keys " + String.join(", ", values.keySet()), "Name one: " + id + "#" + first);
  }

  private static String text(String id, String region, String ownRegion) {
    try (SecretsManagerClient client =
        SecretsManagerClient.builder()
            .region(Region.of(region))
            .credentialsProvider(StaticCredentialsProvider.create(credentials(id)))
            .httpClient(UrlConnectionHttpClient.create())
            .overrideConfiguration(settings -> settings.apiCallTimeout(CALL_LIMIT))
            .build()) {
      String text = client.getSecretValue(GetSecretValueRequest.builder().secretId(id).build()).secretString();
      if (text != null) return text;
    } catch (SdkException error) {
      String name = error.getClass().getSimpleName();
      String message = error.getMessage();
      if (error instanceof AwsServiceException && ((AwsServiceException) error).awsErrorDetails() != null) {
        name = ((AwsServiceException) error).awsErrorDetails().errorCode();
        message = ((AwsServiceException) error).awsErrorDetails().errorMessage();
      }
      String advice = ADVICE.getOrDefault(String.valueOf(name), "Check that " + region + " can be reached");
      String elsewhere =
          region.equals(ownRegion) ? "" : ". Its ARN says " + region + "; aws.region is " + ownRegion;
      throw new Unreadable(id, name + ": " + message, advice + elsewhere);
    }
    throw new Unreadable(id, "it is binary", "Store it as text");
  }

  private static AwsCredentials credentials(String id) {
    try (DefaultCredentialsProvider chain = DefaultCredentialsProvider.builder().build()) {
      return chain.resolveCredentials();
    } catch (SdkException error) {
      throw new Unreadable(id, "CredentialsProviderError: " + error.getMessage(), CREDENTIALS);
    }
  }

  private static String under(String asked, String key, Map<String, Object> values) {
    Object found = values == null ? null : values.get(key);
    if (found instanceof String) return (String) found;
    String has =
        values == null || values.isEmpty()
            ? "it has no keys: it is no JSON object"
            : "it has the keys " + String.join(", ", values.keySet());
    throw new Unreadable(
        asked, "expected text under the key " + key + ", but " + has, "Name one whose value is text");
  }
}
