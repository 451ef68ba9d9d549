package io.lakeshelf.fs;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.delta.storage.HadoopFileSystemLogStore;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * For {@code spark.delta.logStore.s3a.impl}: an entry of the log is one put on the condition that
 * nothing is there, so that of several processes one makes a version and the others are told.
 *
 * <p>An answer that is lost leaves open who made it. Each put carries an id in the object's metadata,
 * by which its own is known again.
 *
 * <p>A query that holds a lease names it in the session: {@value #LEASE} is the address of its
 * object, {@value #TERM} its term. No entry is written under a term that is over.
 */
public class ConditionalLogStore extends HadoopFileSystemLogStore {

  static final String LEASE = "io.lakeshelf.lease";
  static final String TERM = "io.lakeshelf.term";
  private static final String CONDITION = "fs.option.create.conditional.overwrite";
  private static final String HEADER = "lakeshelf-put";
  private static final ObjectMapper JSON = new ObjectMapper();

  public ConditionalLogStore(Configuration configuration) {
    super(configuration);
  }

  @Override
  public void write(
      Path path, Iterator<String> actions, Boolean overwrite, Configuration configuration)
      throws IOException {
    byte[] content = joined(actions);
    FileSystem files = path.getFileSystem(configuration);
    if (overwrite) {
      try (FSDataOutputStream out = files.create(path, true)) {
        out.write(content);
      }
      return;
    }
    requireLease(configuration);
    putIfAbsent(files, path, content);
  }

  @Override
  public Boolean isPartialWriteVisible(Path path, Configuration configuration) {
    return false;
  }

  private static byte[] joined(Iterator<String> actions) {
    StringBuilder lines = new StringBuilder();
    actions.forEachRemaining(action -> lines.append(action).append('\n'));
    return lines.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void putIfAbsent(FileSystem files, Path path, byte[] content) throws IOException {
    byte[] id = UUID.randomUUID().toString().getBytes(StandardCharsets.UTF_8);
    try {
      put(files, path, content, id);
    } catch (IOException refused) {
      byte[] holder = holder(files, path, refused);
      if (!Arrays.equals(holder, id)) {
        FileAlreadyExistsException taken = new FileAlreadyExistsException(path.toString());
        taken.initCause(refused);
        throw taken;
      }
    }
  }

  private static void put(FileSystem files, Path path, byte[] content, byte[] id)
      throws IOException {
    FSDataOutputStreamBuilder<?, ?> asked = files.createFile(path).overwrite(true);
    asked.must(CONDITION, true);
    asked.must("fs.s3a.create.header." + HEADER, new String(id, StandardCharsets.UTF_8));
    FSDataOutputStream out = asked.build();
    out.write(content);
    out.close(); // the put itself; what it throws counts
  }

  /** The id of the put that made the object. Where there is none, the put has failed. */
  private static byte[] holder(FileSystem files, Path path, IOException refused)
      throws IOException {
    try {
      byte[] id = files.getXAttrs(path).get("header." + HEADER);
      return id == null ? new byte[0] : id;
    } catch (FileNotFoundException absent) {
      throw refused;
    } catch (IOException unknown) {
      refused.addSuppressed(unknown);
      throw refused;
    }
  }

  private static void requireLease(Configuration configuration) throws IOException {
    String address = configuration.get(LEASE, "");
    if (address.isEmpty()) {
      return;
    }
    Path path = new Path(address);
    long term = configuration.getLong(TERM, -1);
    try (FSDataInputStream in = path.getFileSystem(configuration).open(path)) {
      JsonNode lease = JSON.readTree(in.readAllBytes());
      if (lease.path("term").asLong(-1) != term) {
        throw new IOException(
            "lease lost: " + address + " is of term " + lease.path("term") + ", not of " + term);
      }
    }
  }
}
