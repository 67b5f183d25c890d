package io.tenantanalytics.flinkhost.engine.isolated;

import java.net.URL;
import java.net.URLClassLoader;
import java.security.AccessController;
import java.security.PrivilegedAction;
import java.util.function.Function;

/**
 * Makes a class loader that refers to nobody.
 *
 * <p>A URLClassLoader keeps the access control context of its maker, and with it the class loaders of all code on the stack:
 * made by a job's code, it would keep the job's classes in memory for as long as the JVM lives. So the maker is this class,
 * defined once more in a protection domain that names no loader, and {@code doPrivileged} hides the stack below it.
 */
public final class LoaderFactory implements Function<URL, ClassLoader>, PrivilegedAction<ClassLoader> {
  private URL jar;

  @Override
  public ClassLoader apply(URL of) {
    jar = of;
    return AccessController.doPrivileged(this);
  }

  @Override
  public ClassLoader run() {
    return new URLClassLoader("tenant-analytics-v8", new URL[] {jar}, ClassLoader.getPlatformClassLoader());
  }
}
