package io.tenantanalytics.flinkhost.operator;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * Sends requests, each once, and tells what came: the JDK's client, asynchronous, HTTP/1.1 over kept connections. Retries,
 * caches and limits are the script's.
 */
final class HttpTransport implements AutoCloseable {
  /** Larger answers than this are not answers of a service. */
  private static final int MOST_BODY_BYTES = 1024 * 1024;

  private static final long IDLE_SECONDS = 5;

  /** Threads that have nothing to do end by themselves: what is under way when it is closed needs them to end its connection. */
  private final Executor executor = threads();
  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .followRedirects(HttpClient.Redirect.NEVER)
          .executor(executor)
          .build();

  /** Requests under way, by the body that is awaited. */
  private final Map<BoundedBody, CompletableFuture<?>> open = new ConcurrentHashMap<>();

  private volatile boolean isClosed;

  /** One request, as the script asks for it. */
  static final class Request {
    final long id;
    final long timeoutMs;
    final String method;
    final String url;
    final List<String> headers;
    final String body;

    Request(long id, long timeoutMs, String method, String url, List<String> headers, String body) {
      this.id = id;
      this.timeoutMs = timeoutMs;
      this.method = method;
      this.url = url;
      this.headers = headers;
      this.body = body;
    }
  }

  /** What came of a request: a whole answer, or a failure. */
  static final class Answer {
    static final int WHOLE = 0;
    static final int TIMEOUT = 1;
    static final int CONNECTION = 2;

    final long id;
    final int kind;
    final int status;
    final List<String> headers;
    final String text;

    private Answer(long id, int kind, int status, List<String> headers, String text) {
      this.id = id;
      this.kind = kind;
      this.status = status;
      this.headers = headers;
      this.text = text;
    }
  }

  private static Executor threads() {
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            2,
            2,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            task -> {
              Thread thread = new Thread(task, "http-transport");
              thread.setDaemon(true);
              return thread;
            });
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  /** {@code done} is called once, in another thread; not any more once this is closed. */
  void send(Request request, Consumer<Answer> done) {
    HttpRequest built;
    try {
      built = build(request);
    } catch (IllegalArgumentException error) {
      done.accept(failure(request, Answer.CONNECTION, error));
      return;
    }
    BoundedBody body = new BoundedBody();
    CompletableFuture<HttpResponse<String>> sent = client.sendAsync(built, response -> body);
    open.put(body, sent);
    // The client's own timeout ends with the head of an answer; this one is for all of it. On a copy: what is complete cannot be cancelled.
    sent.copy()
        .orTimeout(request.timeoutMs, TimeUnit.MILLISECONDS)
        .whenComplete(
            (response, error) -> {
              open.remove(body);
              if (error != null) {
                sent.cancel(true);
                body.abort();
              }
              if (isClosed) return;
              done.accept(error == null ? whole(request, response) : failure(request, kindOf(error), error));
            });
  }

  private static HttpRequest build(Request request) {
    HttpRequest.Builder builder =
        HttpRequest.newBuilder(URI.create(request.url)).timeout(Duration.ofMillis(request.timeoutMs));
    for (int at = 0; at < request.headers.size(); at += 2) {
      builder.header(request.headers.get(at), request.headers.get(at + 1));
    }
    return builder
        .method(
            request.method,
            request.body == null
                ? HttpRequest.BodyPublishers.noBody()
                : HttpRequest.BodyPublishers.ofString(request.body))
        .build();
  }

  private static Answer whole(Request request, HttpResponse<String> response) {
    List<String> headers = new ArrayList<>();
    for (Map.Entry<String, List<String>> each : response.headers().map().entrySet()) {
      headers.add(each.getKey().toLowerCase(java.util.Locale.ROOT));
      headers.add(String.join(", ", each.getValue()));
    }
    return new Answer(request.id, Answer.WHOLE, response.statusCode(), headers, response.body());
  }

  private static Answer failure(Request request, int kind, Throwable error) {
    Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
    String message =
        kind == Answer.TIMEOUT
            ? "no answer within " + request.timeoutMs + " ms"
            : cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
    return new Answer(request.id, kind, 0, List.of(), message);
  }

  private static int kindOf(Throwable error) {
    Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
    return cause instanceof TimeoutException || cause instanceof HttpTimeoutException ? Answer.TIMEOUT : Answer.CONNECTION;
  }

  @Override
  public void close() {
    isClosed = true;
    // An exchange without an end would keep the client's own thread.
    open.forEach(
        (body, sent) -> {
          // Ends the exchange only from Java 16 on; before, the body does, once the head of the answer is there.
          sent.cancel(true);
          body.abort();
        });
  }

  /** A body of so many bytes at most. */
  private static final class BoundedBody implements HttpResponse.BodySubscriber<String> {
    private final CompletableFuture<String> body = new CompletableFuture<>();
    private final java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
    private Flow.Subscription subscription;
    private boolean isAborted;

    @Override
    public CompletionStage<String> getBody() {
      return body;
    }

    @Override
    public void onSubscribe(Flow.Subscription given) {
      if (isGiven(given)) given.request(Long.MAX_VALUE);
      else given.cancel();
    }

    private synchronized boolean isGiven(Flow.Subscription given) {
      subscription = given;
      return !isAborted;
    }

    /** Nobody waits for it any more: its connection is closed, however much is still to come. */
    void abort() {
      Flow.Subscription given;
      synchronized (this) {
        isAborted = true;
        given = subscription;
      }
      if (given != null) given.cancel();
      body.completeExceptionally(new IOException("the answer was given up"));
    }

    @Override
    public void onNext(List<ByteBuffer> parts) {
      for (ByteBuffer part : parts) {
        byte[] copy = new byte[part.remaining()];
        part.get(copy);
        bytes.write(copy, 0, copy.length);
      }
      if (bytes.size() <= MOST_BODY_BYTES) return;
      subscription.cancel();
      body.completeExceptionally(
          new IOException("expected an answer of at most " + MOST_BODY_BYTES + " bytes, got more"));
    }

    @Override
    public void onError(Throwable error) {
      body.completeExceptionally(error);
    }

    @Override
    public void onComplete() {
      body.complete(bytes.toString(StandardCharsets.UTF_8));
    }
  }
}
