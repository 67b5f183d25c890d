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
  /** Answers with a head and the begin of a body, and waits for the end of the connection. */
  private static CompletableFuture<Boolean> stall(ServerSocket server) {
    CompletableFuture<Boolean> isClosed = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> {
              try (Socket socket = server.accept()) {
                socket.getInputStream().read(new byte[4096]);
                String head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten of it.";
                socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
                socket.getOutputStream().flush();
                socket.setSoTimeout(20_000);
                isClosed.complete(socket.getInputStream().read() == -1);
              } catch (java.net.SocketTimeoutException open) {
                isClosed.complete(false);
              } catch (IOException reset) {
                isClosed.complete(true);
              }
            });
    thread.setDaemon(true);
    thread.start();
    return isClosed;
  }

  private static HttpTransport.Request request(ServerSocket server, long timeoutMs) {
    String url = "http://127.0.0.1:" + server.getLocalPort() + "/";
    return new HttpTransport.Request(7, timeoutMs, "GET", url, List.of(), null);
  }

  @Test
  void anAnswerThatStallsIsATimeoutAndItsConnectionIsClosed() throws Exception {
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        HttpTransport transport = new HttpTransport()) {
      CompletableFuture<Boolean> isClosed = stall(server);
      CompletableFuture<HttpTransport.Answer> answer = new CompletableFuture<>();
      transport.send(request(server, 300), answer::complete);
      assertEquals(HttpTransport.Answer.TIMEOUT, answer.get(20, TimeUnit.SECONDS).kind);
      assertTrue(isClosed.get(30, TimeUnit.SECONDS));
    }
  }

  @Test
  void whoClosesTheTransportClosesWhatIsUnderWay() throws Exception {
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      CompletableFuture<Boolean> isClosed = stall(server);
      HttpTransport transport = new HttpTransport();
      transport.send(request(server, 60_000), answer -> {});
      Thread.sleep(1000);
      transport.close();
      assertTrue(isClosed.get(30, TimeUnit.SECONDS));
    }
  }
}
