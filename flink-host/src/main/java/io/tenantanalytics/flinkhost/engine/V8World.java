package io.tenantanalytics.flinkhost.engine;

import com.caoccao.javet.interop.loader.JavetLibLoader;
import io.tenantanalytics.flinkhost.engine.isolated.LoaderFactory;
import io.tenantanalytics.flinkhost.engine.isolated.V8Entry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.ProtectionDomain;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.function.Function;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;

/**
 * V8, once per JVM. The native library can belong to one class loader only, but each submission of a job brings a class loader
 * of its own. So Javet and the classes of {@code isolated} are loaded apart, by a loader that knows no job, kept in the system
 * properties of the JVM; jobs come and go, and speak to it through types of the JDK.
 *
 * <p>The world stands on a copy of its classes: the jar of the job that made it may be deleted while the JVM lives on.
 */
final class V8World {
  /** A native library to load instead of the one in the jar: for a build of one's own, and for tests. */
  static final String LIBRARY_PROPERTY = "tenantanalytics.v8.library";

  private static final String KEY_PREFIX = "io.tenantanalytics.flinkhost.v8.";
  private static final String ISOLATED = V8Entry.class.getPackageName().replace('.', '/') + "/";
  private static final String JAVET = "com/caoccao/javet/";

  /** Why there is no V8 for the jobs of this class loader; asked once, a library that does not load will not. */
  private static Unavailable failure;

  private V8World() {}

  /** V8 cannot be had in this JVM; the message says why. */
  static final class Unavailable extends Exception {
    private static final long serialVersionUID = 1L;

    Unavailable(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** See {@link V8Entry} for what goes in and out. */
  @SuppressWarnings("unchecked")
  static synchronized Function<Object[], Object[]> get() throws Unavailable {
    if (failure != null) throw failure;
    try {
      Map<String, byte[]> own = new TreeMap<>();
      read(ISOLATED, "V8Entry.class", own);
      String key = KEY_PREFIX + JavetLibLoader.LIB_VERSION + "." + fingerprint(own);
      // One string for all class loaders of the JVM: two jobs that start at once wait for each other here.
      synchronized (key.intern()) {
        Object kept = System.getProperties().get(key);
        if (kept == null) {
          kept = create(own);
          System.getProperties().put(key, kept);
        }
        return (Function<Object[], Object[]>) kept;
      }
    } catch (IOException | ReflectiveOperationException | LinkageError | RuntimeException failed) {
      Throwable cause = failed instanceof InvocationTargetException ? failed.getCause() : failed;
      if (cause instanceof InterruptedException) {
        Thread.currentThread().interrupt();
        throw new CancellationException("interrupted while V8 was being loaded");
      }
      failure = new Unavailable(cause.getClass().getSimpleName() + ": " + cause.getMessage(), cause);
      throw failure;
    }
  }

  private static Object create(Map<String, byte[]> own)
      throws IOException, ReflectiveOperationException {
    Path folder = Files.createTempDirectory("tenant-analytics-v8-");
    Path jar = folder.resolve("v8.jar");
    Path library = folder.resolve(libraryName());
    try {
      Map<String, byte[]> classes = new TreeMap<>(own);
      read(JAVET, "interop/V8Host.class", classes);
      write(classes, jar);
      copyLibrary(library);
      ClassLoader loader = loader(own.get(ISOLATED + "LoaderFactory.class"), jar.toUri().toURL());
      Class<?> entry = Class.forName(V8Entry.class.getName(), true, loader);
      return entry.getMethod("boot", String.class).invoke(null, folder.toString());
    } finally {
      // Both stay open, and Linux keeps open files whole: nothing is left behind, however the JVM ends.
      Files.deleteIfExists(library);
      Files.deleteIfExists(jar);
      Files.deleteIfExists(folder);
    }
  }

  /** See {@link LoaderFactory} for why this takes a class of its own in a protection domain of its own. */
  @SuppressWarnings("unchecked")
  private static ClassLoader loader(byte[] factory, URL jar) throws ReflectiveOperationException {
    final class Definer extends ClassLoader {
      Definer() {
        super(null);
      }

      Class<?> define() {
        return defineClass(LoaderFactory.class.getName(), factory, 0, factory.length, new ProtectionDomain(null, null));
      }
    }
    Object made = new Definer().define().getDeclaredConstructor().newInstance();
    return ((Function<URL, ClassLoader>) made).apply(jar);
  }

  private static String libraryName() {
    return "libjavet-v8-linux-" + architecture() + ".v." + JavetLibLoader.LIB_VERSION + ".so";
  }

  /** As Javet names it. */
  private static String architecture() {
    String name = System.getProperty("os.arch");
    return name.equals("aarch64") || name.equals("arm64") ? "arm64" : "x86_64";
  }

  private static void copyLibrary(Path to) throws IOException {
    String own = System.getProperty(LIBRARY_PROPERTY);
    if (own != null) {
      Files.copy(Paths.get(own), to);
      return;
    }
    URL in = System.getProperty("os.name").equals("Linux") ? V8World.class.getResource("/" + libraryName()) : null;
    if (in == null) {
      throw new UnsatisfiedLinkError(
          "this jar has V8 for Linux on x86-64, and this is "
              + System.getProperty("os.name") + " on " + System.getProperty("os.arch"));
    }
    try (InputStream from = open(in)) {
      Files.copy(from, to);
    }
  }

  /** All files under {@code prefix} of the jar or folder that holds {@code probe} of it. */
  private static void read(String prefix, String probe, Map<String, byte[]> into) throws IOException {
    URL url = V8World.class.getResource("/" + prefix + probe);
    if (url == null) throw new IOException("the jar has no " + prefix + probe);
    if (url.getProtocol().equals("file")) {
      Path root = Paths.get(URI.create(url.toString().substring(0, url.toString().length() - probe.length())));
      try (Stream<Path> paths = Files.walk(root)) {
        for (Path path : paths.filter(Files::isRegularFile).collect(Collectors.toList())) {
          into.put(prefix + root.relativize(path).toString(), Files.readAllBytes(path));
        }
      }
      return;
    }
    JarURLConnection connection = (JarURLConnection) url.openConnection();
    connection.setUseCaches(false);
    try (JarFile jar = connection.getJarFile()) {
      for (ZipEntry entry : jar.stream().collect(Collectors.toList())) {
        if (entry.isDirectory() || !entry.getName().startsWith(prefix)) continue;
        try (InputStream in = jar.getInputStream(entry)) {
          into.put(entry.getName(), in.readAllBytes());
        }
      }
    }
  }

  /** Not through the cache of the JVM, which would keep the job's jar open. */
  private static InputStream open(URL url) throws IOException {
    URLConnection connection = url.openConnection();
    connection.setUseCaches(false);
    return connection.getInputStream();
  }

  private static void write(Map<String, byte[]> files, Path jar) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JarOutputStream out = new JarOutputStream(bytes)) {
      for (Map.Entry<String, byte[]> file : files.entrySet()) {
        out.putNextEntry(new ZipEntry(file.getKey()));
        out.write(file.getValue());
        out.closeEntry();
      }
    }
    try (OutputStream out = Files.newOutputStream(jar)) {
      bytes.writeTo(out);
    }
  }

  /** A job with other classes of ours gets a world of its own, and does not meet what an older one left. */
  private static String fingerprint(Map<String, byte[]> files) {
    CRC32 sum = new CRC32();
    for (byte[] bytes : files.values()) sum.update(bytes);
    return Long.toHexString(sum.getValue());
  }
}
