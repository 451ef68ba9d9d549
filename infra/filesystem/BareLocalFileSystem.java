package io.lakeshelf.fs;

import org.apache.hadoop.fs.LocalFileSystem;

/** For {@code fs.file.impl}: the bare local file system, without {@code .crc} files. */
public class BareLocalFileSystem extends LocalFileSystem {

  public BareLocalFileSystem() {
    super(new BareRawLocalFileSystem());
    setWriteChecksum(false);
    setVerifyChecksum(false);
  }
}
