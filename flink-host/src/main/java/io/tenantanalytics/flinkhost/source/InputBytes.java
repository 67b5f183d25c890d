package io.tenantanalytics.flinkhost.source;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FileStatus;

/** The (uncompressed) bytes of an input file, from an offset on. */
final class InputBytes {
  private static final Pattern SCHEME = Pattern.compile("^[A-Za-z][A-Za-z0-9+.-]+:.*", Pattern.DOTALL);
  private static final int GZIP_BUFFER_BYTES = 64 * 1024;
  private static final int GZIP_TRAILER_BYTES = 8;

  private InputBytes() {}

  /** How many bytes the file has, as it lies on disk. */
  static long sizeOf(String path) throws IOException {
    if (isLocal(path)) {
      Path local = localPath(path);
      if (!Files.isRegularFile(local)) throw new IOException("Cannot read " + path + ": expected a file that is there.");
      return Files.size(local);
    }
    org.apache.flink.core.fs.Path remote = new org.apache.flink.core.fs.Path(path);
    FileStatus status = remote.getFileSystem().getFileStatus(remote);
    if (status.isDir()) throw new IOException("Cannot read " + path + ": expected a file, got a folder.");
    return status.getLen();
  }

  /** The first {@code size} bytes of the file as it lies on disk, once uncompressed, from {@code offset} on. */
  static InputStream open(String path, boolean gzip, long size, long offset) throws IOException {
    if (!gzip) return new Sized(openRaw(path, offset), path, size, offset);
    WholeGzip uncompressed = new WholeGzip(new Sized(openRaw(path, 0), path, size, 0), path);
    try {
      uncompressed.passOver(offset); // it cannot be entered in its middle
      return uncompressed;
    } catch (IOException | RuntimeException error) {
      uncompressed.close();
      throw error;
    }
  }

  private static InputStream openRaw(String path, long offset) throws IOException {
    if (isLocal(path)) {
      FileChannel channel = FileChannel.open(localPath(path), StandardOpenOption.READ);
      channel.position(offset);
      return Channels.newInputStream(channel);
    }
    org.apache.flink.core.fs.Path remote = new org.apache.flink.core.fs.Path(path);
    FSDataInputStream stream = remote.getFileSystem().open(remote);
    if (offset > 0) stream.seek(offset);
    return stream;
  }

  private static boolean isLocal(String path) {
    return path.startsWith("file:") || !SCHEME.matcher(path).matches();
  }

  private static Path localPath(String path) {
    return Paths.get(path.startsWith("file:") ? new org.apache.flink.core.fs.Path(path).getPath() : path);
  }

  /** Ends after the bytes the file had when the run began, and fails when it has fewer by now. */
  private static final class Sized extends InputStream {
    private final InputStream in;
    private final String path;
    private final long size;
    private long at;

    Sized(InputStream in, String path, long size, long at) {
      this.in = in;
      this.path = path;
      this.size = size;
      this.at = at;
    }

    @Override
    public int read(byte[] into, int from, int length) throws IOException {
      int most = (int) Math.min(length, size - at);
      if (most <= 0) return length == 0 ? 0 : -1;
      int read = in.read(into, from, most);
      if (read < 0) {
        throw new EOFException(
            path + ": expected " + size + " bytes, got " + at + ": the file became shorter while it was read.");
      }
      at += read;
      return read;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    /** GZIPInputStream asks for it at the end of a member: 0 ends the file. */
    @Override
    public int available() {
      return (int) Math.min(Integer.MAX_VALUE, Math.max(0, size - at));
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }

  /**
   * A gzip file of one member or several. GZIPInputStream takes a second member that is broken at its head for the end of
   * the file; here it is an error. Zeros after the last member are padding.
   */
  private static final class WholeGzip extends InputStream {
    private final Sized in;
    private final String path;
    private Members members;

    WholeGzip(Sized in, String path) {
      this.in = in;
      this.path = path;
    }

    @Override
    public int read(byte[] into, int from, int length) throws IOException {
      try {
        if (members == null) members = new Members(in);
        int read = members.read(into, from, length);
        if (read < 0) members.checkRest(in);
        return read;
      } catch (IOException error) {
        throw new IOException(
            path + ": expected a whole gzip file, got one that breaks off or was changed (" + error.getMessage() + ").",
            error);
      }
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    void passOver(long bytes) throws IOException {
      byte[] passed = new byte[GZIP_BUFFER_BYTES];
      for (long left = bytes; left > 0; ) {
        int read = read(passed, 0, (int) Math.min(left, passed.length));
        if (read < 0) {
          throw new EOFException(
              path + ": expected more than " + bytes + " bytes in it, got " + (bytes - left) + ": the file was changed.");
        }
        left -= read;
      }
    }

    @Override
    public void close() throws IOException {
      if (members != null) members.close();
      in.close();
    }
  }

  private static final class Members extends GZIPInputStream {
    private boolean restChecked;

    Members(InputStream in) throws IOException {
      super(in, GZIP_BUFFER_BYTES);
    }

    void checkRest(InputStream in) throws IOException {
      if (restChecked) return;
      int rest = Math.max(0, inf.getRemaining() - GZIP_TRAILER_BYTES);
      checkZeros(len - rest, len);
      for (int read; (read = in.read(buf, 0, buf.length)) > 0; ) checkZeros(0, read);
      restChecked = true;
    }

    private void checkZeros(int from, int to) throws IOException {
      for (int at = from; at < to; at++) {
        if (buf[at] != 0) throw new IOException("incorrect header check");
      }
    }
  }
}
