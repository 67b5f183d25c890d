package io.tenantanalytics.flinkhost.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an engine does to the JVM it is loaded into; each test has a JVM of its own. */
class IsolationTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"v8", "graaljs"})
  void aSecondSubmissionHasItsEngineAndTheFirstOnesClassesAreFreed(String kind) throws Exception {
    List<String> said = probe(List.of(), "submissions", kind);
    assertEquals(List.of("first loader is gone", "second works"), said);
    assertArrayEquals(new String[0], folder.toFile().list((in, name) -> name.startsWith("tenant-analytics-v8-")));
  }

  @Test
  void autoFallsBackToGraalJsWithOneWarningWhenTheLibraryDoesNotLoad() throws Exception {
    List<String> said = probe(List.of("-D" + V8World.LIBRARY_PROPERTY + "=" + brokenLibrary()), "auto");
    assertEquals(3, said.size(), said.toString());
    assertEquals("engine graaljs says hello", said.get(0));
    assertEquals("engine graaljs says hello", said.get(1));
    String warning = said.get(2);
    assertTrue(warning.startsWith("warning V8 cannot be loaded in this JVM (UnsatisfiedLinkError: "), warning);
    assertTrue(warning.contains("file too short") || warning.contains("invalid ELF header"), warning);
    assertTrue(warning.contains("ABOUT 20 TIMES SLOWER"), warning);
    assertTrue(warning.contains("--set engine=graaljs"), warning);
  }

  @Test
  void autoFallsBackOnAnotherArchitecture() throws Exception {
    List<String> said = probe(List.of("-Dos.arch=aarch64"), "auto");
    assertEquals("engine graaljs says hello", said.get(0));
    assertTrue(said.get(2).contains("this jar has V8 for Linux on x86-64, and this is Linux on aarch64"), said.get(2));
  }

  @Test
  void v8IsAnErrorWhenTheLibraryDoesNotLoad() throws Exception {
    List<String> said = probe(List.of("-D" + V8World.LIBRARY_PROPERTY + "=" + brokenLibrary()), "v8");
    assertEquals(1, said.size(), said.toString());
    assertTrue(said.get(0).startsWith("refused V8 cannot be loaded in this JVM (UnsatisfiedLinkError: "), said.get(0));
    assertTrue(said.get(0).contains("Set engine=auto or engine=graaljs"), said.get(0));
  }

  @Test
  void autoTakesV8WhereItLoads() throws Exception {
    assertEquals(Collections.nCopies(2, "engine v8 says hello"), probe(List.of(), "auto"));
  }

  private Path brokenLibrary() throws IOException {
    return Files.write(folder.resolve("broken.so"), new byte[] {'n', 'o', 'n', 'e'});
  }

  private List<String> probe(List<String> options, String... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Paths.get(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(options);
    command.add("-Djava.io.tmpdir=" + folder);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Probe.class.getName()));
    command.addAll(List.of(arguments));
    Path out = folder.resolve("out.txt");
    Path errors = folder.resolve("errors.txt");
    Process process =
        new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(errors.toFile()).start();
    process.getOutputStream().close();
    if (!process.waitFor(3, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new AssertionError("the JVM did not end: " + Files.readString(out) + Files.readString(errors));
    }
    assertEquals(0, process.exitValue(), () -> read(out) + read(errors));
    return Files.readAllLines(out).stream().filter(line -> !line.isBlank()).collect(Collectors.toList());
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException failed) {
      return failed.toString();
    }
  }
}
