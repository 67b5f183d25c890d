package io.tenantanalytics.flinkhost.engine;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.ref.WeakReference;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Runs in a JVM of its own, started by {@link IsolationTest}: what depends on what a JVM has loaded before. */
final class Probe {
  private Probe() {}

  public static void main(String[] arguments) throws Exception {
    switch (arguments[0]) {
      case "submissions":
        submissions(arguments[1]);
        break;
      case "auto":
        List<String> warnings = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
          try (ScriptEngine engine = open("auto", warnings::add)) {
            System.out.println("engine " + engine.name() + " says " + engine.call("echo", "hello"));
          }
        }
        warnings.forEach(warning -> System.out.println("warning " + warning));
        break;
      case "v8":
        try {
          open("v8", warning -> {}).close();
          System.out.println("opened");
        } catch (IllegalStateException refused) {
          System.out.println("refused " + refused.getMessage());
        }
        break;
      default:
        throw new IllegalArgumentException(arguments[0]);
    }
  }

  private static ScriptEngine open(String kind, Consumer<String> warn) {
    return ScriptEngines.open(kind, ScriptEngineContract.bundle(), "bundle.js", Duration.ofMinutes(1), 64L << 20, warn);
  }

  /** A job is submitted, its jar is deleted, another one is submitted, the first one goes. */
  private static void submissions(String kind) throws Exception {
    Submission first = new Submission(kind);
    first.use();
    first.deleteJar();
    Submission second = new Submission(kind);
    second.use();
    first.use();
    WeakReference<ClassLoader> dropped = first.drop();
    first = null;
    for (int i = 0; dropped.get() != null && i < 400; i++) {
      System.gc();
      Thread.sleep(25);
    }
    System.out.println(dropped.get() == null ? "first loader is gone" : "first loader is still there");
    second.use();
    System.out.println("second works");
    second.drop();
  }

  /** One submitted job, as Flink has it: a jar, a child-first class loader, and a thread. */
  private static final class Submission {
    private final Path jar = uberJar();
    private URLClassLoader loader = new ChildFirst(jar.toUri().toURL());
    private Object engine;
    private Method call;

    Submission(String kind) throws Exception {
      inThread(
          () -> {
            Class<?> engines = loader.loadClass(ScriptEngines.class.getName());
            if (engines == ScriptEngines.class) throw new AssertionError("not child-first");
            Method open =
                engines.getMethod(
                    "open", String.class, String.class, String.class, Duration.class, long.class, Consumer.class);
            Consumer<String> warn = System.out::println;
            engine =
                open.invoke(null, kind, ScriptEngineContract.bundle(), "bundle.js", Duration.ofMinutes(1), 64L << 20, warn);
            call = loader.loadClass(ScriptEngine.class.getName()).getMethod("call", String.class, String.class);
          });
    }

    void use() throws Exception {
      inThread(
          () -> {
            if (!"x".equals(call.invoke(engine, "echo", "x"))) throw new AssertionError("no echo");
            try {
              call.invoke(engine, "fail", "an error crosses too");
            } catch (ReflectiveOperationException expected) {
              return;
            }
            throw new AssertionError("no error");
          });
    }

    void deleteJar() throws IOException {
      Files.delete(jar);
    }

    WeakReference<ClassLoader> drop() throws Exception {
      inThread(() -> ((AutoCloseable) engine).close());
      WeakReference<ClassLoader> dropped = new WeakReference<>(loader);
      loader.close();
      loader = null;
      engine = null;
      call = null;
      Files.deleteIfExists(jar);
      return dropped;
    }

    private interface Work {
      void run() throws Exception;
    }

    private void inThread(Work work) throws Exception {
      Throwable[] failed = new Throwable[1];
      Thread thread =
          new Thread(
              () -> {
                try {
                  work.run();
                } catch (Throwable thrown) {
                  failed[0] = thrown;
                }
              });
      thread.setContextClassLoader(loader);
      thread.start();
      thread.join();
      if (failed[0] != null) throw new AssertionError(failed[0]);
    }
  }

  private static final class ChildFirst extends URLClassLoader {
    ChildFirst(URL jar) {
      super(new URL[] {jar}, Probe.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      synchronized (getClassLoadingLock(name)) {
        Class<?> loaded = findLoadedClass(name);
        if (loaded != null) return loaded;
        if (!name.startsWith("java.")) {
          try {
            return findClass(name);
          } catch (ClassNotFoundException notHere) {
            // Then the parent has it.
          }
        }
        return super.loadClass(name, resolve);
      }
    }

    @Override
    public URL getResource(String name) {
      URL own = findResource(name);
      return own != null ? own : super.getResource(name);
    }
  }

  /** What a job's jar has of what the engines need. */
  private static Path uberJar() throws IOException {
    Path made = Files.createTempFile("job-", ".jar");
    Set<String> names = new HashSet<>();
    try (OutputStream file = Files.newOutputStream(made);
        JarOutputStream out = new JarOutputStream(file)) {
      out.setLevel(0);
      for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
        Path from = Paths.get(path);
        if (path.endsWith("/classes")) {
          try (Stream<Path> files = Files.walk(from)) {
            for (Path one : files.filter(Files::isRegularFile).collect(Collectors.toList())) {
              out.putNextEntry(new JarEntry(from.relativize(one).toString()));
              Files.copy(one, out);
            }
          }
        } else if (path.matches(".*/(javet|js|truffle-api|graal-sdk|regex|icu4j)[^/]*\\.jar")) {
          try (JarFile jar = new JarFile(path)) {
            for (JarEntry entry : jar.stream().collect(Collectors.toList())) {
              if (entry.isDirectory() || !names.add(entry.getName())) continue;
              out.putNextEntry(new JarEntry(entry.getName()));
              jar.getInputStream(entry).transferTo(out);
            }
          }
        }
      }
    }
    return made;
  }
}
