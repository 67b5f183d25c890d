package io.tenantanalytics.flinkhost.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class HttpTransportTest {
  /** A server that answers with a head and the begin of a body, and waits for the end of the connection. */
  private static final class Stalling implements AutoCloseable {
    final ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    final CompletableFuture<Void> hasAnswered = new CompletableFuture<>();
    final CompletableFuture<Boolean> isClosed = new CompletableFuture<>();

    Stalling() throws IOException {
      Thread thread = new Thread(this::serve);
      thread.setDaemon(true);
      thread.start();
    }

    private void serve() {
      try {
        // Of one that was given up before it was sent, there is nothing to be read.
        for (boolean isAsked = false; !isAsked; ) {
          try (Socket socket = server.accept()) {
            isAsked = socket.getInputStream().read(new byte[4096]) > 0;
            if (isAsked) stall(socket);
          }
        }
      } catch (IOException over) {
        isClosed.complete(false);
      }
    }

    private void stall(Socket socket) throws IOException {
      String head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten of it.";
      socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
      socket.getOutputStream().flush();
      socket.setSoTimeout(20_000);
      hasAnswered.complete(null);
      try {
        isClosed.complete(socket.getInputStream().read() == -1);
      } catch (java.net.SocketTimeoutException open) {
        isClosed.complete(false);
      } catch (IOException reset) {
        isClosed.complete(true);
      }
    }

    @Override
    public void close() throws IOException {
      server.close();
    }
  }

  private static HttpTransport.Request request(ServerSocket server, long timeoutMs) {
    String url = "http://127.0.0.1:" + server.getLocalPort() + "/";
    return new HttpTransport.Request(7, timeoutMs, "GET", url, List.of(), null);
  }

  @Test
  void anAnswerThatStallsIsATimeoutAndItsConnectionIsClosed() throws Exception {
    try (Stalling stalling = new Stalling();
        HttpTransport transport = new HttpTransport()) {
      // The time of a request begins before its connection, which takes longer on a busy machine.
      for (long timeoutMs = 300; !stalling.hasAnswered.isDone() && timeoutMs < 20_000; timeoutMs *= 2) {
        CompletableFuture<HttpTransport.Answer> answer = new CompletableFuture<>();
        transport.send(request(stalling.server, timeoutMs), answer::complete);
        assertEquals(HttpTransport.Answer.TIMEOUT, answer.get(40, TimeUnit.SECONDS).kind);
      }
      assertTrue(stalling.isClosed.get(30, TimeUnit.SECONDS));
    }
  }

  @Test
  void whoClosesTheTransportClosesWhatIsUnderWay() throws Exception {
    try (Stalling stalling = new Stalling()) {
      HttpTransport transport = new HttpTransport();
      transport.send(request(stalling.server, 60_000), answer -> {});
      stalling.hasAnswered.get(30, TimeUnit.SECONDS);
      transport.close();
      assertTrue(stalling.isClosed.get(30, TimeUnit.SECONDS));
    }
  }
}
