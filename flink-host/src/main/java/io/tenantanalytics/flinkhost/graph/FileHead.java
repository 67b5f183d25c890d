package io.tenantanalytics.flinkhost.graph;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;

/** What a file is, before it is read: its first bytes tell whether it is compressed, and its header. */
final class FileHead {
  private static final int HEAD_BYTES = 64 * 1024;

  final String path;
  final String baseName;
  final boolean gzip;
  final long modifiedAt;
  private final byte[] head;

  private FileHead(String path, String baseName, boolean gzip, long modifiedAt, byte[] head) {
    this.path = path;
    this.baseName = baseName;
    this.gzip = gzip;
    this.modifiedAt = modifiedAt;
    this.head = head;
  }

  static FileHead read(String path) {
    Path at = new Path(path);
    try {
      FileSystem files = at.getFileSystem();
      FileStatus status = files.getFileStatus(at);
      if (status.isDir()) throw new IllegalArgumentException("Cannot read " + path + ": expected a file, got a folder.");
      boolean gzip;
      try (InputStream in = files.open(at)) {
        byte[] magic = in.readNBytes(2);
        gzip = magic.length == 2 && magic[0] == (byte) 0x1f && magic[1] == (byte) 0x8b;
      }
      try (InputStream in = gzip ? new GZIPInputStream(files.open(at)) : files.open(at)) {
        return new FileHead(path, at.getName(), gzip, status.getModificationTime(), in.readNBytes(HEAD_BYTES));
      }
    } catch (IOException error) {
      throw new IllegalArgumentException("Cannot read " + path + ": " + error.getMessage() + ".", error);
    }
  }

  /** What the bundle is asked about its first line. */
  String question(String properties, int source) {
    int[] bytes = new int[head.length];
    Arrays.setAll(bytes, index -> head[index] & 0xff);
    Map<String, Object> question = new LinkedHashMap<>();
    question.put("properties", Json.parse(properties, java.util.List.class));
    question.put("source", source);
    question.put("path", path);
    question.put("head", bytes);
    return Json.write(question);
  }
}
